"""Protective legs: the stop and the target that follow a filled entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tradeagent.agents.identity import cloid, epoch_of, intent_id
from tradeagent.agents.lifecycle import remaining
from tradeagent.messages import ZERO, Fill, Order, OrderStatus, OrderType, OrderUpdate
from tradeagent.messages.build import changed, typed

_new_order = typed(Order)
_new_order_update = typed(OrderUpdate)

PROTECTIVE = ("stop", "take_profit")
RESTING = (OrderStatus.OPEN, OrderStatus.PARTIAL)


def protective_legs(entry: OrderUpdate, fill: Fill, account: str) -> tuple[OrderUpdate, ...]:
    """Return the stop and the target of a fill, prepared; nothing for an entry without a plan.

    They carry the plan and the epoch of their entry, so that a later run gives them the same ids
    and finds again what left before it could be recorded.
    """
    plan = entry.stop_plan
    if plan is None or entry.order.reduce_only:
        return ()
    stop = _leg(entry, fill, "stop", plan.stop, account)
    if plan.target is None:
        return (stop,)
    return stop, _leg(entry, fill, "take_profit", plan.target, account)


def _leg(
    entry: OrderUpdate, fill: Fill, kind: OrderType, trigger: Decimal, account: str
) -> OrderUpdate:
    cause = f"{fill.intent_id}:{fill.tid}"
    intent = intent_id(account, entry.strategy, fill.symbol, cause, kind)
    order = _new_order(
        cloid=cloid(intent, 0, epoch_of(entry.order.cloid)),
        intent_id=intent,
        symbol=fill.symbol,
        side="sell" if fill.side == "buy" else "buy",
        size=fill.size,
        type=kind,
        trigger=trigger,
        reduce_only=True,
        group=f"{fill.cloid}:{fill.tid}",
    )
    return _new_order_update(
        order=order,
        status=OrderStatus.PREPARED,
        strategy=entry.strategy,
        shares=entry.shares,
        stop_plan=entry.stop_plan,
        expires_at=entry.expires_at,
    )


def another_attempt(update: OrderUpdate, attempt: int) -> OrderUpdate:
    """Return what is left of an order that is not there, prepared once more under a new id."""
    name = cloid(update.order.intent_id, attempt, epoch_of(update.order.cloid))
    order = changed(update.order, cloid=name, size=remaining(update), replaces=None)
    return changed(
        update,
        order=order,
        status=OrderStatus.PREPARED,
        filled=ZERO,
        average_price=None,
        oid=None,
        dies_at=0,
        reason="",
    )


def spare(
    legs: Iterable[OrderUpdate], parts: Mapping[str, Decimal], size: Decimal
) -> list[OrderUpdate]:
    """Return the legs that protect nothing: of a closed position, or of parts that are gone.

    Left at work, they would close the parts of others. Stops stay as far as the position needs
    them.
    """
    if not size:
        return [leg for leg in legs if leg.status is not OrderStatus.PEND_CANCEL]
    resting = [leg for leg in legs if leg.status in RESTING]
    stops = [leg for leg in resting if leg.order.type == "stop" and closes(leg, size)]
    cover = sum(map(remaining, stops), ZERO) - abs(size)
    gone = []
    for leg in resting:
        names = [share.strategy for share in leg.shares] or [leg.strategy]
        if any(closes(leg, parts.get(name, ZERO)) for name in names):
            continue
        if leg in stops:
            if cover < remaining(leg):
                continue
            cover -= remaining(leg)
        gone.append(leg)
    return gone


def oversized(
    legs: Iterable[OrderUpdate], parts: Mapping[str, Decimal], size: Decimal, lot: Decimal
) -> list[tuple[OrderUpdate, Decimal]]:
    """Return the resting legs that would take more than their strategy holds, and what it has left.

    They would take the rest from others. The oldest stay whole; what several strategies share is
    left alone, and stops stay as far as the position needs them.
    """
    left: dict[tuple[str, str], Decimal] = {}
    resting = [leg for leg in legs if leg.status in RESTING]
    stops = [leg for leg in resting if leg.order.type == "stop" and closes(leg, size)]
    cover = max(sum(map(remaining, stops), ZERO) - abs(size), ZERO)
    found = []
    for leg in resting:
        name = leg.shares[0].strategy if leg.shares else leg.strategy
        held = parts.get(name, ZERO)
        if len(leg.shares) > 1 or not closes(leg, held):
            continue
        room = left.get((name, leg.order.type), abs(held))
        excess = max(remaining(leg) - room, ZERO)
        left[name, leg.order.type] = max(room - remaining(leg), ZERO)
        if leg.order.type == "stop":
            excess = min(excess, cover)
        excess = excess // lot * lot
        if excess:
            found.append((leg, remaining(leg) - excess))
            cover -= excess if leg.order.type == "stop" else ZERO
    return found


def closes(leg: OrderUpdate, held: Decimal) -> bool:
    """Tell whether a leg is on the side that makes what is held smaller."""
    return held > 0 if leg.order.side == "sell" else held < 0
