"""Data builds the candles a feed lacks, whole from the first, and they count as built."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import pytest

from tests.harness import START, Tape
from tests.harness import bar as candle
from tradeagent.agents.data import Data, DataSettings, Resampler
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import Envelope, MarketData, Origin, Timeframe
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.settings import LISTINGS, MarketSettings
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor
from tradeagent.tally import Tally

HOUR = 3600 * SECOND


def market(*timeframes: Timeframe) -> GeneratedMarket:
    """Return a market of one symbol with candles of some lengths."""
    return GeneratedMarket(MarketSettings(listings=LISTINGS[:1], timeframes=timeframes))


class Hour(Tape):
    """An hour of a market with one-minute candles, and all of its past."""

    def __init__(self, start: int) -> None:
        self._market = market("1m")
        events = self._market.events(start)
        super().__init__(list(takewhile(lambda event: event[0] <= start + HOUR, events)))

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return the market's past."""
        return self._market.history(symbol, timeframe, before, count)


async def played(start: int, tally: Tally | None = None) -> list[Envelope[MarketData]]:
    """Play an hour from `start` on to a strategy that needs 5m and 1h; returns every candle."""
    clock = SimulatedClock(start)
    store = MemoryStore()
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    heard: list[Envelope[MarketData]] = []

    def hear(_bar: MarketData) -> None:
        assert ear.hand is not None
        heard.append(ear.hand)

    ear = Subscriber("ear", {MarketData: hear}, observer=True)
    bus.subscribe(ear)
    if tally is not None:
        bus.subscribe(tally.subscriber())
    needed: list[tuple[str, Timeframe]] = [("BTC", "5m"), ("BTC", "1h"), ("BTC", "1m")]
    supervisor.add(lambda: Data(DataSettings(), Hour(start), start, needed))
    await supervisor.run()
    return heard


async def test_only_candles_of_the_feed_are_counted() -> None:
    """What Data builds is derived from the candle that completed it, and is no bar of the run."""
    tally = Tally()
    heard = await played(START + SECOND, tally)

    own = {one.seq for one in heard if one.payload.timeframe == "1m"}
    built = [one for one in heard if one.seq not in own]
    assert (tally.bars, len(own), len(built)) == (60, 60, 13)
    for one in heard:
        assert one.origin is (Origin.INPUT if one.seq in own else Origin.DERIVED)
        assert one.cause in (own if one in built else {0})


@pytest.mark.parametrize("second", [0, 1, 60, 150, 299, 300, 1800])
async def test_a_built_candle_is_whole_from_the_first(second: int) -> None:
    """Wherever in a candle a run starts, each longer candle is that of the whole period."""
    start = START + second * SECOND
    heard = [one.payload for one in await played(start)]
    reference = market("5m", "1h")

    built = [bar for bar in heard if bar.timeframe != "1m"]
    assert {bar.timeframe for bar in built} == {"5m", "1h"}
    for bar in built:
        (whole,) = reference.history("BTC", bar.timeframe, bar.close_time, 1)
        assert bar.volume == pytest.approx(whole.volume, rel=1e-6)
        assert bar.model_copy(update={"volume": whole.volume}) == whole


def test_a_gap_delays_no_candle() -> None:
    """A bar that ends its own period right after a gap completes the old candle and the new one."""
    bars = [candle(100 + minute, minute) for minute in (0, 1, 9)]
    resampler = Resampler("5m")

    done = [resampler.add(one) for one in bars]

    assert [[(one.time - START) // (60 * SECOND) for one in each] for each in done] == [
        [],
        [],
        [0, 5],
    ]
    assert resampler.add(bars[-1]) == []
