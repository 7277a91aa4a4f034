"""Runs the agents: starts, times, watches, restarts and stops them, and owns every task."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from tradeagent.agents.base import BaseAgent
from tradeagent.bus.base import Bus, Out, Subscriber
from tradeagent.clock import NEVER, SECOND, Clock, SimulatedClock, monotonic
from tradeagent.errors import IntegrityError, JournalError, Runaway, TradeAgentError
from tradeagent.log import log
from tradeagent.messages import (
    AgentState,
    AgentStatus,
    Envelope,
    Heartbeat,
    Incident,
    Message,
    Origin,
    Severity,
    Timer,
    TradingMode,
    TradingState,
)
from tradeagent.operations import Operation, Operations
from tradeagent.storage.base import Past
from tradeagent.watchdog import LoopWatch, resident_bytes, weigh

E = TypeVar("E")
Agent = BaseAgent[Any]

RESTARTS = 3
"""Restarts within WINDOW seconds before an agent is given up."""
WINDOW = 60.0
BACKOFF = (0.1, 1.0, 4.0)
HEARTBEAT = 5.0
SILENT = 15.0
"""Seconds without a sign of life after which an agent is named."""
PATIENCE = 60.0
"""Seconds without a sign of life after which its operation is cancelled."""
STAGE = 2.0
"""Seconds each stage of a stop may take."""


async def nothing() -> None:
    """Prepare nothing before the agents start."""


class Life:
    """One agent, how to make it again, and how it has fared."""

    def __init__(self, build: Callable[[], Agent], cap: int) -> None:
        self.build = build
        self.agent = build()
        self.inlet = Subscriber(
            self.agent.name, *_bound(self.agent), cap=cap, essential=self.agent.essential
        )
        self.errors: Counter[str] = Counter()
        self.restarts: deque[int] = deque()
        self.retried = 0
        self.heard = monotonic()
        self.silent = False


def _bound(agent: Agent) -> tuple[dict[type[Message], Any], dict[type[Message], Any]]:
    """Return an agent's handlers, bound, those that decide at once apart from the slow ones."""
    quick: dict[type[Message], Any] = {Timer: agent.fire}
    slow: dict[type[Message], Any] = {}
    for kind, method in agent.handles.items():
        handler = getattr(agent, method)
        (slow if asyncio.iscoroutinefunction(handler) else quick)[kind] = handler
    return quick, slow


