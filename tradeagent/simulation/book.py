"""Keep the resting orders of one symbol and match them with what its market shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tradeagent.messages import (
    ZERO,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.simulation.depth import Depth, Levels, shown
from tradeagent.simulation.matching import (
    EXHAUSTED,
    POST_ONLY,
    UNMATCHED,
    Match,
    Page,
    Resting,
    Terms,
)
from tradeagent.simulation.record import Record
from tradeagent.simulation.settings import ExchangeSettings

NOWHERE = float("inf")


class Book:
    """The resting orders of one symbol and the last prices seen of it.

    `floor` and `ceiling` bracket the prices at which nothing can happen, so that most events cost
    two comparisons however many orders rest; between `brink_low` and `brink_high` no position here
    can be short of margin. Once a quote was seen, bars change nothing. What changes on its `page`
    or in how an order stands, without a match that tells of it, goes on record.

    Matches are yielded one at a time: the caller carries each out before it asks for the next, and
    an order that was removed meanwhile matches no more.
    """

    def __init__(
        self, instrument: InstrumentUpdate, settings: ExchangeSettings, record: Record, page: Page
    ) -> None:
        """Start without orders and prices."""
        self.instrument = instrument
        self.page = page
        self._record = record
        self._settings = settings
        self._usual_rate = settings.funding_rate
        self.terms = Terms(instrument, settings)
        self.orders: dict[str, Resting] = {}
        self.bid: float | None = None
        self.ask: float | None = None
        self.mark: float | None = None
        self.floor, self.ceiling = -NOWHERE, NOWHERE
        self.brink_low, self.brink_high = -NOWHERE, NOWHERE
        self._stated: float | None = None
        self._depth: Depth | None = None
        self._tick: TickerUpdate | None = None
        self._hears_trades = False
        self._before: float | None = None
        self.ended = 0
        self._bar: MarketData | None = None

    @property
    def rate(self) -> Decimal:
        """Return the hourly funding rate."""
        told = self.page.rate
        return self._usual_rate if told is None else Decimal(str(told))

    def relist(self, instrument: InstrumentUpdate) -> None:
        """Go on with another grid or leverage; what rests stays as it is."""
        self.instrument = instrument
        self.terms = Terms(instrument, self._settings)
        self._depth = None

    def add(self, resting: Resting) -> None:
        """Let an order rest; the market does not see it before it wakes."""
        self.orders[resting.order.cloid] = resting

    def wake(self, resting: Resting) -> None:
        """Let the market see an order from the next price on."""
        resting.live = True
        self._widen(resting)

    def remove(self, resting: Resting) -> None:
        """Take an order out."""
        del self.orders[resting.order.cloid]
        if self.floor < NOWHERE and resting.level not in (self.floor, self.ceiling):
            return
        self._bracket()

    def put_in_place(self, old: Resting, new: Resting) -> None:
        """Let `new` stand where `old` stood, before and behind the same orders."""
        self.orders = {
            (new if one is old else one).order.cloid: new if one is old else one
            for one in self.orders.values()
        }
        self._bracket()

    def quote(self, tick: TickerUpdate) -> Iterable[Match]:
        """Take in the touch; yield what it does to resting orders.

        Without a mark the middle stands in for it. A book that shows another touch counts no more.
        """
        if self.page.entry is not None:
            self._enter(None)
        bid, ask, mark = tick.bid, tick.ask, tick.mark
        self.bid, self.ask, self._stated = bid, ask, mark
        self.mark = mark = (bid + ask) / 2 if mark is None else mark
        if self._depth is not None and not self._depth.shows(bid, ask):
            self._depth = None
        self._tick = tick
        if self._hears_trades and self.orders:
            self._move_up(*_touch(tick))
        return self._changed(mark)

    def deepen(self, update: OrderBookUpdate) -> Iterable[Match]:
        """Take in a book, which has both sides; the mark last stated with a quote stays."""
        if self.page.entry is not None:
            self._enter(None)
        self.bid, self.ask = bid, ask = update.bids[0][0], update.asks[0][0]
        self._depth = Depth(update, self.instrument)
        self.mark = mark = (bid + ask) / 2 if self._stated is None else self._stated
        if self.orders:
            self._move_up(update.bids, update.asks)
        return self._changed(mark)

    def trade(self, trade: MarketTrade) -> Iterable[Match]:
        """Take in a public trade; yield what it does to resting limit orders.

        At an order's price it first uses up what stands before it; beyond it, the order is filled.
        """
        if self.bid is None:
            return ()
        self._hears_trades = True
        if self.floor < trade.price < self.ceiling:
            return ()
        return self._traded(trade)

    def bar(self, bar: MarketData) -> Iterable[Match]:
        """Take in a closed bar; yield what it does to resting orders.

        A bar that overlaps one taken in before is the same market in another timeframe: it is
        passed over, as is every bar once quotes are known.
        """
        if not self.hears(bar):
            return ()
        self._bar, self.ended = bar, bar.close_time
        if self.page.entry is not None:
            self._enter(None)
        self._before, self.mark = self.last_mark, bar.close
        if bar.low > self.floor and bar.high < self.ceiling:
            return ()
        return self._barred(bar)

    def pass_by(self, bar: MarketData, closed: int) -> None:
        """Take in a bar that no order and no margin minds, as most are; it closed at UTC ns."""
        mark = self.mark
        self._before = self.page.mark if mark is None else mark
        self.mark, self._bar, self.ended = bar.close, bar, closed

    def hears(self, bar: MarketData) -> bool:
        """Tell whether a bar is news."""
        return self.bid is None and bar.time >= self.ended

    def entered(self) -> None:
        """Note that a fill has just raised the position; its first stop is still to come."""
        if self.bid is None:
            self._enter(self._bar)

    def arrive(self, resting: Resting) -> Iterator[Match]:
        """Show an order to the market; yield what happens to it at once.

        With bars only, the first stop after an entry is judged by the bar of that entry: the price
        passed the entry on its way to the stop, and a backtest must not look away.
        """
        self.wake(resting)
        if self.bid is not None and self.mark is not None:
            yield from self._meet(resting, self.mark, arriving=True)
            if resting.order.type == "limit":
                depth = self._depth
                sides = _touch(self._tick) if depth is None else (depth.bids, depth.asks)
                resting.ahead = self._shown(resting, *sides)
        elif resting.stop and (bar := self.page.entry) is not None:
            self._enter(None)
            found = self.terms.in_bar(resting, bar, None)
            if found is not None:
                yield found[1]._replace(time=None)

    def crosses(self, order: Order) -> bool:
        """Tell whether a limit order would match the touch at once."""
        if order.limit is None or self.bid is None or self.ask is None:
            return False
        limit = float(order.limit)
        return self.ask <= limit if order.side == "buy" else self.bid >= limit

    def exit_price(self, size: Decimal) -> float | None:
        """Return what a position of signed `size` would be closed at: the touch, else the mark."""
        touch = self.bid if size > 0 else self.ask
        return self.mark if touch is None else touch

    @property
    def last_mark(self) -> float | None:
        """Return the mark, before the first price since the start the one it ended with."""
        return self.page.mark if self.mark is None else self.mark

    def remember(self) -> None:
        """Keep the mark with the next transaction."""
        if self.mark is not None and self.mark != self.page.mark:
            self.page.mark = self.mark
            self._record.note(self.page)

    def _enter(self, bar: MarketData | None) -> None:
        self.page.entry = bar
        self._record.note(self.page)

    def _bracket(self) -> None:
        self.floor, self.ceiling = -NOWHERE, NOWHERE
        for resting in self.orders.values():
            if resting.live:
                self._widen(resting)

    def _widen(self, resting: Resting) -> None:
        if resting.level is None or resting.at_once or resting.triggered:
            self.floor = NOWHERE
        elif resting.falls:
            self.floor = max(self.floor, resting.level)
        else:
            self.ceiling = min(self.ceiling, resting.level)

    def _changed(self, mark: float) -> Iterable[Match]:
        assert self.bid is not None
        assert self.ask is not None
        low = self.ask if self.ask < mark else mark
        high = self.bid if self.bid > mark else mark
        if low > self.floor and high < self.ceiling:
            return ()
        return self._quoted(mark)

    def _quoted(self, mark: float) -> Iterator[Match]:
        for resting in sorted(self.orders.values(), key=lambda one: not one.stop):
            if resting.live and self._stands(resting):
                yield from self._meet(resting, mark)

    def _stands(self, resting: Resting) -> bool:
        return resting.order.cloid in self.orders

    def _meet(self, resting: Resting, mark: float, arriving: bool = False) -> Iterator[Match]:
        """Yield what touch and mark do to one order."""
        order, level = resting.order, resting.level
        if order.type == "limit":
            if self.crosses(order):
                if arriving and order.tif == "ALO":
                    yield Match(resting, None, reason=POST_ONLY)
                elif arriving or resting.at_once:
                    yield from self._take(resting, mark)
                else:
                    yield Match(resting, order.limit, "maker")
            if resting.at_once and self._stands(resting):
                yield Match(resting, None, reason=UNMATCHED)
            return
        if level is not None and not resting.triggered:
            if mark > level if resting.falls else mark < level:
                return
            resting.triggered = True
            self._record.keep(resting)
            self._widen(resting)
        yield from self._take(resting, mark)

    def _take(self, resting: Resting, mark: float) -> Iterator[Match]:
        """Yield what an order that takes finds: the touch, or level by level what a book shows.

        What a book does not hold ends a market order; a triggered one waits for the next price.
        """
        order = resting.order
        touch = self.ask if resting.buy else self.bid
        assert touch is not None
        if self._depth is None:
            if order.type == "limit":
                yield Match(resting, self.terms.on_grid(Decimal(repr(touch)), resting.buy))
            else:
                yield self.terms.taken(resting, touch, mark)
            return
        for price, size in self._depth.offers(resting.buy):
            fitted = self.terms.on_grid(Decimal(repr(price)), resting.buy)
            if self.terms.is_beyond(resting, fitted, mark):
                if order.type != "limit":
                    yield Match(resting, None, reason=self.terms.too_far(resting))
                return
            left = resting.left
            yield Match(resting, fitted, size=size)
            self._depth.take(price, left - resting.left)
            if not self._stands(resting):
                return
        if order.type == "market":
            yield Match(resting, None, reason=EXHAUSTED)

    def _traded(self, trade: MarketTrade) -> Iterator[Match]:
        price, size, used = trade.price, Decimal(repr(trade.size)), ZERO
        for resting in list(self.orders.values()):
            hit = resting.buy == (trade.side == "sell") and resting.order.type == "limit"
            if not hit or not resting.live or not self._stands(resting):
                continue
            assert resting.level is not None
            if price < resting.level if resting.buy else price > resting.level:
                yield Match(resting, resting.order.limit, "maker")
            elif price == resting.level and resting.ahead is not None:
                room = self.instrument.fit_size(max(size - resting.ahead - used, ZERO))
                resting.ahead = max(resting.ahead - size, ZERO)
                if room:
                    left = resting.left
                    yield Match(resting, resting.order.limit, "maker", size=room)
                    used += left - resting.left

    def _shown(self, resting: Resting, bids: Levels, asks: Levels) -> Decimal | None:
        assert resting.level is not None
        return shown(bids if resting.buy else asks, resting.level, resting.buy)

    def _move_up(self, bids: Levels, asks: Levels) -> None:
        """Let limit orders move forward where less is shown at their price than stood before."""
        for resting in self.orders.values():
            if resting.order.type == "limit" and resting.live:
                size = self._shown(resting, bids, asks)
                if size is not None and (resting.ahead is None or size < resting.ahead):
                    resting.ahead = size

    def _barred(self, bar: MarketData) -> Iterator[Match]:
        found = [
            reached
            for resting in self.orders.values()
            if resting.live
            and (bar.close_time if resting.stop else bar.time + 1) > resting.placed
            and (reached := self.terms.in_bar(resting, bar, self._before)) is not None
        ]
        for _, match in sorted(found, key=lambda pair: pair[0]):
            if self._stands(match.resting):
                yield match


def _touch(tick: TickerUpdate | None) -> tuple[Levels, Levels]:
    """Return the two sides of the only level a ticker shows."""
    if tick is None or tick.bid_size is None or tick.ask_size is None:
        return (), ()
    return ((tick.bid, tick.bid_size),), ((tick.ask, tick.ask_size),)
