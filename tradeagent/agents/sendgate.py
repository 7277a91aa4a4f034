"""The last look before an order leaves, by rules and code that are not Risk's (SEND_GATE)."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, Order, RiskAssessment, encode_part

MINUTE = 60 * SECOND


class Allowed(NamedTuple):
    """What Risk let go: the order byte for byte, and what a unit of it was valued at."""

    order: bytes
    price: Decimal


class SendGate:
    """Lets an increase out only as it was approved, once, and within a ceiling per minute.

    Risk judges each order by the account; this one counts what has left, whatever the account is
    thought to be, so that no fault in that arithmetic can pour out orders.
    """

    def __init__(self, ceiling: Decimal) -> None:
        """Take the most that may leave within a minute, in quote currency."""
        self._ceiling = ceiling
        self._allowed: dict[str, Allowed] = {}
        self._sent: deque[tuple[int, Decimal]] = deque()
        self._minute = ZERO

    def allow(self, approval: RiskAssessment) -> None:
        """Remember an approval until its order leaves."""
        order = approval.order
        assert order is not None
        if not order.reduce_only:
            price = order.limit or approval.price or ZERO
            self._allowed[order.cloid] = Allowed(encode_part(order), price)

    def forget(self, order: Order) -> None:
        """Forget an approval whose order will not leave."""
        self._allowed.pop(order.cloid, None)

    def refusal(self, order: Order, now: int) -> str:
        """Return why an order must not leave at `now` (UTC ns), or nothing, and then count it.

        What is reduce-only always may: it can only make the account smaller.
        """
        if order.reduce_only:
            return ""
        allowed = self._allowed.pop(order.cloid, None)
        if allowed is None:
            return "Risk has not approved it, or it has left already"
        if allowed.order != encode_part(order):
            return "it is not what Risk has approved"
        while self._sent and self._sent[0][0] <= now - MINUTE:
            self._minute -= self._sent.popleft()[1]
        worth = order.size * allowed.price
        if self._minute + worth > self._ceiling:
            return (
                f"{self._minute + worth:f} would have left within a minute, at most {self._ceiling}"
            )
        self._sent.append((now, worth))
        self._minute += worth
        return ""
