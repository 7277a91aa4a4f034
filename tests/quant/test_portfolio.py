"""Positions, the account and split fills conserve money, whatever the order of fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.messages import Share
from tradeagent.quant.portfolio import FillPart, Portfolio, Position, split_fill

D = Decimal
CENT = D("0.01")
SIDES = st.sampled_from(["buy", "sell"])
SIZES = st.decimals("0.001", "50", places=3)
PRICES = st.decimals("0.1", "99999", places=2)
FEES = st.decimals("-1", "5", places=4)
FILLS = st.lists(st.tuples(SIDES, SIZES, PRICES, FEES), max_size=40)
Fills = list[tuple[Literal["buy", "sell"], Decimal, Decimal, Decimal]]


def cash_and_size(fills: Fills) -> tuple[Decimal, Decimal]:
    """Return what the fills moved in money, fees included, and in size: the obvious ledger."""
    cash = size = D(0)
    for side, quantity, price, fee in fills:
        sign = 1 if side == "buy" else -1
        cash -= sign * quantity * price + fee
        size += sign * quantity
    return cash, size


@given(FILLS, PRICES)
def test_profit_is_what_cash_and_value_say(fills: Fills, mark: Decimal) -> None:
    """Realised plus unrealised less fees equals cash moved plus value held, exactly."""
    position = Position()
    for fill in fills:
        position.apply(*fill)
    cash, size = cash_and_size(fills)

    assert position.size == size
    assert position.realised + position.unrealised(mark) - position.fees == cash + size * mark
    assert position.net(mark) == cash + size * mark


@given(FILLS, PRICES, st.randoms(use_true_random=False))
def test_the_order_of_fills_moves_no_money(fills: Fills, mark: Decimal, rng: object) -> None:
    """Fills booked in another order give the same size and the same total profit."""
    other = list(fills)
    rng.shuffle(other)  # type: ignore[attr-defined]
    first, second = Position(), Position()
    for fill in fills:
        first.apply(*fill)
    for fill in other:
        second.apply(*fill)

    assert first.size == second.size
    assert first.net(mark) == second.net(mark)


@given(FILLS)
def test_a_flat_position_has_realised_everything(fills: Fills) -> None:
    """Once flat, realised profit is the cash moved before fees, and no cost is left."""
    position = Position()
    for fill in fills:
        position.apply(*fill)
    if position.size:
        position.book(-position.size, D("77.7"))

    assert position.cost == 0
    assert position.entry_price == 0
    assert position.realised == position.cash


@given(FILLS)
def test_realised_profits_of_fills_add_up(fills: Fills) -> None:
    """What each fill says it realised adds up to the position's realised profit."""
    position = Position()

    assert sum((position.apply(*fill) for fill in fills), D(0)) == position.realised


@given(SIDES, SIZES, PRICES, PRICES, st.decimals("0.01", "0.99", places=2))
def test_reducing_keeps_the_entry_price(
    side: Literal["buy", "sell"], size: Decimal, price: Decimal, exit_: Decimal, part: Decimal
) -> None:
    """Closing a part, however small the position, leaves the rest at its average price."""
    position = Position()
    position.apply(side, size, price)
    realised = position.book(-position.size * part, exit_)

    gain = (exit_ - price) * size * part * (1 if side == "buy" else -1)
    assert abs(position.entry_price - price) < D("1e-6")
    assert abs(realised - gain) < D("1e-9")


def test_average_cost_reduce_and_flip() -> None:
    """Adding averages the entry, reducing keeps it, flipping opens the rest at the new price."""
    position = Position()

    assert position.apply("buy", D(1), D(100)) == 0
    assert position.apply("buy", D(3), D(120)) == 0
    assert position.entry_price == D(115)
    assert position.apply("sell", D(1), D(125), D("0.5")) == D(10)
    assert (position.size, position.entry_price) == (D(3), D(115))
    assert position.apply("sell", D(5), D(105)) == D(-30)
    assert (position.size, position.entry_price) == (D(-2), D(105))
    assert position.unrealised(D(100)) == D(10)
    assert (position.realised, position.fees) == (D(-20), D("0.5"))


def test_a_stored_position_goes_on_where_it_stood() -> None:
    """A position made from stored numbers shows them again and books on from there."""
    position = Position(D("-0.5"), D(200), realised=D(7), fees=D(1), funding=D("0.25"))

    assert (position.size, position.entry_price, position.realised) == (D("-0.5"), D(200), D(7))
    assert position.apply("buy", D("0.5"), D(180)) == D(10)
    assert position.net(D(180)) == D(7) + D(10) - D(1) - D("0.25")


