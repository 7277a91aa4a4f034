"""The generated market: pure, lively, and true to the facts of real markets."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice, pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tradeagent.integrations.base import MarketEvent, MarketFeed
from tradeagent.messages import (
    TIMEFRAMES,
    InstrumentUpdate,
    MarketData,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.simulation import GeneratedMarket, Listing, MarketSettings
from tradeagent.simulation.path import DAY, FIRST_DAY
from tradeagent.simulation.settings import LISTINGS

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = FIRST_DAY * DAY
BTC = MarketSettings(listings=LISTINGS[:1])


def market(**changes: object) -> GeneratedMarket:
    """Return a fresh market, as another process would make it."""
    return GeneratedMarket(MarketSettings.model_validate(changes))


def span(feed: GeneratedMarket, start: int, end: int) -> list[tuple[int, MarketEvent]]:
    """Return the events from `start` up to, not including, `end`."""
    found: list[tuple[int, MarketEvent]] = []
    for event in feed.events(start):
        if event[0] >= end:
            return found
        found.append(event)
    raise AssertionError("a generated market has no end")


def closes(feed: GeneratedMarket, symbol: str, days: int) -> list[float]:
    """Return the closes of minutes over some days."""
    before = START + days * DAY
    return [one.close for one in feed.history(symbol, "1m", before, days * 1440)]


def returns(prices: list[float]) -> list[float]:
    """Return the relative changes."""
    return [after / before - 1 for before, after in pairwise(prices)]


def correlation(values: list[float], lag: int) -> float:
    """Return the autocorrelation at `lag`."""
    mean = fmean(values)
    spread = sum((value - mean) ** 2 for value in values)
    pairs = zip(values, values[lag:], strict=False)
    return sum((a - mean) * (b - mean) for a, b in pairs) / spread


def test_it_is_a_market_feed() -> None:
    """The generated market fits the port, tells its instruments and has no files."""
    feed: MarketFeed = market()

    assert (feed.name, feed.recorded) == ("generated", False)
    assert [one.symbol for one in feed.instruments()] == ["BTC", "ETH", "SOL"]
    assert (list(feed.status()), list(feed.references())) == ([], [])


def test_it_tells_the_candles_it_streams() -> None:
    """Timeframes are told shortest first; an unlisted symbol has none."""
    feed = market(timeframes=["1h", "1m", "5m"])

    assert (list(feed.timeframes("BTC")), feed.shortest("BTC")) == (["1m", "5m", "1h"], "1m")
    assert (list(feed.timeframes("XYZ")), feed.shortest("XYZ")) == ([], None)
    assert market(timeframes=[]).shortest("BTC") is None


@settings(max_examples=5, deadline=None)
@given(st.integers(19_000, 22_000), st.integers(0, DAY - 1), st.integers(1, 90 * SECOND))
def test_a_start_in_the_middle_yields_the_same_tail(day: int, offset: int, skip: int) -> None:
    """Two markets of one seed agree on every event, wherever each of them began."""
    start = day * DAY + offset
    whole = span(market(timeframes=["1m", "5m"]), start, start + 120 * SECOND)
    tail = span(market(timeframes=["1m", "5m"]), start + skip, start + 120 * SECOND)

    assert tail == [event for event in whole if event[0] >= start + skip]
    assert whole


def test_midnight_is_a_moment_like_any_other() -> None:
    """A stream that runs over midnight equals one that starts after it, and prices do not break."""
    feed = market()
    over = span(feed, START + DAY - MINUTE, START + DAY + MINUTE)
    after = span(market(), START + DAY, START + DAY + MINUTE)

    assert [event for event in over if event[0] >= START + DAY] == after
    ticks = [e for _, e in over if isinstance(e, TickerUpdate) and e.symbol == "BTC"]
    assert {after.time - before.time for before, after in pairwise(ticks)} == {5 * SECOND}
    assert max(abs(change) for change in returns([tick.last for tick in ticks])) < 0.03


def test_seeds_and_symbols_make_markets_of_their_own() -> None:
    """Another seed is another market, and symbols of one market move each in its own way."""
    one, two = market(seed=1), market(seed=2)

    first, other = (returns(closes(feed, "BTC", 1)) for feed in (one, two))
    eth = returns(closes(one, "ETH", 1))

    assert first != other
    assert abs(fmean(a * b for a, b in zip(first, other, strict=True))) < 1e-7
    assert abs(fmean(a * b for a, b in zip(first, eth, strict=True))) < 1e-7


def test_events_come_in_order_and_rhythm() -> None:
    """A quote per symbol and tick, a book per minute, then the candles that close, by time."""
    events = span(market(timeframes=["1m", "5m"]), START + 300 * SECOND, START + 360 * SECOND)

    times = [time for time, _ in events]
    assert times == sorted(times)
    first = [(event.symbol, type(event).__name__) for time, event in events if time == times[0]]
    each = ["TickerUpdate", "OrderBookUpdate", "MarketData", "MarketData"]
    assert first == [(symbol, kind) for symbol in ("BTC", "ETH", "SOL") for kind in each]
    assert len(events) == 12 * 3 + 3 * 3
    for time, event in events:
        assert not isinstance(event, InstrumentUpdate)
        assert time == (event.close_time if isinstance(event, MarketData) else event.time)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h"])
def test_candles_agree_with_ticks(timeframe: str) -> None:
    """A candle's prices and volume are those of the ticks from its open to before its close."""
    feed = market(timeframes=[timeframe])
    length = TIMEFRAMES[timeframe]
    start = START + 17 * 3600 * SECOND
    ticks: dict[str, list[TickerUpdate]] = {"BTC": [], "ETH": [], "SOL": []}
    seen = 0
    for time, event in span(feed, start, start + 2 * length + SECOND):
        if isinstance(event, TickerUpdate):
            ticks[event.symbol].append(event)
        elif isinstance(event, MarketData) and time > start:
            inside = [t for t in ticks[event.symbol] if event.time <= t.time < event.close_time]
            prices = [tick.last for tick in inside]
            assert (event.open, event.close) == (prices[0], prices[-1])
            assert (event.high, event.low) == (max(prices), min(prices))
            if inside[0].time > start:
                earlier = next(t for t in reversed(ticks[event.symbol]) if t.time < event.time)
                assert event.volume == pytest.approx(inside[-1].volume - earlier.volume)
            seen += 1
    assert seen == 6


