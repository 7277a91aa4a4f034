"""The official SDK trades on the venue, unmodified but for the base URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

from tests.venue.sdk import (
    ALO,
    GTC,
    IOC,
    SESSIONS,
    Noted,
    closing,
    far,
    free_nonce,
    oid_of,
    statuses,
    stop,
)
from tests.venue.server import Heard, Venue, wallet

CLOID = Cloid.from_int(0xAA)


def test_a_session_of_reading_the_market(market: Venue, info: Info) -> None:
    """Every query about the market has the shape the SDK documents, and the figures agree."""
    noted: Any = Noted(info)
    meta = noted.meta()
    coins = [one["name"] for one in meta["universe"]]
    assert coins[0] == "BTC"
    assert noted.name_to_asset("ETH") == coins.index("ETH")
    noted.set_perp_meta(meta, 0)
    both = noted.meta_and_asset_ctxs()
    assert both[0] == meta
    assert len(both[1]) == len(coins)
    assert Decimal(both[1][0]["markPx"]) > 0
    spot = noted.spot_meta()
    indexes = {token["index"] for token in spot["tokens"]}
    assert all(set(pair["tokens"]) <= indexes for pair in spot["universe"])
    assert noted.spot_meta_and_asset_ctxs()[0] == spot
    assert noted.perp_dexs() == [None]
    mids = noted.all_mids()
    assert set(coins) <= set(mids)
    book = noted.l2_snapshot("BTC")
    bids, asks = book["levels"]
    assert Decimal(bids[0]["px"]) < Decimal(asks[0]["px"])
    assert bids == sorted(bids, key=lambda one: -Decimal(one["px"]))
    now = book["time"]
    candles = noted.candles_snapshot("BTC", "1m", now - 600_000, now)
    assert [one["t"] for one in candles] == sorted({one["t"] for one in candles})
    assert all(one["T"] == one["t"] + 59_999 for one in candles)
    assert len(candles) >= 9
    history = noted.funding_history("BTC", now - 10 * 3_600_000, now)
    assert all(set(one) == {"coin", "fundingRate", "premium", "time"} for one in history)
    status = noted.post("/info", {"type": "exchangeStatus"})
    assert abs(status["time"] - get_timestamp_ms()) < 60_000
    assert noted.called >= set(SESSIONS["market"]["Info"])


def test_a_session_of_placing(market: Venue, exchange: Exchange, trader: Any) -> None:
    """What rests gets a number; what cannot be placed is refused in the venue's words."""
    info = exchange.info
    low, high = far(info, "BTC", 0.8), far(info, "BTC", 1.2)

    first = oid_of(trader.order("BTC", True, 0.01, low, GTC))
    second = oid_of(trader.order("BTC", True, 0.01, low, ALO, cloid=CLOID))
    assert second > first
    (status,) = statuses(trader.order("BTC", True, 0.01, high, ALO))
    assert status["error"].startswith("Post only order would have immediately matched, bbo was ")
    (status,) = statuses(trader.order("BTC", True, 0.0001, low / 10, GTC))
    assert status["error"] in (
        "Order must have minimum value of $10. asset=0",
        "Order price cannot be more than 80% away from the reference price asset=0",
    )
    (status,) = statuses(trader.order("BTC", True, 0.01, low + 0.123, GTC))
    assert status["error"] == "Price must be divisible by tick size. asset=0"
    (status,) = statuses(trader.order("BTC", True, 0.01, low, IOC))
    assert status["error"] == (
        "Order could not immediately match against any resting orders. asset=0"
    )
    (status,) = statuses(trader.order("BTC", False, 0.01, high, GTC, reduce_only=True))
    assert status["error"] == "Reduce only order would increase position. asset=0"
    (status,) = statuses(trader.order("BTC", True, 100.0, low, GTC))
    assert status["error"] == "Insufficient margin to place order. asset=0"
    assert {one["oid"] for one in info.open_orders(exchange.wallet.address)} == {first, second}
    assert trader.called | {"post"} >= set(SESSIONS["placing"]["Exchange"])


def test_a_session_of_modifying(market: Venue, exchange: Exchange, trader: Any) -> None:
    """By number or by name, an order makes room for one with a number of its own."""
    info, user = exchange.info, exchange.wallet.address
    low = far(info, "BTC", 0.8)
    first = oid_of(trader.order("BTC", True, 0.01, low, GTC))
    second = oid_of(trader.order("BTC", True, 0.01, low, ALO, cloid=CLOID))

    third = oid_of(trader.modify_order(first, "BTC", True, 0.02, low, GTC))
    assert third > second
    assert info.query_order_by_oid(user, first)["order"]["status"] == "canceled"
    change: Any = {
        "coin": "BTC",
        "is_buy": True,
        "sz": 0.03,
        "limit_px": low,
        "order_type": ALO,
        "reduce_only": False,
        "cloid": CLOID,
    }
    fourth = oid_of(trader.bulk_modify_orders_new([{"oid": CLOID, "order": change}]))
    resting = info.open_orders(user)
    assert {one["oid"]: one["sz"] for one in resting} == {third: "0.02", fourth: "0.03"}
    (status,) = statuses(trader.modify_order(first, "BTC", True, 0.02, low, GTC))
    assert "Cannot modify canceled or filled order" in status["error"]
    assert trader.called >= set(SESSIONS["modifying"]["Exchange"])


