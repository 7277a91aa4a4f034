"""Restarts: an agent in trouble is put down and made anew, as often as its budget allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.clock import WallClock
from tradeagent.errors import IntegrityError, JournalError, StateError, TransientError
from tradeagent.messages import AgentState, Envelope, Message, Severity
from tradeagent.storage.base import Past
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.operations import Operation
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.runtime import AgentRuntime


class Restarts:
    """Restarts agents that fail; beyond the budget gives them up, or ends it all on the order path.

    A restart whose code fails is one more failure of the agent. One that must wait for the world (a
    venue that is away, a disk that is full) is tried again for as long as it takes.
    """

    def __init__(
        self,
        runtime: AgentRuntime,
        alarms: Alarms,
        past: Callable[[], Past],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        end: Callable[[BaseException], None],
        patience: Patience,
    ) -> None:
        self._runtime = runtime
        self._alarms = alarms
        self._past = past
        self._spawn = spawn
        self._end = end
        self._patience = patience
        self._wall = WallClock()
        self.over = False
        """Whether the daemon stops, so that nobody is made anew any more."""

    def failed(self, life: Life, envelope: Envelope[Message], error: Exception) -> None:
        """Restart an agent that failed on a message, which gets one more try."""
        life.errors[type(error).__name__] += 1
        if not life.retry(envelope):
            self._dead_letter(life, f"{envelope} failed twice and was put aside: {error!r}")
        self.put_down(life, repr(error))

    def operation_failed(self, life: Life, operation: Operation, error: Exception) -> None:
        """Restart an agent one of whose operations failed; nobody knows what it left undone."""
        life.errors[type(error).__name__] += 1
        life.lie_down()
        if life.essential:
            self._alarms.halt(f"{operation.name} failed: {error!r}", life.name)
        self.put_down(life, repr(error))

    def _dead_letter(self, life: Life, text: str) -> None:
        if life.essential:
            self._alarms.halt(text, life.name)
        else:
            self._alarms.incident("DEAD_LETTER", Severity.WARNING, life.name, text)

    def put_down(self, life: Life, reason: str) -> None:
        """Stop all that an agent does, and make it anew after a pause if its budget allows."""
        if life.pausing:
            return
        life.lie_down()
        self._runtime.operations.cancel(life.name)
        self._runtime.forget(life.name)
        if self.over:
            return
        pause = life.spend(self._patience)
        self._alarms.status(life, AgentState.FAILED, reason)
        if pause is None:
            self._give_up(life, reason)
        else:
            self._later(life, pause)

    def where(self, life: Life) -> str:
        """Return what an agent is doing: the slow handler that holds its inbox, if one does."""
        for operation in self._runtime.operations.running.values():
            if operation.inlet is life.inlet:
                return operation.where
        return f"{life.name}'s message loop"

    def _give_up(self, life: Life, reason: str) -> None:
        text = (
            f"{life.name} failed {self._patience.restarts + 1} times"
            f" within {self._patience.window:.0f} s: {reason}"
        )
        life.depart()
        self._spawn(life.let_go(self._patience.stage), f"{life.name}.teardown")
        if life.essential:
            self._alarms.halt(text, life.name)
            self._end(IntegrityError(text))
        else:
            self._alarms.incident("AGENT_GIVEN_UP", Severity.WARNING, life.name, text)

    def _later(self, life: Life, pause: float) -> None:
        if not self.over:
            life.restart = self._spawn(self._restart(life, pause), f"{life.name}.restart")

    async def _restart(self, life: Life, pause: float) -> None:
        await self._wall.sleep(pause)
        revival = Operation(life.name, self._revive(life), inlet=life.inlet)
        self._runtime.operations.start(revival)

    async def _revive(self, life: Life) -> None:
        """Make the agent anew from what the journal knows; what waited is served after this."""
        self._alarms.status(life, AgentState.STARTING, "restart")
        await life.let_go(self._patience.stage)
        try:
            await self._runtime.committed(self._runtime.bus.seq)
            life.renew(self._runtime)
            past = self._past()
            life.agent.restore(past)
            life.inlet.restored = past.seq
            await life.prepare(self._patience.stuck)
        except (TransientError, JournalError, StateError) as error:
            self._wait(life, error)
        else:
            life.stand_up()
            self._alarms.status(life, AgentState.RUNNING, "restarted")

    def _wait(self, life: Life, error: Exception) -> None:
        text = f"cannot restart yet: {error}"
        if life.essential:
            self._alarms.halt_once(f"{life.name} {text}", life.name)
        self._alarms.status(life, AgentState.FAILED, text)
        self._later(life, self._patience.backoff[-1])
