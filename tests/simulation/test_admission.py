"""What the exchange takes and what it refuses: form, grid, value and margin."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradeagent.messages import InstrumentUpdate, Order, OrderStatus
from tradeagent.simulation import ExchangeSettings

from .desk import FREE, SYMBOL, Desk

BTC = InstrumentUpdate(
    symbol=SYMBOL,
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(10),
    significant=5,
    max_leverage=10,
)
THOUSAND = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 5})
OPEN, REJECTED = OrderStatus.OPEN, OrderStatus.REJECTED


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"symbol": "XYZ"}, "unknown symbol XYZ"),
        ({"size": "0.0015"}, "size 0.0015 is not a multiple of 0.001"),
        ({"type": "limit", "limit": "100.01"}, "limit price 100.01 is not on the grid of 0.1"),
        ({"type": "limit", "limit": "12345.6"}, "limit price 12345.6 is not on the grid of 0.1"),
        ({"type": "limit"}, "a limit order needs a limit price"),
        ({"type": "stop", "reduce_only": True}, "a stop order needs a trigger price"),
        ({"type": "stop", "trigger": "90"}, "a stop order must be reduce-only"),
        ({"trigger": "90"}, "a market order takes no trigger price"),
        ({"size": "0.099"}, "order value 9.9000 is below the minimum 10"),
        ({"type": "limit", "limit": "9", "size": "1"}, "order value 9 is below the minimum 10"),
        ({"reduce_only": True}, "reduce-only order would increase the position"),
        ({"size": "501"}, "insufficient margin"),
        ({"size": "501", "side": "sell"}, "insufficient margin"),
    ],
)
async def test_what_does_not_fit_is_rejected_with_its_reason(
    order: dict[str, object], reason: str
) -> None:
    """Each breach is a definite REJECTED that says what is wrong, and nothing is placed."""
    desk = Desk(ExchangeSettings(balance=Decimal(10_000)), (BTC,))
    desk.tick(100.0, 100.0)
    values = {"cloid": "a", "intent_id": "a", "symbol": SYMBOL, "side": "buy", "size": "1"}

    ack = await desk.exchange.place_order(
        Order.model_validate({"type": "market", **values, **order})
    )

    assert (ack.status, ack.reason) == (REJECTED, reason)
    assert desk.reports == []
    assert await desk.exchange.get_open_orders() == []


async def test_a_market_order_without_any_known_price_is_rejected() -> None:
    """Before the first event of a symbol only a limit order has a value to judge."""
    desk = Desk()
    market = await desk.place("buy", 1)
    limit = await desk.place("buy", 1, "limit", 90)

    assert (market.status, market.reason) == (REJECTED, "no price of the symbol is known yet")
    assert limit.status is OPEN


async def test_the_smallest_order_value_binds_what_closes_a_part_alone() -> None:
    """A rest can always be closed, and protected; a part of that size stays, as at the venue."""
    desk = Desk(FREE, (BTC,))
    desk.tick(100.0, 100.0)
    await desk.place("buy", "0.1")
    desk.tick(90.0, 90.0)

    part = await desk.place("sell", "0.099", reduce_only=True)
    stop = await desk.place("sell", "0.05", "stop", 80, reduce_only=True)
    rest = await desk.place("sell", "0.1", reduce_only=True)

    assert (part.status, part.reason) == (REJECTED, "order value 8.9100 is below the minimum 10")
    assert (stop.status, rest.status) == (OPEN, OPEN)
    assert await desk.position() == 0


async def test_margin_counts_the_worst_case() -> None:
    """Resting increases reserve margin, both symbols share it, and exits need none."""
    eth = BTC.model_copy(update={"symbol": "ETH"})
    desk = Desk(THOUSAND, (BTC, eth))
    desk.tick(100.0, 100.0)
    desk.tick(100.0, 100.0, symbol="ETH")
    acks = [
        await desk.place("buy", 20, "limit", 99),
        await desk.place("buy", 20, symbol="ETH"),
        await desk.place("buy", "10.1"),
        await desk.place("sell", 20, "limit", 101),
        await desk.place("sell", 20, "limit", 101, symbol="ETH"),
        await desk.place("buy", 10, "limit", 99),
        await desk.place("buy", "0.2"),
        await desk.place("sell", 20, symbol="ETH", reduce_only=True),
    ]

    assert [ack.status for ack in acks] == [
        OPEN, OPEN, REJECTED, OPEN, OPEN, OPEN, REJECTED, OPEN,
    ]  # fmt: skip
    assert acks[2].reason == "insufficient margin"


async def test_a_short_uses_margin_like_a_long() -> None:
    """What is sold short in one symbol is not there to back another."""
    eth = BTC.model_copy(update={"symbol": "ETH"})
    desk = Desk(THOUSAND, (BTC, eth))
    desk.tick(100.0, 100.0)
    desk.tick(100.0, 100.0, symbol="ETH")
    await desk.place("sell", 30, symbol="ETH")

    assert (await desk.place("buy", "20.1")).status is REJECTED
    assert (await desk.place("buy", 20)).status is OPEN
    assert (await desk.exchange.get_account_info()).margin_used == 1000


async def test_an_instrument_may_allow_less_leverage_than_the_account() -> None:
    """Margin uses the smaller of the account's and the instrument's leverage."""
    desk = Desk(THOUSAND.model_copy(update={"leverage": 50}), (BTC,))
    desk.tick(100.0, 100.0)

    assert (await desk.place("buy", "100.1")).status is REJECTED
    assert (await desk.place("buy", 100)).status is OPEN
    info = await desk.exchange.get_account_info()
    assert (info.margin_used, info.equity, info.balance) == (1000, 1000, 1000)


async def test_a_losing_account_can_still_reduce_without_the_flag() -> None:
    """An order that only takes off the position needs no margin, flagged reduce-only or not."""
    desk = Desk(THOUSAND, (BTC,))
    desk.tick(100.0, 100.0)
    await desk.place("buy", 45)
    desk.tick(85.0, 85.0)

    assert (await desk.place("buy", 1)).status is REJECTED
    assert (await desk.place("sell", 45, "take_profit", 120)).status is OPEN
    assert (await desk.place("sell", 45, "stop", 70)).status is OPEN
    assert (await desk.place("sell", 50)).status is OPEN
