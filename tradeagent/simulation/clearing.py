"""Clear orders: what a match changes in the books and the account, and what is reported of it.

Everything one call or one market event brings about is gathered, written to the ledger in one
transaction, and only then handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from tradeagent.errors import StateError
from tradeagent.integrations.base import AccountEvent
from tradeagent.messages import (
    ZERO,
    Execution,
    ExecutionReport,
    FundingPayment,
    InstrumentUpdate,
    Order,
    OrderStatus,
)
from tradeagent.messages.build import typed
from tradeagent.messages.orders import Liquidity
from tradeagent.simulation.account import CENT, Account, Position
from tradeagent.simulation.book import Book
from tradeagent.simulation.fees import Fees
from tradeagent.simulation.ledger import Daybook
from tradeagent.simulation.margin import Leverages, Margin
from tradeagent.simulation.matching import Match, Page, Resting
from tradeagent.simulation.record import Record
from tradeagent.simulation.settings import ExchangeSettings

_new_execution_report = typed(ExecutionReport)
_new_execution = typed(Execution)

NOTHING_TO_REDUCE = "reduce-only: there is no position it would reduce"
CUT = "reduce-only: cut to the position"
SIBLING_FILLED = "another order of its group has filled"
LIQUIDATED = "the position is being liquidated"


class Clearing:
    """The books, the account and the ledger, which change together.

    `missed` tells that what happens now was missed, being older than `opened` (UTC ns): fills of
    what stood before that are marked `while_down`. `unbraced` tells that the account has changed
    since the books were told where it is short of margin. `surcharges` are what orders pay on top
    of the fee, as a part of the notional, by cloid. Of what would match at once only the `portion`
    fills.
    """

    def __init__(
        self, settings: ExchangeSettings, instruments: Sequence[InstrumentUpdate], ledger: Daybook
    ) -> None:
        """Stand where `ledger` stood; raises StateError when that needs an unlisted symbol."""
        self.record = Record(ledger)
        pages = ledger.pages()
        self.books = {
            one.symbol: Book(one, settings, self.record, pages.get(one.symbol) or Page(one.symbol))
            for one in instruments
        }
        flat = {symbol: Position(symbol) for symbol in self.books}
        self.account = Account(ledger.deposit(settings.balance), flat | ledger.positions())
        self.margin = Margin(Leverages(settings), self.books, self.account)
        self.opened = 0
        self.missed = False
        self.unbraced = True
        self.surcharges: dict[str, Decimal] = {}
        self.portion = Decimal(1)
        self._rations: dict[str, Decimal] = {}
        self._fees = Fees(settings, ledger.volumes())
        self._groups: dict[str, list[Resting]] = {}
        waiting = ledger.open_orders()
        held = [one.symbol for one in self.account.held()]
        for symbol in (*held, *(one.order.symbol for one in waiting)):
            if symbol not in self.books:
                raise StateError(
                    f"{ledger.path}: has a position or an order in {symbol}, which the exchange "
                    f"does not list; list {symbol} again or move the file away"
                )
        for one in waiting:
            self._rest(one)

    def commit(self) -> list[AccountEvent]:
        """Write what has changed, with the marks of what is held; returns what may now be told."""
        self._rations.clear()
        if not self.record.written:
            self.remember()
        return self.record.commit()

    def remember(self) -> None:
        """Keep the marks of what is held with the next transaction."""
        for one in self.account.held():
            self.books[one.symbol].remember()

    def accept(
        self, order: Order, now: int, placed: int, replaces: str = ""
    ) -> tuple[ExecutionReport, Resting]:
        """Let an order rest that reaches the market at `placed`; returns its acknowledgement."""
        number = self.record.number()
        resting = Resting(order, str(number), placed, replaces=replaces, rank=number)
        self._rest(resting)
        self.books[order.symbol].remember()  # what the order gets is measured from there
        report = _report(order, OrderStatus.OPEN, now, resting.oid)
        self.record.enter(report, resting, tell=False)
        return report, resting

    def refuse(
        self, order: Order, reason: str, now: int, status: OrderStatus = OrderStatus.REJECTED
    ) -> ExecutionReport:
        """Note an order that never rests; returns the refusal."""
        oid = None if status is OrderStatus.REJECTED else str(self.record.number())
        report = _report(order, status, now, oid, reason)
        self.record.enter(report, Resting(order, "", now), tell=False)
        return report

    def end(
        self, resting: Resting, reason: str, time: int, *, tell: bool = True
    ) -> ExecutionReport:
        """End a resting order without a fill; returns what is told of it."""
        self._leave(resting)
        report = _report(resting.order, OrderStatus.CANCELED, time, resting.oid, reason)
        self.record.enter(report, tell=tell)
        return report

    def shrink(self, resting: Resting, size: Decimal) -> None:
        """Let a resting order want `size` less than it did."""
        resting.shrunk += size
        self.record.keep(resting)

    def back(self, position: Position, amount: Decimal) -> None:
        """Give an isolated position more margin, or less: below 0."""
        self._book(replace(position, margin=position.margin + amount))

    def succeed(self, old: Resting, new: Resting, time: int) -> None:
        """Let `new`, which rests already, stand exactly where `old` stood, and end `old`."""
        book = self.books[old.order.symbol]
        new.placed, new.ahead, new.live = old.placed, old.ahead, old.live
        new.triggered, new.rank = old.triggered, old.rank
        self.record.keep(new)
        book.remove(new)
        book.put_in_place(old, new)
        group = self._groups.get(old.order.group or "")
        if group is not None:
            group.remove(new)
            group.insert(group.index(old), new)
        self._forget(old)
        reason = f"replaced by {new.order.cloid}"
        self.record.enter(_report(old.order, OrderStatus.CANCELED, time, old.oid, reason))

    def settle(self, match: Match, now: int) -> None:
        """Carry out a match: the fill and the cancels that follow from it, or the order's end."""
        resting, time = match.resting, now if match.time is None else match.time
        order = resting.order
        position = self.account.position(order.symbol)
        size = resting.left if match.size is None else min(match.size, resting.left)
        if order.reduce_only:
            size = min(size, position.closable(order.side))
        if self.portion < 1 and match.price is not None:
            size = self._ration(resting, size)
            if not size:
                return
        if match.price is None or not size:
            self.end(resting, NOTHING_TO_REDUCE if match.price is not None else match.reason, time)
            return
        resting.filled += size
        closed = order.reduce_only and size == position.closable(order.side)
        done = closed or not resting.left
        if done:
            self._leave(resting)
        else:
            self.record.keep(resting)
        self._fill(resting, match.price, size, match.liquidity, time)
        if done and resting.filled < order.size:
            reason = CUT if closed else SIBLING_FILLED
            self.record.enter(_report(order, OrderStatus.CANCELED, time, resting.oid, reason))
        self._spare_siblings(resting, size, done, time)
        self._moved(position, time)

    def _ration(self, resting: Resting, size: Decimal) -> Decimal:
        """Return how much of a match fills where only a portion of all that would match does."""
        grid, cloid = self.books[resting.order.symbol].instrument, resting.order.cloid
        if cloid not in self._rations:
            self._rations[cloid] = max(grid.fit_size(resting.left * self.portion), grid.lot)
        size = min(size, self._rations[cloid])
        self._rations[cloid] -= size
        return size

    def liquidate(self, position: Position, price: Decimal, time: int) -> None:
        """Close a position against the account's will, its orders first."""
        book = self.books[position.symbol]
        for resting in list(book.orders.values()):
            self.end(resting, LIQUIDATED, time)
        cloid = f"liquidation-{self.record.number()}"
        order = Order(
            cloid=cloid,
            intent_id=cloid,
            symbol=position.symbol,
            side="sell" if position.size > 0 else "buy",
            size=abs(position.size),
            type="market",
            reduce_only=True,
        )
        closing = Resting(order, str(self.record.number()), time)
        closing.filled = order.size
        self._fill(closing, price, order.size, "taker", time, liquidation=True)
        self._moved(position, time)

    def fund(self, position: Position, mark: Decimal, rate: Decimal, hour: int) -> None:
        """Let a position pay the funding of the hour that ends at `hour` (UTC ns).

        size * mark * rate: a long pays where the rate is above 0, a short receives.
        """
        payment = (position.size * mark * rate).quantize(CENT)
        self._book(position.paid(payment))
        told = FundingPayment(
            symbol=position.symbol,
            time=hour,
            rate=rate,
            payment=payment,
            tid=f"funding-{position.symbol}-{hour}",
        )
        self.record.enter(told)

    def _fill(
        self,
        resting: Resting,
        price: Decimal,
        size: Decimal,
        liquidity: Liquidity,
        time: int,
        *,
        liquidation: bool = False,
    ) -> None:
        """Book and report one fill; `resting` has it already."""
        order = resting.order
        rate = self._fees.rate(liquidity, time) + self.surcharges.get(order.cloid, ZERO)
        fee = (price * size * rate).quantize(CENT)
        before = self.account.position(order.symbol)
        position = before.filled(order.side, size, price, fee, time)
        if opened := size - min(size, before.closable(order.side)):
            position = self.margin.backed(position, opened, price)
        self._book(position)
        self.record.trade(*self._fees.add(price * size, time))
        execution = _new_execution(
            tid=str(self.record.number()),
            price=price,
            size=size,
            fee=fee,
            liquidity=liquidity,
            while_down=self.missed and (liquidation or resting.placed < self.opened),
            liquidation=liquidation,
        )
        whole = resting.filled == order.size
        status = OrderStatus.FILLED if whole else OrderStatus.PARTIAL
        made = order if liquidation else None
        report = _report(order, status, time, resting.oid, execution=execution, made=made)
        group = None if resting.order.cloid in self.books[order.symbol].orders else order.group
        self.record.enter(report, resting if liquidation else None, group)

    def _book(self, position: Position) -> None:
        self.account.book(position)
        self.record.hold(position)
        self.unbraced = True

    def _spare_siblings(self, resting: Resting, size: Decimal, done: bool, time: int) -> None:
        """Cancel the rest of a group when one is done; a part of it takes as much from each."""
        for sibling in list(self._groups.get(resting.order.group or "", ())):
            if sibling is resting:
                continue
            sibling.shrunk += min(size, sibling.left)
            self.record.keep(sibling)
            if done or not sibling.left:
                self.end(sibling, SIBLING_FILLED, time)

    def _moved(self, before: Position, time: int) -> None:
        """Look after what hangs on a position that a fill has changed."""
        after = self.account.position(before.symbol)
        turned = before.size * after.size <= 0
        if turned and before.size:
            self._sweep(after, time)
        if after.size and (turned or abs(after.size) > abs(before.size)):
            self.books[before.symbol].entered()

    def _sweep(self, position: Position, time: int) -> None:
        """Cancel the reduce-only orders that have nothing left to reduce."""
        for resting in list(self.books[position.symbol].orders.values()):
            if resting.order.reduce_only and not position.closable(resting.order.side):
                self.end(resting, NOTHING_TO_REDUCE, time)

    def _rest(self, resting: Resting) -> None:
        self.books[resting.order.symbol].add(resting)
        if resting.order.group:
            self._groups.setdefault(resting.order.group, []).append(resting)

    def _leave(self, resting: Resting) -> None:
        self.books[resting.order.symbol].remove(resting)
        self._forget(resting)

    def _forget(self, resting: Resting) -> None:
        self.record.drop(resting)
        group = self._groups.get(resting.order.group or "")
        if group is not None:
            group.remove(resting)
            if not group:
                del self._groups[resting.order.group or ""]


def standing(resting: Resting) -> ExecutionReport:
    """Return how a resting order stands."""
    status = OrderStatus.PARTIAL if resting.filled else OrderStatus.OPEN
    return _report(resting.order, status, resting.placed, resting.oid)


def _report(
    order: Order,
    status: OrderStatus,
    time: int,
    oid: str | None,
    reason: str = "",
    execution: Execution | None = None,
    made: Order | None = None,
) -> ExecutionReport:
    return _new_execution_report(
        cloid=order.cloid,
        symbol=order.symbol,
        status=status,
        time=time,
        oid=oid,
        reason=reason,
        execution=execution,
        order=made,
    )
