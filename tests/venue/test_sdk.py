"""The official SDK trades on the venue, unmodified but for the base URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

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


def test_a_session_of_orders(market: Venue, exchange: Exchange) -> None:
    """Rest, refuse, modify, cancel, take and close: every way the SDK sends orders."""
    noted: Any = Noted(exchange)
    info = exchange.info
    user = exchange.wallet.address
    low, high = far(info, "BTC", 0.8), far(info, "BTC", 1.2)

    def call(method: str, *args: Any, **more: Any) -> Any:
        free_nonce()
        return getattr(noted, method)(*args, **more)

    first = oid_of(call("order", "BTC", True, 0.01, low, GTC))
    cloid = Cloid.from_int(0xAA)
    second = oid_of(call("order", "BTC", True, 0.01, low, ALO, cloid=cloid))
    assert second > first
    (status,) = statuses(call("order", "BTC", True, 0.01, high, ALO))
    assert status["error"].startswith("Post only order would have immediately matched, bbo was ")
    (status,) = statuses(call("order", "BTC", True, 0.0001, low / 10, GTC))
    assert status["error"] in (
        "Order must have minimum value of $10. asset=0",
        "Order price cannot be more than 80% away from the reference price asset=0",
    )
    (status,) = statuses(call("order", "BTC", True, 0.01, low + 0.123, GTC))
    assert status["error"] == "Price must be divisible by tick size. asset=0"
    (status,) = statuses(call("order", "BTC", True, 0.01, low, IOC))
    assert status["error"] == (
        "Order could not immediately match against any resting orders. asset=0"
    )
    (status,) = statuses(call("order", "BTC", False, 0.01, high, GTC, reduce_only=True))
    assert status["error"] == "Reduce only order would increase position. asset=0"
    (status,) = statuses(call("order", "BTC", True, 100.0, low, GTC))
    assert status["error"] == "Insufficient margin to place order. asset=0"

    answer = call("modify_order", first, "BTC", True, 0.02, low, GTC)
    third = oid_of(answer)
    assert third > second
    assert info.query_order_by_oid(user, first)["order"]["status"] == "canceled"
    change: Any = {
        "coin": "BTC",
        "is_buy": True,
        "sz": 0.03,
        "limit_px": low,
        "order_type": ALO,
        "reduce_only": False,
        "cloid": cloid,
    }
    fourth = oid_of(call("bulk_modify_orders_new", [{"oid": cloid, "order": change}]))
    resting = info.open_orders(user)
    assert {one["oid"]: one["sz"] for one in resting} == {third: "0.02", fourth: "0.03"}
    (status,) = statuses(call("modify_order", first, "BTC", True, 0.02, low, GTC))
    assert "Cannot modify canceled or filled order" in status["error"]

    assert statuses(call("cancel", "BTC", third)) == ["success"]
    (status,) = statuses(call("cancel", "BTC", third))
    gone = "Order was never placed, already canceled, or filled. asset=0"
    assert status["error"] == gone
    assert statuses(call("cancel_by_cloid", "BTC", cloid)) == ["success"]
    one: Any = {"coin": "ETH", "is_buy": True, "sz": 0.1, "limit_px": far(info, "ETH", 0.8)}
    one |= {"order_type": GTC, "reduce_only": False}
    batch = statuses(call("bulk_orders", [dict(one), {**one, "cloid": cloid}, {**one, "sz": 9e5}]))
    assert [next(iter(status)) for status in batch] == ["resting", "resting", "error"]
    oids: Any = [{"coin": "ETH", "oid": batch[0]["resting"]["oid"]}, {"coin": "ETH", "oid": 1}]
    answer = statuses(call("bulk_cancel", oids))
    assert answer[0] == "success"
    assert answer[1]["error"] == gone.replace("=0", "=1")
    cloids: Any = [{"coin": "ETH", "cloid": cloid}]
    assert statuses(call("bulk_cancel_by_cloid", cloids)) == ["success"]
    assert info.open_orders(user) == []

    (status,) = statuses(call("market_open", "BTC", True, 0.01))
    assert Decimal(status["filled"]["totalSz"]) == Decimal("0.01")
    (held,) = info.user_state(user)["assetPositions"]
    assert held["position"]["szi"] == "0.01"
    (status,) = statuses(call("market_close", "BTC"))
    assert Decimal(status["filled"]["totalSz"]) == Decimal("0.01")
    assert info.user_state(user)["assetPositions"] == []
    assert noted.market_close("BTC") is None
    assert noted.called | {"post"} >= set(SESSIONS["orders"]["Exchange"])


def test_a_session_of_stops_and_targets(market: Venue, exchange: Exchange) -> None:
    """Trigger orders alone, with an entry, and with a position, as the SDK groups them."""
    info, user = exchange.info, exchange.wallet.address
    entry, down, up = far(info, "ETH", 1.05), far(info, "ETH", 0.8), far(info, "ETH", 1.2)
    base: Any = {"coin": "ETH", "sz": 0.1, "reduce_only": True, "is_buy": False}
    parent = {**base, "is_buy": True, "reduce_only": False, "limit_px": far(info, "ETH", 0.9)}
    group: Any = [
        {**parent, "order_type": GTC},
        {**base, "limit_px": down * 0.9, "order_type": stop(down)},
        {**base, "limit_px": up, "order_type": stop(up, "tp")},
    ]
    for one in group:
        one["limit_px"] = float(f"{one['limit_px']:.4g}")
    free_nonce()
    placed = statuses(exchange.bulk_orders(group, grouping="normalTpsl"))
    assert placed[1:] == ["waitingForFill", "waitingForFill"]
    oid = placed[0]["resting"]["oid"]
    (shown,) = [one for one in info.frontend_open_orders(user) if one["oid"] == oid]
    assert [child["orderType"] for child in shown["children"]] == [
        "Stop Market",
        "Take Profit Market",
    ]
    free_nonce()
    assert statuses(exchange.cancel("ETH", oid)) == ["success"]
    assert info.frontend_open_orders(user) == []

    free_nonce()
    (status,) = statuses(exchange.order("ETH", True, 0.1, entry, IOC))
    assert "filled" in status
    free_nonce()
    pair: Any = [{**one, "sz": 0.0} for one in group[1:]]
    placed = statuses(exchange.bulk_orders(pair, grouping="positionTpsl"))
    assert placed == ["waitingForTrigger", "waitingForTrigger"]
    shown_orders = info.frontend_open_orders(user)
    assert all(one["isPositionTpsl"] and one["isTrigger"] for one in shown_orders)
    free_nonce()
    (status,) = statuses(exchange.order("ETH", False, 0.1, up, stop(up * 1.1), reduce_only=True))
    assert status["error"] == "Invalid TP/SL price. asset=1"
    free_nonce()
    (status,) = statuses(exchange.market_close("ETH"))
    assert "filled" in status
    assert info.frontend_open_orders(user) == []
    gone = {
        one["order"]["oid"]: one["status"]
        for one in reversed(info.historical_orders(user))
        if one["order"]["isPositionTpsl"]
    }
    assert set(gone.values()) == {"reduceOnlyCanceled"}


def test_a_session_of_reading_an_account(market: Venue, exchange: Exchange) -> None:
    """What was traded is what every query about the account says."""
    user = exchange.wallet.address
    noted: Any = Noted(exchange.info)
    cloid = Cloid.from_int(0xBEEF)
    free_nonce()
    (status,) = statuses(exchange.market_open("BTC", True, 0.02, cloid=cloid))
    oid = status["filled"]["oid"]
    free_nonce()
    resting = oid_of(exchange.order("BTC", False, 0.01, far(exchange.info, "BTC", 1.3), GTC))

    fills = noted.user_fills(user)
    assert {one["oid"] for one in fills} == {oid}
    assert sum(Decimal(one["sz"]) for one in fills) == Decimal("0.02")
    assert all(one["dir"] == "Open Long" and one["crossed"] for one in fills)
    assert all(one["cloid"] == cloid.to_raw() for one in fills)
    first = min(one["time"] for one in fills)
    key = lambda one: one["tid"]  # noqa: E731
    assert sorted(noted.user_fills_by_time(user, first), key=key) == sorted(fills, key=key)
    assert noted.user_fills_by_time(user, first + 10_000, aggregate_by_time=True) == []
    assert noted.query_order_by_oid(user, oid)["order"]["status"] == "filled"
    assert noted.query_order_by_cloid(user, cloid)["order"]["order"]["oid"] == oid
    assert noted.query_order_by_oid(user, 1)["status"] == "unknownOid"
    assert [one["oid"] for one in noted.open_orders(user)] == [resting]
    (shown,) = noted.frontend_open_orders(user)
    assert (shown["orderType"], shown["tif"], shown["cloid"]) == ("Limit", "Gtc", None)
    assert {one["order"]["oid"] for one in noted.historical_orders(user)} >= {oid, resting}

    state = noted.user_state(user)
    (held,) = state["assetPositions"]
    position = held["position"]
    value = Decimal(position["positionValue"])
    assert position["szi"] == "0.02"
    assert Decimal(state["marginSummary"]["totalNtlPos"]) == value
    paid = sum(Decimal(one["fee"]) for one in fills)
    raw = Decimal(state["marginSummary"]["totalRawUsd"])
    cost = sum(Decimal(one["sz"]) * Decimal(one["px"]) for one in fills)
    assert raw == 10_000 - paid - cost
    assert Decimal(state["marginSummary"]["accountValue"]) == raw + value
    assert noted.spot_user_state(user)["balances"] is not None
    fees = noted.user_fees(user)
    assert paid == sum(
        Decimal(one["sz"]) * Decimal(one["px"]) * Decimal(fees["userCrossRate"]) for one in fills
    ).quantize(Decimal("0.000001"))
    limit = noted.user_rate_limit(user)
    assert limit["nRequestsUsed"] == 2
    assert limit["nRequestsCap"] >= 10_000
    assert noted.user_role(user)["role"] == "user"
    assert noted.extra_agents(user) == []
    assert noted.query_sub_accounts(user) is None
    assert noted.query_user_abstraction_state(user) == "default"
    assert noted.query_user_dex_abstraction_state(user) in (None, False)
    assert isinstance(noted.query_referral_state(user), dict)
    assert dict(noted.portfolio(user)).keys() >= {"day", "week", "month", "allTime"}
    assert noted.user_funding_history(user, first, first + 1000) == []
    assert isinstance(noted.user_non_funding_ledger_updates(user, 0), list)
    assert noted.user_twap_slice_fills(user) == []
    assert noted.called == set(SESSIONS["account"]["Info"])


def test_a_session_of_streams(market: Venue, key: LocalAccount) -> None:
    """Every subscription of the SDK brings its first message, and the account's its events."""
    user = key.address
    with ExitStack() as stack:
        info = stack.enter_context(closing(Info(market.url)))
        noted: Any = Noted(info)
        exchange = stack.enter_context(closing(Exchange(key, market.url)))
        heard: dict[str, Heard] = {}
        numbers: dict[str, int] = {}
        wanted: list[dict[str, Any]] = [
            {"type": "allMids"},
            {"type": "l2Book", "coin": "BTC"},
            {"type": "trades", "coin": "BTC"},
            {"type": "bbo", "coin": "BTC"},
            {"type": "candle", "coin": "BTC", "interval": "1m"},
            {"type": "activeAssetCtx", "coin": "BTC"},
            {"type": "activeAssetData", "coin": "BTC", "user": user},
            {"type": "userEvents", "user": user},
            {"type": "userFills", "user": user},
            {"type": "orderUpdates", "user": user},
            {"type": "userFundings", "user": user},
            {"type": "userNonFundingLedgerUpdates", "user": user},
            {"type": "webData2", "user": user},
        ]
        for one in wanted:
            heard[one["type"]] = Heard()
            numbers[one["type"]] = noted.subscribe(one, heard[one["type"]])
        for kind in ("userFills", "userFundings", "userNonFundingLedgerUpdates"):
            first: Any = heard[kind].until(lambda _: True)
            assert first["data"]["isSnapshot"] is True
            assert first["data"]["user"] == user.lower()
        for kind in ("allMids", "l2Book", "bbo", "candle", "activeAssetCtx", "webData2"):
            heard[kind].until(lambda _: True)
        assert heard["activeAssetData"].until(lambda _: True)["channel"] == "activeAssetData"

        free_nonce()
        (status,) = statuses(exchange.market_open("BTC", True, 0.01))
        oid = status["filled"]["oid"]
        fill = heard["userFills"].until(_has_fill(oid))
        assert "isSnapshot" not in fill["data"] or not fill["data"]["isSnapshot"]
        heard["userEvents"].until(_has_fill(oid))
        heard["orderUpdates"].until(
            lambda said: any(
                step["order"]["oid"] == oid and step["status"] == "filled" for step in said["data"]
            )
        )
        free_nonce()
        exchange.usd_transfer(5, wallet(998).address)
        heard["userNonFundingLedgerUpdates"].until(
            lambda said: any(
                one["delta"]["type"] == "internalTransfer"
                for one in said["data"]["nonFundingLedgerUpdates"]
            )
        )
        heard["webData2"].until(
            lambda said: said["data"]["clearinghouseState"]["assetPositions"] != []
        )
        heard["l2Book"].until(lambda said: len(heard["l2Book"].messages) > 1)
        heard["trades"].until(lambda said: said["data"])
        assert noted.unsubscribe({"type": "l2Book", "coin": "BTC"}, numbers["l2Book"])
        noted.disconnect_websocket()
        assert noted.called == set(SESSIONS["streams"]["Info"])


def _has_fill(oid: int) -> Callable[[Any], bool]:
    return lambda said: any(one["oid"] == oid for one in said["data"].get("fills", ()))
