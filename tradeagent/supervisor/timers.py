"""The agents' timers and heartbeats, on the daemon's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.agents.base import Beat
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import Timer
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.runtime import AgentRuntime, holds


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
        self._choirs: dict[tuple[int, int], list[tuple[Life, Timer, Beat]]] = {}

    def start(self, life: Life) -> None:
        """Begin all timers of an agent; done once, whatever becomes of it."""
        clock = self._runtime.clock
        for method, beat in life.agent.timers.items():
            if isinstance(clock, SimulatedClock):
                self._schedule(clock, life, method, beat)
            else:
                self._begin(life, method, beat)
        if not clock.simulated:
            self._begin(life, "heartbeat", Beat(self._heartbeat * clock.speed))

    def stop(self) -> None:
        """Fire no more."""
        for task in self._tasks:
            task.cancel()

    def _schedule(self, clock: SimulatedClock, life: Life, method: str, beat: Beat) -> None:
        """Let a timer beat together with all others of its period and phase."""
        period = int(beat.seconds * SECOND)
        key = (period, clock.now() % period)
        timer = Timer(agent=life.name, method=method)
        if key in self._choirs:
            self._choirs[key].append((life, timer, beat))
            return
        choir = self._choirs[key] = [(life, timer, beat)]

        def fire() -> None:
            clock.call_at(clock.now() + period, fire)
            for life, timer, beat in choir:
                if clock.stopped:
                    return
                if _is_due(life, beat):
                    self._runtime.bus.publish(timer, "timer")

        clock.call_at(clock.now() + period, fire)

    def _begin(self, life: Life, method: str, beat: Beat) -> None:
        timer = Timer(agent=life.name, method=method)
        self._tasks.append(self._spawn(self._tick(life, timer, beat), f"{life.name}.{method}"))

    async def _tick(self, life: Life, timer: Timer, beat: Beat) -> None:
        while True:
            await self._runtime.clock.sleep(beat.seconds)
            if life.inlet.up and _is_due(life, beat):
                self._runtime.bus.publish(timer, "timer")


def _is_due(life: Life, beat: Beat) -> bool:
    return not beat.when or holds(getattr(life.agent, beat.when), otherwise=True)
