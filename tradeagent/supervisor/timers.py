"""The agents' timers and heartbeats, on the daemon's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import Timer
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.runtime import AgentRuntime


class Timers:
    """Fires what agents tagged with `@every`, and asks them for signs of life.

    A timer keeps its beat while its agent is made anew; what falls into the gap is not made up for.
    """

    def __init__(
        self,
        runtime: AgentRuntime,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        heartbeat: float,
    ) -> None:
        """Ask for a sign of life each `heartbeat` seconds of the wall, but in simulations."""
        self._runtime = runtime
        self._spawn = spawn
        self._heartbeat = heartbeat
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, life: Life) -> None:
        """Begin all timers of an agent; done once, whatever becomes of it."""
        clock = self._runtime.clock
        for method, seconds in life.agent.timers.items():
            if isinstance(clock, SimulatedClock):
                self._schedule(clock, Timer(agent=life.name, method=method), int(seconds * SECOND))
            else:
                self._begin(life, method, seconds)
        if not clock.simulated:
            self._begin(life, "heartbeat", self._heartbeat * clock.speed)

    def stop(self) -> None:
        """Fire no more."""
        for task in self._tasks:
            task.cancel()

    def _schedule(self, clock: SimulatedClock, timer: Timer, period: int) -> None:
        def fire() -> None:
            clock.call_at(clock.now() + period, fire)
            self._runtime.bus.publish(timer, "timer")

        clock.call_at(clock.now() + period, fire)

    def _begin(self, life: Life, method: str, seconds: float) -> None:
        timer = Timer(agent=life.name, method=method)
        self._tasks.append(self._spawn(self._tick(life, timer, seconds), f"{life.name}.{method}"))

    async def _tick(self, life: Life, timer: Timer, seconds: float) -> None:
        while True:
            await self._runtime.clock.sleep(seconds)
            if life.inlet.up:
                self._runtime.bus.publish(timer, "timer")
