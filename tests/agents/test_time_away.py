"""After a restart indicators stand where they would have stood without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tradeagent.agents.analysis import Analysis
from tradeagent.agents.base import AgentSettings
from tradeagent.agents.data import Data, DataSettings
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.integrations.base import LiveFeed, MarketEvent
from tradeagent.messages import (
    DataStatus,
    InstrumentUpdate,
    MarketData,
    Timeframe,
    TradeSignal,
)
from tradeagent.quant.indicators import ATR, EMA, RSI, SMA
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.storage.memory import MemoryStore
from tradeagent.strategies import Event, Inputs, Strategy, View
from tradeagent.supervisor import Supervisor

START = 1_767_225_600 * SECOND
HOUR = 3_600 * SECOND


class Probe(Strategy):
    """Tell what indicators show at each candle."""

    def __init__(self, name: str, symbol: str) -> None:
        super().__init__(name, symbol)
        self.rsi, self.ema, self.atr, self.sma = RSI(14), EMA(20), ATR(14), SMA(20)

    def inputs(self) -> Inputs:
        """Ask for candles of two lengths."""
        return Inputs(bars=("1m", "5m"), warmup=21)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Say where the indicators of the five-minute candles stand."""
        if not isinstance(event, MarketData) or event.timeframe != "5m":
            return None
        values = {
            "rsi": self.rsi.update(event.close),
            "ema": self.ema.update(event.close),
            "atr": self.atr.update(event.high, event.low, event.close),
            "sma": self.sma.update(event.close),
        }
        return TradeSignal(
            symbol=self.symbol,
            strategy=self.name,
            direction="flat",
            time=event.close_time,
            price=event.close,
            values={name: value for name, value in values.items() if value == value},
            valid_until=event.close_time + HOUR,
        )


class Wire:
    """A live feed of a generated market, of which nothing is known but by asking or listening."""

    name = "wire"

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._market = GeneratedMarket(MarketSettings(timeframes=("1m",)))

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the market's."""
        return self._market.instruments()

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return one minute."""
        return self._market.timeframes(symbol)

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return one minute."""
        return self._market.shortest(symbol)

    def status(self) -> Sequence[DataStatus]:
        """Return nothing."""
        return ()

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def history(
        self, symbol: str, timeframe: str, before: int, count: int
    ) -> Sequence[MarketData]:
        """Return candles that are over."""
        assert before <= self._clock.now()
        return self._market.history(symbol, timeframe, before, count)

    async def listen(self, since: int, deliver: Callable[[MarketEvent], None]) -> None:
        """Deliver first what was missed, then each candle when it closes."""
        for when, event in self._market.events(since):
            if isinstance(event, MarketData):
                await self._clock.sleep_until(max(when, self._clock.now()))
                deliver(event)


async def heard(begins: int, played: int, ends: int, store: MemoryStore) -> list[TradeSignal]:
    """Run from `begins` to `ends`, listening from `played` on; returns every signal."""
    clock = SimulatedClock(begins)
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    past = store.past()
    bus = MemoryBus(clock, supervisor, store.journal, past.epoch, past.seq)
    supervisor.connect(bus)
    signals: list[TradeSignal] = []
    bus.subscribe(Subscriber("ear", {TradeSignal: signals.append}, observer=True))
    feed = Wire(clock)
    assert isinstance(feed, LiveFeed)
    needed: list[tuple[str, Timeframe]] = [("BTC", "1m"), ("BTC", "5m")]
    supervisor.add(lambda: Analysis(AgentSettings(), [Probe("probe", "BTC")]))
    supervisor.add(lambda: Data(DataSettings(), feed, played, needed))
    clock.add_stream(iter([(ends, None)]), lambda _: None)
    await supervisor.run(ends)
    return signals


@pytest.mark.parametrize("away", [61 * SECOND, 17 * 60 * SECOND, 3 * HOUR])
async def test_a_restart_changes_no_indicator(away: int) -> None:
    """However long the daemon was away, from its first signal on each value is the same."""
    left, ends = START + 3 * HOUR, START + 8 * HOUR
    whole = {one.time: one for one in await heard(START, START, ends, MemoryStore(keep=True))}
    store = MemoryStore(keep=True)
    await heard(START, START, left, store)
    store.restart()

    again = await heard(left + away, left + 1, ends, store)

    assert len(again) >= (ends - left - away) // (300 * SECOND) - 1
    assert again[0].time > left
    for signal in again:
        assert signal.values == pytest.approx(whole[signal.time].values, rel=1e-8), signal.time
        assert signal.price == whole[signal.time].price
