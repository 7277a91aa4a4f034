"""What has been seen of each order and fill since the start; the oldest are forgotten."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal

from tradeagent.integrations.hyperliquid.answers import UserFill
from tradeagent.messages import ZERO, ExecutionReport

ORDERS = 10_000
FILLS = 50_000
MOST_RESTING = 5_000
"""How many orders may rest at once by the venue's rules."""


@dataclass(slots=True, eq=False)
class Sighting:
    """An order by its cloid, or by its number where it has none.

    `filled` is the sum of the fills seen, `size` what was asked for, `end` the report of its end
    once that was told. `partly` tells whether it may end as filled without being filled whole,
    None where an earlier run has placed it.
    `moved` is set by each fill and by the end.
    """

    cloid: str
    symbol: str
    size: Decimal | None = None
    oid: int | None = None
    filled: Decimal = ZERO
    end: ExecutionReport | None = None
    partly: bool | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Sightings:
    """Orders by cloid and by number, and the fills that were seen."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Sighting] = OrderedDict()
        self._by_oid: dict[int, Sighting] = {}
        self._fills: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def find(self, cloid: str) -> Sighting | None:
        """Return what was seen of an order by its cloid, or by its number as text."""
        return self._orders.get(cloid)

    def numbered(self, oid: int) -> Sighting | None:
        """Return what was seen of an order by its number."""
        return self._by_oid.get(oid)

    def meet(
        self, symbol: str, cloid: str | None, oid: int | None = None, size: Decimal | None = None
    ) -> Sighting:
        """Return what was seen of an order, from now on at the least this."""
        name = cloid or str(oid)
        found = self._orders.get(name)
        if found is None and cloid is None and oid is not None:
            found = self._by_oid.get(oid)
        if found is None:
            found = self._orders[name] = Sighting(name, symbol)
            self._forget()
        if oid is not None and found.oid != oid:
            found.oid = oid
            self._by_oid[oid] = found
        if found.size is None:
            found.size = size
        return found

    def is_news(self, fill: UserFill) -> bool:
        """Tell whether a fill is seen for the first time."""
        key = (fill.coin, fill.oid, fill.tid or 0)
        if key in self._fills:
            return False
        self._fills[key] = None
        if len(self._fills) > FILLS:
            self._fills.popitem(last=False)
        return True

    def unsee(self, fill: UserFill) -> None:
        """Let a fill be news again."""
        self._fills.pop((fill.coin, fill.oid, fill.tid or 0), None)

    def _forget(self) -> None:
        """Forget the oldest order; one that may rest still goes only when all others do, too."""
        if len(self._orders) <= ORDERS:
            return
        for _ in range(MOST_RESTING):
            name, old = next(iter(self._orders.items()))
            if old.oid is None or old.end is not None:
                break
            self._orders.move_to_end(name)
        name, old = self._orders.popitem(last=False)
        if old.oid is not None:
            self._by_oid.pop(old.oid, None)
