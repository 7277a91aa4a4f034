"""Where a stop belongs as the price moves: it trails, breaks even, and never retreats."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.agents.legs import RESTING
from tradeagent.messages import InstrumentUpdate, OrderStatus, OrderUpdate

STEP = Decimal("0.1")
"""A trailing stop moves by at least this part of its distance, to spare the venue."""


def is_managed(update: OrderUpdate) -> bool:
    """Tell whether an order is a stop whose plan moves it."""
    plan = update.stop_plan
    return (
        update.order.type == "stop"
        and plan is not None
        and (plan.trail is not None or plan.break_even is not None)
    )


def is_missing(update: OrderUpdate) -> bool:
    """Tell whether an order is a stop that the venue refused, and none before it protects."""
    order = update.order
    refused = order.type == "stop" and update.status is OrderStatus.REJECTED
    return refused and order.replaces is None and not update.filled


def moved_stop(
    update: OrderUpdate, price: Decimal, entry: Decimal, instrument: InstrumentUpdate
) -> Decimal | None:
    """Return the trigger a resting stop should have at `price`, None where it stands well.

    A trailing stop keeps the distance `trail` to the best price; once `break_even` is reached the
    stop stands at `entry` or better. Both only ever move it with the position.
    """
    order, plan = update.order, update.stop_plan
    if plan is None or order.trigger is None or update.status not in RESTING:
        return None
    sign = 1 if order.side == "sell" else -1
    best, least = order.trigger, instrument.tick
    if plan.trail is not None:
        candidate = instrument.fit_price_against(price - sign * plan.trail, order.side)
        near = (price - candidate) * sign < instrument.tick
        if (candidate - best) * sign >= plan.trail * STEP and not near:
            best = candidate
    if plan.break_even is not None and (price - plan.break_even) * sign >= 0:
        candidate = instrument.fit_price_against(entry, order.side)
        if (candidate - best) * sign > 0 and (price - candidate) * sign > 0:
            best = candidate
    return best if (best - order.trigger) * sign >= least else None
