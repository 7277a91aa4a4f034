"""What open orders and fresh approvals may still do, kept in the totals of their symbols."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from tradeagent.agents.standing import Standing, Total
from tradeagent.clock import SECOND
from tradeagent.messages import TERMINAL, ZERO, Order, OrderStatus, OrderUpdate

JUDGED = 20
"""Of how many ended orders the part that the venue rejected is told."""


class Claim(NamedTuple):
    """What one order may still do: in which total of which symbol, and how much."""

    symbol: str
    standing: Standing
    total: Total
    left: Decimal


class Claims:
    """Folds the life of every order into what it may still fill."""

    def __init__(
        self,
        standing: Callable[[str], Standing],
        moved: Callable[[str, Standing], None],
    ) -> None:
        """Keep totals in the `standing` of each symbol and tell when one `moved`."""
        self._standing = standing
        self._moved = moved
        self._claims: dict[str, Claim] = {}
        self._reserved: dict[str, int] = {}
        self._unknown: dict[str, int] = {}
        self._ended: deque[bool] = deque(maxlen=JUDGED)

    def __len__(self) -> int:
        """Return how many orders are open or approved, stops and targets included."""
        return len(self._claims)

    def forget_ended(self) -> None:
        """Begin anew to count what the venue rejects."""
        self._ended.clear()

    def order(self, update: OrderUpdate, now: int) -> None:
        """Keep what may still fill; an approval that became an order is reserved no more."""
        order, status = update.order, update.status
        if status is OrderStatus.OPEN and self._stands(order, update.filled):
            return  # it was counted as such when it was prepared
        if self._reserved.pop(order.intent_id, None) is not None:
            self._drop(order.intent_id)
        left = ZERO if status in TERMINAL else order.size - update.filled
        unsure = status in (OrderStatus.PEND_CANCEL, OrderStatus.UNKNOWN)
        self._claim(order.cloid, order, left, holds=not unsure)
        standing = self._standing(order.symbol)
        standing.asked = max(standing.asked, update.average_price or ZERO)
        if unsure:
            standing.resting.pop(order.cloid, None)  # no exit waits for it
        if status is OrderStatus.UNKNOWN:
            self._unknown.setdefault(order.cloid, now)
        else:
            self._unknown.pop(order.cloid, None)
        if status in TERMINAL:
            self._ended.append(status is OrderStatus.REJECTED)

    def _stands(self, order: Order, filled: Decimal) -> bool:
        """Tell whether an order is counted for what it may still fill, in the total it belongs to.

        One that was unsure meanwhile, and one that rests at a limit, is looked at as a whole.
        """
        known = self._claims.get(order.cloid)
        if known is None or order.type != "market" or order.cloid in self._unknown:
            return False
        wanted = "exits" if order.reduce_only else "sells" if order.side == "sell" else "buys"
        return known.total == wanted and known.left == order.size - filled

    def reserve(self, order: Order, until: int) -> None:
        """Count an approved order as pending until it is seen as one or `until` (UTC ns)."""
        self._reserved[order.intent_id] = until
        self._claim(order.intent_id, order, order.size)

    def expire(self, now: int) -> None:
        """Forget reservations that came to nothing."""
        if not self._reserved:
            return
        for intent in [name for name, until in self._reserved.items() if until < now]:
            del self._reserved[intent]
            self._drop(intent)

    @property
    def lapse(self) -> int | None:
        """Return when the next approval comes to nothing, if no order follows (UTC ns)."""
        return min(self._reserved.values(), default=None)

    @property
    def can_open(self) -> bool:
        """Tell whether an order can still open or raise a position."""
        return any(claim.total in ("buys", "sells") for claim in self._claims.values())

    @property
    def unknown(self) -> int:
        """Return of how many orders nobody knows the outcome."""
        return len(self._unknown)

    def unknown_age(self, now: int) -> float:
        """Return for how long (s) the outcome of an order has been unknown at `now` (UTC ns)."""
        return (now - min(self._unknown.values())) / SECOND if self._unknown else 0.0

    @property
    def rejected(self) -> float:
        """Return which part of the last orders the venue rejected."""
        return sum(self._ended) / JUDGED

    def _claim(self, name: str, order: Order, left: Decimal, *, holds: bool = True) -> None:
        """Put an order's claim in the place of the one it had.

        Exits that rest, or that nobody knows to be there, hold no other exit back: the venue cuts
        what is reduce-only to the position.
        """
        self._drop(name)
        if not left:
            return
        standing, limit = self._standing(order.symbol), order.limit
        standing.asked = max(standing.asked, limit or order.trigger or ZERO)
        total: Total = "sells" if order.side == "sell" else "buys"
        if order.reduce_only:
            resting: Total = "stops" if order.type == "stop" else "targets"
            waits = order.type == "market" and holds
            total = "exits" if waits else resting
        elif limit is not None:
            standing.limits[name] = limit
        setattr(standing, total, getattr(standing, total) + left)
        self._claims[name] = Claim(order.symbol, standing, total, left)
        if order.type == "limit" and limit is not None and order.tif != "IOC":
            standing.resting[name] = (order.side, limit)
        self._moved(order.symbol, standing)

    def _drop(self, name: str) -> None:
        claim = self._claims.pop(name, None)
        if claim is not None:
            standing = claim.standing
            setattr(standing, claim.total, getattr(standing, claim.total) - claim.left)
            standing.resting.pop(name, None)
            standing.limits.pop(name, None)
            self._moved(claim.symbol, standing)
