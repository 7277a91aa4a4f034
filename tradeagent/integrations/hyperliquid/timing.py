"""Durations of a clock, deadlines on it, and the venue's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tradeagent.clock import MILLISECOND, SECOND, Clock, WallClock, monotonic
from tradeagent.errors import VenueUnavailable

REMEMBERED = 120.0
"""How long the best sighting of the venue's time is kept, in seconds."""
SLEPT = 2 * SECOND
"""From what difference on, between the advance of both clocks, the machine has slept, ns."""
ASLEEP = "this machine has slept"
"""Why the line counts as lost then."""


def elapsed(clock: Clock) -> float:
    """Return seconds of `clock` since some moment; stepping the wall clock does not change it."""
    if type(clock) is WallClock:
        return monotonic() / SECOND
    return clock.now() / SECOND


def within(clock: Clock, seconds: float) -> asyncio.Timeout:
    """Return a context that ends in TimeoutError after `seconds` of `clock`."""
    return asyncio.timeout(seconds / clock.speed)


class VenueTime:
    """The venue's time, carried on between sightings by the monotonic clock.

    An answer is on its way for a while, and the node it comes from may lag: both show an earlier
    time than it is. So of the sightings of two minutes the latest time is the nearest.

    While a machine sleeps its monotonic clock stands still and its wall clock does not: where the
    latter has gone further all is forgotten, until the venue's time is seen again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: int | None = None
        self._seen = 0.0
        self._shown, self._passed = clock.now(), self._carried()
        self._known = asyncio.Event()
        self.sleeps = 0
        """How often the machine was found to have slept."""
        self.woken: Callable[[], None] = _nobody
        """Called when the machine was found to have slept."""

    def _carried(self) -> int:
        return int(elapsed(self._clock) * SECOND)

    def sight(self, time_ms: int, sleeps: int | None = None) -> None:
        """Take in the venue's time from an answer that has just come.

        One that was asked for before the last of `sleeps` is as old as that sleep was long.
        """
        self.look()
        if sleeps is not None and sleeps != self.sleeps:
            return
        ahead = time_ms * MILLISECOND - self._carried()
        now = elapsed(self._clock)
        if self._ahead is None or ahead >= self._ahead or now - self._seen > REMEMBERED:
            self._ahead, self._seen = ahead, now
        self._known.set()

    def look(self) -> None:
        """Look whether the machine has slept since it was last looked."""
        shown, passed = self._clock.now(), self._carried()
        slept = shown - self._shown - (passed - self._passed)
        self._shown, self._passed = shown, passed
        if slept > SLEPT:
            self._ahead = None
            self._known.clear()
            self.sleeps += 1
            self.woken()

    def now(self) -> int:
        """Return the venue's time, UTC ns; this machine's while it is not known."""
        self.look()
        if self._ahead is None:
            return self._clock.now()
        return self._carried() + self._ahead

    def certain(self) -> int:
        """Return the venue's time, UTC ns; raises VenueUnavailable while it is not known."""
        now = self.now()
        if self._ahead is None:
            raise VenueUnavailable("the venue's time is not known yet")
        return now

    async def known(self, patience: float) -> None:
        """Return when the venue's time is known; raises VenueUnavailable after `patience` s."""
        self.look()
        try:
            async with within(self._clock, patience):
                await self._known.wait()
        except TimeoutError:
            self.certain()

    @property
    def is_known(self) -> bool:
        """Tell whether the venue's time was seen since the machine last woke."""
        self.look()
        return self._ahead is not None

    @property
    def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the venue's."""
        return (self._clock.now() - self.now()) / SECOND


def _nobody() -> None:
    """Do nothing."""
