"""Watches from outside the message loop: a thread for the loop's lag, a scale for memory."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable

from tradeagent.clock import SECOND, monotonic
from tradeagent.log import log

BEAT = 0.2
STUCK_EXIT = 75


class LoopWatch:
    """Measures how late the event loop is, from a thread that the loop cannot hold up.

    After `late` seconds `lag` shows it and the culprit is named once; after `dead` seconds the
    process ends with status 75 and its stacks, for the process supervisor to start it again.
    """

    def __init__(self, suspect: Callable[[], str], late: float = 2.0, dead: float = 10.0) -> None:
        self._suspect = suspect
        self._late = late
        self._dead = dead
        self._beat = monotonic()
        self._named = False
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)
        self.worst = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._mark()
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def lag(self) -> float:
        """Return how many seconds the loop is late."""
        return max(0.0, (monotonic() - self._beat) / SECOND - BEAT)

    def _mark(self) -> None:
        self.worst = max(self.worst, self.lag)
        self._beat = monotonic()
        self._named = False
        self._timer = self._loop.call_later(BEAT, self._mark)

    def _watch(self) -> None:
        while not self._stop.wait(BEAT):
            lag = self.lag
            if lag > self._late and not self._named:
                self._named = True
                log.error("the event loop is {:.1f} s late in {}", lag, self._suspect())
            if lag > self._dead:
                log.critical(
                    "the event loop is stuck in {}; ending with status {}\n{}",
                    self._suspect(),
                    STUCK_EXIT,
                    self.stack(),
                )
                sys.stderr.flush()
                os._exit(STUCK_EXIT)

    def stack(self) -> str:
        """Return where the loop's thread is."""
        frame = sys._current_frames().get(self._main)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""


def resident_bytes() -> int:
    """Return the memory the process holds, or 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def weigh(root: object, most: int = 200_000) -> int:
    """Return about how many bytes `root` holds, looking at up to `most` objects."""
    seen: set[int] = set()
    waiting: deque[object] = deque([root])
    total = 0
    while waiting and len(seen) < most:
        thing = waiting.popleft()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if isinstance(thing, dict):
            waiting.extend(thing.keys())
            waiting.extend(thing.values())
        elif isinstance(thing, list | tuple | set | frozenset | deque):
            waiting.extend(thing)
        elif getattr(type(thing), "__module__", "").split(".")[0] not in {"builtins", "asyncio"}:
            waiting.append(getattr(thing, "__dict__", None))
            slots = getattr(type(thing), "__slots__", ())
            waiting.extend(getattr(thing, slot, None) for slot in slots)
    return total
