"""The order state machine: what can follow what, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradeagent.errors import IllegalTransition
from tradeagent.messages import TERMINAL, OrderStatus, OrderUpdate
from tradeagent.messages.build import changed

S = OrderStatus

LEGAL: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.NEW: frozenset({S.DENIED, S.APPROVED}),
    S.APPROVED: frozenset({S.EXPIRED_LOCAL, S.PREPARED}),
    S.PREPARED: frozenset(
        {S.OPEN, S.PARTIAL, S.FILLED, S.REJECTED, S.CANCELED, S.UNKNOWN, S.NOT_PLACED, S.TRIGGERED}
    ),
    S.UNKNOWN: frozenset(
        {S.OPEN, S.PARTIAL, S.FILLED, S.CANCELED, S.REJECTED, S.NOT_PLACED, S.TRIGGERED}
    ),
    S.OPEN: frozenset(
        {
            S.PARTIAL,
            S.FILLED,
            S.TRIGGERED,
            S.PEND_CANCEL,
            S.PEND_REPLACE,
            S.CANCELED,
            S.REJECTED,
        }
    ),
    S.TRIGGERED: frozenset({S.OPEN, S.PARTIAL, S.FILLED, S.CANCELED, S.REJECTED}),
    S.PARTIAL: frozenset(
        {S.PARTIAL, S.FILLED, S.TRIGGERED, S.PEND_CANCEL, S.PEND_REPLACE, S.CANCELED}
    ),
    S.PEND_CANCEL: frozenset(
        {S.CANCELED, S.FILLED, S.PEND_CANCEL, S.OPEN, S.PARTIAL, S.TRIGGERED, S.REJECTED}
    ),
    S.PEND_REPLACE: frozenset(
        {S.OPEN, S.PARTIAL, S.FILLED, S.TRIGGERED, S.CANCELED, S.REJECTED, S.UNKNOWN}
    ),
    S.CANCELED: frozenset({S.CANCELED}),
    S.FILLED: frozenset(),
    S.REJECTED: frozenset({S.RESURRECTED}),
    S.NOT_PLACED: frozenset({S.RESURRECTED}),
    S.DENIED: frozenset({S.RESURRECTED}),
    S.EXPIRED_LOCAL: frozenset({S.RESURRECTED}),
    S.RESURRECTED: frozenset({S.PARTIAL, S.FILLED, S.CANCELED, S.RESURRECTED}),
}
"""Each status and what may follow it; CANCELED may only learn of a late fill."""


def advance(update: OrderUpdate, status: OrderStatus, **changes: Any) -> OrderUpdate:
    """Return `update` moved to `status`; raises IllegalTransition for a move no order can make.

    The filled size never shrinks and never passes the order's size.
    """
    if status not in LEGAL[update.status]:
        raise IllegalTransition(f"{update.order.cloid}: {update.status} cannot become {status}")
    filled: Decimal = changes.get("filled", update.filled)
    if not update.filled <= filled <= update.order.size:
        raise IllegalTransition(
            f"{update.order.cloid}: filled {update.filled} cannot become {filled}"
            f" of {update.order.size}"
        )
    return changed(update, status=status, **changes)


def is_working(update: OrderUpdate) -> bool:
    """Tell whether the order can still change the position."""
    return update.status not in TERMINAL


def remaining(update: OrderUpdate) -> Decimal:
    """Return what may still fill."""
    return update.order.size - update.filled
