"""Durations of a clock, deadlines on it, and the venue's own time."""

from __future__ import annotations

import asyncio

from tradeagent.clock import MILLISECOND, SECOND, Clock, WallClock, monotonic

REMEMBERED = 120.0
"""How long the best sighting of the venue's time is kept, in seconds."""


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
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: int | None = None
        self._seen = 0.0

    def _carried(self) -> int:
        return int(elapsed(self._clock) * SECOND)

    def sight(self, time_ms: int) -> None:
        """Take in the venue's time from an answer that has just come."""
        ahead = time_ms * MILLISECOND - self._carried()
        now = elapsed(self._clock)
        if self._ahead is None or ahead >= self._ahead or now - self._seen > REMEMBERED:
            self._ahead, self._seen = ahead, now

    def now(self) -> int:
        """Return the venue's time, UTC ns; this machine's before any sighting."""
        if self._ahead is None:
            return self._clock.now()
        return self._carried() + self._ahead

    @property
    def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the venue's."""
        return (self._clock.now() - self.now()) / SECOND
