"""The official SDK trades on the venue, unmodified but for the base URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import pytest
import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hyperliquid.api import API
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

from tests.venue.sdk import OUT_OF_SCOPE, SESSIONS, Noted, public
from tests.venue.server import LEFT, Heard, Venue, wallet

GTC: Any = {"limit": {"tif": "Gtc"}}
ALO: Any = {"limit": {"tif": "Alo"}}
IOC: Any = {"limit": {"tif": "Ioc"}}


def stop(price: float, tpsl: str = "sl", market: bool = True) -> Any:
    """Return the type of a trigger order."""
    return {"trigger": {"triggerPx": price, "isMarket": market, "tpsl": tpsl}}


@contextmanager
def closing(client: Info | Exchange) -> Iterator[Any]:
    """Close what the SDK leaves open: sessions and the socket's threads."""
    info = client.info if isinstance(client, Exchange) else client
    try:
        yield client
    finally:
        if info.ws_manager is not None:
            if not info.ws_manager.stop_event.is_set():
                info.disconnect_websocket()
            LEFT.append(info.ws_manager)
        info.session.close()
        client.session.close()


@pytest.fixture
def info(market: Venue) -> Iterator[Info]:
    """The SDK's reader, without a socket."""
    with closing(Info(market.url, skip_ws=True)) as client:
        yield client


@pytest.fixture
def exchange(market: Venue, key: LocalAccount) -> Iterator[Exchange]:
    """The SDK's trader with a fresh key."""
    with closing(Exchange(key, market.url)) as client:
        yield client


def statuses(answer: Any) -> list[Any]:
    """Return the statuses of an accepted action."""
    assert answer["status"] == "ok", answer
    found: list[Any] = answer["response"]["data"]["statuses"]
    return found


def oid_of(answer: Any) -> int:
    """Return the number of the one order that rests."""
    (status,) = statuses(answer)
    return int(status["resting"]["oid"])


def far(info: Info, coin: str, part: float) -> float:
    """Return a price on the grid, that part of the mid."""
    return float(f"{float(info.all_mids()[coin]) * part:.4g}")


def free_nonce(last: list[int] = [0]) -> None:  # noqa: B006
    """Return once the SDK's clock shows a millisecond it has not signed with."""
    while get_timestamp_ms() <= last[0]:
        time.sleep(0)
    last[0] = get_timestamp_ms()


@pytest.mark.parametrize("kind", [Info, Exchange])
def test_every_public_method_of_the_sdk_is_covered_or_out_of_scope(kind: type) -> None:
    """A method that a new release adds must be put into one list, and none is in both."""
    covered = [m for s in SESSIONS.values() for m in s.get(kind.__name__, ())]
    left_out = list(OUT_OF_SCOPE[kind.__name__])
    assert sorted(covered + left_out) == sorted(public(kind) | public(API))


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


