"""The blotter: every order, fill and position of an account, as the venue's reports tell them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

from tradeagent.agents.desk import OPERATOR, whole
from tradeagent.agents.identity import epoch_of, is_ours
from tradeagent.agents.legs import PROTECTIVE, another_attempt, closes, protective_legs
from tradeagent.agents.lifecycle import DENIED, DISPROVED, advance, heard, is_denied, is_working
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    Execution,
    ExecutionReport,
    Fill,
    FundingPayment,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Severity,
)
from tradeagent.messages.build import changed, typed
from tradeagent.quant.portfolio import Books
from tradeagent.storage.base import Past

_new_fill = typed(Fill)

S = OrderStatus
TAKEN = frozenset(
    {
        "",
        "canceled",
        "canceled on request",
        "marginCanceled",
        "openInterestCapCanceled",
        "selfTradeCanceled",
        "scheduledCancel",
        "internalCancel",
        DENIED,
    }
)
"""Why an order ended that had not done its work: somebody else's will, in venues' words."""
VENUE = "venue"
"""The author of orders that a venue makes itself."""
REMEMBERED = 1_000
"""Ended orders that are kept at hand, for fills that come late."""
BOOKED = 10_000
"""Orders whose fills are known, and payments, so that what is told again is not booked again."""


class Blotter:
    """Folds reports into orders, fills and positions; each fill is booked once."""

    def __init__(self, account: str, agent: str) -> None:
        self.orders: dict[str, OrderUpdate] = {}
        self.working: dict[str, OrderUpdate] = {}
        self.books: dict[str, Books] = {}
        self.last_fill = 0
        self.last_funding = 0
        self._account = account
        self._agent = agent
        self._epoch = 0
        self._intents: dict[str, None] = {}
        self._booked: dict[str, set[str]] = {}
        self._paid: dict[str, None] = {}
        self.unwanted: set[str] = set()
        self.inherited: frozenset[str] = frozenset()
        """Orders of which a start does not know whether they left."""

    def restore(self, past: Past) -> None:
        """Take up orders, booked fills and positions."""
        self._epoch = past.epoch & 0xFFFF
        for update in past.orders:
            self.keep(update)
        unsent = (one for one in past.orders if one.status is S.PREPARED)
        self.inherited = frozenset(one.order.cloid for one in unsent)
        for name, tid in past.fills:
            self._booked.setdefault(name, set()).add(tid)
        self.last_fill = past.last_fill_time
        self._paid = dict.fromkeys(past.payments)
        self.last_funding = past.last_funding_time
        for held in past.positions:
            self.books[held.symbol] = Books.resume(held)

    def keep(self, update: OrderUpdate) -> None:
        """Put an order's newest state in its place."""
        name = update.order.cloid
        self.orders[name] = update
        self._intents[update.order.intent_id] = None
        if is_working(update):
            self.working[name] = update
            return
        self.working.pop(name, None)
        if len(self.orders) > 2 * REMEMBERED:
            self._forget()

    def _forget(self) -> None:
        ended = [name for name in self.orders if name not in self.working]
        for name in ended[: len(ended) - REMEMBERED]:
            self._intents.pop(self.orders.pop(name).order.intent_id, None)
            self.unwanted.discard(name)

    def knows(self, order: Order) -> bool:
        """Tell whether an order or another attempt at its intent is booked."""
        return order.cloid in self.orders or order.intent_id in self._intents

    def is_on_its_way(self, update: OrderUpdate) -> bool:
        """Tell whether an order of this run has not left yet: who sends it tells what became."""
        return update.status is S.PREPARED and update.order.cloid not in self.inherited

    def may_be_out(self, order: Order) -> bool:
        """Tell whether an earlier run may have sent this stop or target without a record of it."""
        return order.type in PROTECTIVE and epoch_of(order.cloid) != self._epoch

    def matching(
        self, symbol: str | None, strategy: str | None, *, protective: bool
    ) -> Iterator[OrderUpdate]:
        """Yield the working orders of a symbol and strategy, all for None."""
        for update in tuple(self.working.values()):
            if (
                symbol in (None, update.symbol)
                and strategy in (None, update.strategy)
                and (protective or update.order.type not in PROTECTIVE)
            ):
                yield update

    def book(self, report: ExecutionReport) -> list[Message]:
        """Fold the venue's word into the order, the fill and the position it changes."""
        if not self.is_news(report):
            return []
        update = self.orders.get(report.cloid)
        if update is None and report.order is not None:
            return self._imposed(report, report.order)
        if update is None:
            return self._stranger(report)
        fill = report.execution
        if fill is None:
            return self._restate(update, report)
        if update.filled + fill.size > update.order.size:
            return [self.incident(update, "OVERFILL", Severity.CRITICAL, f"{fill}")]
        self._note_fill(report.cloid, fill.tid)
        return self._book_fill(update, report)

    def _note_fill(self, name: str, tid: str) -> None:
        self._booked.setdefault(name, set()).add(tid)
        if len(self._booked) > BOOKED:
            del self._booked[next(iter(self._booked))]

    def _book_fill(self, update: OrderUpdate, report: ExecutionReport) -> list[Message]:
        order, done = update.order, report.execution
        assert done is not None
        filled = update.filled + done.size
        paid = (update.average_price or ZERO) * update.filled + done.price * done.size
        late = update.status in TERMINAL
        status = S.FILLED if filled == order.size else S.PARTIAL
        if update.status is S.CANCELED:
            status = S.CANCELED
        elif update.status is S.PEND_CANCEL and status is S.PARTIAL:
            status = S.PEND_CANCEL
        elif late:
            update = advance(update, S.RESURRECTED)
        moved = advance(
            update,
            status,
            filled=filled,
            average_price=paid / filled,
            oid=report.oid or update.oid,
        )
        self.keep(moved)
        self.last_fill = max(self.last_fill, report.time)
        books = self.books.setdefault(order.symbol, Books(order.symbol))
        quantity = done.size if order.side == "buy" else -done.size
        closed = books.fill(
            quantity,
            done.price,
            done.fee,
            update.shares,
            protective=order.type in PROTECTIVE or done.liquidation,
        )
        fill = _fill_of(moved, report.time, done, closed)
        messages: list[Message] = [fill, books.update(report.time), moved]
        if late:
            messages.append(self.incident(update, "LATE_FILL", Severity.ERROR, f"{done}"))
        for leg in protective_legs(moved, fill, self._account):
            self.keep(leg)
            messages.append(leg)
        return messages

    def _closes(self, update: OrderUpdate) -> bool:
        """Tell whether an order is on the side that makes the position smaller."""
        books = self.books.get(update.symbol)
        return books is not None and closes(update, books.net.size)

    def _protects(self, update: OrderUpdate) -> bool:
        """Tell whether a leg is all there is of its kind: a moved one has another before it."""
        order = update.order
        return order.type in PROTECTIVE and order.replaces is None and self._closes(update)

    def _sibling_filled(self, update: OrderUpdate, *, whole: bool = False) -> bool:
        """Tell whether a leg of the same group has filled, `whole` asks for all of it."""
        group = update.order.group
        return group is not None and any(
            one.order.group == group and (one.status is S.FILLED if whole else one.filled)
            for one in self.orders.values()
        )

    def _lost(self, update: OrderUpdate, moved: OrderUpdate) -> OrderUpdate | None:
        """Return the stop that went by none of our doing, by `update` becoming `moved`, if any.

        One that was to be replaced is lost when neither stands: it is gone, and so is the other.
        """
        if moved.status in DISPROVED and moved.order.replaces is not None:
            moved = self.orders.get(moved.order.replaces, moved)
            update = moved
        order = moved.order
        taken = moved.status is S.CANCELED and moved.reason in TAKEN
        if order.type != "stop" or not taken or update.status is S.PEND_CANCEL:
            return None
        replaced = any(one.order.replaces == order.cloid for one in self.working.values())
        if replaced or order.cloid in self.unwanted:
            return None
        done = self._sibling_filled(moved, whole=True)
        return moved if self._closes(moved) and not done else None

    def _again(self, update: OrderUpdate) -> OrderUpdate:
        """Prepare the next attempt at a protective order that is not there."""
        attempts = (another_attempt(update, number) for number in count(1))
        renewed = next(one for one in attempts if one.order.cloid not in self.orders)
        self.keep(renewed)
        return renewed

    def _restate(self, update: OrderUpdate, report: ExecutionReport) -> list[Message]:
        """Move an order by a report without a fill; what says nothing new changes nothing."""
        status, oid = heard(update, report), report.oid or update.oid
        if status is None:
            if update.oid != oid:
                self.keep(changed(update, oid=oid))
            return []
        reason = report.reason or update.reason
        if status is S.CANCELED and report.status is S.NOT_PLACED:
            reason = DENIED
        moved = advance(update, status, oid=oid, reason=reason)
        self.keep(moved)
        return [moved, *self._remedies(update, moved), *self._told(update, moved, report)]

    def _remedies(self, update: OrderUpdate, moved: OrderUpdate) -> list[Message]:
        """Prepare anew what protects a position and is not there, `update` being now `moved`."""
        order = moved.order
        if moved.status is S.NOT_PLACED and self._protects(moved):
            return [] if order.cloid in self.unwanted else [self._again(moved)]
        lost = self._lost(update, moved)
        if lost is None:
            return []
        text = lost.reason
        return [self._again(lost), self.incident(lost, "STOP_LOST", Severity.WARNING, text)]

    def _told(
        self, update: OrderUpdate, moved: OrderUpdate, report: ExecutionReport
    ) -> Iterator[Incident]:
        """Yield what an operator must know of an order's move."""
        status, reason = moved.status, report.reason
        if status is S.RESURRECTED:
            yield self.incident(update, "RESURRECTED", Severity.CRITICAL, f"{report.status}")
        elif is_denied(moved):
            yield self.incident(update, "ORDER_DENIED", Severity.ERROR, reason)
        elif status is S.UNKNOWN:
            yield self.incident(update, "ORDER_UNKNOWN", Severity.WARNING, reason)
        elif status is S.REJECTED and self._protects(moved) and not self._sibling_filled(moved):
            yield self.incident(moved, "STOP_REJECTED", Severity.ERROR, reason)

    def _imposed(self, report: ExecutionReport, order: Order) -> list[Message]:
        """Take in an order the venue made itself: a liquidation closes every strategy's part."""
        update = OrderUpdate(
            order=order,
            status=S.OPEN,
            strategy=VENUE,
            shares=whole(VENUE),
            expires_at=report.time,
            reason="made by the venue",
        )
        self.keep(update)
        messages: list[Message] = [update, *self.book(report)]
        text = f"the venue closes {order.size} {order.symbol}: {report.execution}"
        return [*messages, self.incident(update, "LIQUIDATED", Severity.CRITICAL, text)]

    def _stranger(self, report: ExecutionReport) -> list[Message]:
        """Say so when the venue tells of an order we do not know; of a fill once."""
        ours = is_ours(report.cloid)
        if report.execution is not None:
            self._note_fill(report.cloid, report.execution.tid)
        return [
            Incident(
                code="UNKNOWN_ORDER" if ours else "FOREIGN_ORDER",
                severity=Severity.CRITICAL if ours else Severity.ERROR,
                agent=self._agent,
                symbol=report.symbol,
                text=f"the venue reports {report.cloid} as {report.status}; it is not in our books",
                evidence=report.model_dump_json(),
            )
        ]

    def heard_until(self, now: int) -> int:
        """Return until when (UTC ns) every fill of ours is known, at `now`.

        Before the first fill that is when the first request left; before that none can be ours,
        however much the account has traded.
        """
        if self.last_fill or not self.orders:
            return self.last_fill or now
        return min((one.dies_at for one in self.orders.values() if one.dies_at), default=0)

    def is_news(self, message: Message) -> bool:
        """Tell whether a fill or payment the venue tells of is not in the books yet."""
        if isinstance(message, FundingPayment):
            return message.tid not in self._paid
        done = message.execution if isinstance(message, ExecutionReport) else None
        if done is None or not isinstance(message, ExecutionReport):
            return True
        return done.tid not in self._booked.get(message.cloid, ())

    def fund(self, payment: FundingPayment) -> PositionUpdate | None:
        """Book funding on a position, each payment once."""
        if payment.tid in self._paid:
            return None
        self._paid[payment.tid] = None
        if len(self._paid) > BOOKED:
            del self._paid[next(iter(self._paid))]
        self.last_funding = max(self.last_funding, payment.time)
        books = self.books.setdefault(payment.symbol, Books(payment.symbol))
        books.fund(payment.payment)
        return books.update(payment.time)

    def adjust(self, symbol: str, stated: Decimal, price: Decimal, time: int) -> PositionUpdate:
        """Take over a position as the venue states it, at its price.

        What is gone was taken from every part alike, what was added is the operator's.
        """
        books = self.books.setdefault(symbol, Books(symbol))
        worth, held = price or books.net.entry_price, books.net.size
        change = stated - held
        if held * change < 0:
            gone = max(change, -held) if held > 0 else min(change, -held)
            books.fill(gone, worth, ZERO, whole(OPERATOR), protective=True)
        added = stated - books.net.size
        if added:
            books.fill(added, worth, ZERO, whole(OPERATOR))
        return books.update(time)

    def incident(self, update: OrderUpdate, code: str, severity: Severity, text: str) -> Incident:
        """Return an incident about one order."""
        return Incident(
            code=code,
            severity=severity,
            agent=self._agent,
            symbol=update.symbol,
            text=f"{update.order.cloid} ({update.status}): {text}",
        )


def _fill_of(update: OrderUpdate, time: int, done: Execution, closed_pnl: Decimal) -> Fill:
    order = update.order
    return _new_fill(
        cloid=order.cloid,
        intent_id=order.intent_id,
        tid=done.tid,
        symbol=order.symbol,
        side=order.side,
        size=done.size,
        price=done.price,
        fee=done.fee,
        closed_pnl=closed_pnl,
        liquidity=done.liquidity,
        time=time,
        strategy=update.strategy,
        shares=update.shares,
        while_down=done.while_down,
    )
