"""What /info tells: market data, pages of history, and the view that lags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.venue.hall import NOON, OTHER, SECOND, USER, Hall, named, order
from tradeagent.messages import MarketData, OrderBookUpdate
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.venue import Floor, Malformed, MarketNews, VenueSettings


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def generated() -> Any:
    """A floor on the generated market at noon, with its clock and feed."""
    hall = Hall()
    feed = GeneratedMarket(MarketSettings(seed=7))
    floor = Floor(VenueSettings(), feed, hall.clock, None)
    return floor, hall.clock, feed


def test_what_clients_ask_at_the_start_is_there(hall: Hall) -> None:
    """The start-up set of both drivers answers, alike for the main exchange named or not."""
    for dex in ({}, {"dex": ""}):
        meta, ctxs = hall.ask("metaAndAssetCtxs", **dex)
        assert len(meta["universe"]) == len(ctxs) == 2
        assert hall.ask("allMids", **dex)["BTC"] == "60000.0"
    assert hall.ask("meta", dex="xyz")["universe"] == hall.ask("metaAndAssetCtxs", dex="xyz")[1]
    assert hall.ask("clearinghouseState", dex="xyz")["withdrawable"] == "0.0"
    assert hall.ask("perpDexs") == [None]
    spot = hall.ask("spotMeta")
    known = {one["index"] for one in spot["tokens"]}
    assert all(set(one["tokens"]) <= known for one in spot["universe"])
    assert len(hall.ask("spotMetaAndAssetCtxs")[1]) > max(one["index"] for one in spot["universe"])
    assert hall.ask("userAbstraction") == "default"
    assert hall.ask("subAccounts") is None
    assert hall.ask("exchangeStatus")["time"] == hall.floor.now_ms()
    table = hall.ask("meta")["marginTables"][1][1]
    assert table["marginTiers"][1] == {"lowerBound": "150000000.0", "maxLeverage": 20}
    assert hall.ask("marginTable", id=hall.ask("meta")["universe"][0]["marginTableId"]) == table


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"type": 5},
        {"type": "nonsense"},
        {"type": "l2Book"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 5},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "candleSnapshot", "coin": "BTC"},
        {"type": "clearinghouseState"},
        {"type": "clearinghouseState", "user": "0x12"},
        {"type": "orderStatus", "user": USER, "oid": 1.5},
        {"type": "userFillsByTime", "user": USER, "startTime": "now"},
        {"type": "fundingHistory", "coin": "BTC"},
    ],
)
def test_what_has_no_known_shape_is_malformed(hall: Hall, request_: dict[str, object]) -> None:
    """The door makes HTTP 422 of it."""
    with pytest.raises(Malformed):
        hall.floor.answer(request_)


def test_addresses_are_read_in_any_case(hall: Hall) -> None:
    """Clients send them checksummed."""
    hall.place(True, 59_000, "0.1")
    assert len(hall.ask("openOrders", USER.upper().replace("X", "x"))) == 1


def test_books_are_aggregated_against_the_reader(hall: Hall) -> None:
    """Bids down and asks up, their sizes added; the spread is told."""
    plain = hall.ask("l2Book", coin="BTC")
    assert [len(side) for side in plain["levels"]] == [20, 20]
    assert plain["levels"][0][0]["px"] == "59999.0"
    rough = hall.ask("l2Book", coin="BTC", nSigFigs=3)
    assert (rough["levels"][0][0]["px"], rough["levels"][1][0]["px"]) == ("59900.0", "60100.0")
    assert rough["spread"] == "200.0"
    assert float(rough["levels"][0][0]["sz"]) == pytest.approx(
        sum(float(one["sz"]) for one in plain["levels"][0])
    )
    finer = hall.ask("l2Book", coin="BTC", nSigFigs=5, mantissa=5)
    assert finer["levels"][1][0]["px"] == "60005.0"
    assert hall.ask("l2Book", coin="NONE") is None


def test_an_order_is_found_until_two_thousand_others_came() -> None:
    """By oid and by cloid alike; while it is open it is found whatever came."""
    hall = Hall()
    early = hall.place(True, 59_000, "0.1", cloid=named(1))["resting"]["oid"]
    kept = hall.place(True, 58_000, "0.1", cloid=named(2))["resting"]["oid"]
    hall.cancel(early)
    for _ in range(20):
        hall.orders(*(order(True, 59_999, "0.1", "Ioc") for _ in range(100)))
    assert hall.status(early) == hall.status(named(1)) == "unknownOid"
    assert hall.status(kept) == hall.status(named(2)) == "open"
    history = hall.ask("historicalOrders")
    assert len(history) == 2000
    times = [(one["statusTimestamp"], one["order"]["oid"]) for one in history]
    assert times == sorted(times, reverse=True)


def test_fills_are_paged_by_time(hall: Hall) -> None:
    """Both ends are inclusive, the oldest come first, or the newest when reversed."""
    for _ in range(3):
        hall.tick(59_999, 60_001)
        hall.place(True, 60_010, "0.01", "Ioc")
    times = [one["time"] for one in reversed(hall.ask("userFills"))]
    found = hall.ask("userFillsByTime", startTime=times[1], endTime=None)
    assert [one["time"] for one in found] == times[1:]
    found = hall.ask("userFillsByTime", startTime=0, endTime=times[1], reversed=True)
    assert [one["time"] for one in found] == [times[1], times[0]]


def test_fills_of_one_order_and_moment_are_put_together(hall: Hall) -> None:
    """Sizes and fees are added, the price is their average."""
    hall.place(True, 60_005, 2, "Ioc")
    apart, together = hall.ask("userFills"), hall.ask("userFills", aggregateByTime=True)
    assert (len(apart), len(together)) == (2, 1)
    assert together[0]["sz"] == "2.0"
    assert float(together[0]["px"]) == pytest.approx(60_001.5)


def test_trades_of_accounts_are_public(hall: Hall) -> None:
    """What takes liquidity is printed, with both sides named."""
    hall.place(True, 60_010, "0.5", "Ioc")
    (fill,) = hall.ask("userFills")
    (trade,) = hall.ask("recentTrades", coin="BTC")
    assert trade["tid"] == fill["tid"]
    assert (trade["side"], trade["sz"], trade["users"][0]) == ("B", "0.5", USER)
    assert any(isinstance(one, MarketNews) and one.kind == "trades" for one in hall.heard)


def test_the_info_node_lags_and_says_so(hall: Hall) -> None:
    """It stands still until it is far enough behind, then follows; its time does too."""
    hall.place(True, 60_010, "0.1", "Ioc")
    first = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    hall.floor.lag(10)
    began = hall.floor.now_ms()
    hall.wait(1)
    second = hall.place(True, 58_000, "0.1")["resting"]["oid"]
    hall.cancel(first)
    hall.place(True, 60_010, "0.1", "Ioc")
    hall.tick(59_000, 59_002, mark=59_001.0)
    for _ in range(2):
        assert list(hall.open()) == [first]
        assert hall.status(second) == "unknownOid"
        assert hall.status(first) == "open"
        assert hall.position()["szi"] == "0.1"
        assert len(hall.ask("userFills")) == 1
        assert hall.ask("allMids")["BTC"] == "60000.0"
        for kind in ("clearinghouseState", "exchangeStatus", "l2Book"):
            assert hall.ask(kind, coin="BTC")["time"] == began
        hall.wait(4)
    hall.wait(3)
    assert list(hall.open()) == [second]
    assert hall.status(first) == "canceled"
    assert hall.position()["szi"] == "0.2"
    assert hall.ask("clearinghouseState")["time"] == hall.floor.now_ms() - 10_000
    hall.floor.lag(0)
    assert hall.ask("clearinghouseState")["time"] == hall.floor.now_ms()


def test_the_venues_clock_can_be_off(hall: Hall) -> None:
    """All its times are, and the accounts' never go back."""
    before = hall.floor.now_ms()
    hall.floor.skew(-60)
    assert hall.floor.now_ms() == before - 60_000
    assert hall.ask("exchangeStatus")["time"] == before - 60_000
    hall.floor.skew(60)
    oid = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    assert hall.open()[oid]["timestamp"] == before + 60_000
    hall.floor.skew(0)
    oid = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    assert hall.open()[oid]["timestamp"] >= before + 60_000