def test_a_session_of_settings_agents_and_money(market: Venue, exchange: Exchange) -> None:
    """Leverage, margin, agents, fees, schedules and transfers, refused and accepted."""
    noted: Any = Noted(exchange)
    info, user = exchange.info, exchange.wallet.address
    done = {"status": "ok", "response": {"type": "default"}}

    def call(method: str, *args: Any, **more: Any) -> Any:
        free_nonce()
        return getattr(noted, method)(*args, **more)

    assert call("update_leverage", 7, "ETH", is_cross=False) == done
    assert call("update_leverage", 1000, "ETH")["status"] == "err"
    free_nonce()
    (status,) = statuses(exchange.market_open("ETH", True, 0.5))
    assert "filled" in status
    (held,) = info.user_state(user)["assetPositions"]
    leverage = held["position"]["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 7)
    before = Decimal(held["position"]["marginUsed"])
    assert call("update_isolated_margin", 25.5, "ETH") == done
    (held,) = info.user_state(user)["assetPositions"]
    assert abs(Decimal(held["position"]["marginUsed"]) - before - Decimal("25.5")) < 20
    switched = call("update_leverage", 7, "ETH", is_cross=True)
    assert switched["response"] == "Cannot switch leverage type with open position."
    answer = call("update_isolated_margin", 5, "BTC")
    assert answer["response"] == "Position does not use isolated margin."

    answer, secret = call("approve_agent", "bot 1")
    assert answer == done
    agent = Account.from_key(secret)
    assert [one["name"] for one in info.extra_agents(user)] == ["bot 1"]
    role = info.user_role(agent.address)
    assert role == {"role": "agent", "data": {"user": user.lower()}}
    answer, unnamed = call("approve_agent")
    assert answer == done
    for one in (agent, Account.from_key(unnamed)):
        with closing(Exchange(one, market.url, account_address=user)) as deputy:
            free_nonce()
            low = far(info, "BTC", 0.8)
            oid = oid_of(deputy.order("BTC", True, 0.01, low, GTC))
            assert [shown["oid"] for shown in info.open_orders(user)] == [oid]
            free_nonce()
            assert statuses(deputy.cancel("BTC", oid)) == ["success"]
            free_nonce()
            answer = deputy.usd_transfer(1, user)
            assert answer["response"].startswith("Must deposit before performing actions. User: ")

    assert call("approve_builder_fee", wallet(7).address, "0.01%") == done
    assert call("set_referrer", "CODE")["status"] in ("ok", "err")
    assert call("noop", get_timestamp_ms()) == done
    used = get_timestamp_ms()
    assert exchange.noop(used)["status"] == "ok"
    answer = exchange.noop(used)
    assert answer == {"status": "err", "response": f"Invalid nonce: duplicate nonce {used}"}
    assert call("schedule_cancel", get_timestamp_ms() + 60_000) == done
    assert call("schedule_cancel", get_timestamp_ms() + 1_000)["status"] == "err"
    assert call("schedule_cancel", None) == done
    noted.set_expires_after(get_timestamp_ms() - 1)
    answer = call("update_leverage", 5, "BTC")
    assert answer == {"status": "err", "response": "Action already expired"}
    noted.set_expires_after(get_timestamp_ms() + 60_000)
    assert call("update_leverage", 5, "BTC") == done
    noted.set_expires_after(None)

    other = wallet(999).address
    assert call("usd_transfer", 100.0, other) == done
    assert call("usd_transfer", 1e9, other)["status"] == "err"
    assert call("withdraw_from_bridge", 50.0, user) == done
    answer = call("withdraw_from_bridge", 1e9, user)
    assert answer["response"] == "Insufficient balance for withdrawal."
    assert call("usd_class_transfer", 10.0, False) == done
    assert call("send_asset", user, "spot", "", "USDC", 4.0) == done
    assert info.spot_user_state(user)["balances"][0]["total"] == "6.0"
    updates = info.user_non_funding_ledger_updates(user, 0)
    assert {one["delta"]["type"] for one in updates} >= {"internalTransfer", "withdraw"}
    for method, arguments in (
        ("agent_enable_dex_abstraction", ()),
        ("agent_set_abstraction", ("i",)),
        ("user_dex_abstraction", (user, False)),
        ("user_set_abstraction", (user, "disabled")),
    ):
        assert call(method, *arguments)["status"] in ("ok", "err")
    assert noted.called == set(SESSIONS["settings"]["Exchange"])


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


def test_queries_out_of_scope_answer_as_an_empty_venue(market: Venue, info: Info) -> None:
    """Staking, vaults, multisig and auctions: nothing is there, and asking is no error."""
    user = wallet(997).address
    for method in OUT_OF_SCOPE["Info"]:
        ask: Any = getattr(info, method)
        ask(*(() if method == "query_perp_deploy_auction_status" else (user,)))


def test_actions_out_of_scope_are_refused_and_burn_nothing_else(
    market: Venue, exchange: Exchange
) -> None:
    """What the venue does not offer is an error of the whole action, never a lost connection."""
    attempts: list[Callable[[], Any]] = [
        lambda: exchange.c_signer_jail_self(),
        lambda: exchange.create_sub_account("one"),
        lambda: exchange.vault_usd_transfer(wallet(5).address, True, 5_000_000),
        lambda: exchange.spot_transfer(1, wallet(5).address, "USDC"),
        lambda: exchange.token_delegate(wallet(5).address, 1, False),
        lambda: exchange.spot_deploy_register_spot(0, 1),
        lambda: exchange.sub_account_transfer(wallet(5).address, True, 1),
    ]
    for attempt in attempts:
        free_nonce()
        assert attempt()["status"] == "err"


def test_a_vault_nobody_registered_is_told_so(market: Venue, key: LocalAccount) -> None:
    """The vault is part of what was signed; the account behind the signature is found."""
    vault = wallet(5).address
    with closing(Exchange(key, market.url, vault_address=vault)) as exchange:
        free_nonce()
        answer = exchange.order("BTC", True, 0.01, far(exchange.info, "BTC", 0.8), GTC)
        assert answer == {"status": "err", "response": f"Vault not registered: {vault.lower()}"}


def test_bad_requests_are_told_as_the_sdk_expects(market: Venue, info: Info) -> None:
    """422 in plain text for a wrong shape, 400 for no JSON, and null for an unknown book."""
    with pytest.raises(ClientError) as caught:
        info.post("/info", {"type": "nonsense"})
    assert caught.value.status_code == 422
    assert "Failed to deserialize" in caught.value.error_message
    with pytest.raises(ClientError) as caught:
        info.post("/exchange", {"action": {"type": "order"}, "nonce": 1})
    assert caught.value.status_code == 422
    answer = requests.post(f"{market.url}/info", data="no json", timeout=10)
    assert answer.status_code == 400
    assert info.post("/info", {"type": "l2Book", "coin": "NONE"}) is None
