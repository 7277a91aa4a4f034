"""Time: it never goes back, it goes as fast as asked, and simulated time waits for the work."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tradeagent.clock import (
    SECOND,
    AcceleratedClock,
    SimulatedClock,
    WallClock,
    breathe,
)

NOON = 1_767_268_800 * SECOND


class Machine:
    """The operating system's clocks, turned by hand; to sleep is to turn them."""

    def __init__(self) -> None:
        self.wall = NOON
        self.uptime = 500 * SECOND
        self.slept: list[float] = []
        self.early = 0.0

    def time_ns(self) -> int:
        """Return the date, which an administrator may set."""
        return self.wall

    def monotonic_ns(self) -> int:
        """Return the time since it started, which nobody sets."""
        return self.uptime

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += int(seconds * SECOND)
        self.uptime += int(seconds * SECOND)

    async def sleep(self, seconds: float) -> None:
        """Sleep, the first time `early` too short, as a real one may."""
        self.slept.append(seconds)
        self.turn(seconds - self.early)
        self.early = 0.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Put a machine whose clocks are turned by hand below the clocks under test."""
    made = Machine()
    monkeypatch.setattr("tradeagent.clock.time", made)
    monkeypatch.setattr("tradeagent.clock.asyncio", SimpleNamespace(sleep=made.sleep))
    return made


# -- real time ------------------------------------------------------------------------------------


def test_wall_time_never_goes_back(machine: Machine) -> None:
    """While the system clock is behind what was shown, the clock stands; then it goes on."""
    clock = WallClock()
    assert clock.now() == NOON

    machine.wall -= 3600 * SECOND
    assert clock.now() == NOON
    machine.turn(3600.5)
    assert clock.now() == NOON + SECOND // 2


async def test_a_wall_sleeper_wakes_no_sooner_than_asked(machine: Machine) -> None:
    """A sleep that the machine cut short is slept to its end; the past is not waited for."""
    clock = WallClock()
    machine.early = 0.25

    await clock.sleep_until(NOON + 10 * SECOND)
    assert (clock.now(), machine.slept) == (NOON + 10 * SECOND, [10.0, 0.25])
    await clock.sleep_until(NOON)
    assert machine.slept == [10.0, 0.25]


# -- accelerated time -----------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0, 3000.0])
def test_accelerated_time_goes_as_fast_as_asked(machine: Machine, speed: float) -> None:
    """It starts at its origin and shows `speed` seconds for one, whatever the date is set to."""
    clock = AcceleratedClock(7 * SECOND, speed)
    assert clock.now() == 7 * SECOND

    machine.turn(4)
    machine.wall -= 86_400 * SECOND
    assert clock.now() == 7 * SECOND + int(4 * speed * SECOND)


async def test_an_accelerated_sleeper_sleeps_less(machine: Machine) -> None:
    """A minute at sixty times the speed takes a second, however it is asked for."""
    clock = AcceleratedClock(0, 60)

    await clock.sleep(60)
    assert (clock.now(), machine.slept) == (60 * SECOND, [1.0])
    machine.early = 0.5
    await clock.sleep_until(180 * SECOND)
    assert (clock.now(), machine.slept) == (180 * SECOND, [1.0, 2.0, 0.5])


def test_a_speed_that_leads_nowhere_is_refused() -> None:
    """A clock must go on."""
    with pytest.raises(ValueError, match="speed must be above 0, not 0"):
        AcceleratedClock(0, 0)


@pytest.mark.parametrize("origin", [0, 90 * SECOND, 86_400 * SECOND])
def test_two_processes_can_show_one_time(machine: Machine, origin: int) -> None:
    """A clock aligned to another's anchor shows its time, then and later, ahead or behind."""
    first = AcceleratedClock(1000 * SECOND, 60)
    machine.turn(2)
    anchor = first.anchor
    machine.turn(3)
    second = AcceleratedClock(origin, 60)
    second.now()

    second.align(anchor)
    assert second.now() == first.now() == 1300 * SECOND
    machine.turn(1)
    assert second.now() == first.now() == 1360 * SECOND


