"""The account's arithmetic: nothing is made and nothing is lost."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.messages import Order, Side
from tradeagent.simulation import ExchangeSettings
from tradeagent.simulation.account import Account, Position

from .desk import INSTRUMENT, SYMBOL, Desk

ZERO = Decimal(0)
FILLS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.001", "50", places=3),
        st.decimals("0.01", "99999", places=2),
        st.decimals("-1", "5", places=8),
    ),
    max_size=25,
)


def test_a_round_trip_by_hand() -> None:
    """Average entry, realised result and a turn are what one works out on paper."""
    position = Position(SYMBOL)
    position = position.filled("buy", Decimal(1), Decimal(100), Decimal("0.1"), 1)
    position = position.filled("buy", Decimal(3), Decimal(104), Decimal("0.2"), 2)
    assert (position.size, position.entry_price) == (4, 103)

    position = position.filled("sell", Decimal(1), Decimal(110), ZERO, 3)
    assert (position.size, position.entry_price, position.realised) == (3, 103, 7)
    assert position.unrealised(Decimal(105)) == 6

    position = position.filled("sell", Decimal(5), Decimal(100), ZERO, 4)
    assert (position.size, position.entry_price, position.realised) == (-2, 100, -2)
    assert position.unrealised(Decimal(90)) == 20
    assert (position.fees, position.time) == (Decimal("0.3"), 4)


@settings(max_examples=300)
@given(FILLS)
def test_cash_is_conserved_exactly(fills: list[tuple[Side, Decimal, Decimal, Decimal]]) -> None:
    """Balance less the cost of what is held equals the deposit and all cash that moved, exactly."""
    account, cash = Account(Decimal(1000), {}), Decimal(1000)
    for time, (side, size, price, fee) in enumerate(fills):
        account.book(account.position(SYMBOL).filled(side, size, price, fee, time))
        cash += (size if side == "sell" else -size) * price - fee

        held = account.position(SYMBOL)
        assert account.balance - held.cost == cash
        assert account.balance == 1000 + held.realised - held.fees
        assert held.size or not held.cost


@settings(max_examples=100, deadline=None)
@given(FILLS)
def test_the_exchange_conserves_over_its_reports(
    fills: list[tuple[Side, Decimal, Decimal, Decimal]],
) -> None:
    """Balance is deposit plus realised less fees, and equity what the reported fills come to."""
    grid = INSTRUMENT.model_copy(update={"tick": Decimal("0.01"), "lot": Decimal("0.001")})

    async def live() -> None:
        desk = Desk(ExchangeSettings(balance=Decimal(10**8)), (grid,))
        expected, size = Decimal(10**8), ZERO
        for number, (side, amount, price, _) in enumerate(fills):
            desk.tick(float(price), float(price))
            order = Order(
                cloid=f"{number}",
                intent_id="i",
                symbol=SYMBOL,
                side=side,
                size=amount,
                type="market",
            )
            await desk.exchange.place_order(order)
            fill = desk.reports[-1].execution
            assert fill is not None
            sign = 1 if side == "buy" else -1
            expected -= sign * fill.size * fill.price + fill.fee
            assert fill.fee == (fill.price * fill.size * Decimal("0.00045")).quantize(
                Decimal("1e-8")
            )
            size += sign * fill.size
            info = await desk.exchange.get_account_info()
            assert info.equity == expected + size * price
            assert info.equity == info.balance + info.unrealised_pnl
            held = await desk.exchange.get_positions()
            assert [one.size for one in held] == ([size] if size else [])
            if held:
                assert info.balance == 10**8 + held[0].realised_pnl - held[0].fees

    asyncio.run(live())
