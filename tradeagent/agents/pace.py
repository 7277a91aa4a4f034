"""How fast entries are asked for and approved, and which repeat each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, Order, OrderRequest, OrderUpdate, Side, StopPlan
from tradeagent.quant.rules import Limits

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND

K = TypeVar("K")
Twin = tuple[str, Side, Decimal, Decimal]
"""What makes two entries the same: symbol, side, size and price."""
Line = tuple[str, str, Side]
"""What entries repeat themselves on: strategy, symbol and side."""


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


class Wish(NamedTuple):
    """One strategy's part in an entry: its name and the decision behind it, 0 for none."""

    strategy: str
    decision: int


class Counts(NamedTuple):
    """How many entries were asked for of late, the one in hand included, and who wants that.

    `strategy` counts those of the strategy with most; `wishes` begin with the leader's.
    """

    second: int
    minute: int
    strategy: int
    wishes: tuple[Wish, ...]


class Pace:
    """Counts entries asked for, refused ones included, and remembers what was approved."""

    def __init__(self, limits: Limits) -> None:
        self._repeat_window = int(limits.repeated_window_s * SECOND)
        self._twin_window = int(limits.duplicate_window_s * SECOND)
        self._second, self._minute = Window(SECOND), Window(MINUTE)
        self._strategies: dict[str, Window] = {}
        self._intents: dict[str, tuple[int, int]] = {}
        self._twins: dict[Twin, tuple[int, int]] = {}
        self._repeats: dict[Line, Window] = {}
        self._decided: dict[Line, int] = {}
        self._hour = Window(HOUR)
        self._day = 0
        self._day_notional = ZERO

    def restore(self, orders: Iterable[OrderUpdate], ttl: int) -> None:
        """Take up the entries of the last day; each was approved `ttl` ns before its expiry.

        Those that follow each other with the same stop are taken for parts of one decision.
        """
        entries = [one for one in orders if not one.order.reduce_only]
        plans: dict[Line, StopPlan | None] = {}
        decision = 0
        for update in sorted(entries, key=lambda one: one.expires_at):
            order, plan = update.order, update.stop_plan
            line = (update.strategy, order.symbol, order.side)
            decision += plan is None or plans.get(line) != plan
            plans[line] = plan
            price = order.limit or update.average_price or ZERO
            when = max(update.expires_at - ttl, 0)
            names = strategies(update)
            self.approved(order, price, when, [Wish(name, decision) for name in names])

    def asked(self, request: OrderRequest, now: int) -> Counts:
        """Count an entry asked for, for each strategy that wants it."""
        names, most = strategies(request), 0
        for name in names:
            own = self._strategies.get(name)
            if own is None:
                own = self._strategies[name] = Window(MINUTE)
            most = max(most, own.more(now))
        wishes = tuple([Wish(name, decision_of(request, name)) for name in names])
        return Counts(self._second.more(now), self._minute.more(now), most, wishes)

    def approved(self, order: Order, price: Decimal, now: int, wishes: Sequence[Wish]) -> None:
        """Remember an approved entry, worth `price` a unit, for all who wanted it, leader first."""
        _forget(self._intents, now - DAY)
        _forget(self._twins, now - self._twin_window)
        decision = wishes[0].decision
        self._intents[order.intent_id] = (now, decision)
        twin = (order.symbol, order.side, order.size, price)
        self._twins.pop(twin, None)
        self._twins[twin] = (now, decision)
        for wish in wishes:
            line = (wish.strategy, order.symbol, order.side)
            if not wish.decision or self._decided.get(line) != wish.decision:
                self._repeats.setdefault(line, Window(self._repeat_window)).add(now)
            self._decided[line] = wish.decision
        self._hour.add(now)
        self._day_notional = self.day_notional(now) + order.size * price
        self._day = now // DAY

    def knows(self, intent: str) -> bool:
        """Tell whether an entry was approved within the last day."""
        return intent in self._intents

    def twin_age(self, request: OrderRequest, size: Decimal, now: int) -> int | None:
        """Return how long ago (ns) the same entry was approved, None for not of late.

        Parts of one decision may be alike.
        """
        price = request.limit or request.price
        known = self._twins.get((request.symbol, request.side, size, price))
        if known is None or (known[1] and known[1] == decision_of(request, request.strategy)):
            return None
        return now - known[0]

    def repeats(self, wish: Wish, symbol: str, side: Side, now: int) -> int:
        """Return how many earlier decisions of a strategy entered on this side of the symbol."""
        line = (wish.strategy, symbol, side)
        window = self._repeats.get(line)
        if window is None or wish.strategy == "operator":
            return 0
        count = window.count(now)
        again = wish.decision and self._decided[line] == wish.decision
        return max(count - 1, 0) if again else count

    def hour_orders(self, now: int) -> int:
        """Return how many entries were approved within the hour."""
        return self._hour.count(now)

    def day_notional(self, now: int) -> Decimal:
        """Return what the entries approved on this UTC day are worth."""
        return self._day_notional if self._day == now // DAY else ZERO


def strategies(asked: OrderRequest | OrderUpdate) -> tuple[str, ...]:
    """Return the strategies that want an order, its leader first, not those it outweighed."""
    if len(asked.shares) < 2:
        return (asked.strategy,)
    wanting = (share.strategy for share in asked.shares if share.part > 0)
    return tuple(dict.fromkeys((asked.strategy, *wanting)))


def decision_of(request: OrderRequest, strategy: str) -> int:
    """Return when a strategy's signal behind an entry was made (UTC ns), 0 where none is named.

    An entry in slices, and one that is moved, asks more than once for one decision.
    """
    for vote in request.votes:
        if vote.strategy == strategy:
            return vote.time
    return 0


def _forget(known: dict[K, tuple[int, int]], before: int) -> None:
    """Drop what is older than `before`; a dict keeps the order of entry, oldest first."""
    old = []
    for key, (when, _) in known.items():
        if when >= before:
            break
        old.append(key)
    for key in old:
        del known[key]