def test_a_session_of_cancelling(market: Venue, exchange: Exchange, trader: Any) -> None:
    """By number or by name, alone or together; what has gone cannot be cancelled again."""
    info = exchange.info
    low, gone = far(info, "BTC", 0.8), "Order was never placed, already canceled, or filled. asset="
    oid = oid_of(trader.order("BTC", True, 0.01, low, GTC))
    trader.order("BTC", True, 0.01, low, ALO, cloid=CLOID)

    assert statuses(trader.cancel("BTC", oid)) == ["success"]
    (status,) = statuses(trader.cancel("BTC", oid))
    assert status["error"] == f"{gone}0"
    assert statuses(trader.cancel_by_cloid("BTC", CLOID)) == ["success"]
    one: Any = {"coin": "ETH", "is_buy": True, "sz": 0.1, "limit_px": far(info, "ETH", 0.8)}
    one |= {"order_type": GTC, "reduce_only": False}
    orders = [dict(one), {**one, "cloid": CLOID}, {**one, "sz": 9e5}]
    batch = statuses(trader.bulk_orders(orders))
    assert [next(iter(status)) for status in batch] == ["resting", "resting", "error"]
    oids: Any = [{"coin": "ETH", "oid": batch[0]["resting"]["oid"]}, {"coin": "ETH", "oid": 1}]
    answer = statuses(trader.bulk_cancel(oids))
    assert answer[0] == "success"
    assert answer[1]["error"] == f"{gone}1"
    cloids: Any = [{"coin": "ETH", "cloid": CLOID}]
    assert statuses(trader.bulk_cancel_by_cloid(cloids)) == ["success"]
    assert info.open_orders(exchange.wallet.address) == []
    assert trader.called >= set(SESSIONS["cancelling"]["Exchange"])


def test_a_session_of_taking(market: Venue, exchange: Exchange, trader: Any) -> None:
    """A position is opened at the market and closed whole; without one nothing is asked for."""
    info, user = exchange.info, exchange.wallet.address

    (status,) = statuses(trader.market_open("BTC", True, 0.01))
    assert Decimal(status["filled"]["totalSz"]) == Decimal("0.01")
    (held,) = info.user_state(user)["assetPositions"]
    assert held["position"]["szi"] == "0.01"
    (status,) = statuses(trader.market_close("BTC"))
    assert Decimal(status["filled"]["totalSz"]) == Decimal("0.01")
    assert info.user_state(user)["assetPositions"] == []
    assert trader.market_close("BTC") is None
    assert trader.called == set(SESSIONS["taking"]["Exchange"])


def _exits(info: Info) -> list[Any]:
    """Return a stop and a target that close a long of ETH."""
    down, up = far(info, "ETH", 0.8), far(info, "ETH", 1.2)
    base: Any = {"coin": "ETH", "sz": 0.1, "reduce_only": True, "is_buy": False}
    return [
        {**base, "limit_px": float(f"{down * 0.9:.4g}"), "order_type": stop(down)},
        {**base, "limit_px": up, "order_type": stop(up, "tp")},
    ]


def test_a_session_of_stops_and_targets_with_an_entry(
    market: Venue, exchange: Exchange, trader: Any
) -> None:
    """They wait for the fill of the entry they came with, and go with it."""
    info, user = exchange.info, exchange.wallet.address
    entry: Any = {"coin": "ETH", "sz": 0.1, "reduce_only": False, "is_buy": True}
    entry |= {"limit_px": far(info, "ETH", 0.9), "order_type": GTC}

    placed = statuses(trader.bulk_orders([entry, *_exits(info)], grouping="normalTpsl"))
    assert placed[1:] == ["waitingForFill", "waitingForFill"]
    oid = placed[0]["resting"]["oid"]
    (shown,) = [one for one in info.frontend_open_orders(user) if one["oid"] == oid]
    assert [child["orderType"] for child in shown["children"]] == [
        "Stop Market",
        "Take Profit Market",
    ]
    assert statuses(trader.cancel("ETH", oid)) == ["success"]
    assert info.frontend_open_orders(user) == []


