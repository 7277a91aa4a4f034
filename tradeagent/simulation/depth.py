"""What an order book shows: how much takers find, and what stands before an order that waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tradeagent.messages import ZERO, InstrumentUpdate, OrderBookUpdate

Levels = Iterable[tuple[float, float]]


class Depth:
    """The levels of one book, less what our own orders have taken from them since."""

    def __init__(self, update: OrderBookUpdate, instrument: InstrumentUpdate) -> None:
        """Take the levels as shown; both sides must be there."""
        self.bids, self.asks = update.bids, update.asks
        self._instrument = instrument
        self._taken: dict[float, Decimal] = {}

    def shows(self, bid: float, ask: float) -> bool:
        """Tell whether this is the touch the book showed."""
        return self.bids[0][0] == bid and self.asks[0][0] == ask

    def offers(self, buy: bool) -> Iterator[tuple[float, Decimal]]:
        """Yield (price, size) of what a taker finds, best first, in whole lots."""
        for price, shown in self.asks if buy else self.bids:
            size = Decimal(repr(shown)) - self._taken.get(price, ZERO)
            if size := self._instrument.fit_size(max(size, ZERO)):
                yield price, size

    def take(self, price: float, size: Decimal) -> None:
        """Take `size` off a level, until the next book."""
        self._taken[price] = self._taken.get(price, ZERO) + size


def shown(levels: Levels, level: float, buy: bool) -> Decimal | None:
    """Return the size that one side of a book shows at a price.

    It is 0 where the levels leave the price out, None beyond the last of them.
    """
    for price, size in levels:
        if price == level:
            return Decimal(repr(size))
        if price < level if buy else price > level:
            return ZERO
    return None