@given(st.lists(st.tuples(st.sampled_from("AB"), SIDES, SIZES, PRICES, FEES), max_size=40))
def test_the_account_is_its_positions(
    fills: list[tuple[str, str, Decimal, Decimal, Decimal]],
) -> None:
    """Cash is start plus realised less fees, and equity adds the unrealised of open positions."""
    portfolio = Portfolio(D(10_000))
    for fill in fills:
        portfolio.apply(*fill)  # type: ignore[arg-type]
    marks = {"A": D("12.5"), "B": D(4000)}
    positions = portfolio.positions.values()

    assert portfolio.cash == D(10_000) + sum(p.realised - p.fees for p in positions)
    assert portfolio.equity(marks) == D(10_000) + sum(
        p.net(marks[symbol]) for symbol, p in portfolio.positions.items()
    )


def test_exposure_adds_longs_and_shorts() -> None:
    """Gross exposure counts both sides at their marks; a flat symbol needs no mark."""
    portfolio = Portfolio(D(1000))
    portfolio.apply("BTC", "buy", D("0.01"), D(40_000))
    portfolio.apply("ETH", "sell", D("0.1"), D(2000))
    portfolio.apply("SOL", "buy", D(1), D(20))
    portfolio.apply("SOL", "sell", D(1), D(21))

    assert portfolio.gross_exposure({"BTC": D(41_000), "ETH": D(2100)}) == D(410) + D(210)
    assert portfolio.equity({"BTC": D(41_000), "ETH": D(2100)}) == D(1000) + 10 - 10 + 1
    with pytest.raises(KeyError):
        portfolio.equity({"BTC": D(41_000)})


def test_funding_is_paid_from_cash() -> None:
    """Funding paid lowers cash and the position's net profit, not its realised trading profit."""
    portfolio = Portfolio(D(100))
    portfolio.apply("BTC", "buy", D(1), D(50))
    portfolio.fund("BTC", D("0.5"))
    portfolio.fund("BTC", D("-0.2"))

    assert portfolio.cash == D("99.7")
    assert portfolio.position("BTC").funding == D("0.3")
    assert portfolio.position("BTC").net(D(50)) == D("-0.3")


@st.composite
def shares(draw: st.DrawFn) -> list[Share]:
    """Return shares that add up to 1, some of them negative."""
    parts = draw(st.lists(st.decimals("-2", "2", places=6), max_size=4))
    parts.append(1 - sum(parts, D(0)))
    return [Share(strategy=f"s{i}", part=part) for i, part in enumerate(parts)]


@given(st.lists(st.tuples(SIDES, SIZES, PRICES, FEES, shares()), max_size=15), PRICES)
def test_strategies_add_up_to_the_account(
    fills: list[tuple[Literal["buy", "sell"], Decimal, Decimal, Decimal, list[Share]]],
    mark: Decimal,
) -> None:
    """Over all strategies, sizes and fees add up exactly and profit to the cent."""
    account, strategies = Position(), Portfolio()
    for side, size, price, fee, split in fills:
        account.apply(side, size, price, fee)
        parts = split_fill(size if side == "buy" else -size, fee, split)
        for strategy, quantity, paid in parts:
            strategies.book(strategy, quantity, price, paid)
    positions = strategies.positions.values()

    assert sum((p.size for p in positions), D(0)) == account.size
    assert sum((p.fees for p in positions), D(0)) == account.fees
    total = sum((p.net(mark) for p in positions), D(0))
    assert abs(total - account.net(mark)) < CENT / 1000


@given(st.decimals("-1000", "1000", places=5), FEES, shares())
def test_split_parts_sum_to_the_whole(size: Decimal, fee: Decimal, split: list[Share]) -> None:
    """Quantities and fees of the parts add up to the fill's, exactly, in the shares' order."""
    parts = split_fill(size, fee, split)

    assert sum((part.quantity for part in parts), D(0)) == size
    assert sum((part.fee for part in parts), D(0)) == fee
    assert [part.strategy for part in parts] == [share.strategy for share in split]


def test_split_gives_the_outweighed_strategy_the_other_side() -> None:
    """A negative share takes the other side of the fill and pays its fee by what it moved."""
    split = [Share(strategy="bull", part=D("1.5")), Share(strategy="bear", part=D("-0.5"))]

    assert split_fill(D(2), D("0.8"), split) == (
        FillPart("bull", D(3), D("0.6")),
        FillPart("bear", D(-1), D("0.2")),
    )
    assert split_fill(D(2), D("0.8"), split[::-1]) == (
        FillPart("bear", D(-1), D("0.2")),
        FillPart("bull", D(3), D("0.6")),
    )


def test_thirds_leave_nothing_over() -> None:
    """Three equal shares of an odd fill differ by the last step at most, and none is lost."""
    split = [Share(strategy=name, part=D(1) / 3) for name in "abc"]
    parts = split_fill(D("0.001"), D("0.01"), split)

    assert [part.quantity for part in parts] == [
        D("0.000333333333"),
        D("0.000333333333"),
        D("0.000333333334"),
    ]
    with pytest.raises(ValueError, match="share"):
        split_fill(D(1), D(0), [])
