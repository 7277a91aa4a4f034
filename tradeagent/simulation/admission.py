"""Decide whether the exchange takes an order: its form, its grid, its value and its margin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeagent.messages import ZERO, InstrumentUpdate, Order
from tradeagent.simulation.account import Account
from tradeagent.simulation.matching import Book

NO_MARGIN = "insufficient margin"
NO_PRICE = "no price of the symbol is known yet"
WOULD_INCREASE = "reduce-only order would increase the position"


def refusal(order: Order, books: Mapping[str, Book], account: Account, leverage: int) -> str:
    """Return why the exchange refuses `order`, an empty text when it does not."""
    book = books.get(order.symbol)
    if book is None:
        return f"unknown symbol {order.symbol}"
    if reason := misfit(order, book.instrument):
        return reason
    if order.reduce_only:
        closable = account.position(order.symbol).closable(order.side)
        return "" if closable else WOULD_INCREASE
    price = order.limit if book.mark is None else Decimal(repr(book.mark))
    if price is None:
        return NO_PRICE
    least = book.instrument.min_notional
    if order.size * (order.limit or price) < least:
        return f"order value {order.size * (order.limit or price):f} is below the minimum {least:f}"
    return "" if affords(order, books, account, leverage) else NO_MARGIN


def misfit(order: Order, instrument: InstrumentUpdate) -> str:
    """Return how an order breaks the form of its type or the instrument's grid, if it does."""
    if not instrument.size_fits(order.size):
        return f"size {order.size:f} is not a multiple of {instrument.lot:f}"
    for name, price in (("limit", order.limit), ("trigger", order.trigger)):
        if price is not None and not instrument.price_fits(price):
            return f"{name} price {price:f} is not on the grid of {instrument.tick:f}"
    if order.type in ("stop", "take_profit"):
        if order.trigger is None:
            return f"a {order.type} order needs a trigger price"
        return "" if order.reduce_only else f"a {order.type} order must be reduce-only"
    if order.trigger is not None:
        return f"a {order.type} order takes no trigger price"
    if order.type == "limit" and order.limit is None:
        return "a limit order needs a limit price"
    return ""


def marks(books: Mapping[str, Book], account: Account) -> dict[str, Decimal]:
    """Return the marks of all positions that have one."""
    return {
        one.symbol: Decimal(repr(mark))
        for one in account.positions.values()
        if one.size and (mark := books[one.symbol].mark) is not None
    }


def margin_used(books: Mapping[str, Book], account: Account, leverage: int) -> Decimal:
    """Return the initial margin of all positions."""
    held = [one for one in account.positions.values() if one.size]
    return sum((_margin(books[one.symbol], abs(one.size), account, leverage) for one in held), ZERO)


def affords(order: Order, books: Mapping[str, Book], account: Account, leverage: int) -> bool:
    """Tell whether equity covers the initial margin of the worst case with `order` added.

    The worst case of a symbol is all resting increases of one side filled on top of its position.
    An order that does not widen it is always afforded.
    """
    book = books[order.symbol]
    longest, shortest = _extremes(book, account)
    worst = longest + order.size if order.side == "buy" else order.size - shortest
    if worst <= max(longest, -shortest):
        return True
    needed = _margin(book, worst, account, leverage, order.limit)
    for symbol, other in books.items():
        if symbol != order.symbol and (other.orders or account.position(symbol).size):
            longest, shortest = _extremes(other, account)
            needed += _margin(other, max(longest, -shortest), account, leverage)
    return needed <= account.balance + account.unrealised(marks(books, account))


def _extremes(book: Book, account: Account) -> tuple[Decimal, Decimal]:
    """Return the position with all resting buys filled, and with all resting sells filled."""
    longest = shortest = account.position(book.instrument.symbol).size
    for resting in book.orders.values():
        if resting.order.reduce_only:
            continue
        if resting.buy:
            longest += resting.order.size
        else:
            shortest -= resting.order.size
    return longest, shortest


def _margin(
    book: Book, size: Decimal, account: Account, leverage: int, limit: Decimal | None = None
) -> Decimal:
    """Return the initial margin at the mark; before any mark, at the limit or the entry."""
    if book.mark is not None:
        price = Decimal(repr(book.mark))
    else:
        price = limit or account.position(book.instrument.symbol).entry_price
    return size * price / min(leverage, book.instrument.max_leverage)
