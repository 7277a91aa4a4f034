"""Trade against a simulated exchange: the Exchange port over books, an account and a ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from tradeagent.errors import StateError
from tradeagent.integrations.base import Unsubscribe, VenueEvent
from tradeagent.messages import (
    TIMEFRAMES,
    AccountUpdate,
    ExecutionReport,
    FundingPayment,
    Holding,
    InstrumentUpdate,
    MarketData,
    Order,
    OrderStatus,
    PositionUpdate,
    Submission,
    VenueStatement,
)
from tradeagent.messages.build import typed
from tradeagent.simulation.admission import refusal
from tradeagent.simulation.clearing import SIBLING_FILLED, Clearing, standing
from tradeagent.simulation.ledger import OwnDaybook
from tradeagent.simulation.matching import Resting
from tradeagent.simulation.pit import Pit, PriceEvent
from tradeagent.simulation.settings import ExchangeSettings

_new_account_update = typed(AccountUpdate)

NEVER_PLACED = "the order was never placed"
NOT_RESTING = "the order to be replaced does not rest"
OTHER_SIDE = "a replacing order must keep the side of the one it replaces"


class SimulatedExchange:
    """A venue in memory, as strict as a real one and pessimistic where the data leaves doubt.

    It learns prices through `on_market`, which must run before anyone who trades on them. With
    quotes an order that can trade does so at once; its fill is delivered before `place_order`
    returns the acknowledgement. With bars only, orders wait for the next bar. Acknowledgements and
    answers to cancels are returned, everything else is delivered. Its calls never suspend.

    Prices from before it was started were missed: what they do happens at their own time, and fills
    of orders from before are marked `while_down`. No restart turns its time back.
    """

    remote = False

    def __init__(
        self,
        settings: ExchangeSettings,
        instruments: Sequence[InstrumentUpdate],
        ledger: OwnDaybook,
        now: Callable[[], int],
    ) -> None:
        """Stand where `ledger` stood; `now` tells the time in UTC ns. Raises StateError."""
        unlisted = {*settings.leverages, *settings.isolated} - {one.symbol for one in instruments}
        if unlisted:
            raise StateError(
                f"exchange.leverages and exchange.isolated name {', '.join(sorted(unlisted))}, "
                "which the exchange does not list; name what the feed has"
            )
        self.settings = settings
        self._instruments = tuple(instruments)
        self._ledger = ledger
        self._now = now
        self._time = ledger.latest
        self._clearing = Clearing(settings, instruments, ledger)
        self._books = self._clearing.books
        self._clearing.opened = now()
        self._pit = Pit(settings, self._clearing, ledger)
        self._listeners: list[Callable[[VenueEvent], None]] = []
        self._outbox: deque[VenueEvent] = deque()
        self._delivering = False

    async def start(self) -> None:
        """Take this moment for the one before which all prices were missed."""
        self._clearing.opened = self._now()

    async def close(self) -> None:
        """Close the ledger; orders stay where they are."""
        self._clearing.remember()
        with suppress(StateError):  # the marks alone: what was told is written
            self._clearing.commit()
        self._ledger.close()

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:
        """Hand every later report to `deliver`, in order; returns what ends that."""
        self._listeners.append(deliver)
        return lambda: self._listeners.remove(deliver)

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return what the exchange lists and on what grid."""
        return self._instruments

    def prepare(self, order: Order) -> Submission | None:  # noqa: ARG002
        """Return None: nothing goes over a wire."""
        return None

    async def place_order(
        self,
        order: Order,
        submission: Submission | None = None,  # noqa: ARG002
    ) -> ExecutionReport:
        """Place `order`: OPEN, REJECTED with a reason, or CANCELED when an IOC finds no match.

        A cloid that was seen before places nothing; the answer is how that order stands.
        """
        return self._ledger.find(order.cloid) or self._admit(order)

    async def modify_order(
        self,
        cloid: str,
        order: Order,
        submission: Submission | None = None,  # noqa: ARG002
    ) -> ExecutionReport:
        """Replace the resting order `cloid` by `order`: OPEN, or REJECTED and `cloid` stands.

        `order` is judged as if `cloid` were gone. The cancel of `cloid` is delivered before the
        answer; with a delay on orders, when `order` arrives, and `order` ends then if `cloid` has
        ended before.
        """
        known = self._ledger.find(order.cloid)
        if known is not None:
            return known
        now = self._land()
        replaced = self._resting(order.symbol, cloid)
        if replaced is None or replaced.buy != (order.side == "buy"):
            reason = NOT_RESTING if replaced is None else OTHER_SIDE
            return self._answer(self._clearing.refuse(order, reason, now))
        return self._admit(order, replaced)

    def _admit(self, order: Order, replaced: Resting | None = None) -> ExecutionReport:
        """Judge an order and, unless it is refused, let it go to the market."""
        now = self._land()
        clearing = self._clearing
        reason = refusal(order, self._books, clearing.account, clearing.margin, replaced)
        if not reason and order.group and self._ledger.group_filled(order.group):
            reason = SIBLING_FILLED
        if reason:
            return self._answer(clearing.refuse(order, reason, now))
        return self._answer(self._pit.place(order, now, replaced))

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel one order; an order that does not rest is told as it stands, refused.

        With a delay on cancels the answer is how the order stands now; its end is delivered.
        """
        now = self._land()
        resting = self._resting(symbol, cloid)
        if resting is not None:
            return self._answer(self._pit.withdraw(resting, now))
        known = self._ledger.find(cloid)
        return self._answer(
            ExecutionReport(
                cloid=cloid,
                symbol=symbol,
                status=OrderStatus.NOT_PLACED if known is None else known.status,
                time=now,
                oid=None if known is None else known.oid,
                cancel_refused=True,
                reason=NEVER_PLACED if known is None else known.reason,
            )
        )

    async def schedule_cancel(self, time: int | None) -> bool:  # noqa: ARG002
        """Return False: it ends with those who trade on it."""
        return False

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when it was never seen under that symbol."""
        resting = self._resting(symbol, cloid)
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

    async def get_funding(self, since: int) -> Sequence[FundingPayment]:
        """Return every funding payment whose time is at or after `since` (UTC ns)."""
        return self._ledger.funding(since)

    async def get_account_info(self) -> AccountUpdate:
        """Return balance, equity at the marks and the margins of all positions."""
        account, margin = self._clearing.account, self._clearing.margin
        unrealised = account.unrealised(margin.marks())
        return _new_account_update(
            balance=account.balance,
            equity=account.balance + unrealised,
            margin_used=margin.used(),
            maintenance_margin=margin.maintenance(),
            unrealised_pnl=unrealised,
            time=self._now(),
            stands=True,
        )

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return every position that is not flat, with the mark that would liquidate it."""
        account, margin = self._clearing.account, self._clearing.margin
        return [one.update(margin.liquidation_price(one)) for one in account.held()]

    async def get_statement(self) -> VenueStatement:
        """Return what is held, what rests and what it is worth."""
        account = await self.get_account_info()
        holdings = tuple(
            Holding(symbol=one.symbol, size=one.size, entry_price=one.entry_price)
            for one in self._clearing.account.held()
        )
        orders = tuple(await self.get_open_orders())
        return VenueStatement(
            asked=account.time,
            time=account.time,
            holdings=holdings,
            orders=orders,
            account=account,
        )

    def on_market(self, event: PriceEvent) -> None:
        """Take in a price and deliver what it does to orders and positions.

        A book with both sides moves the touch and leaves the mark of the last ticker.
        """
        clearing = self._clearing
        if isinstance(event, MarketData):
            time = event.time + TIMEFRAMES[event.timeframe]
            if time >= clearing.opened and self._pit.passes(event, time):
                return
        else:
            time = event.time
        clearing.missed = missed = time < clearing.opened
        self._time = max(self._time, time if missed else self._now())
        self._pit.take(event, self._time)
        if not clearing.record.written:
            self._publish()

    def _land(self) -> int:
        """Let what is due reach the market before anything else is decided; returns the time."""
        self._time = max(self._time, self._now())
        self._pit.land(self._time)
        self._publish()
        return self._time

    def _resting(self, symbol: str, cloid: str) -> Resting | None:
        book = self._books.get(symbol)
        return None if book is None else book.orders.get(cloid)

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