def test_history_is_what_the_stream_showed() -> None:
    """The last closed candles before a time equal those streamed, also over midnight."""
    feed = market(timeframes=["1m", "5m"])
    start, end = START + DAY - 30 * MINUTE, START + DAY + 30 * MINUTE
    streamed = [
        event
        for time, event in span(feed, start + 1, end + 1)
        if isinstance(event, MarketData) and (event.symbol, event.timeframe) == ("ETH", "5m")
    ]

    assert list(market().history("ETH", "5m", end, 12)) == streamed
    assert list(market().history("ETH", "5m", end + 299 * SECOND, 12)) == streamed
    assert len(streamed) == 12


@pytest.mark.parametrize("timeframe", ["15m", "4h", "1d", "3d", "1w"])
def test_longer_candles_are_made_of_shorter_ones(timeframe: str) -> None:
    """A candle of any timeframe is the fold of the 15-minute candles inside it."""
    feed = GeneratedMarket(BTC)
    (candle,) = feed.history("BTC", timeframe, START + 10 * DAY, 1)
    parts = feed.history(
        "BTC", "15m", candle.close_time, TIMEFRAMES[timeframe] // TIMEFRAMES["15m"]
    )

    assert (parts[0].time, parts[0].open, parts[-1].close) == (
        candle.time,
        candle.open,
        candle.close,
    )
    assert candle.high == max(part.high for part in parts)
    assert candle.low == min(part.low for part in parts)
    assert candle.volume == pytest.approx(sum(part.volume for part in parts))


def test_weeks_begin_on_monday_and_time_in_1970() -> None:
    """A weekly candle opens on a Monday, and history ends where time does."""
    feed = GeneratedMarket(BTC)
    (week,) = feed.history("BTC", "1w", START, 1)

    assert week.time // DAY % 7 == 4
    assert [one.time for one in feed.history("BTC", "1m", 2 * MINUTE, 10)] == [0, MINUTE]


def test_quotes_and_books_stand_on_the_grid() -> None:
    """Prices fit their instrument; bid <= last <= ask, bid < ask; a book continues its touch."""
    feed = market(book_seconds=5)
    grid = {one.symbol: one for one in feed.instruments()}
    touch: dict[str, TickerUpdate] = {}
    for _, event in islice(feed.events(START + 7 * 3600 * SECOND), 6000):
        if isinstance(event, TickerUpdate):
            touch[event.symbol] = event
            instrument = grid[event.symbol]
            for price in (event.bid, event.ask, event.last, event.mark):
                assert instrument.price_fits(Decimal(repr(price)))
            for size in (event.bid_size, event.ask_size):
                assert instrument.size_fits(Decimal(repr(size)))
            assert event.bid <= event.last <= event.ask
            assert event.bid < event.ask
        elif isinstance(event, OrderBookUpdate):
            quote = touch[event.symbol]
            assert (event.bids[0], event.asks[0]) == (
                (quote.bid, quote.bid_size),
                (quote.ask, quote.ask_size),
            )
            bids, asks = [p for p, _ in event.bids], [p for p, _ in event.asks]
            assert bids == sorted(set(bids), reverse=True)
            assert asks == sorted(set(asks))
            assert (len(bids), len(asks)) == (10, 10)
            assert grid[event.symbol].price_fits(Decimal(repr(asks[-1])))


