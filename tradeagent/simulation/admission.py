"""Decide whether the exchange takes an order: its form, its grid, its value and its margin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeagent.messages import ZERO, InstrumentUpdate, Order
from tradeagent.simulation.account import Account
from tradeagent.simulation.book import Book
from tradeagent.simulation.margin import Margin
from tradeagent.simulation.matching import Resting

NO_MARGIN = "insufficient margin"
NO_PRICE = "no price of the symbol is known yet"
WOULD_INCREASE = "reduce-only order would increase the position"


def refusal(
    order: Order,
    books: Mapping[str, Book],
    account: Account,
    margin: Margin,
    without: Resting | None = None,
) -> str:
    """Return why the exchange refuses `order`, an empty text when it does not.

    `without` is a resting order that `order` would take the place of.
    """
    book = books.get(order.symbol)
    if book is None:
        return f"unknown symbol {order.symbol}"
    if reason := misfit(order, book.instrument):
        return reason
    price = order.limit if book.mark is None else Decimal(repr(book.mark))
    worth = order.size * (order.limit or price or ZERO)
    least = book.instrument.min_notional
    small = f"order value {worth:f} is below the minimum {least:f}" if worth < least else ""
    if order.reduce_only:
        closable = account.position(order.symbol).closable(order.side)
        if not closable:
            return WOULD_INCREASE
        part = order.size < closable and order.trigger is None and price is not None
        return small if part else ""
    if price is None:
        return NO_PRICE
    return small or ("" if margin.affords(order, without) else NO_MARGIN)


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
