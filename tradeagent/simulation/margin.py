"""Work out margins: what an order needs, what a position must keep, and when the venue closes it.

Cross positions share the account: its balance without what is set aside, and their results.
An isolated position has the margin it was given, and its own result. Either is liquidated when that
falls below the maintenance margin at the mark, which is half of the initial margin at the most
leverage the venue allows (Hyperliquid's rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tradeagent.messages import ZERO, InstrumentUpdate, Order
from tradeagent.simulation.account import CENT, Account, Position
from tradeagent.simulation.book import NOWHERE, Book
from tradeagent.simulation.matching import Resting
from tradeagent.simulation.settings import ExchangeSettings

UNSURE = 1e-9
"""The part of a distance in float that rounding cannot have added."""


class Leverages:
    """What an account has chosen: how much it borrows on a symbol, and which stand isolated."""

    def __init__(self, settings: ExchangeSettings) -> None:
        """Begin with what the settings say; `chosen` and `isolated` may be changed."""
        self._usual = settings.leverage
        self.chosen: dict[str, int] = dict(settings.leverages)
        self.isolated = set(settings.isolated)

    def of(self, instrument: InstrumentUpdate) -> int:
        """Return the leverage of a symbol, never more than its instrument allows."""
        return min(self.chosen.get(instrument.symbol, self._usual), instrument.max_leverage)

    def at(self, instrument: InstrumentUpdate, notional: Decimal) -> int:
        """Return the leverage of a position worth `notional`: ours, or less if the venue says."""
        return min(self.of(instrument), instrument.leverage(notional))


class Margin:
    """The margins of one account over its books; nothing here changes either."""

    def __init__(self, leverages: Leverages, books: Mapping[str, Book], account: Account) -> None:
        self.leverages = leverages
        self._books = books
        self._account = account

    def is_isolated(self, symbol: str) -> bool:
        """Tell whether positions in `symbol` stand on a margin of their own."""
        return symbol in self.leverages.isolated

    def marks(self) -> dict[str, Decimal]:
        """Return the marks of all positions that have one."""
        return {
            one.symbol: Decimal(repr(mark))
            for one in self._account.held()
            if (mark := self._books[one.symbol].last_mark) is not None
        }

    def used(self) -> Decimal:
        """Return the initial margin of all positions; an isolated one's is what it was given."""
        held = self._account.held()
        return sum(
            (one.margin if self.is_isolated(one.symbol) else self._initial_of(one) for one in held),
            ZERO,
        )

    def maintenance(self) -> Decimal:
        """Return the maintenance margin of all positions, rounded to the smallest money."""
        held = self._account.held()
        return sum((self.keep(one, self.mark(one)) for one in held), ZERO).quantize(CENT)

    def initial(self, symbol: str, size: Decimal, price: Decimal) -> Decimal:
        """Return the initial margin of a position of `size` above 0."""
        notional = size * price
        return notional / self.leverages.at(self._books[symbol].instrument, notional)

    def backed(self, position: Position, opened: Decimal, price: Decimal) -> Position:
        """Return a position with the margin of what was opened, which an isolated one is given."""
        if not self.is_isolated(position.symbol):
            return position
        margin = self.initial(position.symbol, opened, price).quantize(CENT)
        return replace(position, margin=position.margin + margin)

    def affords(self, order: Order, without: Resting | None = None) -> bool:
        """Tell whether the account covers the initial margin of the worst case with `order` added.

        The worst case of a symbol is all resting increases of one side filled on top of its
        position. An order that does not widen it is always afforded. `without` is a resting order
        that would make room.
        """
        longest, shortest = self._extremes(order.symbol, without)
        worst = longest + order.size if order.side == "buy" else order.size - shortest
        if worst <= max(longest, -shortest):
            return True
        needed = self._needed(order.symbol, worst, order.limit)
        for symbol, other in self._books.items():
            if symbol != order.symbol and (other.orders or self._account.position(symbol).size):
                longest, shortest = self._extremes(symbol)
                needed += self._needed(symbol, max(longest, -shortest))
        marks = self.marks()
        free = {symbol: mark for symbol, mark in marks.items() if not self.is_isolated(symbol)}
        return needed <= self._account.balance + self._account.unrealised(free)

    def is_short(self, position: Position, at: float | None = None) -> bool:
        """Tell whether `position` is to be liquidated when its mark is `at`, else at its mark.

        After a restart it is not, as long as it stands on others whose marks are not known yet.
        """
        if not self.is_isolated(position.symbol) and any(
            self._books[one.symbol].mark is None
            for one in self._account.held()
            if one.symbol != position.symbol and not self.is_isolated(one.symbol)
        ):
            return False
        mark = self.mark(position) if at is None else Decimal(repr(at))
        value, keep = self._stand(position)
        return value + position.size * mark < keep + self.keep(position, mark)

    def liquidation_price(self, position: Position) -> Decimal | None:
        """Return the mark at which `position` is liquidated if no other moves; None if none is.

        Solves value + size * mark = maintenance in the tier where the solution lies.
        """
        value, keep = self._stand(position)
        instrument = self._books[position.symbol].instrument
        size = position.size
        tiers = [(ZERO, instrument.max_leverage), *instrument.margin_tiers]
        for bound, leverage in reversed(tiers):
            rate = 1 / Decimal(2 * leverage)
            deducted = bound * rate - instrument.maintenance(bound)
            price = (keep - deducted - value) / (size - abs(size) * rate)
            if price > 0 and abs(size) * price >= bound:
                return price
        return None

    def brace(self) -> None:
        """Tell each book the marks between which no position of it can be short of margin.

        What cross positions have to spare is divided among them: while none has used up its
        share, all of them together cannot have used up the whole.
        """
        held = list(self._account.held())
        crossed = sum(1 for one in held if not self.is_isolated(one.symbol)) or 1
        for book in self._books.values():
            book.brink_low, book.brink_high = -NOWHERE, NOWHERE
        for one in held:
            book, mark = self._books[one.symbol], self.mark(one)
            value, keep = self._stand(one)
            spare = value + one.size * mark - keep - self.keep(one, mark)
            tiers = book.instrument.margin_tiers
            rate = 1 / (2 * min(book.instrument.max_leverage, *(m for _, m in tiers), 1 << 30))
            shares = 1 if self.is_isolated(one.symbol) else crossed
            if spare < 0:
                shares, rate = 1, -rate
            way = float(spare) / (float(abs(one.size)) * (1 + rate) * shares)
            way -= abs(way) * UNSURE
            if one.size > 0:
                book.brink_low = float(mark) - way
            else:
                book.brink_high = float(mark) + way

    def _stand(self, position: Position) -> tuple[Decimal, Decimal]:
        """Return what backs a position besides its own value, and what others must keep of it."""
        if self.is_isolated(position.symbol):
            return position.margin - position.cost, ZERO
        value, keep = self._account.balance - position.cost, ZERO
        for other in self._account.held():
            if self.is_isolated(other.symbol):
                value -= other.margin
            elif other.symbol != position.symbol:
                mark = self.mark(other)
                value += other.unrealised(mark)
                keep += self.keep(other, mark)
        return value, keep

    def mark(self, position: Position) -> Decimal:
        """Return the mark of a position's symbol, its entry price before any is known."""
        mark = self._books[position.symbol].last_mark
        return position.entry_price if mark is None else Decimal(repr(mark))

    def keep(self, position: Position, mark: Decimal) -> Decimal:
        """Return the maintenance margin of a position at a mark."""
        return self._books[position.symbol].instrument.maintenance(abs(position.size) * mark)

    def _initial_of(self, position: Position) -> Decimal:
        return self.initial(position.symbol, abs(position.size), self.mark(position))

    def _needed(self, symbol: str, size: Decimal, limit: Decimal | None = None) -> Decimal:
        """Return the initial margin at the mark; before any mark, at the limit or the entry."""
        position, mark = self._account.position(symbol), self._books[symbol].mark
        price = (limit or position.entry_price) if mark is None else Decimal(repr(mark))
        if self.is_isolated(symbol):
            return position.margin + self.initial(symbol, size - abs(position.size), price)
        return self.initial(symbol, size, price)

    def _extremes(self, symbol: str, without: Resting | None = None) -> tuple[Decimal, Decimal]:
        """Return the position with all resting buys filled, and with all resting sells filled."""
        longest = shortest = self._account.position(symbol).size
        for resting in self._books[symbol].orders.values():
            if resting.order.reduce_only or resting is without:
                continue
            if resting.buy:
                longest += resting.left
            else:
                shortest -= resting.left
        return longest, shortest
