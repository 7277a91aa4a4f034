"""The only place that reads time: wall, accelerated and simulated clocks."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterator, Sized
from typing import Any, Generic, Protocol, TypeVar

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
NEVER = 1 << 63

T = TypeVar("T")

monotonic: Callable[[], int] = time.perf_counter_ns
"""Nanoseconds for durations only; it has no relation to any date."""


async def breathe() -> None:
    """Let the event loop turn once."""
    await asyncio.sleep(0)


class Clock(Protocol):
    """What tells the time, in UTC nanoseconds, and waits for it."""

    simulated: bool
    speed: float

    def now(self) -> int:
        """Return the time; it never goes back."""
        ...

    async def sleep_until(self, when: int) -> None:
        """Return when the clock shows `when`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock."""
        ...

    def hold(self) -> None:
        """Count one more piece of work; a simulated clock stands still until it is released."""
        ...

    def release(self) -> None:
        """Count one piece of work as done."""
        ...


class WallClock:
    """Real time, kept from going back when the system clock is stepped."""

    simulated = False
    speed = 1.0

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        shown = time.time_ns()
        if shown < self._last:
            return self._last
        self._last = shown
        return shown

    async def sleep_until(self, when: int) -> None:
        while (left := when - self.now()) > 0:
            await asyncio.sleep(left / SECOND)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def hold(self) -> None:
        """Do nothing: real time waits for nobody."""

    def release(self) -> None:
        """Do nothing: real time waits for nobody."""


class AcceleratedClock(WallClock):
    """Time that starts at `origin` and runs `speed` times as fast as the wall's.

    Processes given the same origin, speed and `since` show the same time without talking.
    """

    def __init__(self, origin: int, speed: float, since: int | None = None) -> None:
        """Show `origin` (UTC ns) now, or at the wall's moment `since` (UTC ns)."""
        super().__init__()
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self.origin = origin
        passed = 0 if since is None else time.time_ns() - since
        self._start = time.monotonic_ns() - passed

    @property
    def anchor(self) -> str:
        """Return wall time and shown time of one instant (ns), for another process to align to."""
        return f"{time.time_ns()}:{self.now()}"

    def align(self, anchor: str) -> None:
        """Show the time that a clock with `anchor` shows, from now on."""
        wall, shown = map(int, anchor.split(":"))
        self.origin = shown
        self._start = time.monotonic_ns() - (time.time_ns() - wall)
        self._last = 0

    def now(self) -> int:
        shown = self.origin + int((time.monotonic_ns() - self._start) * self.speed)
        self._last = max(self._last, shown)
        return self._last

    async def sleep_until(self, when: int) -> None:
        while (left := when - self.now()) > 0:
            await asyncio.sleep(left / SECOND / self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


class _Stream(Generic[T]):
    """Events still to come, the next at `when` (UTC ns); at one time the lower rank leads."""

    __slots__ = ("deliver", "event", "events", "rank", "when")

    def __init__(
        self,
        rank: int,
        events: Iterator[tuple[int, T]],
        deliver: Callable[[T], None],
        first: tuple[int, T],
    ) -> None:
        self.rank = rank
        self.events = events
        self.deliver = deliver
        self.when, self.event = first


class SimulatedClock:
    """Time that jumps from event to event, and only when nothing is left to do.

    Work in progress is counted with `hold` and `release`. A sleeper does not count as work while it
    sleeps and counts again before it wakes, so neither waits for the other. Events of one instant
    run in the order: streams as they were added, then sleepers and calls as they were scheduled.
    """

    simulated = True
    speed = float("inf")

    def __init__(self, origin: int = 0) -> None:
        self._now = origin
        self._busy = 0
        self._scheduled = 0
        self._added = 0
        self._streams: list[_Stream[Any]] = []
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._idle: asyncio.Future[None] | None = None
        self.on_idle: Callable[[], bool] = lambda: False
        self.left: Sized = (None,)
        """What `on_idle` releases: it is not asked while this is empty."""
        self.crowded: Callable[[], bool] = lambda: False
        """Whether what leaves the process is so far behind that time had better wait."""
        self.stopped = False

    def now(self) -> int:
        return self._now

    def hold(self) -> None:
        self._busy += 1

    def release(self) -> None:
        self._busy -= 1
        if self._busy == 0 and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._now + int(seconds * SECOND))

    async def sleep_until(self, when: int) -> None:
        """Return when the clock shows `when`; a sleeper does not keep it from moving."""
        woken = asyncio.get_running_loop().create_future()

        def wake() -> None:
            self.hold()
            if woken.done():
                self.release()
            else:
                woken.set_result(None)

        self.call_at(max(when, self._now), wake)
        self.release()
        try:
            await woken
        except asyncio.CancelledError:
            if not woken.done() or woken.cancelled():
                self.hold()
            raise

    def call_at(self, when: int, call: Callable[[], None]) -> None:
        """Run `call` when the clock reaches `when`."""
        self._scheduled += 1
        heapq.heappush(self._heap, (when, self._scheduled, call))

    def add_stream(self, events: Iterator[tuple[int, T]], deliver: Callable[[T], None]) -> None:
        """Hand each event to `deliver` at its time; the run lasts as long as a stream does."""
        self._added += 1
        first = next(events, None)
        if first is not None:
            first = (max(first[0], self._now), first[1])
            self._streams.append(_Stream(self._added, events, deliver, first))

    async def settled(self) -> None:
        """Return when no work is in progress and nothing was left to release."""
        while self._busy or self.on_idle():
            if self._busy:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle

    async def run(self, until: int = NEVER, pause_every: int = 256) -> None:
        """Run events up to and including `until`, or until the last stream has ended."""
        heap, streams = self._heap, self._streams
        played = 0
        while streams and not self.stopped:
            if self._busy or (self.left and self.on_idle()):
                await self.settled()
                continue
            stream = streams[0] if len(streams) == 1 else min(streams, key=_turn)
            when = stream.when
            if heap and heap[0][0] < when:
                when, _, call = heap[0]
                if when > until:
                    break
                heapq.heappop(heap)
                if when > self._now:
                    self._now = when
                call()
            else:
                if when > until:
                    break
                self._now = when
                stream.deliver(stream.event)
                following = next(stream.events, None)
                if following is None:
                    streams.remove(stream)
                else:
                    due, stream.event = following
                    stream.when = due if due > when else when
            played += 1
            if played % pause_every == 0:
                await asyncio.sleep(0)
                while self.crowded():
                    await asyncio.sleep(0.001)
        await self.settled()
        if until != NEVER and not self.stopped:
            self._now = max(self._now, until)


def _turn(stream: _Stream[Any]) -> tuple[int, int]:
    return stream.when, stream.rank
