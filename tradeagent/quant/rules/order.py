"""Rules about the order itself: who asks, its numbers, its grid, its size and its stop."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, TradingMode
from tradeagent.quant.rules.context import PASSED, Finding, OrderContext, up
from tradeagent.quant.rules.limits import Limits

SMALLEST = Decimal("1e-12")
LARGEST = Decimal("1e12")
"""No price or size of any market lies outside."""
_EXIT_NUMBERS = ("size", "price", "mark", "limit")
_ENTRY_NUMBERS = (*_EXIT_NUMBERS, "stop", "target")
_SUMS = (
    "position",
    "open_buys",
    "open_sells",
    "dearest",
    "other_exposure",
    "equity",
    "day_pnl",
    "other_long",
    "other_short",
    "group_others",
    "other_margin",
    "other_maintenance",
    "venue_margin",
    "high_water",
    "day_notional",
)


def state(order: OrderContext, _: Limits) -> Finding:
    """Let pass what the trading state allows."""
    mode = order.mode
    if mode is TradingMode.ACTIVE:
        return PASSED
    if mode is TradingMode.REDUCE_ONLY or mode is TradingMode.FLATTENING:
        passed, allowed = order.reduce_only, "reduce-only orders"
    else:
        passed, allowed = order.reduce_only and order.protective, "protective reduce-only orders"
    return PASSED if passed else (None, None, f"{mode.value} allows {allowed} alone")


def source(order: OrderContext, _: Limits) -> Finding:
    """Refuse what no enabled strategy and no operator asks for."""
    return PASSED if order.known_source else (None, None, "no enabled strategy asks for it")


def fresh(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a decision that expired, or whose price or account is old, or not known at all.

    The price of a bar may be as old as the bar is long. While the venue is away, or an order works
    in another symbol that has no price yet, nobody knows what the account may come to hold.
    """
    now = order.now
    allowed = order.bar_length / SECOND if order.bar_length else limits.max_price_age_s
    age = (now - order.price_time) / SECOND
    if now > order.valid_until:
        late = (now - order.valid_until) / SECOND
        return None, None, f"the request expired {late:.3f} s ago"
    if abs(age) > allowed:
        return age, allowed, f"the price is {age:.3f} s old, at most {allowed:g} s"
    heard = (now - order.account_time) / SECOND
    if abs(heard) > limits.max_account_age_s:
        most = limits.max_account_age_s
        return None, None, f"the venue told of the account {heard:.0f} s ago, at most {most:g} s"
    if order.venue_trouble:
        return None, None, order.venue_trouble
    if order.unpriced:
        return None, None, f"an order works in {order.unpriced}, of which no price is known"
    return age, allowed, ""


def finite(order: OrderContext, _: Limits) -> Finding:
    """Refuse numbers that no market has: NaN, infinite, zero, negative, absurdly large or small.

    An exit is judged by its own numbers and the mark only.
    """
    if order.reduce_only:
        wrong = _outside(order, _EXIT_NUMBERS)
    else:
        wrong = _outside(order, _ENTRY_NUMBERS)
        if not wrong and not _sum(order).is_finite():
            wrong = next(name for name in _SUMS if not getattr(order, name).is_finite())
            return None, None, f"{wrong} is {getattr(order, wrong)!s}"
    if not wrong:
        return PASSED
    bounds = f"{SMALLEST!s} to {LARGEST!s}"
    return None, None, f"{wrong} is {getattr(order, wrong)!s}, not within {bounds}"


def _outside(order: OrderContext, names: tuple[str, ...]) -> str:
    """Return the first of these numbers that no market has, or nothing."""
    for name in names:
        number = getattr(order, name)
        if number is not None and not (number.is_finite() and SMALLEST <= number <= LARGEST):
            return name
    return ""


def _sum(order: OrderContext) -> Decimal:
    """Return the sum of all that tells of the account: it is finite if each of them is."""
    total = order.position + order.open_buys + order.open_sells + order.other_exposure
    total += order.equity + order.day_pnl + order.other_long + order.other_short
    total += order.group_others + order.other_margin + order.other_maintenance
    return total + order.venue_margin + order.high_water + order.day_notional + order.dearest


def grid(order: OrderContext, _: Limits) -> Finding:
    """Refuse sizes off the lot and prices off the tick of the instrument."""
    instrument, size = order.instrument, order.size
    if not instrument.size_fits(size):
        return size, instrument.lot, f"size {size!s} is no multiple of lot {instrument.lot!s}"
    for name, price in (("limit", order.limit), ("stop", order.stop), ("target", order.target)):
        if price is not None and not instrument.price_fits(price):
            tick = instrument.tick
            return price, tick, f"{name} {price!s} is off the price grid, tick {tick!s}"
    return PASSED


def min_notional(order: OrderContext, _: Limits) -> Finding:
    """Refuse an order worth less than the venue takes."""
    worth, least = order.worth, order.instrument.min_notional
    if worth >= least:
        return worth, least, ""
    return worth, least, f"the order is worth {worth!s}, at least {least!s}"


def max_qty(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an order above its symbol's limit in base units."""
    most = limits.max_order_qty.get(order.instrument.symbol)
    if most is None:
        return PASSED
    size = order.size
    return size, most, "" if size <= most else f"size {size!s}, at most {most!s}"


def max_notional(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an order worth more than one order may be."""
    worth, most = order.worth, limits.max_order_notional
    if worth <= most:
        return worth, most, ""
    return worth, most, f"the order is worth {worth!s}, at most {most!s}"


def reduce(order: OrderContext, _: Limits) -> Finding:
    """Refuse a reduce-only order that could raise or flip the position."""
    if not order.reduce_only:
        return PASSED
    held = order.position if order.side == "sell" else -order.position
    left = max(held - order.pending_reduces, ZERO)
    if order.size <= left:
        return order.size, left, ""
    text = f"{order.side} {order.size!s}, position {order.position!s} leaves {left!s} to close"
    return order.size, left, text


def stop_plan(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an entry with no stop, or a stop or target on the wrong side or out of reach."""
    price, stop, target = order.order_price, order.stop, order.target
    buys = order.side == "buy"
    if target is not None and (target <= price if buys else target >= price):
        text = f"target {target!s} of a {order.side} at {price!s} is on the wrong side"
        return None, None, text
    if stop is None:
        return (None, None, "no stop; it is required") if limits.require_stop else PASSED
    if stop >= order.mark if buys else stop <= order.mark:
        return None, None, f"stop {stop!s} of a {order.side} is through the mark {order.mark!s}"
    nearest, farthest = limits.min_stop_distance_ratio, limits.max_stop_distance_ratio
    away = up(price - stop if buys else stop - price, price)
    if nearest <= away <= farthest:
        return away, farthest, ""
    bound = nearest if away < nearest else farthest
    text = (
        f"stop {stop!s} of a {order.side} at {price!s} is {away!s} away, "
        f"{nearest!s} to {farthest!s} allowed"
    )
    return away, bound, text
