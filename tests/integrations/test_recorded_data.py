"""Real recordings, against what is known of them and against plain counts."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from decimal import Decimal
from itertools import groupby, pairwise

import pytest

from tests.integrations.recordings import (
    MINUTE,
    MS,
    faults,
    feed_of,
    played,
    real,
    rows_of,
)
from tradeagent.integrations.base import MarketFeed
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.messages import MarketData, MarketTrade, OrderBookUpdate, TickerUpdate

BTC_MONTH = "btc-perp_1m_2021-12-31_2022-02-01.csv"
COINBASE = "{}-coinbase-spot_1m_{}_2018-04-04_2018-04-05.csv"
TICKS = "btcusdt-binance-perp_ticks_2024-08-08_{}.csv"
HYPERLIQUID = "hyperliquid-btc-perp_{}_2025-01-26.csv"


def test_the_bitcoin_month_is_whole() -> None:
    """45,031 gapless minutes from 46319.0 to 38544.0, played at their closes."""
    path = real(BTC_MONTH)

    feed: MarketFeed = feed_of(path)

    bars = list(feed.events(0))
    (status,) = feed.status()
    first, last = bars[0][1], bars[-1][1]
    assert isinstance(first, MarketData)
    assert isinstance(last, MarketData)
    assert len(bars) == status.rows == 45_031
    assert (first.symbol, first.timeframe, first.open, last.close) == (
        "BTC",
        "1m",
        46319.0,
        38544.0,
    )
    assert faults(status) == (0, 0, 0, 0, 0)
    assert all(later[0] - bar[0] == MINUTE for bar, later in pairwise(bars))
    assert all(time == bar.close_time for time, bar in bars if isinstance(bar, MarketData))
    assert status.last_time == bars[-1][0]
    assert (feed.shortest("BTC"), list(feed.timeframes("BTC"))) == ("1m", ["1m"])


def test_every_bar_of_the_month_says_what_its_row_says() -> None:
    """A bar equals the validated message of its row; turnover is divided by the close."""
    path = real(BTC_MONTH)
    rows = rows_of(path)

    base, quote = feed_of(path), feed_of(path, volume="quote")

    assert [bar for _, bar in base.events(0)] == [
        MarketData(
            symbol="BTC",
            timeframe="1m",
            time=int(row["timestamp_ms"]) * MS,
            open=float(row["open"]),
            high=float(row["high"]),
            low=float(row["low"]),
            close=float(row["close"]),
            volume=float(row["volume"]),
        )
        for row in rows
    ]
    assert [bar.volume for _, bar in quote.events(0) if isinstance(bar, MarketData)] == [
        float(row["volume"]) / float(row["close"]) for row in rows
    ]
    assert quote.instruments()[0].lot == Decimal("0.00001")


def test_history_ends_where_the_events_begin() -> None:
    """History before a time is what closed until then, at most as many as asked for."""
    feed = feed_of(real(BTC_MONTH))
    bars = [bar for _, bar in feed.events(0)]
    closes = [time for time, _ in feed.events(0)]
    middle = closes[20_000]

    assert list(feed.history("BTC", "1m", middle, 300)) == bars[19_701:20_001]
    assert list(feed.history("BTC", "1m", middle - 1, 300)) == bars[19_700:20_000]
    assert list(feed.history("BTC", "1m", closes[4], 300)) == bars[:5]
    assert list(feed.history("BTC", "1m", closes[-1] + MINUTE, 2)) == bars[-2:]
    assert list(feed.history("BTC", "1m", closes[0] - 1, 300)) == []
    assert list(feed.history("BTC", "5m", middle, 300)) == []
    assert list(feed.history("ETH", "1m", middle, 300)) == []
    assert played(feed, middle)[0] == (middle, bars[20_000])
    assert played(feed, middle + 1)[0] == (closes[20_001], bars[20_001])


@pytest.mark.parametrize(
    ("coin", "rows", "missing"),
    [("btcusd", 2447, 433), ("ethusd", 2449, 431), ("ltcusd", 2447, 433)],
)
def test_holes_of_the_coinbase_days_are_counted(coin: str, rows: int, missing: int) -> None:
    """Gaps and missing minutes are those of a plain count over the minutes of two days."""
    path = real(COINBASE.format(coin, "trade"))
    minutes = {int(row["timestamp_ms"]) // 60_000 for row in rows_of(path)}
    absent = [one for one in range(min(minutes), max(minutes) + 1) if one not in minutes]
    holes = sum(one - 1 not in absent for one in absent)

    (status,) = feed_of(path).status()

    assert (status.symbol, status.rows) == (coin.upper(), rows)
    assert len(absent) == missing
    assert faults(status) == (holes, missing, 0, 0, 0)


def test_three_coins_play_together_in_time() -> None:
    """Six files merge by time and then by their order, and each plays as it does alone."""
    paths = [real(COINBASE.format(coin, "trade")) for coin in ("btcusd", "ethusd", "ltcusd")]
    paths += [real(COINBASE.format(coin, "quote")) for coin in ("btcusd", "ethusd", "ltcusd")]
    feed = feed_of(*paths)

    events = played(feed)

    alone = [played(feed_of(path)) for path in paths]
    ranked = sorted(
        (
            (time, rank, place)
            for rank, one in enumerate(alone)
            for place, (time, _) in enumerate(one)
        )
    )
    assert events == [alone[rank][place] for _, rank, place in ranked]
    assert [one.symbol for one in feed.instruments()] == ["BTCUSD", "ETHUSD", "LTCUSD"]
    assert len(feed.status()) == len(feed.references()) == 6


def test_a_quote_bar_is_a_ticker_at_its_close() -> None:
    """Bid and ask of a minute's close come one minute after its open, with their sizes."""
    path = real(COINBASE.format("btcusd", "quote"))
    rows = rows_of(path)

    feed = feed_of(path)

    assert [tick for _, tick in feed.events(0)] == [
        TickerUpdate(
            symbol="BTCUSD",
            time=int(row["timestamp_ms"]) * MS + MINUTE,
            bid=float(row["bid_close"]),
            ask=float(row["ask_close"]),
            last=(float(row["bid_close"]) + float(row["ask_close"])) / 2,
            bid_size=float(row["bid_size"]),
            ask_size=float(row["ask_size"]),
        )
        for row in rows
    ]
    (status,) = feed.status()
    assert (status.rows, status.gaps, status.missing) == (2873, 5, 6)
    assert feed.shortest("BTCUSD") is None


