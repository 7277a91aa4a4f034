"""Who may trade, and what the venue's answers about the account are worth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.integrations.hyperliquid.orders import ONE, TWO, known
from tests.integrations.hyperliquid.scripted import (
    ACCOUNT,
    EMPTY,
    SIGNER,
    ScriptedVenue,
    trading,
)
from tradeagent.errors import OperatorError, VenueUnavailable
from tradeagent.integrations.base import Exchange
from tradeagent.integrations.hyperliquid import HyperliquidSettings, passport
from tradeagent.integrations.hyperliquid.questions import AccountQuestions
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.messages import ExecutionReport, Order, OrderStatus

Answer = Callable[[dict[str, Any]], Any]


async def test_it_is_an_exchange() -> None:
    """Our exchange fits the port that agents know."""
    async with trading() as trader:
        exchange: Exchange = trader.exchange
        listed = await exchange.get_market_data()

    assert [one.symbol for one in listed] == ["BTC", "ETH"]


@pytest.mark.parametrize(
    ("kind", "told", "text"),
    [
        ("userRole", {"role": "missing"}, f"the venue knows no agent {SIGNER}; approve it"),
        (
            "userRole",
            {"role": "agent", "data": {"user": "0x" + "cd" * 20}},
            f"it is an agent of 0x{'cd' * 20}, not of {ACCOUNT}",
        ),
        ("userRole", {"role": "user"}, "knows no agent"),
        ("userAbstraction", "unifiedAccount", "keeps its balances as unifiedAccount"),
    ],
)
async def test_a_key_that_cannot_trade_is_told_with_the_remedy(
    kind: str, told: object, text: str
) -> None:
    """An agent of nobody or of another, or an account that cannot be read, stops the start."""

    def script(venue: ScriptedVenue) -> None:
        venue.info[kind] = lambda _: told

    with pytest.raises(OperatorError, match=text):
        async with trading(script=script):
            pass


@pytest.mark.parametrize(
    ("role", "own_key", "text"),
    [
        ({"role": "agent", "data": {"user": ACCOUNT}}, True, "is an agent's address"),
        ({"role": "user"}, False, "the account's own key, which could withdraw"),
        ({"role": "user"}, True, None),
    ],
)
async def test_the_address_of_the_account_is_that_of_its_master(
    role: object,
    own_key: bool,
    text: str | None,
) -> None:
    """An agent's address as account, and an own key on a real network, are refused by name."""

    def script(venue: ScriptedVenue) -> None:
        venue.info["userRole"] = lambda _: role

    async with trading() as trader:
        script(trader.venue)
        settings = HyperliquidSettings(network="local", url=trader.venue.url)
        rest = Rest(settings, trader.venue.clock)
        rest.open()
        try:
            questions = AccountQuestions(rest, SIGNER, VenueTime(trader.venue.clock), 10.0)
            if text is None:
                await passport.check(questions, SIGNER, own_key=own_key)
            else:
                with pytest.raises(OperatorError, match=text):
                    await passport.check(questions, SIGNER, own_key=own_key)
        finally:
            await rest.close()


def state_of(**changes: object) -> Answer:
    """Return a script that answers with a state of the account."""
    position = {
        "coin": "BTC",
        "szi": "-0.01",
        "leverage": {"type": "isolated", "value": 20, "rawUsd": "-95.0"},
        "entryPx": "60000.0",
        "positionValue": "605.0",
        "unrealizedPnl": "-5.0",
        "returnOnEquity": "0.08",
        "liquidationPx": "70000.0",
        "marginUsed": "60.5",
        "maxLeverage": 40,
    }
    return lambda _: {
        "marginSummary": {**EMPTY, "accountValue": "1009.5", "totalMarginUsed": "60.5"},
        "crossMarginSummary": EMPTY,
        "crossMaintenanceMarginUsed": "2.5",
        "withdrawable": "949.0",
        "assetPositions": [{"type": "oneWay", "position": position}],
        **changes,
    }


