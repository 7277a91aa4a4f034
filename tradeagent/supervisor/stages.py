"""The agents' first start, one after the other, and their stop in stages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path
from traceback import extract_tb

from tradeagent.clock import WallClock
from tradeagent.errors import OperatorError
from tradeagent.log import log
from tradeagent.messages import AgentState
from tradeagent.storage.base import Past
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.operations import attempt
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.runtime import AgentRuntime
from tradeagent.supervisor.timers import Timers

POLL = 0.005


class Stages:
    """Starts all agents and stops them: inputs first, then what is under way, then the agents."""

    def __init__(
        self,
        lives: Mapping[str, Life],
        runtime: AgentRuntime,
        timers: Timers,
        patience: Patience,
    ) -> None:
        self._lives = lives
        self._runtime = runtime
        self._timers = timers
        self._patience = patience
        self._wall = WallClock()

    async def start(self, past: Past) -> None:
        """Let every agent take up the past, then prepare; until then its messages wait.

        Raises OperatorError, in one line, for an agent that cannot.
        """
        for life in self._lives.values():
            life.lie_down()
            await self._begin(life, _restore(life, past))
        for life in self._lives.values():
            life.agent.state = AgentState.STARTING
            await self._begin(life, life.prepare(self._patience.stuck))
            life.stand_up()
            life.agent.state = AgentState.RUNNING
            self._runtime.bus.resume(life.inlet)
            self._timers.start(life)

    async def _begin(self, life: Life, work: Awaitable[None]) -> None:
        _, error = await attempt(work)
        if error is None:
            return
        if isinstance(error, OperatorError):
            raise error
        log.bind(agent=life.name).opt(exception=error).debug("cannot start")
        last = extract_tb(error.__traceback__)[-1]
        raise OperatorError(
            f"agents.{life.name} cannot start: {type(error).__name__}: {error}"
            f" ({Path(last.filename).name}:{last.lineno}); mend it, or set enabled: false"
        ) from error

    async def stop(self) -> None:
        """Stop every agent; what does not end in time is named."""
        for life in self._lives.values():
            life.agent.state = AgentState.STOPPING
            if life.restart is not None:
                life.restart.cancel()
            if not life.inlet.up:
                self._runtime.operations.cancel(life.name)
        self._timers.stop()
        self._runtime.end_feeds()
        if not self._runtime.exact:
            await self._drain()
        for life in reversed(tuple(self._lives.values())):
            await life.let_go(self._patience.stage)
            life.agent.state = AgentState.STOPPED
        for life in self._lives.values():
            for stuck in self._runtime.operations.cancel(life.name):
                log.bind(agent=life.name).warning("{} did not end and was cancelled", stuck)

    async def _drain(self) -> None:
        running, seconds = self._runtime.operations.running, self._patience.stage
        try:
            async with asyncio.timeout(seconds):
                while running or not self._runtime.bus.quiet:
                    await self._wall.sleep(POLL)
        except TimeoutError:
            stuck = ", ".join(operation.where for operation in running.values())
            log.warning("stop: drain took over {} s; stuck: {}", seconds, stuck or "nothing named")


async def _restore(life: Life, past: Past) -> None:
    life.agent.restore(past)
    life.inlet.restored = past.seq