class Supervisor:
    """Keeps agents alive within their budget, and stops trading when it cannot."""

    def __init__(
        self,
        clock: Clock,
        past: Callable[[], Past],
        committed: Callable[[int], Awaitable[None]],
        memory_limit: int = 1 << 30,
    ) -> None:
        self.clock = clock
        self.lives: dict[str, Life] = {}
        self.watch: LoopWatch | None = None
        self.failure: BaseException | None = None
        self.mode = TradingMode.ACTIVE
        self.prepare: Callable[[], Awaitable[None]] = nothing
        self.operations = Operations(clock, self.spawn, self._send, self._operation_failed)
        self._past = past
        self._committed = committed
        self._memory_limit = memory_limit
        self._bus: Bus | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._streams: list[asyncio.Task[None]] = []
        self._feeds: dict[str, asyncio.Task[None]] = {}

    # -- what agents and the bus ask for ----------------------------------------------------------

    @property
    def bus(self) -> Bus:
        """Return the bus; there is one before the first agent is added."""
        assert self._bus is not None
        return self._bus

    @property
    def exact(self) -> bool:
        """Tell whether time waits for every message."""
        return self.clock.simulated

    @property
    def speed(self) -> float:
        """Return how many times faster than the wall's the clock runs."""
        return self.clock.speed

    def connect(self, bus: Bus) -> None:
        """Use `bus` and listen for signs of life on it."""
        self._bus = bus
        bus.subscribe(
            Subscriber(
                "supervisor",
                {Heartbeat: self._heard, TradingState: self._mode_changed},
                observer=True,
            )
        )

    def publish(
        self,
        agent: str,
        message: Message,
        cause: Envelope[Message] | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Send a message on behalf of an agent."""
        if not self.operations.holds(agent, message, cause):
            self.bus.publish(message, agent, cause, origin)

    def start(
        self, agent: str, work: Coroutine[Any, Any, Out], lane: str | None,
        cause: Envelope[Message] | None,
    ) -> None:  # fmt: skip
        """Run an operation of `agent`."""
        self.operations.start(Operation(agent, work, lane, cause, None))

    def _send(self, owner: str, message: Message, cause: Envelope[Message] | None) -> None:
        self.bus.publish(message, owner, cause)

    def committed(self, seq: int) -> Awaitable[None]:
        """Return what resolves when the journal holds everything up to `seq`."""
        return self._committed(seq)

    def time(self) -> int:
        """Return the clock's time, UTC ns."""
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the clock."""
        await self.clock.sleep(seconds)

    def play(
        self, agent: str, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]
    ) -> None:
        """Hand each event to `deliver` at its time."""
        if isinstance(self.clock, SimulatedClock):
            self.clock.add_stream(events, deliver)
        else:
            feed = self._feeds[agent] = self.spawn(self._play(events, deliver), f"{agent}.feed")
            self._streams.append(feed)

    async def _play(self, events: Iterator[tuple[int, E]], deliver: Callable[[E], None]) -> None:
        for count, (when, event) in enumerate(events):
            if when > self.clock.now():
                await self.clock.sleep_until(when)
            elif count % 64 == 0:
                await asyncio.sleep(0)
            deliver(event)

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Out]
    ) -> None:
        """Run a slow handler and serve its agent's inbox when it has ended."""

        def done(error: Exception | None) -> None:
            if error is None and subscriber.up:
                self.bus.resume(subscriber)

        self.operations.start(Operation(subscriber.name, work, None, envelope, done))

    # -- failure ----------------------------------------------------------------------------------

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        """Put an agent down, restart it, and let it retry the message in hand once."""
        log.bind(agent=subscriber.name, trace=envelope.trace).opt(exception=error).error(
            "failed on {}", envelope
        )
        if self.clock.simulated:
            self._end(error)
            return
        life = self.lives.get(subscriber.name)
        if life is None:
            self._halt(f"{subscriber.name} failed: {error!r}", subscriber.name)
            return
        life.errors[type(error).__name__] += 1
        subscriber.up = subscriber.idle = subscriber.working = False
        if life.retried == envelope.seq:
            self._dead_letter(life, envelope, error)
        else:
            life.retried = envelope.seq
            subscriber.inbox.put_back(envelope)
        self._schedule_restart(life, repr(error))

    def _operation_failed(self, operation: Operation, error: Exception) -> None:
        life = self.lives.get(operation.owner)
        if life is None or (operation.done is not None and operation.cause is not None):
            inlet = life.inlet if life is not None else Subscriber(operation.owner, {})
            assert operation.cause is not None
            self.failed(inlet, operation.cause, error)
            return
        log.bind(agent=operation.owner).opt(exception=error).error("{} failed", operation.name)
        if self.clock.simulated:
            self._end(error)
            return
        life.errors[type(error).__name__] += 1
        life.inlet.up = life.inlet.idle = False
        if life.agent.essential:
            self._halt(f"{operation.name} failed: {error!r}", operation.owner)
        self._schedule_restart(life, repr(error))

    def _dead_letter(self, life: Life, envelope: Envelope[Message], error: Exception) -> None:
        text = f"{envelope} failed twice and was put aside: {error!r}"
        if life.agent.essential:
            self._halt(text, life.agent.name)
        else:
            self._incident("DEAD_LETTER", Severity.WARNING, life.agent.name, text)

    def _schedule_restart(self, life: Life, reason: str) -> None:
        now = monotonic()
        while life.restarts and now - life.restarts[0] > WINDOW * SECOND:
            life.restarts.popleft()
        self._status(life, AgentState.FAILED, reason)
        if len(life.restarts) >= RESTARTS:
            text = f"{life.agent.name} failed {RESTARTS + 1} times within {WINDOW:.0f} s: {reason}"
            if life.agent.essential:
                self._halt(text, life.agent.name)
                self._end(IntegrityError(text))
            else:
                self._incident("AGENT_GIVEN_UP", Severity.WARNING, life.agent.name, text)
            return
        self.operations.cancel(life.agent.name)
        if (feed := self._feeds.pop(life.agent.name, None)) is not None:
            feed.cancel()
        wait = BACKOFF[min(len(life.restarts), len(BACKOFF) - 1)]
        life.restarts.append(now)
        self.spawn(self._restart(life, wait), f"{life.agent.name}.restart")

    async def _restart(self, life: Life, wait: float) -> None:
        """Make the agent anew from what the journal knows, then serve what waited."""
        await asyncio.sleep(wait)
        try:
            await self._revive(life)
        except TradeAgentError as error:
            log.bind(agent=life.agent.name).warning("cannot restart: {}", error)
            if life.agent.essential:
                self._halt(f"{life.agent.name} cannot restart: {error}", life.agent.name)
            self.spawn(self._restart(life, BACKOFF[-1]), f"{life.agent.name}.restart")

    async def _revive(self, life: Life) -> None:
        await self._committed(self.bus.seq)
        await life.agent.teardown()
        self._status(life, AgentState.STARTING, "restart")
        life.agent = life.build()
        life.inlet.rebind(*_bound(life.agent))
        life.agent.attach(self, life.inlet)
        life.agent.restore(self._past())
        await life.agent.setup()
        life.inlet.up = True
        life.heard = monotonic()
        life.silent = False
        self._status(life, AgentState.RUNNING, "restarted")
        self.bus.resume(life.inlet)

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        """Halt when the order path is flooded; call any other agent degraded."""
        text = f"the inbox of {subscriber.name} is at its cap of {subscriber.inbox.cap}"
        text += f" with {envelope}"
        if self.clock.simulated:
            self._end(IntegrityError(text))
        elif subscriber.essential:
            if self.mode in (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY):
                self._halt(text, subscriber.name)
        else:
            life = self.lives.get(subscriber.name)
            if life is not None and life.agent.state is AgentState.RUNNING:
                self._status(life, AgentState.DEGRADED, text)

    def journal_failed(self, error: JournalError) -> None:
        """Halt: what is not on record must not happen."""
        self._halt(str(error), "journal")

    def ran_away(self, envelope: Envelope[Message]) -> None:
        """Halt: the chain was cut at `envelope`."""
        error = Runaway(f"messages without end: cut at {envelope}")
        if self.clock.simulated:
            self._end(error)
        elif self.mode in (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY):
            self._halt(str(error), envelope.source)

    def _halt(self, text: str, agent: str) -> None:
        """Stop trading from here: whoever failed may be the one who would have."""
        if self._group is None:
            return
        self._incident("HALT", Severity.CRITICAL, agent, text)
        if self.mode not in (TradingMode.HALTED, TradingMode.SAFE_MODE, TradingMode.LOCKED):
            self.bus.publish(
                TradingState(
                    mode=TradingMode.HALTED,
                    previous=self.mode,
                    reason=text,
                    actor="supervisor",
                    since=self.clock.now(),
                ),
                "supervisor",
            )

    def _incident(self, code: str, severity: Severity, agent: str, text: str) -> None:
        log.bind(agent=agent).warning("{}: {}", code, text)
        self.bus.publish(
            Incident(code=code, severity=severity, agent=agent, text=text), "supervisor"
        )

    def _status(self, life: Life, state: AgentState, reason: str) -> None:
        life.agent.state = state
        level = "WARNING" if state in (AgentState.FAILED, AgentState.DEGRADED) else "DEBUG"
        log.bind(agent=life.agent.name).log(level, "{}: {}", state, reason)
        self.bus.publish(
            AgentStatus(
                agent=life.agent.name, state=state, reason=reason, restarts=len(life.restarts)
            ),
            "supervisor",
        )

    # -- life -------------------------------------------------------------------------------------

    def add(self, build: Callable[[], Agent], cap: int = 10_000) -> None:
        """Take in an agent; agents receive messages in the order they were added."""
        life = Life(build, cap)
        if life.agent.name in self.lives:
            raise ValueError(f"two agents are called {life.agent.name}")
        self.lives[life.agent.name] = life
        life.agent.attach(self, life.inlet)
        self.bus.subscribe(life.inlet)

    async def run(self, until: int = NEVER) -> None:
        """Start every agent, run until stopped or until the clock shows `until`, and stop them.

        Raises what ended the run, if it was not a stop.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self.bus.start()
                await self.prepare()
                await self._start_agents()
                if isinstance(self.clock, SimulatedClock):
                    await self.clock.run(until)
                else:
                    await self._live(until)
                await self._stop_agents()
                await self.bus.close()
        except* Exception as failures:
            self.failure = self.failure or failures.exceptions[0]
        self._group = None
        if self.failure is not None:
            raise self.failure

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

    async def _start_agents(self) -> None:
        past = self._past()
        if past.trading_state is not None:
            self.mode = past.trading_state.mode
        for life in self.lives.values():
            life.agent.restore(past)
        for life in self.lives.values():
            life.agent.state = AgentState.STARTING
            await life.agent.setup()
            life.agent.state = AgentState.RUNNING
            self._start_timers(life.agent)

    def _start_timers(self, agent: Agent) -> None:
        for method, seconds in agent.timers.items():
            self._tick(agent.name, method, seconds)
        if not self.clock.simulated:
            self._tick(agent.name, "heartbeat", HEARTBEAT * self.clock.speed)

    def _tick(self, agent: str, method: str, seconds: float) -> None:
        timer = Timer(agent=agent, method=method)
        if isinstance(self.clock, SimulatedClock):
            clock = self.clock
            period = int(seconds * SECOND)

            def fire() -> None:
                clock.call_at(clock.now() + period, fire)
                self.bus.publish(timer, "timer")

            clock.call_at(clock.now() + period, fire)
        else:
            self._streams.append(self.spawn(self._ticking(timer, seconds), f"{agent}.{method}"))

    async def _ticking(self, timer: Timer, seconds: float) -> None:
        while True:
            await self.clock.sleep(seconds)
            self.bus.publish(timer, "timer")

    async def _live(self, until: int) -> None:
        self.watch = LoopWatch(self._suspect)
        self.watch.start()
        if until != NEVER:
            self._streams.append(self.spawn(self._stop_at(until), "supervisor.until"))
        self._streams.append(self.spawn(self._look_after(), "supervisor.look_after"))
        await self._stopping.wait()

    async def _stop_at(self, until: int) -> None:
        await self.clock.sleep_until(until)
        self.stop()

    def _suspect(self) -> str:
        hand = getattr(self.bus, "current", None)
        busy = [life.agent.name for life in self.lives.values() if life.inlet.hand is hand]
        return f"{', '.join(busy) or 'the loop'} on {hand}"

    # -- watching ---------------------------------------------------------------------------------

    def _heard(self, beat: Heartbeat) -> None:
        life = self.lives.get(beat.agent)
        if life is None:
            return
        life.heard = monotonic()
        if life.silent or life.agent.state is AgentState.DEGRADED:
            life.silent = False
            self._status(life, AgentState.RUNNING, "answers again")

    def _mode_changed(self, state: TradingState) -> None:
        self.mode = state.mode

    async def _look_after(self) -> None:
        """Look once a second for agents that gave no sign of life, and for lost memory."""
        while True:
            await asyncio.sleep(1.0)
            for life in self.lives.values():
                quiet = (monotonic() - life.heard) / SECOND
                if life.inlet.up and quiet > SILENT:
                    self._silent(life, quiet)
            if resident_bytes() > self._memory_limit:
                self._lose_weight()

    def _silent(self, life: Life, quiet: float) -> None:
        if not life.silent:
            life.silent = True
            where = self._where(life.agent.name)
            self._status(life, AgentState.DEGRADED, f"silent for {quiet:.0f} s in {where}")
            severity = Severity.CRITICAL if life.agent.essential else Severity.WARNING
            self._incident("AGENT_SILENT", severity, life.agent.name, f"stuck in {where}")
        if quiet > PATIENCE:
            stuck = self.operations.cancel(life.agent.name)
            life.inlet.up = life.inlet.idle = life.inlet.working = False
            self._schedule_restart(life, f"{', '.join(stuck) or 'a handler'} took {quiet:.0f} s")
            life.heard = monotonic()

    def _where(self, agent: str) -> str:
        for operation in self.operations.running.values():
            if operation.owner == agent and operation.task is not None:
                frames = operation.task.get_stack(limit=1)
                line = f":{frames[-1].f_lineno}" if frames else ""
                return f"{operation.name}{line}"
        return f"{agent}'s message loop"

    def _lose_weight(self) -> None:
        """Name the agent that holds most memory and start it anew; halt if it is essential."""
        weights = {
            life.agent.name: weigh(
                {k: v for k, v in vars(life.agent).items() if k not in ("_runtime", "_inlet")}
            )
            for life in self.lives.values()
        }
        heaviest = max(weights, key=lambda name: weights[name])
        life = self.lives[heaviest]
        text = (
            f"{resident_bytes() >> 20} MB are in use, over {self._memory_limit >> 20} MB; "
            f"{heaviest} holds about {weights[heaviest] >> 20} MB"
        )
        self._memory_limit *= 2
        if life.agent.essential:
            self._halt(text, heaviest)
            return
        self._incident("MEMORY", Severity.WARNING, heaviest, text)
        self.operations.cancel(heaviest)
        life.inlet.up = life.inlet.idle = life.inlet.working = False
        self._schedule_restart(life, text)

    # -- stopping ---------------------------------------------------------------------------------

    async def _stop_agents(self) -> None:
        """Stop in stages: inputs, what is under way, agents in reverse; name what is stuck."""
        for life in self.lives.values():
            life.agent.state = AgentState.STOPPING
        for task in self._streams:
            task.cancel()
        await self._stage("drain", self._drained())
        for life in reversed(self.lives.values()):
            await self._stage(f"teardown of {life.agent.name}", life.agent.teardown())
            life.agent.state = AgentState.STOPPED
        for name in self.lives:
            for stuck in self.operations.cancel(name):
                log.bind(agent=name).warning("{} did not end and was cancelled", stuck)
        if self.watch is not None:
            self.watch.stop()

    async def _drained(self) -> None:
        while self.operations.running or not getattr(self.bus, "quiet", True):
            await asyncio.sleep(0.005)

    async def _stage(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(STAGE):
                await work
        except TimeoutError:
            stuck = ", ".join(operation.name for operation in self.operations.running.values())
            log.warning("stop: {} took over {} s; stuck: {}", name, STAGE, stuck or "nothing named")