async def test_the_account_is_what_the_venue_states_at_its_time() -> None:
    """Equity, balance without open profit, margins with isolated ones, signed positions."""
    async with trading() as trader:
        now = trader.venue.now()
        trader.venue.info["clearinghouseState"] = state_of(time=now)
        account = await trader.exchange.get_account_info()
        (position,) = await trader.exchange.get_positions()

    assert (account.equity, account.balance) == (Decimal("1009.5"), Decimal("1014.5"))
    assert account.maintenance_margin == Decimal("2.5") + Decimal(605) / 80
    assert (account.time, position.time) == (now * 1_000_000, now * 1_000_000)
    assert (position.symbol, position.size) == ("BTC", Decimal("-0.01"))
    assert position.liquidation_price == Decimal(70000)


async def test_a_late_answer_is_no_evidence() -> None:
    """A state that is older than ten seconds says neither flat nor anything else."""
    async with trading() as trader:
        trader.venue.info["clearinghouseState"] = state_of(time=trader.venue.now() - 11_000)
        for ask in (trader.exchange.get_positions, trader.exchange.get_account_info):
            with pytest.raises(VenueUnavailable, match="11 s old"):
                await ask()


async def test_an_order_seen_before_is_not_denied_by_a_late_node() -> None:
    """A node that does not know an order the streams have shown lags; that proves nothing."""
    async with trading() as trader:
        assert await trader.exchange.get_order_status("BTC", ONE) is None
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "open")
        shown = await trader.exchange.get_order_status("BTC", ONE)
        foreign = await trader.exchange.get_order_status("ETH", ONE)
        trader.venue.info["orderStatus"] = lambda _: {"status": "unknownOid"}
        with pytest.raises(VenueUnavailable, match="its answer is old"):
            await trader.exchange.get_order_status("BTC", ONE)

    assert isinstance(shown, ExecutionReport)
    assert shown.status is OrderStatus.OPEN
    assert foreign is None


async def test_open_orders_are_told_with_their_triggers() -> None:
    """Limits, stops and targets keep their kind; one without a cloid has its number for it."""

    def shown(cloid: str | None, oid: int, **changes: object) -> dict[str, object]:
        return {
            "coin": "BTC",
            "side": "A",
            "limitPx": "54000.0",
            "sz": "0.05",
            "oid": oid,
            "timestamp": 1,
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": True,
            "orderType": "Limit",
            "origSz": "0.05",
            "tif": "Alo",
            "cloid": cloid,
            **changes,
        }

    stop = {"isTrigger": True, "triggerPx": "55000.0", "tif": None}
    async with trading() as trader:
        trader.venue.info["frontendOpenOrders"] = lambda _: [
            shown(ONE, 1),
            shown(None, 2, orderType="Stop Market", **stop),
            shown(TWO, 3, orderType="Take Profit Limit", **stop),
            shown(None, 4, orderType="Stop Market", **stop, sz="0.0", origSz="0.0"),
        ]
        orders = await trader.exchange.get_open_orders()

    kinds = [(one.cloid, one.type, one.limit, one.trigger) for one in orders]
    limit, trigger = Decimal(54000), Decimal(55000)
    assert kinds == [
        (ONE, "limit", limit, None),
        ("2", "stop", None, trigger),
        (TWO, "take_profit", limit, trigger),
        ("4", "stop", None, trigger),
    ]
    assert all(isinstance(one, Order) and one.reduce_only for one in orders)
    assert (orders[0].tif, orders[3].size) == ("ALO", Decimal("0.00001"))


@pytest.mark.parametrize("kind", ["userRole", "meta", "exchangeStatus"])
async def test_a_start_without_answers_is_to_be_tried_again(kind: str) -> None:
    """No answer at the start is VenueUnavailable, not a mistake of the operator's."""

    def script(venue: ScriptedVenue) -> None:
        venue.info[kind] = lambda _: None

    with pytest.raises(VenueUnavailable, match=kind):
        async with trading(script=script):
            pass
