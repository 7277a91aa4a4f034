"""Match the resting orders of one symbol against quotes and bars: pure arithmetic, no I/O.

Quotes: a trigger acts on the mark and fills at the touch, a resting limit fills when the other side
of the touch reaches it. Bars: what stood before a bar opened meets its open first; inside the bar
stops come before everything else, a limit or target needs the price to go through it, and a stop
that was jumped over fills at the open. Whatever a bar leaves open is decided against the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from tradeagent.messages import InstrumentUpdate, MarketData, Order
from tradeagent.messages.orders import Liquidity

NOWHERE = float("inf")
POST_ONLY = "a post-only order would have matched"
UNMATCHED = "nothing to match the order at once"
BEYOND_LIMIT = "the price is beyond the order's limit"


@dataclass(slots=True, eq=False)
class Resting:
    """An accepted order that still stands; `placed` is when it was accepted (UTC ns).

    `level` is the price it waits for, None when it takes any price. `falls` tells that it waits
    for the price to fall to `level`, `at_once` that it matches the next price or ends.
    """

    order: Order
    oid: str
    placed: int
    buy: bool = field(init=False)
    stop: bool = field(init=False)
    falls: bool = field(init=False)
    at_once: bool = field(init=False)
    level: float | None = field(init=False)

    def __post_init__(self) -> None:
        order = self.order
        self.buy = order.side == "buy"
        self.stop = order.type == "stop"
        self.falls = self.buy != self.stop
        self.at_once = order.type == "limit" and order.tif == "IOC"
        price = None if order.type == "market" else order.trigger or order.limit
        self.level = None if price is None else float(price)


class Match(NamedTuple):
    """What the market does to a resting order: a fill at `price`, or its end without one.

    `time` (UTC ns) is None for the present moment; a fill at a bar's open happened then.
    """

    resting: Resting
    price: Decimal | None
    liquidity: Liquidity = "taker"
    time: int | None = None
    reason: str = ""


class Terms:
    """What an order of one instrument gets: the rules of bars, slippage and the grid."""

    def __init__(self, instrument: InstrumentUpdate, slippage_bp: Decimal) -> None:
        self._instrument = instrument
        self._slip = slippage_bp / 10_000

    def in_bar(
        self, resting: Resting, bar: MarketData
    ) -> tuple[tuple[bool, bool, float], Match] | None:
        """Return the match a bar makes and its turn: at the open, stops, by the way to go."""
        order, level = resting.order, resting.level
        when = max(bar.time, resting.placed)
        if level is None:
            return (False, True, 0.0), self.taken(resting, bar.open, when)
        sign = 1.0 if resting.falls else -1.0
        ahead = sign * (bar.open - level)
        left = sign * ((bar.low if resting.falls else bar.high) - level)
        opened = ahead <= 0 if resting.stop else ahead < 0
        if opened or resting.at_once:
            return (False, not resting.stop, 0.0), self._at_open(resting, bar, opened, when)
        if not (left <= 0 if resting.stop else left < 0):
            return None
        turn = (True, not resting.stop, ahead)
        if order.type == "limit":
            return turn, Match(resting, order.limit, "maker")
        return turn, self.taken(resting, level)

    def _at_open(self, resting: Resting, bar: MarketData, opened: bool, when: int) -> Match:
        order = resting.order
        if order.type != "limit":
            return self.taken(resting, bar.open, when)
        if not opened:
            return Match(resting, None, time=when, reason=UNMATCHED)
        arriving = bar.time - resting.placed < bar.close_time - bar.time
        if arriving and order.tif == "ALO":
            return Match(resting, None, time=when, reason=POST_ONLY)
        price = self.on_grid(Decimal(repr(bar.open)), resting.buy)
        return Match(resting, price, "taker" if arriving else "maker", when)

    def taken(self, resting: Resting, price: float, when: int | None = None) -> Match:
        """Return what a market or trigger order gets at `price`: the slippage goes against it."""
        slip = 1 + self._slip if resting.buy else 1 - self._slip
        taken = self.on_grid(Decimal(repr(price)) * slip, resting.buy)
        limit = resting.order.limit
        if limit is not None and (taken > limit if resting.buy else taken < limit):
            return Match(resting, None, time=when, reason=BEYOND_LIMIT)
        return Match(resting, taken, time=when)

    def on_grid(self, price: Decimal, buy: bool) -> Decimal:
        """Return a price on the instrument's grid, rounded against the taker, above zero."""
        fitted = self._instrument.fit_price(price, ROUND_CEILING if buy else ROUND_FLOOR)
        return fitted or self._instrument.tick


