"""Positions and the account as a fold of fills. Sizes, prices and money are Decimal."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from tradeagent.messages import ZERO, PositionPart, PositionUpdate, Share, Side
from tradeagent.messages.build import typed

_new_position_update = typed(PositionUpdate)
_new_position_part = typed(PositionPart)

QUANTUM = Decimal("1e-12")
"""Costs and parts of fills are kept to this step, so that sums below 1e16 are exact."""
DUST = Decimal("1e-9")
"""Parts of a position below this are what division leaves; no lot is as small."""


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

    @property
    def paid(self) -> Decimal:
        """Return what the account's cash has changed by, fees and funding included."""
        return self.cash - self.fees - self.funding

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the profit of the open part at `mark`."""
        return self.size * mark - self.cost

    def net(self, mark: Decimal) -> Decimal:
        """Return all profit at `mark`, after fees and funding."""
        return self.paid + self.size * mark

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


class Books:
    """One symbol's netted position, and what each strategy has of it.

    Sizes, fees and funding of the parts add up to the whole exactly, profit at any mark to 1e-9.
    """

    __slots__ = ("net", "parts", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.net = Position()
        self.parts: dict[str, Position] = {}

    @classmethod
    def resume(cls, held: PositionUpdate) -> Books:
        """Return the books as the message `held` shows them."""
        books = cls(held.symbol)
        books.net = _position(held)
        books.parts = {part.strategy: _position(part) for part in held.parts}
        return books

    def fill(
        self,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        shares: Sequence[Share],
        *,
        protective: bool = False,
    ) -> Decimal:
        """Book a fill of signed `quantity` on the account and, by `shares`, on the strategies.

        Returns the profit the account realised by it, before its fee. A fill that closes the
        position closes every part of it. A `protective` one that its shares no longer have to give
        is taken from all parts by their size.
        """
        parts = split_fill(quantity, fee, shares)
        closes = self.net.size and self.net.size + quantity == 0
        if closes or (protective and not all(map(self._can_give, parts))):
            parts = split_fill(quantity, fee, self._by_size() or shares)
        for part in parts:
            self._part(part.strategy).book(part.quantity, price, part.fee)
        closed_pnl = self.net.book(quantity, price, fee)
        self._sweep(price)
        return closed_pnl

    def fund(self, payment: Decimal) -> None:
        """Book funding on the account and on the strategies by size: above 0 paid."""
        self.net.funding += payment
        first = Share(strategy=next(iter(self.parts), "operator"), part=Decimal(1))
        for part in split_fill(payment, ZERO, self._by_size() or [first]):
            self._part(part.strategy).funding += part.quantity

    def update(self, time: int) -> PositionUpdate:
        """Return the books as a message, as of `time` (UTC ns)."""
        net = self.net
        return _new_position_update(
            symbol=self.symbol,
            size=net.size,
            entry_price=net.entry_price,
            realised_pnl=net.realised,
            fees=net.fees,
            funding=net.funding,
            time=time,
            parts=tuple(
                _new_position_part(
                    strategy=strategy,
                    size=part.size,
                    entry_price=part.entry_price,
                    realised_pnl=part.realised,
                    fees=part.fees,
                    funding=part.funding,
                )
                for strategy, part in self.parts.items()
            ),
        )

    def _part(self, strategy: str) -> Position:
        return self.parts.setdefault(strategy, Position())

    def _by_size(self) -> list[Share]:
        net = self.net.size
        if not net:
            return []
        held = [(name, part.size) for name, part in self.parts.items() if part.size]
        return [Share(strategy=name, part=size / net) for name, size in held]

    def _can_give(self, part: FillPart) -> bool:
        """Tell whether a part of an exit closes no more than its strategy has."""
        held = self.parts.get(part.strategy)
        size = held.size if held is not None else ZERO
        return size * part.quantity <= 0 and abs(part.quantity) <= abs(size) + DUST

    def _sweep(self, price: Decimal) -> None:
        """Give what division left over to the largest part, at `price`."""
        left = [part for part in self.parts.values() if part.size and abs(part.size) < DUST]
        if not left:
            return
        dust = sum((part.size for part in left), ZERO)
        for part in left:
            part.book(-part.size, price)
        if dust:
            max(self.parts.values(), key=lambda part: abs(part.size)).book(dust, price)


def _position(held: PositionUpdate | PositionPart) -> Position:
    return Position(held.size, held.entry_price, held.realised_pnl, held.fees, held.funding)
