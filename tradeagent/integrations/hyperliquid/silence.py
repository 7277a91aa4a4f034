"""Notice which part of a stream is silent though the rest of it goes on."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 64
"""How many times its limit a part may be silent at most that is quiet by nature."""


@dataclass(slots=True, eq=False)
class Group:
    """Channels that speak for each other: silent when none of them has said anything in `limit`.

    What is `quiet` by nature is given twice the time after each silence, until it speaks again.
    """

    name: str
    limit: float
    quiet: bool
    heard: float = 0.0
    words: int = 0
    patience: int = 1

    def hear(self, now: float) -> None:
        """Take note of a message; the first one after an opening may just tell how things stand."""
        self.heard = now
        self.words += 1
        if self.words > 1:
            self.patience = 1

    def begin(self, now: float) -> None:
        """Begin anew with a new connection."""
        self.heard, self.words = now, 0

    def lasts(self, now: float) -> float:
        """Return for how many times its limit it has been silent."""
        return (now - self.heard) / (self.limit * self.patience)


class Silences:
    """The groups of one stream; seconds are those of `timing.elapsed`."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._of: dict[tuple[str, str], Group] = {}

    def watch(self, kind: str, coin: str, limit: float, *, quiet: bool) -> None:
        """Listen for a channel; all of one coin speak for each other, but what is quiet alone."""
        name = f"{coin} {kind}" if quiet else coin or kind
        group = self._groups.setdefault(name, Group(name, limit, quiet))
        self._of[kind, coin] = group

    def begin(self, now: float) -> None:
        """Begin anew with a new connection."""
        for group in self._groups.values():
            group.begin(now)

    def heard(self, kind: str, data: object, now: float) -> None:
        """Take note of a message."""
        if isinstance(data, list):
            data = data[0] if data else None
        group = self._of.get((kind, getattr(data, "coin", "")))
        if group is not None:
            group.hear(now)

    def found(self, now: float) -> str:
        """Return what has been silent for too long, nothing where all is well.

        What is about to be so too is given more time with it, so that parts that are quiet for good
        do not open the line anew one after the other.
        """
        worst = max(self._groups.values(), key=lambda one: one.lasts(now), default=None)
        if worst is None or worst.lasts(now) <= 1:
            return ""
        told = f"{worst.name} was silent for {worst.limit * worst.patience:g} s"
        for group in self._groups.values():
            if group.quiet and group.lasts(now) > 0.5:
                group.patience = min(2 * group.patience, MOST)
        return told