def test_candles_are_the_feeds_and_the_last_one_forms(generated: Any) -> None:
    """History as the feed has it, oldest first; the newest grows with the ticks to what it
    will be in the history.
    """
    floor, clock, feed = generated
    start = floor.now_ms() - 3_600_000

    def candles(interval: str = "5m", since: int = start) -> Any:
        wanted = {"coin": "BTC", "interval": interval, "startTime": since}
        return floor.answer({"type": "candleSnapshot", "req": wanted})

    first = candles()
    assert [one["t"] for one in first] == [start + 300_000 * i for i in range(13)]
    assert all(one["T"] == one["t"] + 299_999 for one in first)
    for _ in range(60):
        clock.time += 5 * SECOND
        floor.catch_up()
    *_, last, _ = candles()
    (bar,) = feed.history("BTC", "5m", NOON + 300 * SECOND, 1)
    assert [float(last[one]) for one in "ohlc"] == [bar.open, bar.high, bar.low, bar.close]
    for interval in ("1h", "1d", "3d", "1w", "1M"):
        (forming,) = candles(interval, floor.now_ms() - 1)[-1:] or [None]
        if interval == "1M":
            whole = candles(interval, 0)
            assert [one["t"] for one in whole] == sorted({one["t"] for one in whole})
            assert whole[-1]["t"] == 1_788_220_800_000
        assert forming is None or forming["i"] == interval