def test_public_trades_keep_their_price() -> None:
    """21,313 trades, at 61680.9822 on average over 2429.366 BTC, at their receive time."""
    path = real(TICKS.format("trades"))
    rows = rows_of(path)

    feed = feed_of(path)

    trades = [trade for _, trade in feed.events(0) if isinstance(trade, MarketTrade)]
    size = sum(trade.size for trade in trades)
    assert len(trades) == feed.status()[0].rows == 21_313
    assert size == pytest.approx(2429.366, abs=1e-6)
    assert sum(one.price * one.size for one in trades) / size == pytest.approx(61680.9822, abs=5e-5)
    assert faults(feed.status()[0]) == (0, 0, 0, 0, 0)
    assert [(one.time, one.side, one.trade_id) for one in trades] == [
        (int(row["recv_us"]) * 1_000, row["aggressor"], row["trade_id"]) for row in rows
    ]
    (instrument,) = feed.instruments()
    assert (instrument.tick, instrument.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert instrument.min_notional == 10


def test_every_change_of_the_touch_is_a_ticker() -> None:
    """66,089 quotes at their receive time, bid below ask."""
    path = real(TICKS.format("bbo"))
    rows = rows_of(path)

    events = played(feed_of(path))

    assert len(events) == 66_089
    assert [
        (time, one.bid, one.bid_size, one.ask, one.ask_size)
        for time, one in events
        if isinstance(one, TickerUpdate) and one.bid < one.ask
    ] == [
        (
            int(row["recv_us"]) * 1_000,
            float(row["bid_price"]),
            float(row["bid_size"]),
            float(row["ask_price"]),
            float(row["ask_size"]),
        )
        for row in rows
    ]


def test_the_depth_ends_at_the_known_touch() -> None:
    """83,938 rows make 1,195 books, never crossed, the last at 61806.7 and 61806.8."""
    feed = feed_of(real(TICKS.format("l2")))

    books = [book for _, book in feed.events(0) if isinstance(book, OrderBookUpdate)]

    assert feed.status()[0].rows == 83_938
    assert faults(feed.status()[0]) == (0, 0, 0, 0, 0)
    assert len(books) == 1_195
    assert (books[-1].bids[0][0], books[-1].asks[0][0]) == (61806.7, 61806.8)
    for book in books:
        bids, asks = [price for price, _ in book.bids], [price for price, _ in book.asks]
        assert len(bids) == len(asks) == 10
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]


def test_the_depth_agrees_with_the_recorded_touch() -> None:
    """Every book's best prices were quoted within a quarter of a second of it."""
    books = played(feed_of(real(TICKS.format("l2"))))
    quotes = played(feed_of(real(TICKS.format("bbo"))))
    times = [time for time, _ in quotes]
    agreeing = 0
    for time, book in books:
        assert isinstance(book, OrderBookUpdate)
        near = quotes[bisect_left(times, time - 250 * MS) : bisect_left(times, time + 250 * MS)]
        shown = {(one.bid, one.ask) for _, one in near if isinstance(one, TickerUpdate)}
        agreeing += (book.bids[0][0], book.asks[0][0]) in shown

    assert agreeing == len(books)


