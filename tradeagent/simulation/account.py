"""Keep the simulated account: one netted position per symbol, the balance and the margin.

A position carries its cost (what was paid for it, negative for a short), not its average, so that
nothing is lost to rounding: from flat to flat the realised result is exactly the cash that moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

from tradeagent.messages import ZERO, PositionUpdate, Side

CENT = Decimal("1e-8")
"""The smallest amount of money kept."""
AVERAGE = Context(prec=16)


@dataclass(slots=True, frozen=True)
class Position:
    """The netted position in one symbol: `size` is above 0 when long, `cost` is what it cost.

    `realised` is before fees; `time` is that of the last fill (UTC ns).
    """

    symbol: str
    size: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    time: int = 0

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
        """Return the position after a fill; what is beyond flat opens the other side."""
        closed = min(size, self.closable(side))
        sign = 1 if side == "buy" else -1
        released = self.cost
        if closed and closed != abs(self.size):
            released = (self.cost * closed / abs(self.size)).quantize(CENT)
        if not closed:
            released = ZERO
        return Position(
            symbol=self.symbol,
            size=self.size + sign * size,
            cost=self.cost - released + sign * (size - closed) * price,
            realised=self.realised - sign * closed * price - released,
            fees=self.fees + fee,
            time=time,
        )

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return what closing at `mark` would realise."""
        return self.size * mark - self.cost

    def update(self) -> PositionUpdate:
        """Return the position as a message."""
        return PositionUpdate(
            symbol=self.symbol,
            size=self.size,
            entry_price=self.entry_price,
            realised_pnl=self.realised,
            fees=self.fees,
            time=self.time,
        )


class Account:
    """The balance and the positions it came from; marks are prices by symbol.

    A symbol without a mark is valued at its entry, which is all that is known of it.
    """

    def __init__(self, deposit: Decimal, positions: Mapping[str, Position]) -> None:
        """Work out the balance: the deposit and what all positions realised, less their fees."""
        self.positions = dict(positions)
        self.balance = deposit + sum((p.realised - p.fees for p in positions.values()), ZERO)

    def position(self, symbol: str) -> Position:
        """Return the position in `symbol`, a flat one when there never was any."""
        return self.positions.get(symbol) or Position(symbol)

    def book(self, position: Position) -> None:
        """Replace a position and move what it realised and paid since into the balance."""
        before = self.position(position.symbol)
        self.balance += position.realised - before.realised - (position.fees - before.fees)
        self.positions[position.symbol] = position

    def unrealised(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return the unrealised result of all positions."""
        return sum(
            (
                position.unrealised(marks[position.symbol])
                for position in self.positions.values()
                if position.size and position.symbol in marks
            ),
            ZERO,
        )
