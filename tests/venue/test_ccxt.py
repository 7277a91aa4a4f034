"""ccxt, REST and Pro, trades on the venue, unmodified but for the base URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.pro
import pytest
from eth_account.signers.local import LocalAccount

from tests.venue.server import Venue

BTC, ETH = "BTC/USDC:USDC", "ETH/USDC:USDC"
ENOUGH = 20
REST_METHODS = """
    addMargin cancelAllOrdersAfter cancelOrder cancelOrders cancelOrdersForSymbols
    createLimitOrder createMarketOrder createOrder createOrderWithTakeProfitAndStopLoss
    createOrders createReduceOnlyOrder createStopOrder createTriggerOrder editOrder editOrders
    fetchBalance fetchCanceledAndClosedOrders fetchCanceledOrders fetchClosedOrders
    fetchCurrencies fetchDeposits fetchFundingHistory fetchFundingRate fetchFundingRateHistory
    fetchFundingRates fetchL2OrderBook fetchLedger fetchMarkets fetchMyLiquidations
    fetchMyTrades fetchOHLCV fetchOpenInterest fetchOpenInterests fetchOpenOrders fetchOrder
    fetchOrderBook fetchOrders fetchPosition fetchPositions fetchStatus fetchTicker fetchTickers
    fetchTime fetchTrades fetchTradingFee fetchWithdrawals reduceMargin setLeverage
    setMarginMode transfer withdraw
"""
PRO_METHODS = """
    cancelOrderWs cancelOrdersWs createLimitOrderWs createMarketOrderWs createOrderWs
    createOrdersWs editOrderWs unWatchBalance unWatchMyTrades unWatchOHLCV unWatchOrderBook
    unWatchOrders unWatchPositions unWatchTicker unWatchTickers unWatchTrades watchBalance
    watchMyTrades watchOHLCV watchOrderBook watchOrders watchPositions watchTicker watchTickers
    watchTrades
"""
COVERED, PRO = frozenset(REST_METHODS.split()), frozenset(PRO_METHODS.split())
OUT_OF_SCOPE = {
    "fetchCurrenciesWs": "the same as fetchCurrencies",
    "fetchDepositWithdrawFee": "a table of ccxt's own",
    "privateAPI": "no method",
    "publicAPI": "no method",
    "sandbox": "no method",
    "spot": "no method",
    "swap": "no method",
    "watchMyLiquidations": "reads userFills, as watchMyTrades does",
    "watchMyLiquidationsForSymbols": "reads userFills, as watchMyTrades does",
    "ws": "no method",
}


def pointed(client: Any, market: Venue) -> Any:
    """Point a client at the venue; nothing else of it is changed."""
    client.urls["api"] = {
        "public": market.url,
        "private": market.url,
        "ws": {"public": market.ws},
    }
    return client


def keys(key: LocalAccount) -> dict[str, object]:
    """Return the options of a client of that key; its own throttle only slows a test."""
    return {
        "walletAddress": key.address,
        "privateKey": key.key.hex(),
        "enableRateLimit": False,
    }


@pytest.fixture
def client(market: Venue, key: LocalAccount) -> Any:
    """ccxt's REST driver with a fresh key."""
    made = pointed(ccxt.hyperliquid(keys(key)), market)
    yield made
    made.close() if hasattr(made, "close") else made.session.close()


@asynccontextmanager
async def pro(market: Venue, key: LocalAccount) -> AsyncIterator[Any]:
    """ccxt's Pro driver, closed at the end."""
    made = pointed(ccxt.pro.hyperliquid(keys(key)), market)
    try:
        yield made
    finally:
        await made.close()


def test_every_method_ccxt_has_is_covered_or_out_of_scope() -> None:
    """What a new release can do more must be put into one of the lists."""
    can = {name for name, able in ccxt.pro.hyperliquid().has.items() if able}
    assert can == COVERED | PRO | set(OUT_OF_SCOPE)
    assert not (COVERED | PRO) & set(OUT_OF_SCOPE)


def test_a_session_of_reading_the_market(market: Venue) -> None:
    """Markets, currencies, books, tickers, candles, funding and open interest are parsed."""
    client = pointed(ccxt.hyperliquid({"enableRateLimit": False}), market)
    markets = client.load_markets()
    assert markets[BTC]["swap"]
    assert markets[BTC]["precision"]["amount"] == 0.00001
    assert {one["symbol"] for one in client.fetch_markets()} >= {BTC, ETH}
    assert "USDC" in client.fetch_currencies()
    for fetch in (client.fetch_order_book, client.fetch_l2_order_book):
        book = fetch(BTC)
        assert book["bids"][0][0] < book["asks"][0][0]
    ticker = client.fetch_ticker(BTC)
    assert ticker["last"] or ticker["close"] or ticker["bid"]
    assert set(client.fetch_tickers([BTC, ETH])) == {BTC, ETH}
    candles = client.fetch_ohlcv(BTC, "1m", client.milliseconds() - 600_000)
    assert len(candles) >= 9
    assert candles[0][2] >= candles[0][3]
    assert client.fetch_funding_rate(BTC)["fundingRate"] is not None
    assert set(client.fetch_funding_rates([BTC, ETH])) == {BTC, ETH}
    since = client.milliseconds() - 10 * 3_600_000
    assert isinstance(client.fetch_funding_rate_history(BTC, since), list)
    assert client.fetch_open_interest(BTC)["symbol"] == BTC
    assert set(client.fetch_open_interests([BTC])) == {BTC}
    assert client.fetch_status()["status"] == "ok"
    assert abs(client.fetch_time() - client.milliseconds()) < 60_000
    client.close()


