"""What carries the agents: time, the bus, operations and feeds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from tradeagent.bus.base import Bus, Out
from tradeagent.clock import SECOND, Clock, SimulatedClock, WallClock, breathe
from tradeagent.messages import Envelope, Message, Origin, Timer
from tradeagent.supervisor.operations import Operation, Operations

E = TypeVar("E")
PAUSE = 0.005
"""Seconds between two looks at whether the journal has caught up."""
BREATH = 64
"""Events of a feed that is behind its clock, after which it lets the event loop turn."""


def holds(asked: Callable[[], bool], otherwise: bool = False) -> bool:
    """Return what an agent answers, `otherwise` where it fails.

    Its timer then fires, and it fails as agents do: where the supervisor looks after it.
    """
    try:
        return bool(asked())
    except Exception:
        return otherwise


class Reminder:
    """A timer that fires once: of which agent, which method, and what makes it needless."""

    __slots__ = ("agent", "method", "task", "unless")

    def __init__(self, agent: str, method: str, unless: Callable[[], bool] | None) -> None:
        self.agent = agent
        self.method = method
        self.unless = unless
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Wait no longer for its time."""
        if self.task is not None:
            self.task.cancel()


class AgentRuntime:
    """The ground agents stand on; `tradeagent.agents.base.Runtime` tells what each part is for."""

    def __init__(
        self,
        clock: Clock,
        committed: Callable[[int], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        ended: Callable[[Operation, Exception | None], None],
    ) -> None:
        self.clock = clock
        self.crowded: Callable[[], bool] = lambda: False
        """Whether so much waits to be put on record that a feed we play had better wait."""
        self._wall = WallClock()
        self.committed = committed
        self.operations = Operations(clock, spawn, self._say, ended)
        self._bus: Bus | None = None
        self._lasting: list[Operation] = []
        self._spawn = spawn
        self._reminders: dict[tuple[str, str], Reminder] = {}
        self._ended = False

    @property
    def bus(self) -> Bus:
        """Return the bus; there is one before the first agent is added."""
        assert self._bus is not None
        return self._bus

    def connect(self, bus: Bus) -> None:
        """Carry messages over `bus`."""
        self._bus = bus

    @property
    def exact(self) -> bool:
        """Tell whether time waits for every message."""
        return self.clock.simulated

    @property
    def speed(self) -> float:
        """Return how many times faster than the wall's the clock runs."""
        return self.clock.speed

    def publish(
        self,
        agent: str,
        message: Message,
        cause: Envelope[Message] | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Send a message on behalf of an agent."""
        operations = self.operations
        if operations.running and operations.holds(agent, message, cause):
            return
        assert self._bus is not None
        self._bus.publish(message, agent, cause, origin)

    def _say(self, agent: str, message: Message, cause: Envelope[Message] | None) -> None:
        self.bus.publish(message, agent, cause)

    def start(
        self, agent: str, work: Coroutine[Any, Any, Out], lane: str | None,
        cause: Envelope[Message] | None,
    ) -> None:  # fmt: skip
        """Run an operation of `agent`."""
        self.operations.start(Operation(agent, work, lane, cause))

    def time(self) -> int:
        """Return the clock's time, UTC ns."""
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the clock."""
        await self.clock.sleep(seconds)

    def play(
        self, agent: str, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]
    ) -> None:
        """Hand each event to `deliver` at its time; a live feed is an operation of its agent."""
        if isinstance(self.clock, SimulatedClock):
            self.clock.add_stream(events, deliver)
        else:
            self.attend(agent, self._play(events, deliver))

    def attend(self, agent: str, work: Coroutine[Any, Any, None]) -> None:
        """Run an operation of `agent` until the daemon stops."""
        lasting = Operation(agent, work)
        self._lasting.append(lasting)
        self.operations.start(lasting)

    async def _play(self, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]) -> None:
        for count, (when, event) in enumerate(events):
            if when > self.clock.now():
                await self.clock.sleep_until(when)
            elif count % BREATH == 0:
                await breathe()
            while self.crowded():
                await self._wall.sleep(PAUSE)
            while not self.bus.quiet:  # more would only put off the next commit
                await breathe()
            deliver(event)

    def remind(
        self, agent: str, method: str, seconds: float, unless: Callable[[], bool] | None = None
    ) -> None:
        """Fire a timer of `agent` once, unless it is to fire already."""
        key = (agent, method)
        if key in self._reminders or self._ended:
            return
        reminder = self._reminders[key] = Reminder(agent, method, unless)
        if isinstance(self.clock, SimulatedClock):
            due = self.clock.now() + round(seconds * SECOND)
            self.clock.call_at(due, lambda: self._fire(reminder))
        else:
            reminder.task = self._spawn(self._fire_in(reminder, seconds), f"{agent}.{method}")

    async def _fire_in(self, reminder: Reminder, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._fire(reminder)

    def _fire(self, reminder: Reminder) -> None:
        key = (reminder.agent, reminder.method)
        if self._reminders.get(key) is not reminder:
            return  # of an agent that is no more
        del self._reminders[key]
        if reminder.unless is None or not holds(reminder.unless):
            self.bus.publish(Timer(agent=reminder.agent, method=reminder.method), "timer")

    def forget(self, agent: str) -> None:
        """Let no reminder fire that an agent asked for."""
        for key in [key for key in self._reminders if key[0] == agent]:
            self._reminders.pop(key).cancel()

    def end_feeds(self) -> None:
        """Play no further, and end all else that would go on."""
        self._ended = True
        for reminder in self._reminders.values():
            reminder.cancel()
        self._reminders.clear()
        for one in self._lasting:
            self.operations.end(one)
        self._lasting.clear()
