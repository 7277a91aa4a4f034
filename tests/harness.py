"""Real agents on a real bus, exchange and journal, put together for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradeagent.agents.analysis import Analysis
from tradeagent.agents.base import AgentSettings, BaseAgent
from tradeagent.agents.data import Data, DataSettings
from tradeagent.agents.desk import Mandate
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.monitor import Monitor, MonitorSettings
from tradeagent.agents.risk import Risk
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import (
    DataReference,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    TickerUpdate,
    Timeframe,
)
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.storage.memory import MemoryStore
from tradeagent.strategies import Strategy
from tradeagent.supervisor import Supervisor

BTC = InstrumentUpdate(
    symbol="BTC", tick=Decimal("0.1"), lot=Decimal("0.0001"), min_notional=Decimal(10)
)
START = 1_767_225_600 * SECOND
KEY = b"k" * 32


def bar(
    close: float, minute: int = 0, *, symbol: str = "BTC", high: float = 0, low: float = 0
) -> MarketData:
    """Return a one-minute candle that closes at `close`."""
    return MarketData(
        symbol=symbol,
        timeframe="1m",
        time=START + minute * 60 * SECOND,
        open=close,
        high=max(high, close),
        low=min(low or close, close),
        close=close,
        volume=1.0,
    )


def tick(price: float, second: int = 0, *, symbol: str = "BTC") -> TickerUpdate:
    """Return a ticker with a spread of one tick around `price`."""
    return TickerUpdate(
        symbol=symbol,
        time=START + second * SECOND,
        bid=price - 0.05,
        ask=price + 0.05,
        last=price,
        mark=price,
    )


@dataclass
class Tape:
    """A feed of given events."""

    played: Sequence[tuple[int, MarketEvent]] = ()
    name: str = "tape"
    recorded: bool = False

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the one instrument."""
        return (BTC,)

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return one minute."""
        return ("1m",) if symbol == "BTC" else ()

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return one minute."""
        return "1m" if symbol == "BTC" else None

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return nothing: the tape is all there is."""
        return ()

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield the events from `start` on."""
        return (event for event in self.played if event[0] >= start)

    def status(self) -> Sequence[DataStatus]:
        """Return nothing."""
        return ()

    def references(self) -> Sequence[DataReference]:
        """Return nothing."""
        return ()


@dataclass
class Rig:
    """A whole daemon in memory under a simulated clock, with everything said kept in `said`."""

    strategies: Callable[[], Sequence[Strategy]] = tuple
    weights: dict[str, float] = field(default_factory=dict)
    events: Sequence[tuple[int, MarketEvent]] = ()
    risk: RiskSettings = field(default_factory=RiskSettings)
    trading: TradingSettings = field(default_factory=TradingSettings)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    exchange_settings: ExchangeSettings = field(default_factory=ExchangeSettings)
    extra: Sequence[Callable[[], BaseAgent[Any]]] = ()
    store: MemoryStore = field(default_factory=lambda: MemoryStore(keep=True))
    ledger: Ledger = field(default_factory=lambda: Ledger(None))
    start: int = START

    def __post_init__(self) -> None:
        """Put it together."""
        self.clock = SimulatedClock(self.start)
        self.supervisor = Supervisor(self.clock, self.store.past, self.store.journal.committed)
        past = self.store.past()
        self.bus = MemoryBus(self.clock, self.supervisor, self.store.journal, past.epoch, past.seq)
        self.supervisor.connect(self.bus)
        self.exchange = SimulatedExchange(
            self.exchange_settings, (BTC,), self.ledger, self.clock.now
        )
        prices = (MarketData, TickerUpdate, OrderBookUpdate, MarketTrade)
        self.bus.subscribe(
            Subscriber("exchange", dict.fromkeys(prices, self.exchange.on_market), observer=True)
        )
        self.said: list[Message] = []
        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))
        feed = Tape(self.events)
        mandates = {name: Mandate(weight) for name, weight in self.weights.items()}
        for build in (
            lambda: Execution(self.execution, self.exchange, "test", KEY),
            lambda: Risk(self.risk, KEY),
            lambda: Trading(self.trading, mandates, "test"),
            lambda: Analysis(AgentSettings(), self.strategies()),
            lambda: Monitor(MonitorSettings()),
            *self.extra,
            lambda: Data(DataSettings(), feed, self.start),
        ):
            self.supervisor.add(build)

    async def run(self) -> list[Message]:
        """Play every event; returns everything that was said."""
        await self.supervisor.run()
        return self.said

    def heard(self, kind: type[Any]) -> list[Any]:
        """Return what was said of one class."""
        return [message for message in self.said if type(message) is kind]