def test_clocks_since_one_wall_moment_agree_without_talking(machine: Machine) -> None:
    """Origin, speed and a wall moment decide what is shown, whenever a process starts."""
    since = NOON - 3 * SECOND
    first = AcceleratedClock(1000 * SECOND, 20, since)
    assert first.now() == 1060 * SECOND
    machine.turn(2)
    second = AcceleratedClock(1000 * SECOND, 20, since)
    assert second.now() == first.now() == 1100 * SECOND


# -- simulated time -------------------------------------------------------------------------------


class Day:
    """A simulated clock whose every event notes the time and its name."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.seen: list[tuple[int, str]] = []

    def note(self, name: str) -> None:
        """Write down when something happened."""
        self.seen.append((self.clock.now(), name))

    def stream(self, *events: tuple[int, str]) -> None:
        """Add a stream of named events."""
        self.clock.add_stream(iter(events), self.note)

    def call(self, when: int, name: str) -> None:
        """Schedule a named call."""
        self.clock.call_at(when, lambda: self.note(name))

    async def run(self, until: int = 1 << 63) -> list[tuple[int, str]]:
        """Run, but not for ever; returns what was noted."""
        async with asyncio.timeout(5):
            await self.clock.run(until)
        return self.seen


async def test_events_of_one_instant_have_one_order() -> None:
    """Streams as they were added, each to its last event of then; then calls as scheduled."""
    day = Day()
    day.call(5, "call 1")
    day.stream((5, "a1"), (5, "a2"), (9, "end"))
    day.stream((5, "b1"), (7, "b2"))
    day.call(5, "call 2")

    assert await day.run() == [
        *((5, name) for name in ("a1", "a2", "b1", "call 1", "call 2")),
        (7, "b2"),
        (9, "end"),
    ]


async def test_what_an_event_schedules_for_now_happens_now_after_the_streams() -> None:
    """A call for this very instant runs before time goes on, but after the streams' events."""
    day = Day()

    def play(name: str) -> None:
        day.note(name)
        day.call(day.clock.now(), f"{name} called")

    day.clock.add_stream(iter([(5, "a"), (8, "b"), (9, "c")]), play)
    day.stream((5, "d"))

    assert await day.run() == [
        *((5, "a"), (5, "d"), (5, "a called")),
        *((8, "b"), (8, "b called"), (9, "c")),
    ]


async def test_simulated_time_never_goes_back() -> None:
    """An event that comes too late happens now."""
    day = Day()
    day.stream((5, "a"), (3, "late"), (6, "b"))

    assert await day.run() == [(5, "a"), (5, "late"), (6, "b")]


async def test_time_stands_still_until_all_work_is_released() -> None:
    """However often the loop turns, the next event waits for the last of what is held."""
    day = Day()

    async def work(name: str, turns: int) -> None:
        for _ in range(turns):
            await breathe()
        day.note(name)
        day.clock.release()

    tasks = []

    def begin(name: str) -> None:
        day.note(name)
        for turns in (20, 3):
            day.clock.hold()
            tasks.append(asyncio.ensure_future(work(f"{name} {turns}", turns)))

    day.clock.add_stream(iter([(1, "a"), (2, "b")]), begin)
    await day.run()

    assert day.seen == [(1, "a"), (1, "a 3"), (1, "a 20"), (2, "b"), (2, "b 3"), (2, "b 20")]


async def test_what_is_left_to_say_is_said_before_time_goes_on() -> None:
    """`on_idle` is asked until it has nothing more, at the time that brought it about."""
    day = Day()
    left: list[str] = []

    def idle() -> bool:
        if not left:
            return False
        day.note(left.pop())
        return True

    day.clock.on_idle = idle
    day.clock.add_stream(iter([(1, "a"), (2, "b")]), lambda name: left.extend((name, name)))
    await day.run()

    assert day.seen == [(1, "a"), (1, "a"), (2, "b"), (2, "b")]


