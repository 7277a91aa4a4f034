"""Trade against a simulated exchange: the Exchange port over books, an account and a ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tradeagent.integrations.base import Unsubscribe, VenueEvent
from tradeagent.messages import (
    AccountUpdate,
    ExecutionReport,
    InstrumentUpdate,
    MarketData,
    Order,
    OrderBookUpdate,
    OrderStatus,
    PositionUpdate,
    TickerUpdate,
)
from tradeagent.simulation.admission import margin_used, marks, refusal
from tradeagent.simulation.clearing import SIBLING_FILLED, Clearing, standing
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.matching import POST_ONLY, UNMATCHED, Match
from tradeagent.simulation.settings import ExchangeSettings

CANCELED = "canceled on request"
NEVER_PLACED = "the order was never placed"
NOT_THERE = "the order to be replaced is not there"


class SimulatedExchange:
    """A venue in memory, as strict as a real one and pessimistic where the data leaves doubt.

    It learns prices through `on_market`, which must run before anyone who trades on them. With
    quotes an order that can trade does so at once; its fill is delivered before `place_order`
    returns the acknowledgement. With bars only, orders wait for the next bar. Acknowledgements and
    answers to cancels are returned, everything else is delivered. Its calls never suspend.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        instruments: Sequence[InstrumentUpdate],
        ledger: Ledger,
        now: Callable[[], int],
    ) -> None:
        """Stand where `ledger` stood; `now` tells the time in UTC ns. Raises StateError."""
        self.settings = settings
        self._instruments = tuple(instruments)
        self._ledger = ledger
        self._now = now
        self._clearing = Clearing(settings, instruments, ledger)
        self._books = self._clearing.books
        self._listeners: list[Callable[[VenueEvent], None]] = []
        self._outbox: deque[VenueEvent] = deque()
        self._delivering = False

    async def start(self) -> None:
        """Do nothing: the ledger is open from the beginning."""

    async def close(self) -> None:
        """Close the ledger; orders stay where they are."""
        self._ledger.close()

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:
        """Hand every later report to `deliver`, in order; returns what ends that."""
        self._listeners.append(deliver)
        return lambda: self._listeners.remove(deliver)

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return what the exchange lists and on what grid."""
        return self._instruments

    async def place_order(self, order: Order) -> ExecutionReport:
        """Place `order`: OPEN, REJECTED with a reason, or CANCELED when an IOC finds no match.

        A cloid that was seen before places nothing; the answer is how that order stands.
        """
        known = self._ledger.find(order.cloid)
        if known is not None:
            return known
        now = self._now()
        reason = refusal(order, self._books, self._clearing.account, self.settings.leverage)
        if not reason and order.group and self._ledger.group_filled(order.group):
            reason = SIBLING_FILLED
        if reason:
            return self._answer(self._clearing.refuse(order, reason, now))
        book = self._books[order.symbol]
        if order.type == "limit" and book.bid is not None:
            if order.tif == "ALO" and book.crosses(order):
                return self._answer(self._clearing.refuse(order, POST_ONLY, now))
            if order.tif == "IOC" and not book.crosses(order):
                canceled = OrderStatus.CANCELED
                return self._answer(self._clearing.refuse(order, UNMATCHED, now, canceled))
        report, resting = self._clearing.accept(order, now)
        match = book.arrive(resting)
        if match is not None:
            self._clearing.settle(match, now)
        return self._answer(report)

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel one order; an order that does not rest is told as it stands, refused."""
        book = self._books.get(symbol)
        resting = None if book is None else book.orders.get(cloid)
        if resting is not None:
            return self._answer(self._clearing.cancel(resting, CANCELED, self._now()))
        known = self._ledger.find(cloid)
        return ExecutionReport(
            cloid=cloid,
            symbol=symbol,
            status=OrderStatus.NOT_PLACED if known is None else known.status,
            time=self._now(),
            oid=None if known is None else known.oid,
            cancel_refused=True,
            reason=NEVER_PLACED if known is None else known.reason,
        )

    async def modify_order(self, cloid: str, order: Order) -> ExecutionReport:
        """Replace the resting order `cloid` by `order`; REJECTED when there is none."""
        known = self._ledger.find(order.cloid)
        if known is not None:
            return known
        now, book = self._now(), self._books.get(order.symbol)
        resting = None if book is None else book.orders.get(cloid)
        if resting is None:
            return self._answer(self._clearing.refuse(order, NOT_THERE, now))
        reason = refusal(order, self._books, self._clearing.account, self.settings.leverage)
        if reason:
            return self._answer(self._clearing.refuse(order, reason, now))
        self._clearing.replace(resting, f"replaced by {order.cloid}", now)
        report, _ = self._clearing.accept(order, now)
        return self._answer(report)

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when it was never seen under that symbol."""
        book = self._books.get(symbol)
        resting = None if book is None else book.orders.get(cloid)
        if resting is not None:
            return standing(resting)
        known = self._ledger.find(cloid)
        return known if known is not None and known.symbol == symbol else None

    async def get_open_orders(self) -> Sequence[Order]:
        """Return every resting order, by symbol and then oldest first."""
        return [one.order for book in self._books.values() for one in book.orders.values()]

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Return every fill whose time is at or after `since` (UTC ns), oldest first."""
        return self._ledger.fills(since)

    async def get_account_info(self) -> AccountUpdate:
        """Return balance, equity at the marks and the initial margin of all positions."""
        account = self._clearing.account
        unrealised = account.unrealised(marks(self._books, account))
        return AccountUpdate(
            balance=account.balance,
            equity=account.balance + unrealised,
            margin_used=margin_used(self._books, account, self.settings.leverage),
            unrealised_pnl=unrealised,
            time=self._now(),
        )

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return every position that is not flat."""
        return [one.update() for one in self._clearing.account.positions.values() if one.size]

    def on_market(self, event: MarketData | TickerUpdate | OrderBookUpdate) -> None:
        """Take in a price and deliver what it does to resting orders.

        A book with both sides moves the touch and leaves the mark of the last ticker.
        """
        book = self._books.get(event.symbol)
        if book is None:
            return
        matches: Iterable[Match] = ()
        if isinstance(event, TickerUpdate):
            matches = book.quote(event.bid, event.ask, event.mark)
        elif isinstance(event, MarketData):
            matches = book.bar(event)
        elif event.bids and event.asks:
            matches = book.touch(event.bids[0][0], event.asks[0][0])
        if matches:
            now = self._now()
            for match in matches:
                self._clearing.settle(match, now)
            self._publish()

    def _answer(self, report: ExecutionReport) -> ExecutionReport:
        self._publish()
        return report

    def _publish(self) -> None:
        """Commit, then deliver; reports caused by a listener wait for those before them."""
        self._outbox.extend(self._clearing.commit())
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._outbox:
                report = self._outbox.popleft()
                for deliver in tuple(self._listeners):
                    deliver(report)
        finally:
            self._delivering = False
