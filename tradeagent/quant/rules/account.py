"""Rules about the account in its worst case: exposure, margin and losses."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from tradeagent.messages import ZERO
from tradeagent.quant.rules.context import PASSED, Finding, OrderContext, down, up
from tradeagent.quant.rules.limits import Limits

ONE = Decimal(1)


@cache
def margin_rates(venue: int, ours: int) -> tuple[Decimal, Decimal]:
    """Return initial and maintenance margin of one unit of notional.

    The initial margin is that of the lower leverage, `venue`'s most or `ours`; maintenance is half
    the initial margin at the venue's most, as on Hyperliquid.
    """
    return ONE / min(venue, ours), ONE / (2 * venue)


@cache
def _multiple(whole: int) -> Decimal:
    return Decimal(whole)


def _at_most(amount: Decimal, order: OrderContext, allowed: Decimal, what: str) -> Finding:
    """Judge `amount` as a multiple of equity."""
    if order.equity <= 0:
        return None, None, f"{what} would be {amount!s} with no equity"
    value = up(amount, order.equity)
    if value <= allowed:
        return value, allowed, ""
    return value, allowed, f"{what} could be {value!s} of equity, at most {allowed!s}"


def position(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could lead to too large a position in the symbol."""
    worst, allowed = order.worst_value, limits.max_position_notional
    if worst <= allowed:
        return worst, allowed, ""
    return worst, allowed, f"the position could be worth {worst!s}, at most {allowed!s}"


def gross(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could lead to too much exposure over all symbols for the equity."""
    return _at_most(order.worst_exposure, order, limits.max_gross_ratio, "all exposure")


def net(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could leave the account too long or too short over all symbols."""
    longest, shortest, value, mark = order.longest, order.shortest, order.value, order.mark
    long = order.other_long + longest * (value if longest > 0 else mark)
    short = order.other_short + shortest * (value if shortest < 0 else mark)
    return _at_most(max(long, -short), order, limits.max_net_ratio, "net exposure")


def group(order: OrderContext, limits: Limits) -> Finding:
    """Refuse too much exposure in symbols that move together."""
    allowed = order.group_ratio or limits.max_group_ratio
    return _at_most(order.group_others + order.worst_value, order, allowed, "the group's exposure")


def leverage(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a position beyond the leverage that we or the venue allow."""
    allowed = _multiple(min(limits.max_leverage, order.instrument.max_leverage))
    return _at_most(order.worst_value, order, allowed, "the position")


def margin(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could bind too much of the equity as initial margin."""
    return _at_most(order.worst_margin, order, limits.max_margin_ratio, "initial margin")


def liquidation(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could bring the account too near to its liquidation.

    The distance is the move of all prices against the account at which its equity is its
    maintenance margin: (equity - maintenance) / exposure.
    """
    exposure, least = order.worst_exposure, limits.min_liquidation_distance_ratio
    if not exposure:
        return PASSED
    left = order.equity - order.other_maintenance - order.worst_value * order.maintenance_rate
    distance = down(left, exposure)
    if distance >= least:
        return distance, least, ""
    text = f"a move of {distance!s} against us would liquidate the account, at least {least!s}"
    return distance, least, text


def funds(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what the free part of the equity does not pay for, by our reckoning or the venue's."""
    least, equity = limits.funds_reserve_ratio, order.equity
    if equity <= 0:
        return None, None, "there is no equity"
    used = max(order.worst_margin, order.venue_margin + order.worth * order.margin_rate)
    free = down(equity - used, equity)
    if free >= least:
        return free, least, ""
    return free, least, f"{free!s} of equity would be left free of margin, at least {least!s}"


def daily_loss(order: OrderContext, limits: Limits) -> Finding:
    """Refuse new risk after the day's loss, a part of the equity the day began with."""
    opening, allowed = order.equity - order.day_pnl, limits.max_daily_loss_ratio
    if order.equity <= 0 or opening <= 0:
        return None, None, "there is no equity"
    loss = up(max(-order.day_pnl, ZERO), opening)
    if loss <= allowed:
        return loss, allowed, ""
    return loss, allowed, f"the day lost {loss!s} of its opening equity, at most {allowed!s}"


def drawdown(order: OrderContext, limits: Limits) -> Finding:
    """Refuse new risk after too deep a fall from the highest equity."""
    high, allowed = order.high_water, limits.max_drawdown_ratio
    if high <= 0:
        return PASSED
    fall = up(max(high - order.equity, ZERO), high)
    if fall <= allowed:
        return fall, allowed, ""
    return fall, allowed, f"equity is {fall!s} below its highest, {high!s}; at most {allowed!s}"
