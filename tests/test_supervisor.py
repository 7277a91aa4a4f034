"""Agents that fail, hang or run wild are named, restarted or isolated; trading stops in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from tests.harness import tick
from tradeagent import supervisor as under_test
from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SimulatedClock, WallClock
from tradeagent.errors import Runaway
from tradeagent.messages import (
    AgentState,
    AgentStatus,
    Analysis,
    Incident,
    Message,
    RiskAlert,
    Sentiment,
    Severity,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restart without a pause, so that no test waits."""
    monkeypatch.setattr(under_test, "BACKOFF", (0.0,))


class House:
    """A supervisor on real time, with everything said kept in `said`."""

    def __init__(self, *builds: Callable[[], BaseAgent[Any]], cap: int = 10_000) -> None:
        store = MemoryStore()
        self.supervisor = Supervisor(WallClock(), store.past, store.journal.committed)
        self.bus = MemoryBus(self.supervisor.clock, self.supervisor, store.journal)
        self.supervisor.connect(self.bus)
        self.said: list[Message] = []
        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))
        for build in builds:
            self.supervisor.add(build, cap)

    async def __aenter__(self) -> House:
        """Run it beside the test."""
        self._run = asyncio.create_task(self.supervisor.run())
        await self.until(
            lambda: all(
                life.agent.state is AgentState.RUNNING for life in self.supervisor.lives.values()
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        self.supervisor.stop()
        await asyncio.gather(self._run, return_exceptions=True)

    async def until(self, done: Callable[[], bool]) -> None:
        """Let the loop turn until something is so."""
        async with asyncio.timeout(10):
            while not done():
                await asyncio.sleep(0)

    def tell(self, *messages: Message) -> None:
        """Send messages."""
        for message in messages:
            self.bus.publish(message, "test")

    def heard(self, kind: type[Any]) -> list[Any]:
        """Return what was said of one class."""
        return [message for message in self.said if type(message) is kind]


class Counting(BaseAgent):
    """Counts tickers in its class, so that a restart can be seen to go on."""

    seen: ClassVar[list[float]] = []

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Note the price."""
        self.seen.append(tick.last)


class Once(BaseAgent):
    """Raises on the first ticker it ever sees."""

    failures: ClassVar[list[float]] = []
    seen: ClassVar[list[float]] = []

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Fail once, then note."""
        if not self.failures:
            self.failures.append(tick.last)
            raise ValueError("once")
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


async def test_the_message_in_hand_is_retried_once_after_a_restart() -> None:
    """A failure that passes loses nothing, and what came meanwhile keeps its order."""
    Once.failures.clear()
    Once.seen.clear()
    async with House(Once) as house:
        house.tell(tick(1), tick(2), tick(3))
        await house.until(lambda: bool(Once.seen) and Once.seen[-1] == 3)

    assert Once.seen in ([1, 2, 3], [1, 3])
    states = [one.state for one in house.heard(AgentStatus) if one.agent == "once"]
    assert states[:3] == [AgentState.FAILED, AgentState.STARTING, AgentState.RUNNING]


async def test_others_go_on_while_one_fails() -> None:
    """The failure of one agent reaches no other."""
    Counting.seen.clear()
    async with House(Never, Counting) as house:
        house.tell(tick(1))
        house.tell(tick(2))
        await house.until(lambda: Counting.seen == [1, 2])

    assert house.supervisor.mode is TradingMode.ACTIVE


async def test_a_message_that_fails_twice_is_put_aside() -> None:
    """The second failure on one message makes it a dead letter, told as an incident."""
    async with House(Never) as house:
        house.tell(tick(1))
        await house.until(lambda: any(one.code == "DEAD_LETTER" for one in house.heard(Incident)))


async def test_a_restart_budget_is_a_budget() -> None:
    """An agent that keeps failing is given up, not restarted for ever; the rest lives."""
    async with House(Never, Counting) as house:
        for price in range(1, 4):
            house.tell(tick(price))
            await house.until(
                lambda price=price: (
                    len([one for one in house.heard(Incident) if one.code == "DEAD_LETTER"])
                    >= price
                    or any(one.code == "AGENT_GIVEN_UP" for one in house.heard(Incident))
                )
            )
        await house.until(
            lambda: any(one.code == "AGENT_GIVEN_UP" for one in house.heard(Incident))
        )


async def test_the_order_path_failing_halts_trading() -> None:
    """A dead letter of an essential agent leads to HALTED, whoever else is alive."""
    async with House(NeverEssential) as house:
        house.tell(tick(1))
        await house.until(lambda: house.supervisor.mode is TradingMode.HALTED)

    assert house.heard(TradingState)[0].actor == "supervisor"


class Slow(BaseAgent):
    """Thinks until it is let go."""

    gate: ClassVar[asyncio.Event]
    thought: ClassVar[list[str]] = []

    @on(Sentiment)
    async def think(self, sentiment: Sentiment) -> Analysis:
        """Wait, then say something."""
        await self.gate.wait()
        return Analysis(symbol=sentiment.symbol, analyst=self.name, time=1, valid_until=1 << 62)


def _mood(symbol: str) -> Sentiment:
    return Sentiment(
        symbol=symbol, analyst="test", time=1, score=0, confidence=1, valid_until=1 << 62
    )


async def test_a_slow_analyst_holds_up_nobody() -> None:
    """While an analyst waits, others get every message; its answer comes when it comes."""
    Slow.gate = asyncio.Event()
    Counting.seen.clear()
    async with House(Slow, Counting) as house:
        house.tell(_mood("BTC"), tick(1), tick(2))
        await house.until(lambda: Counting.seen == [1, 2])
        assert house.heard(Analysis) == []
        Slow.gate.set()
        await house.until(lambda: len(house.heard(Analysis)) == 1)


async def test_a_flooded_analyst_is_degraded_and_sheds() -> None:
    """At its cap an analyst drops the oldest, counted, and is called DEGRADED."""
    Slow.gate = asyncio.Event()
    async with House(Slow, cap=5) as house:
        for number in range(20):
            house.tell(_mood(f"S{number}"))
        life = house.supervisor.lives["slow"]
        assert len(life.inlet.inbox) == 5
        assert life.agent.state is AgentState.DEGRADED
        assert life.inlet.inbox.dropped["oldest"] == 14
        Slow.gate.set()


async def test_a_stuck_agent_is_named_and_its_work_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No sign of life leads to an incident that names the place, then to a restart."""
    monkeypatch.setattr(under_test, "SILENT", -1.0)
    monkeypatch.setattr(under_test, "PATIENCE", -0.5)
    Slow.gate = asyncio.Event()
    async with House(Slow) as house:
        house.tell(_mood("BTC"))
        await house.until(lambda: any(one.code == "AGENT_SILENT" for one in house.heard(Incident)))
        await house.until(
            lambda: any(one.state is AgentState.FAILED for one in house.heard(AgentStatus))
        )

    told = next(one for one in house.heard(Incident) if one.code == "AGENT_SILENT")
    assert "slow.think" in told.text
    failed = next(one for one in house.heard(AgentStatus) if one.state is AgentState.FAILED)
    assert "slow.think" in failed.reason


class Venue(BaseAgent):
    """Starts an operation that hangs, and hears of a halt meanwhile."""

    essential = True
    gate: ClassVar[asyncio.Event]
    order: ClassVar[list[str]] = []

    @on(TradeSignal)
    def send(self, signal: TradeSignal) -> None:
        """Start to send an order."""
        self.start(self._send(signal.symbol), lane=signal.symbol)

    async def _send(self, symbol: str) -> RiskAlert:
        await self.gate.wait()
        self.order.append("sent")
        return RiskAlert(code=symbol, severity=Severity.WARNING)

    @on(TradingState)
    def obey(self, state: TradingState) -> None:
        """Note the state."""
        self.order.append(state.mode)


async def test_a_halt_is_handled_while_a_venue_hangs() -> None:
    """An operation that waits for the venue holds up no message of its own agent."""
    Venue.gate = asyncio.Event()
    Venue.order.clear()
    async with House(Venue) as house:
        house.tell(
            TradeSignal(
                symbol="BTC", strategy="a", direction="long", time=1, price=1, valid_until=1 << 62
            )
        )
        house.tell(
            TradingState(
                mode=TradingMode.HALTED,
                previous=TradingMode.ACTIVE,
                reason="now",
                actor="operator",
                since=1,
            )
        )
        assert Venue.order == [TradingMode.HALTED]
        Venue.gate.set()
        await house.until(lambda: "sent" in Venue.order)


class Echo(BaseAgent):
    """Answers every alert with an alert."""

    @on(RiskAlert)
    def answer(self, alert: RiskAlert) -> RiskAlert:
        """Never stop."""
        return alert


async def test_a_chain_without_end_is_cut_and_halts() -> None:
    """Messages that cause messages for ever are cut, and trading is HALTED."""
    async with House(Echo) as house:
        house.tell(RiskAlert(code="X", severity=Severity.WARNING))
        await house.until(lambda: house.supervisor.mode is TradingMode.HALTED)

    assert any("without end" in one.text for one in house.heard(Incident))


async def test_a_failed_agent_stops_a_simulation() -> None:
    """Under a simulated clock an exception is not healed but raised."""
    store = MemoryStore()
    clock = SimulatedClock(0)
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    supervisor.add(Never)
    clock.add_stream(iter([(1, tick(1)), (2, tick(2))]), lambda one: bus.publish(one, "data"))

    with pytest.raises(ValueError, match="always"):
        await supervisor.run()


async def test_an_endless_chain_stops_a_simulation() -> None:
    """The same cut is an error there."""
    store = MemoryStore()
    clock = SimulatedClock(0)
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    supervisor.add(Echo)
    alert = RiskAlert(code="X", severity=Severity.WARNING)
    clock.add_stream(iter([(1, alert), (2, alert)]), lambda one: bus.publish(one, "data"))

    with pytest.raises(Runaway):
        await supervisor.run()


class Sleeper(BaseAgent):
    """Sends three slices ten seconds apart."""

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start to slice."""
        self.start(self._slices(signal.symbol))

    async def _slices(self, symbol: str) -> None:
        for number in range(3):
            self.publish(RiskAlert(code=f"{symbol}{number}", severity=Severity.WARNING))
            await self.runtime.sleep(10)


class Ticking(BaseAgent):
    """Says so each five seconds."""

    @every(5)
    def tick(self) -> RiskAlert:
        """Tick."""
        return RiskAlert(code="tick", severity=Severity.WARNING)


async def test_sleepers_timers_and_streams_share_one_simulated_time() -> None:
    """Slices of a sleeping operation and ticks of a timer come at their times, in order."""
    store = MemoryStore()
    clock = SimulatedClock(0)
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    supervisor.add(Sleeper)
    supervisor.add(Ticking)
    heard: list[tuple[int, str]] = []
    ear = Subscriber(
        "ear",
        {RiskAlert: lambda one: heard.append((clock.now() // 10**9, one.code))},
        observer=True,
    )
    bus.subscribe(ear)
    start = TradeSignal(
        symbol="S", strategy="a", direction="long", time=1, price=1, valid_until=1 << 62
    )
    events = [(2 * 10**9, start), (26 * 10**9, start.model_copy(update={"symbol": "T"}))]
    clock.add_stream(iter(events), lambda one: bus.publish(one, "data"))

    await supervisor.run()

    assert heard[:8] == [
        (2, "S0"),
        (5, "tick"),
        (10, "tick"),
        (12, "S1"),
        (15, "tick"),
        (20, "tick"),
        (22, "S2"),
        (25, "tick"),
    ]


class Patient(BaseAgent):
    """Asks a service, with a deadline of its own."""

    @on(TradeSignal)
    async def ask(self, signal: TradeSignal) -> RiskAlert:
        """Answer once the service has."""
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return RiskAlert(code=signal.symbol, severity=Severity.WARNING)


async def test_a_slow_handler_may_use_deadlines_in_a_simulation() -> None:
    """What an analyst awaits works under simulated time, and time waits for its answer."""
    store = MemoryStore()
    clock = SimulatedClock(0)
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    supervisor.add(Patient)
    heard: list[tuple[int, str]] = []
    ear = {RiskAlert: lambda one: heard.append((clock.now(), one.code))}
    bus.subscribe(Subscriber("ear", ear, observer=True))
    signals = [
        TradeSignal(
            symbol=symbol, strategy="a", direction="long", time=1, price=1, valid_until=1 << 62
        )
        for symbol in "AB"
    ]
    clock.add_stream(zip((5, 6), signals, strict=True), lambda one: bus.publish(one, "data"))

    await supervisor.run()

    assert heard == [(5, "A"), (6, "B")]


async def test_a_stop_names_what_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that does not end is cancelled at the stage's deadline."""
    monkeypatch.setattr(under_test, "STAGE", 0.01)
    Venue.gate = asyncio.Event()
    told: list[str] = []
    sink = under_test.log.add(lambda line: told.append(str(line)), level="WARNING")
    async with House(Venue) as house:
        house.tell(
            TradeSignal(
                symbol="BTC", strategy="a", direction="long", time=1, price=1, valid_until=1 << 62
            )
        )
    under_test.log.remove(sink)

    assert any("stop: drain took over" in line and "venue._send" in line for line in told)


def test_two_agents_of_one_name_are_refused() -> None:
    """A name is given once."""
    house = House(Counting)

    with pytest.raises(ValueError, match="two agents are called counting"):
        house.supervisor.add(Counting)


async def test_an_essential_inbox_at_its_cap_halts() -> None:
    """The order path never drops: at the cap trading is HALTED and every message kept."""

    class Held(Slow):
        """An analyst on the order path, which none is: only its inbox matters here."""

        essential = True

    Slow.gate = asyncio.Event()
    async with House(Held, cap=5) as house:
        for number in range(20):
            house.tell(_mood(f"S{number}"))
        assert house.supervisor.mode is TradingMode.HALTED
        assert len(house.supervisor.lives["held"].inlet.inbox) == 19
        Slow.gate.set()
