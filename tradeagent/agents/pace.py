"""How fast entries are asked for and approved, and which repeat each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, Order, OrderRequest, OrderUpdate, Side
from tradeagent.quant.rules import Limits

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND

K = TypeVar("K")
Twin = tuple[str, Side, Decimal, Decimal]
"""What makes two entries the same: symbol, side, size and price."""


class Window:
    """The times (UTC ns) of what happened within the last `length` ns."""

    __slots__ = ("_times", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._times: deque[int] = deque()

    def add(self, now: int) -> None:
        """Note that it happened."""
        self._times.append(now)

    def more(self, now: int) -> int:
        """Note that it happened once more; returns how often it did."""
        times, since = self._times, now - self.length
        times.append(now)
        while times[0] <= since:
            times.popleft()
        return len(times)

    def count(self, now: int) -> int:
        """Return how often it happened, and forget what is too long ago."""
        times, since = self._times, now - self.length
        while times and times[0] <= since:
            times.popleft()
        return len(times)


class Counts(NamedTuple):
    """How many entries were asked for of late, the one in hand included."""

    second: int
    minute: int
    strategy: int


class Pace:
    """Counts entries asked for, refused ones included, and remembers what was approved."""

    def __init__(self, limits: Limits) -> None:
        self._repeat_window = int(limits.repeated_window_s * SECOND)
        self._twin_window = int(limits.duplicate_window_s * SECOND)
        self._second, self._minute = Window(SECOND), Window(MINUTE)
        self._strategies: dict[str, Window] = {}
        self._intents: dict[str, int] = {}
        self._twins: dict[Twin, int] = {}
        self._repeats: dict[tuple[str, str, Side], Window] = {}
        self._hour = Window(HOUR)
        self._day = 0
        self._day_notional = ZERO

    def restore(self, orders: Iterable[OrderUpdate], ttl: int) -> None:
        """Take up the entries of the last day; each was approved `ttl` ns before its expiry."""
        entries = [one for one in orders if not one.order.reduce_only]
        for update in sorted(entries, key=lambda one: one.expires_at):
            order = update.order
            price = order.limit or update.average_price or ZERO
            self.approved(order, update.strategy, price, max(update.expires_at - ttl, 0))

    def asked(self, strategy: str, now: int) -> Counts:
        """Count an entry asked for."""
        own = self._strategies.get(strategy)
        if own is None:
            own = self._strategies[strategy] = Window(MINUTE)
        return Counts(self._second.more(now), self._minute.more(now), own.more(now))

    def approved(self, order: Order, strategy: str, price: Decimal, now: int) -> None:
        """Remember an approved entry, worth `price` a unit."""
        _forget(self._intents, now - DAY)
        _forget(self._twins, now - self._twin_window)
        self._intents[order.intent_id] = now
        twin = (order.symbol, order.side, order.size, price)
        self._twins.pop(twin, None)
        self._twins[twin] = now
        self._repeat(strategy, order.symbol, order.side).add(now)
        self._hour.add(now)
        self._day_notional = self.day_notional(now) + order.size * price
        self._day = now // DAY

    def _repeat(self, strategy: str, symbol: str, side: Side) -> Window:
        key = (strategy, symbol, side)
        found = self._repeats.get(key)
        if found is None:
            found = self._repeats[key] = Window(self._repeat_window)
        return found

    def knows(self, intent: str) -> bool:
        """Tell whether an entry was approved within the last day."""
        return intent in self._intents

    def twin_age(self, request: OrderRequest, size: Decimal, now: int) -> int | None:
        """Return how long ago (ns) the same entry was approved, None for not of late."""
        when = self._twins.get((request.symbol, request.side, size, request.limit or request.price))
        return None if when is None else now - when

    def repeats(self, request: OrderRequest, now: int) -> int:
        """Return how many entries of a strategy on this side of the symbol were approved."""
        if request.strategy == "operator":
            return 0
        return self._repeat(request.strategy, request.symbol, request.side).count(now)

    def hour_orders(self, now: int) -> int:
        """Return how many entries were approved within the hour."""
        return self._hour.count(now)

    def day_notional(self, now: int) -> Decimal:
        """Return what the entries approved on this UTC day are worth."""
        return self._day_notional if self._day == now // DAY else ZERO


def _forget(times: dict[K, int], before: int) -> None:
    """Drop what is older than `before`; a dict keeps the order of entry, oldest first."""
    old = []
    for key, when in times.items():
        if when >= before:
            break
        old.append(key)
    for key in old:
        del times[key]
