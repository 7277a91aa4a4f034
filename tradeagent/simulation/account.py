"""Keep the simulated account: one netted position per symbol, the balance and what was set aside.

A position carries its cost (what was paid for it, negative for a short), not its average, so that
nothing is lost to rounding: from flat to flat the realised result is exactly the cash that moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal

from tradeagent.messages import ZERO, PositionUpdate, Side

CENT = Decimal("1e-8")
"""The smallest amount of money kept."""
AVERAGE = Context(prec=16)


@dataclass(slots=True, frozen=True)
class Position:
    """The netted position in one symbol: `size` is above 0 when long, `cost` is what it cost.

    `realised` is before fees; `fees` and `funding` are what was paid; `margin` is what an isolated
    position has been given of the balance; `time` is that of the last fill (UTC ns).
    """

    symbol: str
    size: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    time: int = 0
    funding: Decimal = ZERO
    margin: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Return the average entry price to 16 digits, 0 when flat."""
        return AVERAGE.divide(self.cost, self.size) if self.size else ZERO

    def closable(self, side: Side) -> Decimal:
        """Return how much an order of `side` can take off the position."""
        return max(-self.size if side == "buy" else self.size, ZERO)

    def filled(
        self, side: Side, size: Decimal, price: Decimal, fee: Decimal, time: int
    ) -> Position:
        """Return the position after a fill; what is beyond flat opens the other side.

        The margin of an isolated position is released by the part that is closed.
        """
        closed = min(size, self.closable(side))
        sign = 1 if side == "buy" else -1
        cost, margin = self.cost, self.margin
        if not closed:
            cost = margin = ZERO
        elif closed != abs(self.size):
            cost = (cost * closed / abs(self.size)).quantize(CENT)
            margin = (margin * closed / abs(self.size)).quantize(CENT)
        return Position(
            self.symbol,
            self.size + sign * size,
            self.cost - cost + sign * (size - closed) * price,
            self.realised - sign * closed * price - cost,
            self.fees + fee,
            time,
            self.funding,
            self.margin - margin,
        )

    def paid(self, payment: Decimal) -> Position:
        """Return the position after funding; an isolated one pays from its own margin."""
        margin = self.margin - payment if self.margin else ZERO
        return replace(self, funding=self.funding + payment, margin=margin)

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return what closing at `mark` would realise."""
        return self.size * mark - self.cost

    def update(self, liquidation: Decimal | None = None) -> PositionUpdate:
        """Return the position as a message."""
        return PositionUpdate(
            symbol=self.symbol,
            size=self.size,
            entry_price=self.entry_price,
            realised_pnl=self.realised,
            fees=self.fees,
            funding=self.funding,
            time=self.time,
            liquidation_price=liquidation,
        )


class Account:
    """The balance and the positions it came from; marks are prices by symbol.

    A symbol without a mark is valued at its entry, which is all that is known of it.
    """

    def __init__(self, deposit: Decimal, positions: Mapping[str, Position]) -> None:
        """Work out the balance: the deposit and what all positions realised, less what they cost.

        That is fees and funding; margin set aside stays part of the balance.
        """
        self.positions = dict(positions)
        self.balance = deposit + sum(
            (p.realised - p.fees - p.funding for p in positions.values()), ZERO
        )

    def position(self, symbol: str) -> Position:
        """Return the position in `symbol`, a flat one when there never was any."""
        return self.positions.get(symbol) or Position(symbol)

    def held(self) -> Iterator[Position]:
        """Yield the positions that are not flat."""
        return (one for one in self.positions.values() if one.size)

    def book(self, position: Position) -> None:
        """Replace a position and move what it realised and paid since into the balance."""
        before = self.position(position.symbol)
        self.balance += position.realised - before.realised
        self.balance -= position.fees - before.fees + position.funding - before.funding
        self.positions[position.symbol] = position

    def transfer(self, amount: Decimal) -> None:
        """Add money that came from outside, or take off what left: below 0."""
        self.balance += amount

    def unrealised(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return the unrealised result of all positions."""
        return sum(
            (one.unrealised(marks[one.symbol]) for one in self.held() if one.symbol in marks),
            ZERO,
        )