@pytest.mark.parametrize("name", ["bbo", "trades", "l2"])
def test_playing_from_the_middle_is_the_end_of_playing_it_all(name: str) -> None:
    """Events from any start are the same messages, books included."""
    feed = feed_of(real(TICKS.format(name)))
    events = played(feed)
    for place in (0, 1, len(events) // 3, len(events) - 1):
        start = events[place][0]
        assert played(feed, start) == [event for event in events if event[0] >= start]
        assert played(feed, start + 1) == [event for event in events if event[0] > start]
    assert played(feed, events[-1][0] + 1) == []


def test_level_snapshots_are_books() -> None:
    """Each of the 46 snapshots is a book with its ten best levels as recorded."""
    path = real(HYPERLIQUID.format("l2book"))
    snapshots = [list(rows) for _, rows in groupby(rows_of(path), lambda row: row["recv_ms"])]

    feed = feed_of(path, symbol="BTC")

    def best(rows: list[dict[str, str]], side: str) -> tuple[tuple[float, float], ...]:
        levels = [row for row in rows if row["side"] == side and int(row["level"]) < 10]
        return tuple((float(row["price"]), float(row["size"])) for row in levels)

    assert [book for _, book in feed.events(0)] == [
        OrderBookUpdate(
            symbol="BTC",
            time=int(rows[0]["recv_ms"]) * MS,
            bids=best(rows, "bid"),
            asks=best(rows, "ask"),
        )
        for rows in snapshots
    ]
    assert len(snapshots) == 46
    assert feed.status()[0].rows == 1_840


def test_hyperliquid_trades_name_the_aggressor() -> None:
    """Side B is a buyer, A a seller, and `tid` is the trade's id."""
    path = real(HYPERLIQUID.format("trades"))

    feed = feed_of(path, symbol="BTC")

    assert [
        (one.time, one.side, one.trade_id, one.price, one.size)
        for _, one in feed.events(0)
        if isinstance(one, MarketTrade)
    ] == [
        (
            int(row["recv_ms"]) * MS,
            {"B": "buy", "A": "sell"}[row["side"]],
            row["tid"],
            float(row["price"]),
            float(row["size"]),
        )
        for row in rows_of(path)
    ]
    assert feed.status()[0].rows == 64


@pytest.mark.parametrize(
    ("name", "rows", "timeframe", "gaps", "missing"),
    [
        ("btcusdt-binance-spot_1d_2020.csv", 366, "1d", 0, 0),
        ("btcusd-bitstamp-spot_1d_2015.csv", 365, "1d", 0, 0),
        ("btcusd-bitstamp-spot_1m_2020-01-01.csv", 1_440, "1m", 0, 0),
        ("btcusd-coinbase-spot_1d_long.csv", 1_318, "1d", 8, 34),
        ("btcusd-dydx-perp_1m_trade_2026-01-01.csv", 1_410, "1m", 27, 30),
        ("xrpusdt-perp_5m_2021-11-15_2021-11-21.csv", 1_999, "5m", 0, 0),
        ("xrpusdt-perp_1h_2021-11-17_2021-11-21.csv", 100, "1h", 0, 0),
        ("xrpusdt-perp_8h_2021-11-18_2021-12-18.csv", 91, "8h", 0, 0),
        ("hyperliquid-kpepe-perp_1h_2023-05.csv", 24, "1h", 0, 0),
    ],
)
def test_every_candle_file_is_understood_as_it_is(
    name: str, rows: int, timeframe: str, gaps: int, missing: int
) -> None:
    """Content, timeframe and gaps follow from the file alone."""
    feed = feed_of(real(name), symbol="ANY")

    (status,) = feed.status()

    assert (status.rows, feed.shortest("ANY"), status.gaps, status.missing) == (
        rows,
        timeframe,
        gaps,
        missing,
    )
    assert status.duplicates == status.disordered == status.malformed == 0
    assert len(played(feed)) == rows


def test_noise_of_floating_point_is_no_tick() -> None:
    """A price published as 0.8159000000000001 does not make the tick finer than 0.0001."""
    feed = feed_of(real("xrpusdt-perp_8h_2021-11-18_2021-12-18.csv"))

    assert feed.instruments()[0].tick == Decimal("0.0001")


def test_a_reference_names_the_file_by_its_bytes() -> None:
    """Name without folder, digest of the bytes, rows, content and the columns that were read."""
    path = real(BTC_MONTH)

    (reference,) = feed_of(path).references()

    assert (reference.name, reference.symbol, reference.rows) == (BTC_MONTH, "BTC", 45_031)
    assert reference.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reference.content == "bars"
    assert reference.mapping == {
        "time": "timestamp_ms",
        **{name: name for name in ("open", "high", "low", "close", "volume")},
    }


def test_files_of_one_symbol_show_one_instrument() -> None:
    """Trades, quotes and depth of one symbol together make one instrument."""
    paths = [real(TICKS.format(name)) for name in ("trades", "bbo", "l2")]

    feed = RecordedFeed(RecordedSettings(files=tuple(RecordedFile(path=path) for path in paths)))

    assert [one.symbol for one in feed.instruments()] == ["BTCUSDT"]
    assert feed.name == "recorded"
    assert feed.recorded