def test_spreads_widen_when_the_market_is_wild() -> None:
    """Minutes with the widest ranges have wider spreads than the quietest ones."""
    session = GeneratedMarket(BTC)._session("BTC", FIRST_DAY)
    columns = session.minutes()
    ranges = [high / low for high, low in zip(columns.high, columns.low, strict=True)]
    order = sorted(range(1440), key=ranges.__getitem__)

    quiet, wild = (
        fmean(session.grid(m).spread for m in part) for part in (order[:200], order[-200:])
    )
    assert wild > 1.5 * quiet


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_returns_look_like_those_of_a_market(seed: int) -> None:
    """Minute returns do not predict themselves, their size does for hours, and tails are fat."""
    changes = returns(closes(GeneratedMarket(MarketSettings(seed=seed)), "BTC", 20))
    sizes = [abs(change) for change in changes]

    assert abs(correlation(changes, 1)) < 0.05
    assert correlation(sizes, 1) > 0.15
    assert correlation(sizes, 30) > 0.1
    assert correlation(sizes, 120) > 0.02
    deviation = pstdev(changes)
    kurtosis = fmean(change**4 for change in changes) / deviation**4
    assert kurtosis > 5
    assert 0.6 < deviation * 1440**0.5 / 0.03 < 1.6


def test_jumps_happen_and_are_rare() -> None:
    """Every few hours, not every few minutes, one tick moves many times as far as usual."""
    jumps = 0
    for day in range(FIRST_DAY, FIRST_DAY + 20):
        mids = GeneratedMarket(BTC)._session("BTC", day).mids
        moves = sorted(abs(change) for change in returns(list(mids)))
        jumps += sum(move > 30 * moves[len(moves) // 2] for move in moves)

    assert 10 <= jumps <= 120


def test_a_day_gives_strategies_something_to_do() -> None:
    """On 5-minute candles averages cross and breakouts come several times on a usual day."""
    days = 10
    history = GeneratedMarket(BTC).history("BTC", "5m", START + days * DAY, days * 288)
    prices = [candle.close for candle in history]
    above = [fmean(prices[i - 10 : i]) > fmean(prices[i - 30 : i]) for i in range(30, len(prices))]
    crosses = sum(before != after for before, after in pairwise(above))
    breakouts = sum(prices[i] > max(prices[i - 48 : i]) for i in range(48, len(prices)))

    assert crosses / days > 4
    assert breakouts / days > 3


def test_prices_stay_in_their_order_of_magnitude() -> None:
    """Over decades before and after 2026 the midnight price keeps within a factor of the usual."""
    path = GeneratedMarket(BTC)._paths["BTC"]
    anchors = [path.anchor(day) for day in range(0, 40_000, 50)]

    assert max(map(abs, anchors)) < 3
    assert pstdev(anchors) > 0.1


def test_a_penny_stays_above_nothing() -> None:
    """A price of one tick with the wildest volatility still has a bid above zero and below ask."""
    instrument = InstrumentUpdate(symbol="PENNY", tick=Decimal("0.01"), lot=Decimal(1))
    listing = Listing(instrument=instrument, price=0.01, volatility=0.2)
    feed = GeneratedMarket(MarketSettings(listings=(listing,), timeframes=("1m",)))

    for _, event in islice(feed.events(START), 5000):
        if isinstance(event, TickerUpdate):
            assert 0 < event.bid < event.ask
        elif isinstance(event, MarketData):
            assert event.low > 0


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"tick_seconds": 7}, "tick_seconds must divide 60"),
        ({"book_seconds": 7}, "book_seconds must be a multiple"),
        ({"listings": [LISTINGS[0], LISTINGS[0]]}, "each symbol once"),
        ({"ticks": 5}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_market_are_refused(wrong: dict[str, object], text: str) -> None:
    """Rhythms that do not fit, repeated symbols and unknown keys are errors."""
    with pytest.raises(ValidationError, match=text):
        MarketSettings.model_validate(wrong)