async def test_a_sleeper_is_idle_until_it_wakes_and_then_holds_time() -> None:
    """Time passes over a sleeper, and stands still from its waking to its release."""
    day = Day()
    tasks = []

    async def sleeper() -> None:
        await day.clock.sleep(3)
        for _ in range(10):
            await breathe()
        day.note("awake")
        await day.clock.sleep_until(day.clock.now() - 1)
        day.note("still")
        day.clock.release()

    def begin(name: str) -> None:
        day.note(name)
        if name == "a":
            day.clock.hold()
            tasks.append(asyncio.ensure_future(sleeper()))

    events = [(1, "a"), (2 * SECOND, "b"), (3 * SECOND + 1, "c"), (3 * SECOND + 2, "d")]
    day.clock.add_stream(iter(events), begin)
    await day.run()

    awake = 3 * SECOND + 1
    assert day.seen[1:] == [
        (2 * SECOND, "b"),
        (awake, "c"),
        (awake, "awake"),
        (awake, "still"),
        (awake + 1, "d"),
    ]


@pytest.mark.parametrize(("state", "second"), [("asleep", 2), ("woken", 3)])
async def test_a_cancelled_sleeper_leaves_the_count_as_it_was(state: str, second: int) -> None:
    """Cancelled asleep, or woken but not yet running, it holds time until its end, no longer."""
    day = Day()
    tasks: list[asyncio.Task[None]] = []

    async def sleeper() -> None:
        try:
            await day.clock.sleep_until(3 * SECOND)
            day.note("awake")
        finally:
            for _ in range(10):
                await breathe()
            day.note("over")
            day.clock.release()

    def play(name: str) -> None:
        day.note(name)
        if name == "begin":
            day.clock.hold()
            tasks.append(asyncio.ensure_future(sleeper()))
        elif name == "asleep":
            day.clock.hold()
            tasks[0].add_done_callback(lambda _: day.clock.release())
            tasks[0].cancel()
        elif name == "woken":
            asyncio.get_running_loop().call_soon(tasks[0].cancel)

    events = [(1, "begin"), (second * SECOND, state), (4 * SECOND, "on"), (5 * SECOND, "end")]
    day.clock.add_stream(iter(events), play)
    await day.run()
    await asyncio.wait(tasks)
    day.stream((6 * SECOND, "later"))
    await day.run()

    assert day.seen == [*events[:2], (second * SECOND, "over"), *events[2:], (6 * SECOND, "later")]
    assert tasks[0].cancelled()


async def test_time_waits_while_the_way_out_is_crowded() -> None:
    """No event is played between a look that finds it crowded and one that does not."""
    day = Day()
    looks: list[int] = []

    def crowded() -> bool:
        looks.append(len(day.seen))
        return len(looks) in (1, 2, 3)

    day.clock.crowded = crowded
    day.stream(*((number, str(number)) for number in range(6)))
    async with asyncio.timeout(5):
        await day.clock.run(pause_every=2)

    assert looks == [2, 2, 2, 2, 4, 6]


async def test_a_run_ends_where_it_should() -> None:
    """At `until`, events of that time included, to go on later; else when the last stream ends."""
    day = Day()
    day.stream((1, "a"), (5, "b"), (6, "c"))
    day.call(8, "nobody is left to see this")

    assert await day.run(until=5) == [(1, "a"), (5, "b")]
    assert day.clock.now() == 5
    assert await day.run() == [(1, "a"), (5, "b"), (6, "c")]
    assert day.clock.now() == 6


async def test_a_stopped_clock_plays_no_more() -> None:
    """What stops it is the last thing that happens, and the time stays."""
    day = Day()

    def stop(name: str) -> None:
        day.note(name)
        day.clock.stopped = name == "b"

    day.clock.add_stream(iter([(1, "a"), (2, "b"), (3, "c")]), stop)
    await day.run(until=9)

    assert (day.seen, day.clock.now()) == ([(1, "a"), (2, "b")], 2)
