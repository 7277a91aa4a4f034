"""Keep what the simulated exchange answers for in memory, for a run that nobody goes on with."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from tradeagent.messages import TIMEFRAMES, ExecutionReport, FundingPayment
from tradeagent.messages.build import changed
from tradeagent.simulation.account import Position
from tradeagent.simulation.ledger import Changes, Entry
from tradeagent.simulation.matching import Landing, Page, Resting

T = TypeVar("T", ExecutionReport, FundingPayment)
LATE = TIMEFRAMES["1w"]
KEPT = 10_000
"""Of how many of the last orders, fills and payments it can tell."""


class Scratchpad:
    """A ledger that begins empty and is gone with the run; it remembers what it may be asked for.

    `seq` is the number of the last event, as order and fill ids are.
    """

    path: Path | None = None

    def __init__(self) -> None:
        self.seq = 0
        self.latest = 0
        self._orders: dict[str, ExecutionReport] = {}
        self._filled_groups: set[str] = set()
        self._fills: deque[ExecutionReport] = deque(maxlen=KEPT)
        self._funding: deque[FundingPayment] = deque(maxlen=KEPT)

    def close(self) -> None:
        """Do nothing: there is no file."""

    def deposit(self, amount: Decimal) -> Decimal:
        """Return `amount`: the account is new."""
        self.seq = max(self.seq, 1)
        return amount

    def positions(self) -> dict[str, Position]:
        """Return nothing: a new account holds nothing."""
        return {}

    def volumes(self) -> dict[int, Decimal]:
        """Return nothing: a new account has traded nothing."""
        return {}

    def open_orders(self) -> list[Resting]:
        """Return nothing: a new account has no orders."""
        return []

    def landings(self) -> list[Landing]:
        """Return nothing: nothing is on its way."""
        return []

    def pages(self) -> dict[str, Page]:
        """Return nothing: no price was seen yet."""
        return {}

    def write(self, entries: Sequence[Entry], changes: Changes) -> None:  # noqa: ARG002
        """Note events; what stands is in the books already."""
        for _, told, _, group in entries:
            if isinstance(told, FundingPayment):
                self._funding.append(told)
                continue
            self._orders[told.cloid] = told
            if len(self._orders) > KEPT:
                del self._orders[next(iter(self._orders))]
            if told.execution is not None:
                self._fills.append(told)
                if group is not None:
                    self._filled_groups.add(group)
        self.seq += len(entries)

    def find(self, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when it was never seen."""
        found = self._orders.get(cloid)
        if found is None or found.execution is None:
            return found
        return changed(found, execution=None, order=None)

    def group_filled(self, name: str) -> bool:
        """Tell whether an order of the group has filled."""
        return name in self._filled_groups

    def fills(self, since: int) -> list[ExecutionReport]:
        """Return every fill whose time is at or after `since` (UTC ns), in order of events."""
        return _since(self._fills, since)

    def funding(self, since: int) -> list[FundingPayment]:
        """Return every funding payment at or after `since` (UTC ns), in order of events."""
        return _since(self._funding, since)


def _since(told: deque[T], since: int) -> list[T]:
    """Return what is at or after `since`; a fill is told of a bar's length late at most."""
    recent = takewhile(lambda one: one.time >= since - LATE, reversed(told))
    return [one for one in recent if one.time >= since][::-1]