class Book:
    """The resting orders of one symbol and the last prices seen of it.

    `floor` and `ceiling` bracket the prices at which nothing can happen, so that most events cost
    two comparisons however many orders rest. Once a quote was seen, bars change nothing.
    """

    def __init__(self, instrument: InstrumentUpdate, slippage_bp: Decimal) -> None:
        """Start empty; market and trigger orders lose `slippage_bp` basis points of the price."""
        self.instrument = instrument
        self.orders: dict[str, Resting] = {}
        self.bid: float | None = None
        self.ask: float | None = None
        self.mark: float | None = None
        self.floor = -NOWHERE
        self.ceiling = NOWHERE
        self._terms = Terms(instrument, slippage_bp)
        self._stated: float | None = None
        self._bar_end = 0
        self._bar: MarketData | None = None
        self._entry_bar: MarketData | None = None

    def add(self, resting: Resting) -> None:
        """Let an order rest."""
        self.orders[resting.order.cloid] = resting
        self._widen(resting)

    def remove(self, resting: Resting) -> None:
        """Take an order out."""
        del self.orders[resting.order.cloid]
        if self.floor < NOWHERE and resting.level not in (self.floor, self.ceiling):
            return
        self.floor, self.ceiling = -NOWHERE, NOWHERE
        for other in self.orders.values():
            self._widen(other)

    def quote(self, bid: float, ask: float, mark: float | None) -> Iterable[Match]:
        """Take in the touch; yield what it does to resting orders, one at a time.

        Without a mark the middle stands in for it. The caller may remove orders between two
        matches; a removed one matches no more.
        """
        self.bid, self.ask, self._stated = bid, ask, mark
        self.mark = mark = (bid + ask) / 2 if mark is None else mark
        low = ask if ask < mark else mark
        high = bid if bid > mark else mark
        if low > self.floor and high < self.ceiling:
            return ()
        return self._quoted(mark)

    def touch(self, bid: float, ask: float) -> Iterable[Match]:
        """Take in the touch alone; the mark that was last stated with a quote stays."""
        return self.quote(bid, ask, self._stated)

    def bar(self, bar: MarketData) -> Iterable[Match]:
        """Take in a closed bar; yield what it does to resting orders, one at a time.

        A bar that overlaps one taken in before is the same market in another timeframe: it is
        passed over, as is every bar once quotes are known.
        """
        if self.bid is not None or bar.time < self._bar_end:
            return ()
        self._bar, self._bar_end, self._entry_bar = bar, bar.close_time, None
        self.mark = bar.close
        if bar.low > self.floor and bar.high < self.ceiling:
            return ()
        return self._barred(bar)

    def entered(self) -> None:
        """Note that a fill has just raised the position; its first stop is still to come."""
        if self.bid is None:
            self._entry_bar = self._bar

    def arrive(self, resting: Resting) -> Match | None:
        """Return what happens to an order on arrival, None when it rests.

        With bars only, the first stop after an entry is judged by the bar of that entry: the price
        passed the entry on its way to the stop, and a backtest must not look away.
        """
        if self.bid is not None and self.mark is not None:
            return self._at_touch(resting, self.mark, arriving=True)
        if not resting.stop or self._entry_bar is None:
            return None
        bar, self._entry_bar = self._entry_bar, None
        found = self._terms.in_bar(resting, bar)
        return None if found is None else found[1]._replace(time=None)

    def crosses(self, order: Order) -> bool:
        """Tell whether a limit order would match the touch at once."""
        if order.limit is None or self.bid is None or self.ask is None:
            return False
        limit = float(order.limit)
        return self.ask <= limit if order.side == "buy" else self.bid >= limit

    def _widen(self, resting: Resting) -> None:
        if resting.level is None or resting.at_once:
            self.floor = NOWHERE
        elif resting.falls:
            self.floor = max(self.floor, resting.level)
        else:
            self.ceiling = min(self.ceiling, resting.level)

    def _quoted(self, mark: float) -> Iterator[Match]:
        for resting in sorted(self.orders.values(), key=lambda one: not one.stop):
            if resting.order.cloid in self.orders:
                match = self._at_touch(resting, mark)
                if match is not None:
                    yield match

    def _at_touch(self, resting: Resting, mark: float, arriving: bool = False) -> Match | None:
        order, level = resting.order, resting.level
        assert self.bid is not None
        assert self.ask is not None
        touch = self.ask if resting.buy else self.bid
        if order.type == "limit":
            if not self.crosses(order):
                return Match(resting, None, reason=UNMATCHED) if resting.at_once else None
            if arriving or resting.at_once:
                return Match(resting, self._terms.on_grid(Decimal(repr(touch)), resting.buy))
            return Match(resting, order.limit, "maker")
        if level is not None and (mark > level if resting.falls else mark < level):
            return None
        return self._terms.taken(resting, touch)

    def _barred(self, bar: MarketData) -> Iterator[Match]:
        found = [
            reached
            for resting in self.orders.values()
            if (bar.close_time if resting.stop else bar.time + 1) > resting.placed
            and (reached := self._terms.in_bar(resting, bar)) is not None
        ]
        for _, match in sorted(found, key=lambda pair: pair[0]):
            if match.resting.order.cloid in self.orders:
                yield match
