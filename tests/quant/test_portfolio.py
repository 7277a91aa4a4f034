"""Positions, the account and split fills conserve money, whatever the order of fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tradeagent.messages import Share
from tradeagent.quant.portfolio import Books, FillPart, Position, split_fill

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


@st.composite
def shares(draw: st.DrawFn) -> list[Share]:
    """Return shares that add up to 1, some of them negative."""
    parts = draw(st.lists(st.decimals("-2", "2", places=6), max_size=4))
    parts.append(1 - sum(parts, D(0)))
    return [Share(strategy=f"s{i}", part=part) for i, part in enumerate(parts)]


def add_up(books: Books, mark: Decimal) -> None:
    """Check that the parts are the whole."""
    parts = books.parts.values()
    assert sum((part.size for part in parts), D(0)) == books.net.size
    assert sum((part.fees for part in parts), D(0)) == books.net.fees
    assert sum((part.funding for part in parts), D(0)) == books.net.funding
    total = sum((part.net(mark) for part in parts), D(0))
    assert abs(total - books.net.net(mark)) < CENT / 1000


@given(
    st.lists(st.tuples(SIDES, SIZES, PRICES, FEES, shares(), st.booleans()), max_size=15), PRICES
)
def test_strategies_add_up_to_the_account(
    fills: list[tuple[str, Decimal, Decimal, Decimal, list[Share], bool]], mark: Decimal
) -> None:
    """Over all strategies, sizes, fees and funding add up exactly and profit to the cent."""
    books, account = Books("BTC"), Position()
    for side, size, price, fee, split, protective in fills:
        quantity = size if side == "buy" else -size
        account.book(quantity, price, fee)
        books.fill(quantity, price, fee, split, protective=protective)
        books.fund((fee / 7).quantize(D("1e-8")))
        add_up(books, mark)

    assert books.net.size == account.size
    assert books.net.realised == account.realised


@given(st.lists(st.tuples(SIDES, SIZES, PRICES, shares()), min_size=1, max_size=8), PRICES)
def test_the_last_exit_closes_every_part(
    fills: list[tuple[str, Decimal, Decimal, list[Share]]], price: Decimal
) -> None:
    """Once the account is flat so is every strategy, whoever's order closed it."""
    books = Books("BTC")
    for side, size, at, split in fills:
        books.fill(size if side == "buy" else -size, at, D(0), split)
    assume(books.net.size)
    books.fill(-books.net.size, price, D(1), [Share(strategy="s0", part=D(1))])

    assert books.net.size == 0
    assert not [name for name, part in books.parts.items() if part.size]


@given(st.lists(st.tuples(SIDES, SIZES, PRICES, FEES, shares()), max_size=8), PRICES)
def test_books_come_back_from_their_message(
    fills: list[tuple[str, Decimal, Decimal, Decimal, list[Share]]], mark: Decimal
) -> None:
    """What a message shows is all there is: resumed books go on as if never left."""
    books = Books("BTC")
    for side, size, price, fee, split in fills:
        resumed = Books.resume(books.update(1))
        for one in (books, resumed):
            one.fill(size if side == "buy" else -size, price, fee, split)
        assert resumed.update(2) == books.update(2)
        add_up(books, mark)


def test_a_stop_takes_from_its_own_strategy_what_it_has() -> None:
    """A stop closes its owner's part; beyond that, all parts by size."""
    a, b = [Share(strategy="a", part=D(1))], [Share(strategy="b", part=D(1))]
    books = Books("BTC")
    books.fill(D(2), D(100), D(0), a)
    books.fill(D(2), D(100), D(0), b)

    books.fill(D(-1), D(90), D(0), a, protective=True)
    assert {name: part.size for name, part in books.parts.items()} == {"a": D(1), "b": D(2)}

    books.fill(D("-1.5"), D(90), D(0), a, protective=True)
    assert {name: part.size for name, part in books.parts.items()} == {"a": D("0.5"), "b": D(1)}


def test_an_order_may_open_the_other_side_for_one_strategy() -> None:
    """An order that reduces the account leaves a short to the strategy that wanted it."""
    books = Books("BTC")
    books.fill(D(5), D(100), D(0), [Share(strategy="a", part=D(1))])
    books.fill(D(-3), D(100), D(0), [Share(strategy="b", part=D(1))])
    assert {name: part.size for name, part in books.parts.items()} == {"a": D(5), "b": D(-3)}

    books.fill(D(-2), D(110), D(1), [Share(strategy="a", part=D(1))])
    assert {name: part.size for name, part in books.parts.items()} == {"a": D(0), "b": D(0)}
    add_up(books, D(110))


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


@pytest.mark.parametrize(
    ("steps", "size", "entry", "realised"),
    [
        ([("2", "100"), ("2", "110")], "4", "105", "0"),
        ([("4", "100"), ("-1", "110")], "3", "100", "10"),
        ([("-4", "100"), ("1", "110")], "-3", "100", "-10"),
        ([("2", "100"), ("-2", "90")], "0", "0", "-20"),
        ([("2", "100"), ("-5", "110")], "-3", "110", "20"),
        ([("-2", "100"), ("5", "90")], "3", "90", "20"),
    ],
)
def test_average_cost(steps: list[tuple[str, str]], size: str, entry: str, realised: str) -> None:
    """Adding averages, reducing realises, turning over opens at the new price."""
    position = Position()
    for change, price in steps:
        position.book(D(change), D(price), D("0.5"))

    assert (position.size, position.entry_price, position.realised) == (
        D(size),
        D(entry),
        D(realised),
    )
    assert position.fees == D("0.5") * len(steps)


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