def test_a_session_of_stops_and_targets_of_a_position(
    market: Venue, exchange: Exchange, trader: Any
) -> None:
    """They hang on a position as large as it is, and go when it is closed."""
    info, user = exchange.info, exchange.wallet.address
    up = far(info, "ETH", 1.2)

    (status,) = statuses(trader.order("ETH", True, 0.1, far(info, "ETH", 1.05), IOC))
    assert "filled" in status
    pair: Any = [{**one, "sz": 0.0} for one in _exits(info)]
    placed = statuses(trader.bulk_orders(pair, grouping="positionTpsl"))
    assert placed == ["waitingForTrigger", "waitingForTrigger"]
    shown_orders = info.frontend_open_orders(user)
    assert all(one["isPositionTpsl"] and one["isTrigger"] for one in shown_orders)
    (status,) = statuses(trader.order("ETH", False, 0.1, up, stop(up * 1.1), reduce_only=True))
    assert status["error"] == "Invalid TP/SL price. asset=1"
    (status,) = statuses(trader.market_close("ETH"))
    assert "filled" in status
    assert info.frontend_open_orders(user) == []
    gone = {
        one["order"]["oid"]: one["status"]
        for one in reversed(info.historical_orders(user))
        if one["order"]["isPositionTpsl"]
    }
    assert set(gone.values()) == {"reduceOnlyCanceled"}


@pytest.fixture
def traded(exchange: Exchange, trader: Any) -> tuple[int, int]:
    """An account that has bought 0.02 BTC under CLOID and sells some of it far above."""
    (status,) = statuses(trader.market_open("BTC", True, 0.02, cloid=CLOID))
    resting = trader.order("BTC", False, 0.01, far(exchange.info, "BTC", 1.3), GTC)
    return status["filled"]["oid"], oid_of(resting)


def test_a_session_of_reading_orders(
    market: Venue, exchange: Exchange, traded: tuple[int, int]
) -> None:
    """What was ordered and what has filled is told alike by every query that tells of it."""
    user, (oid, resting) = exchange.wallet.address, traded
    noted: Any = Noted(exchange.info)

    fills = noted.user_fills(user)
    assert {one["oid"] for one in fills} == {oid}
    assert sum(Decimal(one["sz"]) for one in fills) == Decimal("0.02")
    assert all(one["dir"] == "Open Long" and one["crossed"] for one in fills)
    assert all(one["cloid"] == CLOID.to_raw() for one in fills)
    first = min(one["time"] for one in fills)
    key = lambda one: one["tid"]  # noqa: E731
    assert sorted(noted.user_fills_by_time(user, first), key=key) == sorted(fills, key=key)
    assert noted.user_fills_by_time(user, first + 10_000, aggregate_by_time=True) == []
    assert noted.user_twap_slice_fills(user) == []
    assert noted.query_order_by_oid(user, oid)["order"]["status"] == "filled"
    assert noted.query_order_by_cloid(user, CLOID)["order"]["order"]["oid"] == oid
    assert noted.query_order_by_oid(user, 1)["status"] == "unknownOid"
    assert [one["oid"] for one in noted.open_orders(user)] == [resting]
    (shown,) = noted.frontend_open_orders(user)
    assert (shown["orderType"], shown["tif"], shown["cloid"]) == ("Limit", "Gtc", None)
    assert {one["order"]["oid"] for one in noted.historical_orders(user)} >= {oid, resting}
    assert noted.called == set(SESSIONS["own orders"]["Info"])


def test_a_session_of_reading_money(
    market: Venue, exchange: Exchange, traded: tuple[int, int]
) -> None:
    """Position, worth and fees are what the fills make of the deposit, to the last digit."""
    user = exchange.wallet.address
    noted: Any = Noted(exchange.info)
    fills = exchange.info.user_fills(user)
    first = min(one["time"] for one in fills)
    paid = sum(Decimal(one["fee"]) for one in fills)
    cost = sum(Decimal(one["sz"]) * Decimal(one["px"]) for one in fills)

    state = noted.user_state(user)
    (held,) = state["assetPositions"]
    position = held["position"]
    value = Decimal(position["positionValue"])
    assert position["szi"] == "0.02"
    assert Decimal(state["marginSummary"]["totalNtlPos"]) == value
    raw = Decimal(state["marginSummary"]["totalRawUsd"])
    assert raw == 10_000 - paid - cost
    assert Decimal(state["marginSummary"]["accountValue"]) == raw + value
    assert noted.spot_user_state(user)["balances"] is not None
    fees = noted.user_fees(user)
    assert paid == sum(
        Decimal(one["sz"]) * Decimal(one["px"]) * Decimal(fees["userCrossRate"]) for one in fills
    ).quantize(Decimal("0.000001"))
    assert dict(noted.portfolio(user)).keys() >= {"day", "week", "month", "allTime"}
    assert noted.user_funding_history(user, first, first + 1000) == []
    assert isinstance(noted.user_non_funding_ledger_updates(user, 0), list)
    assert noted.called == set(SESSIONS["own money"]["Info"])


