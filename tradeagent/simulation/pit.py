"""Where orders meet the market: their way there, prices as they come, funding and margin calls."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from heapq import heapify, heappop, heappush

from tradeagent.messages import (
    ExecutionReport,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    OrderStatus,
    TickerUpdate,
)
from tradeagent.simulation.account import Position
from tradeagent.simulation.book import Book
from tradeagent.simulation.clearing import Clearing, standing
from tradeagent.simulation.ledger import Daybook
from tradeagent.simulation.matching import POST_ONLY, UNMATCHED, Landing, Match, Resting
from tradeagent.simulation.settings import ExchangeSettings

PriceEvent = MarketData | TickerUpdate | OrderBookUpdate | MarketTrade
HOUR = 3_600 * 1_000_000_000
MILLISECOND = 1_000_000
CANCELED = "canceled on request"
KEPT = ("type", "limit", "trigger", "tif", "reduce_only", "group")
"""What an order that only shrinks has in common with the one it replaces."""
GONE = "the order it was to replace had ended"


class Pit:
    """The market's side of the exchange: it moves orders and the account as prices come.

    What is on its way lands before the first event after it is due, at the prices known then.
    """

    def __init__(self, settings: ExchangeSettings, clearing: Clearing, ledger: Daybook) -> None:
        """Take up what `ledger` has on its way and at the market."""
        self._clearing = clearing
        self._books = clearing.books
        self._order_delay = settings.order_delay_ms * MILLISECOND
        self._cancel_delay = settings.cancel_delay_ms * MILLISECOND
        self._landings = ledger.landings()
        heapify(self._landings)
        self._number = max((one.number for one in self._landings), default=0)
        coming = {one.cloid for one in self._landings if not one.cancels}
        for book in self._books.values():
            for resting in book.orders.values():
                if resting.order.cloid not in coming:
                    book.wake(resting)

    def place(self, order: Order, now: int, replaced: Resting | None = None) -> ExecutionReport:
        """Take an order that was admitted; `replaced` makes room for it when it arrives."""
        book = self._books[order.symbol]
        if not self._order_delay and order.type == "limit" and book.bid is not None:
            if order.tif == "ALO" and book.crosses(order):
                return self._clearing.refuse(order, POST_ONLY, now)
            if order.tif == "IOC" and not book.crosses(order):
                refused = OrderStatus.CANCELED if replaced is None else OrderStatus.REJECTED
                return self._clearing.refuse(order, UNMATCHED, now, refused)
        replaces = "" if replaced is None else replaced.order.cloid
        placed = now + self._order_delay
        if replaced is not None and not self._order_delay and _only_shrinks(replaced, order):
            placed = replaced.placed
        report, resting = self._clearing.accept(order, now, placed, replaces)
        if self._order_delay:
            self._send(resting, placed)
        else:
            self._arrive(resting, now)
        return report

    def withdraw(self, resting: Resting, now: int) -> ExecutionReport:
        """Cancel a resting order, or send the cancel on its way; returns how it stands then."""
        if not self._cancel_delay:
            return self._clearing.end(resting, CANCELED, now, tell=False)
        self._send(resting, now + self._cancel_delay, cancels=True)
        return standing(resting)

    def land(self, now: int) -> None:
        """Let what is due by `now` (UTC ns) reach the market."""
        while self._landings and self._landings[0].due <= now:
            landing = heappop(self._landings)
            self._clearing.record.land(landing)
            book = self._books.get(landing.symbol)
            resting = None if book is None else book.orders.get(landing.cloid)
            if resting is None:
                continue
            if landing.cancels:
                self._clearing.end(resting, CANCELED, landing.due)
            else:
                self._arrive(resting, landing.due)

    def passes(self, bar: MarketData, closed: int) -> bool:
        """Take in a bar, `closed` at (UTC ns), that does nothing to orders and the account.

        False, with nothing taken in, where it may do something.
        """
        book = self._books.get(bar.symbol)
        if book is None:
            return True
        if self._landings or self._clearing.unbraced or closed >= book.page.hour:
            return False
        low, high = bar.low, bar.high
        if (
            low <= book.floor
            or high >= book.ceiling
            or low < book.brink_low
            or high > book.brink_high
            or bar.time < book.ended
            or book.bid is not None
            or book.page.entry is not None
        ):
            return False
        book.pass_by(bar, closed)
        return True

    def take(self, event: PriceEvent, now: int) -> None:
        """Take in what the market shows at `now` (UTC ns), and all that follows from it.

        A bar's funding is paid after its fills, a quote's before: so each hour finds the position
        that stood at its end.
        """
        book = self._books.get(event.symbol)
        if book is None:
            return
        if self._landings:
            self.land(now)
        if isinstance(event, MarketData):
            if book.hears(event):
                self._take_bar(book, event, now)
            return
        matches: Iterable[Match] = ()
        if isinstance(event, TickerUpdate):
            if event.funding is not None and event.funding != book.page.rate:
                book.page.rate = event.funding
                self._clearing.record.note(book.page)
            matches = book.quote(event)
        elif isinstance(event, MarketTrade):
            matches = book.trade(event)
        elif event.bids and event.asks:
            matches = book.deepen(event)
        if event.time >= book.page.hour:
            self._fund(book, event.time)
        for match in matches:
            self._clearing.settle(match, now)
        if self._clearing.unbraced:
            self._call_all(book, now)
        elif (mark := book.mark) is not None and not book.brink_low <= mark <= book.brink_high:
            self._call(book, mark, now)

    def _take_bar(self, book: Book, bar: MarketData, now: int) -> None:
        """Take in a bar: inside it, stops come first, then the adverse extreme, then the rest."""
        moved = self._clearing.unbraced
        for match in book.bar(bar):
            moved = True
            resting = match.resting
            if match.time is None and match.price is not None:
                self._watch(book, bar, now, float(match.price) if resting.stop else None)
            if resting.order.cloid in book.orders:
                self._clearing.settle(match, now)
        self._watch(book, bar, now, None)
        if moved:
            self._call_all(book, now)
        if bar.close_time >= book.page.hour:
            self._fund(book, bar.close_time)

    def _watch(self, book: Book, bar: MarketData, now: int, price: float | None) -> None:
        """Call the margin where a bar's way to `price`, else to its extremes, calls for it."""
        if self._clearing.unbraced:
            self._brace()
        low, high = (bar.low, bar.high) if price is None else (price, price)
        if low < book.brink_low:
            self._call(book, low, now, bar.open)
        elif high > book.brink_high:
            self._call(book, high, now, bar.open)

    def _call_all(self, first: Book, now: int) -> None:
        """Look at every position, now that the account has changed."""
        if self._clearing.unbraced:
            self._brace()
        for book in (first, *self._books.values()):
            mark = book.mark
            if mark is not None and not book.brink_low <= mark <= book.brink_high:
                self._call(book, mark, now)

    def _call(self, book: Book, mark: float, now: int, opened: float | None = None) -> None:
        """Liquidate what is short of margin with the book's mark at `mark`.

        In a bar, which `opened` belongs to, the position is closed where its margin ran out on the
        way; with quotes at the touch. A cross position takes all cross positions with it.
        """
        clearing = self._clearing
        position = clearing.account.position(book.instrument.symbol)
        if not clearing.margin.is_short(position, mark):
            self._brace()
            return
        price = book.exit_price(position.size)
        if opened is not None:
            price = self._ran_out(position, opened, mark)
        falling = [position]
        if not clearing.margin.is_isolated(position.symbol):
            falling += [
                one
                for one in clearing.account.held()
                if one is not position and not clearing.margin.is_isolated(one.symbol)
            ]
        for one in falling:
            own = self._books[one.symbol]
            at = price if one is position else own.exit_price(one.size)
            if at is None:
                at = float(one.entry_price)
            clearing.liquidate(one, own.terms.slipped(at, one.size < 0), now)
        self._brace()

    def _ran_out(self, position: Position, opened: float, extreme: float) -> float:
        """Return where on the way from a bar's open to its extreme the margin ran out."""
        found = self._clearing.margin.liquidation_price(position)
        if found is None:
            return extreme
        price = float(found)
        if position.size > 0:
            return max(min(price, opened), extreme)
        return min(max(price, opened), extreme)

    def _brace(self) -> None:
        self._clearing.margin.brace()
        self._clearing.unbraced = False

    def _fund(self, book: Book, time: int) -> None:
        """Pay the funding of every full hour up to `time` (UTC ns)."""
        symbol, page, rate = book.instrument.symbol, book.page, book.rate
        if book.mark is None and self._clearing.account.position(symbol).size:
            return  # after a restart: the hours are paid once the mark is known
        if page.hour and rate and book.mark is not None:
            mark = Decimal(repr(book.mark))
            for hour in range(page.hour, time + 1, HOUR):
                position = self._clearing.account.position(symbol)
                if position.size:
                    self._clearing.fund(position, mark, rate, hour)
        page.hour = _next_hour(time)
        self._clearing.record.note(page)

    def _send(self, resting: Resting, due: int, *, cancels: bool = False) -> None:
        self._number += 1
        order = resting.order
        landing = Landing(due, self._number, order.symbol, order.cloid, cancels)
        heappush(self._landings, landing)
        self._clearing.record.send(landing)

    def _arrive(self, resting: Resting, now: int) -> None:
        """Let an order meet the market, in the place of another if it replaces one."""
        book, clearing = self._books[resting.order.symbol], self._clearing
        if resting.replaces:
            old = book.orders.get(resting.replaces)
            if old is None:
                clearing.end(resting, GONE, now)
                return
            if _only_shrinks(old, resting.order):
                clearing.succeed(old, resting, now)
                return
            clearing.end(old, f"replaced by {resting.order.cloid}", now)
        for match in book.arrive(resting):
            clearing.settle(match, now)


def _only_shrinks(old: Resting, order: Order) -> bool:
    """Tell whether `order` asks for no more than what `old` still does, and for the same."""
    same = all(getattr(old.order, name) == getattr(order, name) for name in KEPT)
    return old.live and same and order.size <= old.left


def _next_hour(time: int) -> int:
    return (time // HOUR + 1) * HOUR
