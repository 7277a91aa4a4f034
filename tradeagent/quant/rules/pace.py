"""Rules about what came before an order: its pace, repetitions, locks and restrictions."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.clock import SECOND
from tradeagent.messages import Restriction
from tradeagent.quant.rules.context import PASSED, Finding, OrderContext
from tradeagent.quant.rules.limits import Limits

DAY = 86_400 * SECOND
MINUTES = 60 * SECOND


def venue_budget(order: OrderContext, limits: Limits) -> Finding:
    """Keep what the venue still allows for cancels and exits."""
    left, reserve = order.actions_left, limits.venue_budget_reserve
    if left is None or left > reserve:
        return PASSED
    return left, reserve, f"the venue allows {left} more actions, {reserve} are kept for cancels"


def open_orders(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an order while too many are open."""
    count, most = order.open_orders + 1, limits.max_open_orders
    return count, most, "" if count <= most else f"it would be open order {count}, at most {most}"


def rate(order: OrderContext, limits: Limits) -> Finding:
    """Refuse entries that are asked for too fast, in all or by one strategy."""
    for count, most, what in (
        (order.last_second, limits.max_orders_per_second, "a second"),
        (order.strategy_minute, limits.max_strategy_orders_per_minute, "a minute by its strategy"),
        (order.last_minute, limits.max_orders_per_minute, "a minute"),
    ):
        if count > most:
            return None, None, f"entry {count} within {what}, at most {most}"
    return order.last_minute, limits.max_orders_per_minute, ""


def duplicate(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a request that was approved already, and the same order right after it."""
    if order.known_intent:
        return None, None, "this very request was approved already"
    age, least = order.twin_age, limits.duplicate_window_s
    if age is None or age >= least * SECOND:
        return PASSED
    return age / SECOND, least, f"the same order was approved {age / SECOND:.3f} s ago"


def repeated(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a strategy that keeps on entering the same side of a symbol; that pauses it."""
    if order.now < order.paused_until:
        left = (order.paused_until - order.now) / SECOND
        return None, None, f"the strategy repeated itself and is paused for {left:.0f} s more"
    count, most = order.repeats + 1, limits.max_repeated_entries
    window = limits.repeated_window_s
    if count <= most:
        return count, most, ""
    return count, most, f"entry {count} on this side within {window:g} s, at most {most}"


def cooldown(order: OrderContext, _: Limits) -> Finding:
    """Refuse entries while a protection locks the symbol, the strategy or the account."""
    left = (order.locked_until - order.now) / SECOND
    return PASSED if left <= 0 else (None, None, f"locked for {left:.0f} s more: {order.lock}")


def compliance(order: OrderContext, _: Limits) -> Finding:
    """Refuse what the compliance restrictions in force do not allow."""
    limits = order.restriction
    if limits is None:
        return PASSED
    words = forbidden(limits, order.instrument.symbol, order.now)
    if words:
        return None, None, words
    orders, most = order.hour_orders + 1, limits.max_orders_per_hour
    if most is not None and orders > most:
        return None, None, f"entry {orders} within an hour, at most {most}"
    return _day_notional(limits, order.day_notional + order.worth)


def _day_notional(limits: Restriction, total: Decimal) -> Finding:
    most = limits.max_notional_per_day
    if most is None:
        return PASSED
    text = f"entries of the day would be worth {total!s}, at most {most!s}"
    return total, most, "" if total <= most else text


def forbidden(limits: Restriction, symbol: str, now: int) -> str:
    """Return why nothing new may be opened in `symbol` at `now` (UTC ns), or nothing."""
    if symbol in limits.restricted:
        return f"{symbol} is restricted"
    if limits.allowed and symbol not in limits.allowed:
        return f"{symbol} is not among the symbols allowed"
    if limits.hours and not _open(limits, now):
        return "it is outside the trading hours"
    return ""


def _open(limits: Restriction, now: int) -> bool:
    day, minute = (now // DAY + 3) % 7, now % DAY // MINUTES  # 1970 began on a Thursday
    return any(
        hours.weekday == day and hours.opens <= minute < hours.closes for hours in limits.hours
    )