def test_a_session_of_reading_what_an_account_is(
    market: Venue, exchange: Exchange, traded: tuple[int, int]
) -> None:
    """Its role, its agents and how many requests it has used and may use."""
    user = exchange.wallet.address
    noted: Any = Noted(exchange.info)

    limit = noted.user_rate_limit(user)
    assert limit["nRequestsUsed"] == 2
    assert limit["nRequestsCap"] >= 10_000
    assert noted.user_role(user)["role"] == "user"
    assert noted.extra_agents(user) == []
    assert noted.query_sub_accounts(user) is None
    assert noted.query_user_abstraction_state(user) == "default"
    assert noted.query_user_dex_abstraction_state(user) in (None, False)
    assert isinstance(noted.query_referral_state(user), dict)
    assert noted.called == set(SESSIONS["own standing"]["Info"])


def _wanted(user: str) -> list[dict[str, Any]]:
    """Return every subscription of the SDK."""
    return [
        {"type": "allMids"},
        *({"type": kind, "coin": "BTC"} for kind in ("l2Book", "trades", "bbo", "activeAssetCtx")),
        {"type": "candle", "coin": "BTC", "interval": "1m"},
        {"type": "activeAssetData", "coin": "BTC", "user": user},
        *({"type": kind, "user": user} for kind in ("userEvents", "userFills", "orderUpdates")),
        *({"type": kind, "user": user} for kind in ("userFundings", "webData2")),
        {"type": "userNonFundingLedgerUpdates", "user": user},
    ]


def test_a_session_of_streams(market: Venue, key: LocalAccount) -> None:
    """Every subscription of the SDK brings its first message, and the account's its events."""
    with ExitStack() as stack:
        info = stack.enter_context(closing(Info(market.url)))
        noted: Any = Noted(info)
        exchange = stack.enter_context(closing(Exchange(key, market.url)))
        heard: dict[str, Heard] = {}
        numbers: dict[str, int] = {}
        for one in _wanted(key.address):
            heard[one["type"]] = Heard()
            numbers[one["type"]] = noted.subscribe(one, heard[one["type"]])
        _first_messages(heard, key.address)
        _a_trade(heard, exchange)
        _a_transfer(heard, exchange)
        heard["l2Book"].until(lambda said: len(heard["l2Book"].messages) > 1)
        assert noted.unsubscribe({"type": "l2Book", "coin": "BTC"}, numbers["l2Book"])
        noted.disconnect_websocket()
        assert noted.called == set(SESSIONS["streams"]["Info"])


def _first_messages(heard: dict[str, Heard], user: str) -> None:
    """What there is already is told at once."""
    for kind in ("userFills", "userFundings", "userNonFundingLedgerUpdates"):
        first: Any = heard[kind].until(lambda _: True)
        assert first["data"]["isSnapshot"] is True
        assert first["data"]["user"] == user.lower()
    for kind in ("allMids", "l2Book", "bbo", "candle", "activeAssetCtx", "webData2"):
        heard[kind].until(lambda _: True)
    assert heard["activeAssetData"].until(lambda _: True)["channel"] == "activeAssetData"


def _a_trade(heard: dict[str, Heard], exchange: Exchange) -> None:
    """A fill is told by every stream it concerns."""
    free_nonce()
    (status,) = statuses(exchange.market_open("BTC", True, 0.01))
    oid = status["filled"]["oid"]
    fill: Any = heard["userFills"].until(_has_fill(oid))
    assert "isSnapshot" not in fill["data"] or not fill["data"]["isSnapshot"]
    heard["userEvents"].until(_has_fill(oid))
    heard["orderUpdates"].until(
        lambda said: any(
            step["order"]["oid"] == oid and step["status"] == "filled" for step in said["data"]
        )
    )
    heard["webData2"].until(lambda said: said["data"]["clearinghouseState"]["assetPositions"] != [])
    heard["trades"].until(lambda said: said["data"])


def _a_transfer(heard: dict[str, Heard], exchange: Exchange) -> None:
    """Money that goes is told by the stream of the account's money."""
    free_nonce()
    exchange.usd_transfer(5, wallet(998).address)
    heard["userNonFundingLedgerUpdates"].until(
        lambda said: any(
            one["delta"]["type"] == "internalTransfer"
            for one in said["data"]["nonFundingLedgerUpdates"]
        )
    )


def _has_fill(oid: int) -> Callable[[Any], bool]:
    return lambda said: any(one["oid"] == oid for one in said["data"].get("fills", ()))
