"""The supervisor: who runs, who is told of trouble, and how it all ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from tradeagent.bus.base import Bus, Handler, Out, Subscriber
from tradeagent.clock import NEVER, SECOND, Clock, SimulatedClock
from tradeagent.errors import Fenced, IntegrityError, JournalError, Runaway
from tradeagent.log import log
from tradeagent.messages import (
    AgentState,
    Envelope,
    Heartbeat,
    Message,
    TradingMode,
    TradingState,
)
from tradeagent.storage.base import Past
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Agent, Life
from tradeagent.supervisor.memory import affordable_bytes
from tradeagent.supervisor.operations import Operation
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.restarts import Restarts
from tradeagent.supervisor.runtime import AgentRuntime
from tradeagent.supervisor.stages import Stages
from tradeagent.supervisor.timers import Timers
from tradeagent.supervisor.watch import BACKLOG, Watch


async def nothing() -> None:
    """Prepare nothing before the agents start."""


class Supervisor:
    """Keeps agents alive within their budget, and stops trading when it cannot.

    It is the `Host` of a bus. In a simulation trouble is not healed: it ends the run.
    """

    def __init__(
        self,
        clock: Clock,
        past: Callable[[], Past],
        committed: Callable[[int], Awaitable[None]],
        memory_limit: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Restore agents from `past`; hold up to `memory_limit` bytes, by default what is there."""
        self.clock = clock
        self.lives: dict[str, Life] = {}
        self.failure: BaseException | None = None
        self.prepare: Callable[[], Awaitable[None]] = nothing
        """Done before the agents start: what is said there is no past yet, and waits for them."""
        self.disconnect: Callable[[], Awaitable[None]] = nothing
        """Done once the agents have stopped: it ends what was spawned beside them."""
        self._past = past
        patience = patience or Patience()
        self._group: asyncio.TaskGroup | None = None
        self._early: JournalError | None = None
        """What the journal said before there was anything to halt."""
        self._stopping = asyncio.Event()
        self._runtime = AgentRuntime(clock, committed, self.spawn, self._ended)
        self._alarms = Alarms(self._runtime)
        self._restarts = Restarts(
            self._runtime, self._alarms, past, self.spawn, self._end, patience
        )
        limit = memory_limit or affordable_bytes()
        self.watch = Watch(self.lives, self._alarms, self._restarts, limit, patience)
        timers = Timers(self._runtime, self.spawn, patience.heartbeat)
        self._stages = Stages(self.lives, self._runtime, timers, patience)

    def observe(self, backlog: Callable[[], int]) -> None:
        """Hold feeds back, and say so, while too many rows (`backlog`) wait for the disk."""
        self._runtime.crowded = lambda: backlog() > BACKLOG
        self.watch.backlog = backlog

    @property
    def mode(self) -> TradingMode:
        """Return the trading state as the supervisor has heard it."""
        return self._alarms.mode

    def connect(self, bus: Bus) -> None:
        """Use `bus` and listen for signs of life on it; done before the first `add`."""
        self._runtime.connect(bus)
        heard: dict[type[Message], Handler] = {
            Heartbeat: self.watch.silence.heard,
            TradingState: self._alarms.follow,
        }
        bus.subscribe(Subscriber("supervisor", heard, observer=True))

    def add(self, build: Callable[[], Agent], cap: int = 10_000) -> None:
        """Take in an agent; agents receive messages in the order they were added."""
        life = Life(build, cap)
        if life.name in self.lives:
            raise ValueError(f"two agents are called {life.name}")
        self.lives[life.name] = life
        life.agent.attach(self._runtime, life.inlet)
        life.leave = self._runtime.bus.subscribe(life.inlet)
        life.mark = partial(self._runtime.bus.mark, source="supervisor")

    # -- life -------------------------------------------------------------------------------------

    async def run(self, until: int = NEVER) -> None:
        """Start every agent, run until stopped or until the clock shows `until`, and stop them.

        Raises what ended the run, if it was not a stop.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._alarms.armed = True
                await self._runtime.bus.start()
                try:
                    await self._go(until)
                finally:
                    self.watch.look_away()
                    self._restarts.over = True
                    await self._stages.stop()
                    await self.disconnect()
                    await self._runtime.bus.close()
        except* Exception as failures:
            self.failure = self.failure or failures.exceptions[0]
        finally:
            self.watch.stop()
            self._alarms.armed = False
            self._group = None
        if self.failure is not None:
            raise self.failure

    async def _go(self, until: int) -> None:
        past = self._past()
        if past.trading_state is not None:
            self._alarms.follow(past.trading_state)
        await self.prepare()
        if self._early is not None:
            self.journal_failed(self._early)
        await self._stages.start(past)
        if isinstance(self.clock, SimulatedClock):
            await self.clock.run(until)
        else:
            self.watch.start(self.spawn)
            left = (until - self.clock.now()) / SECOND / self.clock.speed
            with suppress(TimeoutError):
                async with asyncio.timeout(left if until != NEVER else None):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Ask for an orderly stop."""
        self._stopping.set()
        if isinstance(self.clock, SimulatedClock):
            self.clock.stopped = True

    def _end(self, error: BaseException) -> None:
        """Stop because of `error`; the first one counts."""
        self.failure = self.failure or error
        self.stop()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` as a task of the daemon."""
        assert self._group is not None, "tasks exist only while the daemon runs"
        return self._group.create_task(work, name=name)

    # -- trouble ----------------------------------------------------------------------------------

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Out]
    ) -> None:
        """Run a slow handler and serve its agent's inbox when it has ended."""
        operation = Operation(subscriber.name, work, cause=envelope, inlet=subscriber)
        self._runtime.operations.start(operation)

    def _ended(self, operation: Operation, error: Exception | None) -> None:
        inlet, life = operation.inlet, self.lives.get(operation.owner)
        if error is None:
            if inlet is not None and inlet.up:
                self._runtime.bus.resume(inlet)
        elif inlet is not None and operation.cause is not None:
            self.failed(inlet, operation.cause, error)
        else:
            log.bind(agent=operation.owner).opt(exception=error).error("{} failed", operation.name)
            if self.clock.simulated or life is None:
                self._end(error)
            else:
                self._restarts.operation_failed(life, operation, error)

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        """Put an agent down, restart it, and let it retry the message in hand once."""
        log.bind(agent=subscriber.name, trace=envelope.trace).opt(exception=error).error(
            "failed on {}", envelope
        )
        life = self.lives.get(subscriber.name)
        if self.clock.simulated:
            self._end(error)
        elif life is not None:
            self._restarts.failed(life, envelope, error)
        else:
            self._alarms.halt_once(f"{subscriber.name} failed: {error!r}", subscriber.name)

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        """Halt when the order path is flooded; call any other agent degraded."""
        text = f"the inbox of {subscriber.name} is at its cap of {subscriber.inbox.cap}"
        text += f" with {envelope}"
        life = self.lives.get(subscriber.name)
        if self.clock.simulated:
            self._end(IntegrityError(text))
        elif subscriber.essential:
            self._alarms.halt_once(text, subscriber.name)
        elif life is not None and life.agent.state is AgentState.RUNNING:
            self._alarms.status(life, AgentState.DEGRADED, text)

    def ran_away(self, envelope: Envelope[Message]) -> None:
        """Halt: the chain was cut at `envelope`."""
        error = Runaway(f"messages without end: cut at {envelope}")
        if self.clock.simulated:
            self._end(error)
        else:
            self._alarms.halt_once(str(error), envelope.source)

    def journal_failed(self, error: JournalError) -> None:
        """Halt: what is not on record must not happen; end where another process has taken over."""
        if self._alarms.armed:
            self._alarms.halt(str(error), "journal")
        else:
            self._early = error
        if isinstance(error, Fenced):
            self._end(error)