def test_every_event_of_the_market_is_told(generated: Any) -> None:
    """Levels, touch, trades, candle, context and mids, for each coin."""
    floor, clock, _ = generated
    heard: list[Any] = []
    floor.listen(heard.append)
    clock.time += 10 * SECOND
    floor.catch_up()
    for coin in ("BTC", "ETH", "SOL"):
        kinds = {one.kind for one in heard if one.coin == coin}
        assert kinds == {"l2Book", "bbo", "trades", "candle", "activeAssetCtx"}
    mids = [one for one in heard if one.kind == "allMids"]
    assert set(mids[-1].data["mids"]) == {"BTC", "ETH", "SOL"}
    book = [one.data for one in heard if one.kind == "l2Book" and one.coin == "BTC"][-1]
    assert book["levels"] == floor.answer({"type": "l2Book", "coin": "BTC"})["levels"]
    for side, sign in zip(book["levels"], (-1, 1), strict=True):
        prices = [sign * float(one["px"]) for one in side]
        assert prices == sorted(set(prices))
    volume = sum(float(one["sz"]) for news in heard if news.kind == "trades" for one in news.data)
    assert volume > 0


def test_contexts_tell_what_is_known(generated: Any) -> None:
    """Funding is hourly, the premium compares impact prices with the oracle."""
    floor, _, feed = generated
    _, ctxs = floor.answer({"type": "metaAndAssetCtxs"})
    (before,) = feed.history("BTC", "1m", NOON - 86_400 * SECOND, 1)
    assert float(ctxs[0]["prevDayPx"]) == before.close
    assert float(ctxs[0]["funding"]) == feed.funding("BTC", NOON)
    assert (
        float(ctxs[0]["impactPxs"][0]) <= float(ctxs[0]["midPx"]) <= float(ctxs[0]["impactPxs"][1])
    )
    rates = floor.answer(
        {"type": "fundingHistory", "coin": "BTC", "startTime": floor.now_ms() - 7_200_000}
    )
    assert [one["time"] % 3_600_000 for one in rates] == [0, 0, 0]
    (coin, ((name, terms),)), *_ = floor.answer({"type": "predictedFundings"})
    assert (coin, name, terms["fundingIntervalHours"]) == ("BTC", "HlPerp", 1)


@pytest.mark.parametrize("content", ["candles", "books"])
def test_a_recording_is_played_as_far_as_it_shows(content: str) -> None:
    """From candles alone there are levels behind a touch; from books alone a mark."""
    hall = Hall()
    hall.script.shortest = lambda symbol: "1m" if content == "candles" else None  # type: ignore[method-assign]
    hall.script.coming.clear()
    for minute, price in enumerate((60_100.0, 60_300.0), start=-1):
        time = NOON + minute * 60 * SECOND
        rows = ((price, 1.0), (price - 1, 2.0)), ((price + 1, 1.0), (price + 2, 2.0))
        shown: Any = OrderBookUpdate(
            symbol="BTC", time=time + 60 * SECOND, bids=rows[0], asks=rows[1]
        )
        if content == "candles":
            shown = MarketData(
                symbol="BTC",
                timeframe="1m",
                time=time,
                open=price,
                high=price + 50,
                low=price - 50,
                close=price,
                volume=3.0,
            )
        hall.script.coming.append((time + 60 * SECOND, shown))
    floor = Floor(hall.settings, hall.script, hall.clock, None)
    hall.floor = floor
    assert float(hall.ask("allMids")["BTC"]) == pytest.approx(60_100, abs=1)
    assert "oid" in str(hall.place(True, 60_060, "0.1"))
    hall.wait(60)
    assert float(hall.ask("metaAndAssetCtxs")[1][0]["markPx"]) == pytest.approx(60_300, abs=1)
    levels = hall.ask("l2Book", coin="BTC")["levels"]
    assert len(levels[0]) == len(levels[1]) == (20 if content == "candles" else 2)
    assert hall.place(True, 60_400, "0.1", "Ioc")["filled"]["avgPx"] == levels[1][0]["px"]


def test_one_account_knows_nothing_of_another(hall: Hall) -> None:
    """Fills, funding and ledger are its own."""
    hall.place(True, 60_010, "0.5", "Ioc")
    for kind in ("userFills", "historicalOrders", "openOrders"):
        assert hall.ask(kind, OTHER) == []
    assert hall.ask("userNonFundingLedgerUpdates", OTHER, startTime=0) == []
