"""Positions and the account as a fold of fills. Sizes, prices and money are Decimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tradeagent.messages import ZERO, PositionUpdate, Share, Side

QUANTUM = Decimal("1e-12")
"""Costs and parts of fills are kept to this step, so that sums below 1e16 are exact."""


def tidy(number: Decimal) -> Decimal:
    """Return `number` without trailing zeros and without an exponent above 0."""
    plain = number.normalize()
    return plain.quantize(Decimal(1)) if plain.as_tuple().exponent > 0 else plain  # type: ignore[operator]


class Position:
    """A netted position at average cost; `size` is signed, fees and funding above 0 are paid.

    `cash` is what trading moved, fees apart, and `cost` what the open part was bought for. Only
    `cost` is ever rounded, so realised plus unrealised is always cash plus value, exactly.
    """

    __slots__ = ("cash", "cost", "fees", "funding", "size")

    def __init__(
        self,
        size: Decimal = ZERO,
        entry_price: Decimal = ZERO,
        realised: Decimal = ZERO,
        fees: Decimal = ZERO,
        funding: Decimal = ZERO,
    ) -> None:
        """Start flat, or where a stored position stood."""
        self.size = size
        self.cost = (size * entry_price).quantize(QUANTUM)
        self.cash = realised - self.cost
        self.fees = fees
        self.funding = funding

    @property
    def entry_price(self) -> Decimal:
        """Return the average price of the open part, 0 when flat."""
        return self.cost / self.size if self.size else ZERO

    @property
    def realised(self) -> Decimal:
        """Return the profit of all closed parts, before fees and funding."""
        return self.cash + self.cost

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the profit of the open part at `mark`."""
        return self.size * mark - self.cost

    def net(self, mark: Decimal) -> Decimal:
        """Return all profit at `mark`, after fees and funding."""
        return self.cash + self.size * mark - self.fees - self.funding

    def apply(self, side: Side, size: Decimal, price: Decimal, fee: Decimal = ZERO) -> Decimal:
        """Book a fill of `size` (above 0); returns the profit it realised, before its fee."""
        return self.book(size if side == "buy" else -size, price, fee)

    def book(self, quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> Decimal:
        """Book a fill of signed `quantity`; returns the profit it realised, before its fee."""
        before = self.cash + self.cost
        after = self.size + quantity
        if self.size * quantity >= 0:
            self.cost = (self.cost + quantity * price).quantize(QUANTUM)
        elif self.size * after > 0:
            self.cost = (self.cost * after / self.size).quantize(QUANTUM)
        else:
            self.cost = (after * price).quantize(QUANTUM)
        self.size = tidy(after)
        self.cash -= quantity * price
        self.fees += fee
        return self.cash + self.cost - before

    def settle(self, price: Decimal, dust: Decimal) -> None:
        """Close at `price` what is left below `dust` in size; nothing else is touched."""
        if self.size and abs(self.size) < dust:
            self.book(-self.size, price)


class Portfolio:
    """One account's cash and positions by symbol, in quote currency.

    `cash` is the balance of a margin account: deposits plus realised profit less fees and funding.
    """

    __slots__ = ("cash", "positions")

    def __init__(self, cash: Decimal = ZERO) -> None:
        self.cash = cash
        self.positions: dict[str, Position] = {}

    def position(self, symbol: str) -> Position:
        """Return the position in `symbol`, flat when there was none."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position()
        return found

    def resume(self, held: PositionUpdate) -> None:
        """Take up a stored position; cash stays as it is."""
        self.positions[held.symbol] = Position(
            held.size, held.entry_price, held.realised_pnl, held.fees, held.funding
        )

    def apply(
        self, symbol: str, side: Side, size: Decimal, price: Decimal, fee: Decimal = ZERO
    ) -> Decimal:
        """Book a fill; returns the profit it realised, before its fee."""
        return self.book(symbol, size if side == "buy" else -size, price, fee)

    def book(self, symbol: str, quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> Decimal:
        """Book a fill of signed `quantity`; returns the profit it realised, before its fee."""
        realised = self.position(symbol).book(quantity, price, fee)
        self.cash += realised - fee
        return realised

    def fund(self, symbol: str, payment: Decimal) -> None:
        """Book funding: above 0 paid, below 0 received."""
        self.position(symbol).funding += payment
        self.cash -= payment

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return cash plus unrealised profit; KeyError when an open position has no mark."""
        return self.cash + sum(
            (p.unrealised(marks[symbol]) for symbol, p in self.positions.items() if p.size), ZERO
        )

    def gross_exposure(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return the value of all positions, longs and shorts added up; KeyError without a mark."""
        return sum(
            (abs(p.size) * marks[symbol] for symbol, p in self.positions.items() if p.size), ZERO
        )


class FillPart(NamedTuple):
    """What one strategy gets of a fill: a signed quantity and its fee."""

    strategy: str
    quantity: Decimal
    fee: Decimal


def split_fill(size: Decimal, fee: Decimal, shares: Sequence[Share]) -> tuple[FillPart, ...]:
    """Divide a fill of signed `size` over `shares`; the parts add up to the whole exactly.

    Quantities go by part, fees by |part|, both to 1e-12; the last share takes what is left. Raises
    ValueError without shares, for then the fill would be lost.
    """
    if not shares:
        raise ValueError("a fill needs at least one share")
    weight = sum((abs(share.part) for share in shares), ZERO)
    quantity_left, fee_left = size, fee
    parts = []
    for share in shares[:-1]:
        quantity = (size * share.part).quantize(QUANTUM)
        paid = (fee * abs(share.part) / weight).quantize(QUANTUM)
        parts.append(FillPart(share.strategy, quantity, paid))
        quantity_left -= quantity
        fee_left -= paid
    parts.append(FillPart(shares[-1].strategy, quantity_left, fee_left))
    return tuple(parts)
