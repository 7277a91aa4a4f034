"""The order state machine: what can follow what, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradeagent.errors import IllegalTransition
from tradeagent.messages import TERMINAL, ExecutionReport, OrderStatus, OrderUpdate
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
    S.CANCELED: frozenset({S.CANCELED, S.RESURRECTED}),
    S.FILLED: frozenset(),
    S.REJECTED: frozenset({S.RESURRECTED}),
    S.NOT_PLACED: frozenset({S.RESURRECTED}),
    S.DENIED: frozenset({S.RESURRECTED}),
    S.EXPIRED_LOCAL: frozenset({S.RESURRECTED}),
    S.RESURRECTED: frozenset(
        {S.OPEN, S.PARTIAL, S.FILLED, S.TRIGGERED, S.CANCELED, S.REJECTED, S.RESURRECTED}
    ),
}
"""Each status and what may follow it; CANCELED may learn of a late fill."""
SHOWN = (S.OPEN, S.PARTIAL, S.TRIGGERED)
"""What a report shows to be there."""
PROVEN = (*SHOWN, S.PEND_CANCEL, S.PEND_REPLACE, S.RESURRECTED)
"""What was seen to be there."""
DISPROVED = (S.NOT_PLACED, S.REJECTED, S.DENIED, S.EXPIRED_LOCAL)
"""What was never there."""
DENIED = "the venue knows it no more"
"""Why an order ended that had been seen."""


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


def heard(update: OrderUpdate, report: ExecutionReport) -> OrderStatus | None:
    """Return what a report without a fill makes of an order, None where it says nothing new."""
    was, status = update.status, report.status
    unseen = status in (S.NOT_PLACED, S.UNKNOWN)
    if unseen and report.cancel_refused and was in (S.PREPARED, S.UNKNOWN):
        return None  # it may be on its way: the one that sends it tells what became of it
    if status in SHOWN and (was in DISPROVED or is_denied(update)):
        return S.RESURRECTED
    if unseen and was in PROVEN:
        return None if status is S.UNKNOWN else S.CANCELED
    if status in (S.PARTIAL, S.FILLED):
        status = S.FILLED if remaining(update) == 0 else was
    elif update.filled and status in (S.OPEN, S.REJECTED):
        status = S.PARTIAL if status is S.OPEN else S.CANCELED
    if was is S.PEND_CANCEL and status in (S.OPEN, S.PARTIAL) and not report.cancel_refused:
        return None
    return None if status is was or was in TERMINAL else status


def is_denied(update: OrderUpdate) -> bool:
    """Tell whether an order that had been seen ended because the venue knows it no more."""
    return update.status is S.CANCELED and update.reason == DENIED


def is_working(update: OrderUpdate) -> bool:
    """Tell whether the order can still change the position."""
    return update.status not in TERMINAL


def remaining(update: OrderUpdate) -> Decimal:
    """Return what may still fill."""
    return update.order.size - update.filled