def test_a_session_of_orders(client: Any) -> None:
    """Start-up with keys, then place, edit, cancel and fill orders; refusals map to its errors."""
    client.load_markets()
    bid = client.fetch_order_book(BTC)["bids"][0][0]
    low = float(client.price_to_precision(BTC, bid * 0.8))
    cloid = "0x" + "0c" * 16
    placed = client.create_order(BTC, "limit", "buy", 0.01, low, {"clientOrderId": cloid})
    assert client.fetch_order(placed["id"], BTC)["status"] == "open"
    assert client.fetch_open_orders(BTC)[0]["clientOrderId"] == cloid
    edited = client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, low)
    assert edited["id"] != placed["id"]
    (again,) = client.edit_orders(
        [{"id": edited["id"], "symbol": BTC, "type": "limit", "side": "buy"}
         | {"amount": 0.03, "price": low}]
    )  # fmt: skip
    client.cancel_order(again["id"], BTC)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(again["id"], BTC)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("1", BTC)
    limit = client.create_limit_order(BTC, "buy", 0.01, low, {"clientOrderId": cloid[:-1] + "d"})
    client.cancel_order(limit["id"], BTC, {"clientOrderId": cloid[:-1] + "d"})
    several = client.create_orders(
        [{"symbol": ETH, "type": "limit", "side": "buy", "amount": 0.1, "price": 100 + i * 0}
         | {"price": float(client.price_to_precision(ETH, _bid(client, ETH) * 0.8))}
         for i in range(3)]
    )  # fmt: skip
    client.cancel_orders([several[0]["id"]], ETH)
    client.cancel_orders_for_symbols([{"id": one["id"], "symbol": ETH} for one in several[1:]])
    assert client.fetch_open_orders() == []
    with pytest.raises(ccxt.InvalidOrder):
        client.create_order(BTC, "limit", "buy", 0.01, bid * 1.1, {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder):
        client.create_reduce_only_order(BTC, "limit", "sell", 0.01, bid)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(BTC, "limit", "buy", 100, low)
    with pytest.raises(ccxt.InvalidOrder):
        client.create_order(BTC, "limit", "buy", 0.00001, low)
    client.cancel_all_orders_after(60_000)


def _bid(client: Any, symbol: str) -> float:
    return float(client.fetch_order_book(symbol)["bids"][0][0])


def test_a_session_of_positions_and_stops(client: Any) -> None:
    """Market orders, leverage, margin, stops and targets, and what the account shows of them."""
    client.load_markets()
    client.set_leverage(5, ETH, {"marginMode": "isolated"})
    client.set_margin_mode("isolated", ETH, {"leverage": 5})
    price = _bid(client, ETH)
    bought = client.create_market_order(ETH, "buy", 0.5, price)
    assert client.fetch_order(bought["id"], ETH)["status"] == "closed"
    (held,) = client.fetch_positions([ETH])
    assert (held["side"], held["contracts"], held["marginMode"]) == ("long", 0.5, "isolated")
    assert client.fetch_position(ETH)["contracts"] == 0.5
    client.add_margin(ETH, 20)
    client.reduce_margin(ETH, 10)
    low, high = (float(client.price_to_precision(ETH, price * part)) for part in (0.8, 1.2))
    stopped = client.create_stop_order(ETH, "market", "sell", 0.5, low, low, {"reduceOnly": True})
    triggered = client.create_trigger_order(
        ETH, "market", "sell", 0.5, high, high, {"reduceOnly": True, "takeProfitPrice": high}
    )
    assert stopped is not None
    assert triggered is not None
    assert len(client.fetch_open_orders(ETH)) == 2
    client.create_order_with_take_profit_and_stop_loss(
        ETH, "limit", "buy", 0.1, float(client.price_to_precision(ETH, price * 0.95)), high, low
    )
    client.create_market_order(ETH, "sell", 0.5, _bid(client, ETH), {"reduceOnly": True})
    assert client.fetch_positions([ETH]) == []
    for one in client.fetch_open_orders(ETH):
        client.cancel_order(one["id"], ETH)
    _account_shows(client)


def _account_shows(client: Any) -> None:
    """Every query tells of what was traded, and the balance is what that comes to."""
    trades = client.fetch_my_trades(ETH)
    assert {one["side"] for one in trades} == {"buy", "sell"}
    assert client.fetch_trades(ETH) != []
    assert client.fetch_my_liquidations(ETH) == []
    assert client.fetch_closed_orders(ETH) != []
    assert client.fetch_canceled_orders(ETH) != []
    assert client.fetch_canceled_and_closed_orders(ETH) != []
    assert client.fetch_orders(ETH) != []
    fees = sum(Decimal(str(one["info"]["fee"])) for one in trades)
    gains = sum(Decimal(str(one["info"]["closedPnl"])) for one in trades)
    balance = client.fetch_balance()
    assert abs(Decimal(str(balance["USDC"]["total"])) - (10_000 + gains - fees)) < Decimal("0.01")
    assert client.fetch_trading_fee(ETH)["taker"] == pytest.approx(0.00045)
    assert client.fetch_funding_history(ETH, client.milliseconds() - 1000) == []


def test_a_session_of_money(client: Any) -> None:
    """Withdrawals and transfers go through or are refused, and the ledger tells of them."""
    client.load_markets()
    client.withdraw("USDC", 25, client.walletAddress)
    assert client.fetch_withdrawals("USDC")[0]["amount"] == pytest.approx(25, abs=1.01)
    client.fetch_deposits("USDC")
    assert client.fetch_ledger("USDC") != []
    with pytest.raises(ccxt.InsufficientFunds):
        client.withdraw("USDC", 1e9, client.walletAddress)
    client.transfer("USDC", 5, "swap", "spot")
    assert client.fetch_balance({"type": "spot"})["USDC"]["total"] == 5
    client.transfer("USDC", 5, "spot", "swap")
    with pytest.raises(ccxt.InsufficientFunds):
        client.transfer("USDC", 1, "spot", "swap")


Watch = Callable[[], Awaitable[Any]]


async def until(watch: Watch, fits: Callable[[Any], object]) -> Any:
    """Watch until what comes fits."""
    async with asyncio.timeout(ENOUGH):
        while True:
            found = await watch()
            if fits(found):
                return found


async def test_a_session_of_public_streams(market: Venue, key: LocalAccount) -> None:
    """Books, tickers, trades and candles stream, and end when they are let go."""
    async with pro(market, key) as client:
        await client.load_markets()
        book = await until(lambda: client.watch_order_book(BTC), lambda one: one["bids"])
        assert book["bids"][0][0] < book["asks"][0][0]
        ticker = await until(lambda: client.watch_ticker(BTC), bool)
        assert ticker["symbol"] == BTC
        await until(client.watch_tickers, lambda all_: BTC in all_)
        candles = await until(lambda: client.watch_ohlcv(BTC, "1m"), bool)
        assert len(candles[-1]) == 6
        await client.create_market_order(BTC, "buy", 0.001, book["asks"][0][0])
        await until(lambda: client.watch_trades(BTC), bool)
        for let_go in (
            client.un_watch_order_book(BTC),
            client.un_watch_ticker(BTC),
            client.un_watch_tickers(),
            client.un_watch_ohlcv(BTC, "1m"),
            client.un_watch_trades(BTC),
        ):
            async with asyncio.timeout(ENOUGH):
                await let_go


async def test_a_session_of_private_streams(market: Venue, key: LocalAccount) -> None:
    """Orders go over the socket; orders, trades, balance and positions come back over it."""
    async with pro(market, key) as client:
        await client.load_markets()
        watching = {
            name: asyncio.ensure_future(until(watch, fits))
            for name, watch, fits in (
                ("orders", client.watch_orders, bool),
                ("trades", client.watch_my_trades, bool),
                ("balance", client.watch_balance, bool),
                ("positions", client.watch_positions, bool),
            )
        }
        bid = (await client.fetch_order_book(BTC))["bids"][0][0]
        low = float(client.price_to_precision(BTC, bid * 0.8))
        async with asyncio.timeout(ENOUGH):
            await _order_by_socket(client, low)
            await client.create_market_order_ws(BTC, "buy", 0.01, bid)
            orders = await watching["orders"]
            assert orders[-1]["symbol"] == BTC
            (trade,) = (await watching["trades"])[-1:]
            assert (trade["symbol"], trade["side"]) == (BTC, "buy")
            assert (await watching["balance"])["USDC"]["total"] > 0
        await until(
            client.watch_positions, lambda held: any(one["contracts"] == 0.01 for one in held)
        )
        watching["positions"].cancel()
        await asyncio.gather(watching["positions"], return_exceptions=True)
        with pytest.raises(ccxt.ExchangeError):
            await client.cancel_order_ws("1", BTC)
        for let_go in (
            client.un_watch_orders(),
            client.un_watch_my_trades(),
            client.un_watch_balance(),
        ):
            async with asyncio.timeout(ENOUGH):
                await let_go
        await until(client.watch_positions, bool)  # its stream had ended with the balance's
        async with asyncio.timeout(ENOUGH):
            await client.un_watch_positions()


async def _order_by_socket(client: Any, low: float) -> None:
    """Place, edit and cancel, alone and together."""
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, low)
    edited = await client.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.02, low)
    await client.cancel_order_ws(edited["id"], BTC)
    one = {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": low}
    several = await client.create_orders_ws([dict(one), dict(one)])
    await client.cancel_orders_ws([order["id"] for order in several], BTC)
    placed = await client.create_limit_order_ws(BTC, "buy", 0.01, low)
    await client.cancel_order_ws(placed["id"], BTC)
