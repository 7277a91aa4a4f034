"""Watch what code opens while it runs, and keep from it the files that hold its future."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tradeagent.errors import TradeAgentError

CODE = (".py", ".pyc", ".so", ".pyd", ".pth")
SYSTEM = ("/proc/", "/sys/", "/dev/")


class Peeked(TradeAgentError):
    """Code opened a file that holds what it is tested on."""


class Outlook:
    """An audit hook: it refuses the files `hidden`, and notes all others that are read.

    Interpreters keep such hooks for good, so there is one for a process, idle unless it watches.
    """

    def __init__(self) -> None:
        self._hidden: frozenset[str] = frozenset()
        self._ours: tuple[str, ...] = ()
        self._watching = False
        self._installed = False
        self.peeked: list[str] = []
        self.read: dict[str, None] = {}

    @contextmanager
    def over(self, hidden: Collection[Path], ours: Collection[Path]) -> Iterator[Outlook]:
        """Watch meanwhile; what lies below one of `ours` is not noted."""
        self._hidden = frozenset(str(path.resolve()) for path in hidden)
        known = [*ours, Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[1]]
        self._ours = tuple(str(path.resolve()) for path in known)
        self.peeked.clear()
        self.read.clear()
        if not self._installed:
            self._installed = True
            sys.addaudithook(self._hook)
        self._watching = True
        try:
            yield self
        finally:
            self._watching = False

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Look away for a while: it is we who read."""
        before, self._watching = self._watching, False
        try:
            yield
        finally:
            self._watching = before

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not self._watching:
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        self._watching = False  # resolving a path must not be watched
        try:
            place = os.path.realpath(os.fsdecode(path))
        finally:
            self._watching = True
        if place in self._hidden:
            self.peeked.append(place)
            raise Peeked(f"{place} was opened: it holds what is still to come")
        if not place.endswith(CODE) and not place.startswith((*SYSTEM, *self._ours)):
            self.read[place] = None


OUTLOOK = Outlook()
