"""Clear orders: what a match changes in the books and the account, and what is reported of it.

Everything one call or one market event brings about is gathered, written to the ledger in one
transaction, and only then handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tradeagent.errors import StateError
from tradeagent.messages import (
    Execution,
    ExecutionReport,
    InstrumentUpdate,
    Order,
    OrderStatus,
)
from tradeagent.messages.build import checked
from tradeagent.simulation.account import CENT, Account, Position
from tradeagent.simulation.ledger import Entry, Ledger
from tradeagent.simulation.matching import Book, Match, Resting
from tradeagent.simulation.settings import ExchangeSettings

_new_execution_report = checked(ExecutionReport)

NOTHING_TO_REDUCE = "reduce-only: there is no position it would reduce"
CUT = "reduce-only: cut to the position"
SIBLING_FILLED = "another order of its group has filled"


class Clearing:
    """The books, the account and the ledger, which change together."""

    def __init__(
        self, settings: ExchangeSettings, instruments: Sequence[InstrumentUpdate], ledger: Ledger
    ) -> None:
        """Stand where `ledger` stood; raises StateError when that needs an unlisted symbol."""
        self.settings = settings
        self.ledger = ledger
        self.books = {one.symbol: Book(one, settings.slippage_bp) for one in instruments}
        self.account = Account(ledger.deposit(settings.balance), ledger.positions())
        self._groups: dict[str, list[Resting]] = {}
        self._entries: list[Entry] = []
        self._changed: dict[str, Position] = {}
        self._unsent: list[ExecutionReport] = []
        held = [one.symbol for one in self.account.positions.values() if one.size]
        waiting = ledger.open_orders()
        for symbol in (*held, *(one.order.symbol for one in waiting)):
            if symbol not in self.books:
                raise StateError(
                    f"{ledger.path}: has a position or an order in {symbol}, which the exchange "
                    f"does not list; list {symbol} again or move the file away"
                )
        for one in waiting:
            self._rest(Resting(one.order, one.oid, one.placed))

    def accept(self, order: Order, now: int) -> tuple[ExecutionReport, Resting]:
        """Let an order rest; returns its acknowledgement."""
        resting = Resting(order, str(self._next_seq()), now)
        self._rest(resting)
        return self._enter(_report(order, OrderStatus.OPEN, now, resting.oid), order), resting

    def refuse(
        self, order: Order, reason: str, now: int, status: OrderStatus = OrderStatus.REJECTED
    ) -> ExecutionReport:
        """Note an order that never rests; returns the refusal."""
        oid = None if status is OrderStatus.REJECTED else str(self._next_seq())
        return self._enter(_report(order, status, now, oid, reason), order)

    def cancel(self, resting: Resting, reason: str, time: int) -> ExecutionReport:
        """End a resting order without a fill."""
        self._leave(resting)
        report = _report(resting.order, OrderStatus.CANCELED, time, resting.oid, reason)
        return self._enter(report)

    def replace(self, resting: Resting, reason: str, time: int) -> None:
        """End a resting order that another takes the place of; its end is told as an event."""
        self._unsent.append(self.cancel(resting, reason, time))

    def settle(self, match: Match, now: int) -> None:
        """Carry out a match: the fill and the cancels that follow from it, or the order's end."""
        resting, time = match.resting, now if match.time is None else match.time
        order = resting.order
        position = self.account.position(order.symbol)
        size = order.size
        if order.reduce_only:
            size = min(size, position.closable(order.side))
        if match.price is None or not size:
            reason = NOTHING_TO_REDUCE if match.price is not None else match.reason
            self._unsent.append(self.cancel(resting, reason, time))
            return
        self._leave(resting)
        self._fill(match, match.price, size, time)
        if size < order.size:
            cut = _report(order, OrderStatus.CANCELED, time, resting.oid, CUT)
            self._unsent.append(self._enter(cut))
        for sibling in self._groups.pop(order.group or "", ()):
            self._unsent.append(self.cancel(sibling, SIBLING_FILLED, time))
        after = self.account.position(order.symbol)
        turned = position.size * after.size <= 0
        if turned and position.size:
            self._sweep(after, time)
        if after.size and (turned or abs(after.size) > abs(position.size)):
            self.books[order.symbol].entered()

    def commit(self) -> list[ExecutionReport]:
        """Write all that happened since the last commit; returns the reports that may now go out.

        Raises StateError; nothing may go out then.
        """
        if not self._entries:
            return []
        entries, positions = self._entries, list(self._changed.values())
        self._entries, self._changed = [], {}
        self.ledger.write(entries, positions)
        unsent, self._unsent = self._unsent, []
        return unsent

    def _fill(self, match: Match, price: Decimal, size: Decimal, time: int) -> None:
        resting, order = match.resting, match.resting.order
        maker = match.liquidity == "maker"
        rate = self.settings.maker_fee if maker else self.settings.taker_fee
        fee = (price * size * rate).quantize(CENT)
        position = self.account.position(order.symbol).filled(order.side, size, price, fee, time)
        self.account.book(position)
        self._changed[order.symbol] = position
        execution = Execution(
            tid=str(self._next_seq()), price=price, size=size, fee=fee, liquidity=match.liquidity
        )
        status = OrderStatus.FILLED if size == order.size else OrderStatus.PARTIAL
        report = _report(order, status, time, resting.oid, execution=execution)
        self._unsent.append(self._enter(report, group=order.group))

    def _sweep(self, position: Position, time: int) -> None:
        """Cancel the reduce-only orders that have nothing left to reduce."""
        for resting in list(self.books[position.symbol].orders.values()):
            if resting.order.reduce_only and not position.closable(resting.order.side):
                self._unsent.append(self.cancel(resting, NOTHING_TO_REDUCE, time))

    def _rest(self, resting: Resting) -> None:
        self.books[resting.order.symbol].add(resting)
        if resting.order.group:
            self._groups.setdefault(resting.order.group, []).append(resting)

    def _leave(self, resting: Resting) -> None:
        self.books[resting.order.symbol].remove(resting)
        group = self._groups.get(resting.order.group or "")
        if group is not None:
            group.remove(resting)
            if not group:
                del self._groups[resting.order.group or ""]

    def _enter(
        self, report: ExecutionReport, order: Order | None = None, group: str | None = None
    ) -> ExecutionReport:
        self._entries.append(Entry(self._next_seq(), report, order, group))
        return report

    def _next_seq(self) -> int:
        return self.ledger.seq + len(self._entries) + 1


def standing(resting: Resting) -> ExecutionReport:
    """Return how a resting order stands: as it was acknowledged, for it fills whole or ends."""
    return _report(resting.order, OrderStatus.OPEN, resting.placed, resting.oid)


def _report(
    order: Order,
    status: OrderStatus,
    time: int,
    oid: str | None,
    reason: str = "",
    execution: Execution | None = None,
) -> ExecutionReport:
    return _new_execution_report(
        cloid=order.cloid,
        symbol=order.symbol,
        status=status,
        time=time,
        oid=oid,
        reason=reason,
        execution=execution,
    )
