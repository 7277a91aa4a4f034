"""One symbol as Risk sees it: its position, its market, and what orders may still do."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Literal, NamedTuple

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, OrderBookUpdate, Side, TickerUpdate
from tradeagent.quant.rules import Limits

Total = Literal["buys", "sells", "exits", "stops", "targets"]

_WIDE = Context(prec=60)
"""Room for the product of the largest price and size."""
_STEP = Decimal("1e-8")
"""Worst cases are kept to this step, so that running totals are exact."""


class Worst(NamedTuple):
    """The worst case of one or more symbols: gross, the two nets, and margin, in money."""

    gross: Decimal = ZERO
    long: Decimal = ZERO
    short: Decimal = ZERO
    margin: Decimal = ZERO
    maintenance: Decimal = ZERO

    def changed(self, before: Worst, after: Worst) -> Worst:
        """Return this with `after` in the place of `before`."""
        return Worst(
            self.gross + after.gross - before.gross,
            self.long + after.long - before.long,
            self.short + after.short - before.short,
            self.margin + after.margin - before.margin,
            self.maintenance + after.maintenance - before.maintenance,
        )

    def less(self, other: Worst) -> Worst:
        """Return this without `other`."""
        return Worst(
            self.gross - other.gross,
            self.long - other.long,
            self.short - other.short,
            self.margin - other.margin,
            self.maintenance - other.maintenance,
        )


class Standing:
    """One symbol: its position, its mark, and what may still be bought, sold and closed.

    `buys` and `sells` are of orders that can raise |position|, `exits` of reduce-only ones; resting
    `stops` and `targets` are in neither, for the venue cuts those to the position. `bar` is how
    long the shortest candles are, ns. `resting` are limit orders by name, with side and price, and
    `limits` the limits of orders that can raise |position|. `asked` is the highest price that any
    order named.
    Between the marks `low` and `high` the account was found in order. `at_stake` tells that a
    position or orders may be worth something here. `rates` are initial and maintenance margin of
    one unit of notional; `heard` is when the symbol
    was last heard of, and `bare` since when its stops do not cover it, 0 while they do (UTC ns).
    """

    __slots__ = (
        "_price",
        "asked",
        "at_stake",
        "bar",
        "bare",
        "book",
        "buys",
        "entry",
        "exits",
        "group",
        "heard",
        "high",
        "limits",
        "low",
        "mark",
        "quoted",
        "rates",
        "resting",
        "sells",
        "size",
        "stops",
        "targets",
        "tick",
        "units",
        "worst_case",
    )

    def __init__(self, rates: tuple[Decimal, Decimal], group: str) -> None:
        self.size = self.buys = self.sells = self.exits = self.stops = self.targets = ZERO
        self.units = self.entry = self.mark = 0.0
        self.bar = self.heard = self.bare = 0
        self.low = self.high = 0.0
        self.quoted = self.at_stake = False
        self.asked = ZERO
        self.tick: TickerUpdate | None = None
        self.book: OrderBookUpdate | None = None
        self.resting: dict[str, tuple[Side, Decimal]] = {}
        self.limits: dict[str, Decimal] = {}
        self.rates = rates
        self.group = group
        self.worst_case = Worst()
        self._price: Decimal | None = None

    @property
    def worst(self) -> Decimal:
        """Return the largest |position| that open orders can lead to."""
        return max(self.size + self.buys, self.sells - self.size)

    @property
    def price(self) -> Decimal:
        """Return what a unit is worth: the mark, else the entry, else what orders ask."""
        if self._price is None:
            known = self.mark or self.entry
            self._price = Decimal(repr(known)) if known else self.asked
        return self._price

    @property
    def dearest(self) -> Decimal:
        """Return the highest limit of an order that can raise |position|, 0 without any."""
        return max(self.limits.values(), default=ZERO)

    def moved(self) -> None:
        """Note that mark, entry or orders changed."""
        self._price = None

    def reckon(self) -> Worst:
        """Work out the worst case: at the mark, or at the dearest limit where that is higher.

        So an order is worth as much here as when it was judged.
        """
        price, size = self.price, self.size
        dear = max(price, self.dearest) if self.limits else price
        longest, shortest = size + self.buys, size - self.sells
        gross = _WIDE.quantize(max(longest, -shortest) * dear, _STEP)
        initial, maintenance = self.rates
        self.worst_case = Worst(
            gross,
            _WIDE.quantize(longest * (dear if longest > 0 else price), _STEP),
            _WIDE.quantize(shortest * (dear if shortest < 0 else price), _STEP),
            _WIDE.quantize(gross * initial, _STEP),
            _WIDE.quantize(gross * maintenance, _STEP),
        )
        self.at_stake = bool(longest or shortest)
        return self.worst_case

    def touch(self, side: Side) -> Decimal | None:
        """Return the best price that an order of `side` meets, None where no quote is known."""
        tick = self.tick
        return None if tick is None else Decimal(repr(tick.ask if side == "buy" else tick.bid))

    def mid(self) -> Decimal | None:
        """Return the middle of bid and ask, None where no quote is known."""
        tick = self.tick
        return None if tick is None else Decimal(repr(tick.mid))

    def depth(self, side: Side, now: int, limits: Limits) -> Decimal | None:
        """Return what an order of `side` meets within the slippage allowed of the best price.

        None where no book is known or it is older than a price may be.
        """
        book = self.book
        if book is None or now - book.time > limits.max_price_age_s * SECOND:
            return None
        within = float(limits.max_slippage_bp) / 1e4
        levels = book.asks if side == "buy" else book.bids
        if not levels:
            return ZERO
        best = levels[0][0]
        reach = best * (1 + within if side == "buy" else 1 - within)
        found = 0.0
        for price, size in levels:
            if price > reach if side == "buy" else price < reach:
                break
            found += size
        return Decimal(repr(found))

    def opposite(self, side: Side) -> Decimal | None:
        """Return the best of our own resting limits that an order of `side` could meet."""
        if not self.resting:
            return None
        prices = [price for other, price in self.resting.values() if other != side]
        if not prices:
            return None
        return min(prices) if side == "buy" else max(prices)
