"""What the supervisor's tests share: a house that runs beside the test, and agents to put in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from tests.bus.desk import until
from tradeagent.agents.base import BaseAgent, on
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import AcceleratedClock, Clock, SimulatedClock, WallClock
from tradeagent.log import log
from tradeagent.messages import (
    AgentState,
    AgentStatus,
    Analysis,
    Incident,
    Message,
    Sentiment,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Patience, Supervisor

M = TypeVar("M", bound=Message)
FAR = 1 << 62
AT_ONCE = Patience(backoff=(0.0,))
"""Restarts without a pause, so that no test waits."""
HASTY = replace(AT_ONCE, look=0.005, silent=0.05, stuck=0.15, heartbeat=0.01)
"""Takes for stuck what is silent for a moment."""


class House:
    """A supervisor on real time, with everything said kept in `said` and every warning in `log`."""

    def __init__(
        self,
        *builds: Callable[[], BaseAgent[Any]],
        cap: int = 10_000,
        patience: Patience = AT_ONCE,
        clock: Clock | None = None,
        memory_limit: int = 1 << 40,
        store: MemoryStore | None = None,
    ) -> None:
        self.store = store or MemoryStore(keep=True)
        self.clock = clock or WallClock()
        self.supervisor = Supervisor(
            self.clock, self.store.past, self.store.journal.committed, memory_limit, patience
        )
        self.bus = MemoryBus(self.clock, self.supervisor, self.store.journal)
        self.supervisor.connect(self.bus)
        self.said: list[Message] = []
        self.log: list[str] = []
        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))
        for build in builds:
            self.supervisor.add(build, cap)

    async def __aenter__(self) -> House:
        """Run it beside the test."""
        self._sink = log.add(lambda line: self.log.append(str(line)), level="WARNING")
        self.running = asyncio.create_task(self.supervisor.run())
        await until(
            lambda: (
                self.running.done()
                or all(
                    life.agent.state is AgentState.RUNNING
                    for life in self.supervisor.lives.values()
                )
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        self.supervisor.stop()
        await asyncio.gather(self.running, return_exceptions=True)
        log.remove(self._sink)

    def tell(self, *messages: Message) -> None:
        """Send messages."""
        for message in messages:
            self.bus.publish(message, "test")

    def heard(self, kind: type[M]) -> list[M]:
        """Return what was said of one class."""
        return [message for message in self.said if type(message) is kind]

    def incidents(self, code: str) -> list[Incident]:
        """Return the incidents of one code."""
        return [one for one in self.heard(Incident) if one.code == code]

    def states(self, agent: str) -> list[AgentState]:
        """Return every state an agent was said to be in."""
        return [one.state for one in self.heard(AgentStatus) if one.agent == agent]

    async def until_restarted(self, agent: str) -> None:
        """Let the loop work until an agent that was put down is up again."""
        await until(lambda: self.restarted(agent) and self.supervisor.lives[agent].inlet.up)

    def restarted(self, agent: str) -> int:
        """Return how often an agent came up again."""
        return self.states(agent).count(AgentState.RUNNING)


class Simulation(House):
    """A supervisor on simulated time, with (second, word) of what was said kept in `times`."""

    def __init__(self, *builds: Callable[[], BaseAgent[Any]]) -> None:
        self.simulated = SimulatedClock(0)
        super().__init__(*builds, clock=self.simulated)

    async def play(self, events: Iterable[tuple[int, Message]]) -> None:
        """Run to the end of a stream of (second, message)."""
        stream = iter([(second * 10**9, message) for second, message in events])
        self.simulated.add_stream(stream, lambda one: self.bus.publish(one, "data"))
        await self.supervisor.run()

    def note(self, kind: type[M], word: Callable[[M], str]) -> list[tuple[int, str]]:
        """Return the list that (second, word) of every message of a class will be added to."""
        found: list[tuple[int, str]] = []

        def ear(message: M) -> None:
            found.append((self.simulated.now() // 10**9, word(message)))

        self.bus.subscribe(Subscriber("clerk", {kind: ear}, observer=True))
        return found


def fast(speed: float) -> AcceleratedClock:
    """Return a clock that runs `speed` times as fast as the wall's."""
    return AcceleratedClock(1, speed)


class Counting(BaseAgent):
    """Counts tickers in its class, so that a restart can be seen to go on."""

    seen: ClassVar[list[float]] = []

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Note the price."""
        self.seen.append(tick.last)


class Never(BaseAgent):
    """Raises on every ticker."""

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Fail."""
        raise ValueError("always")


class NeverEssential(Never):
    """Raises on every ticker, on the order path."""

    essential = True


class Slow(BaseAgent):
    """Thinks until it is let go."""

    gate: ClassVar[asyncio.Event]
    began: ClassVar[list[str]] = []

    @classmethod
    def shut(cls) -> None:
        """Let nobody go."""
        cls.gate = asyncio.Event()
        cls.began = []

    @on(Sentiment)
    async def think(self, sentiment: Sentiment) -> Analysis:
        """Wait, then say something."""
        self.began.append(sentiment.symbol)
        await self.gate.wait()
        return Analysis(symbol=sentiment.symbol, analyst=self.name, time=1, valid_until=FAR)


def mood(symbol: str = "BTC") -> Sentiment:
    """Return something to think about."""
    return Sentiment(symbol=symbol, analyst="test", time=1, score=0, confidence=1, valid_until=FAR)


def signal(symbol: str = "BTC") -> TradeSignal:
    """Return something to act on."""
    return TradeSignal(
        symbol=symbol, strategy="a", direction="long", time=1, price=1, valid_until=FAR
    )
