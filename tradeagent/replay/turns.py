"""What may come before what: which inputs can have been handed over ahead of what waited."""

from __future__ import annotations

from collections.abc import Collection

from tradeagent.bus.memory import TURN
from tradeagent.messages import (
    Heartbeat,
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.replay.read import Line

PRICES = (MarketData, TickerUpdate, OrderBookUpdate, MarketTrade)
"""What a simulated exchange answers while it is being handed over."""


class Turns:
    """Follows the drains of a run queue and tells which inputs had to wait their turn.

    A drain begins with an input that finds nothing waiting, and hands over all that follows from
    it, what came first before what came later. Within a drain an input goes ahead of a derived
    message only if it came earlier. There are three ways to come while a drain is under way: the
    drain was interrupted, as one of a live clock is after TURN messages; a simulated exchange spoke
    while it was handed a price; or, beside a live clock, the supervisor or a sign of life did while
    a message was handed over.
    """

    def __init__(self, feeds: Collection[str], *, exact: bool) -> None:
        """Follow a run under a simulated clock (`exact`) or another.

        `feeds` are the agents that play a feed, and do so only while nothing waits.
        """
        self._feeds = feeds
        self._exact = exact
        self._began = 0
        self._passed = 0
        self._prices: list[int] = []

    def begin(self, seq: int) -> None:
        """Note that a drain began at row `seq`, at the earliest."""
        self._began = seq
        self._passed = 0
        self._prices.clear()

    def handed(self, seq: int, kind: type[Message]) -> None:
        """Note that a message was handed over as row `seq`."""
        if kind in PRICES:
            self._prices.append(seq)

    def passed(self, born: int) -> None:
        """Note that what came at row `born` had its turn, in the lane that is not urgent."""
        self._passed = born
        if self._prices and self._prices[0] <= born:
            self._prices = [seq for seq in self._prices if seq > born]

    def interrupted(self, by: int) -> bool:
        """Tell whether the drain may have been interrupted before row `by`."""
        return not self._exact and by - self._began >= TURN

    def may_wait(self, line: Line, kind: type[Message], by: int, *, urgent: bool) -> bool:
        """Tell whether an input may have come, and waited, by the time row `by` was done."""
        if line.source in self._feeds and not line.cause and kind in PRICES:
            return False
        if self.interrupted(by):
            return True
        if kind is Heartbeat:
            return not self._exact and self._began <= line.cause <= by
        if line.cause:
            return False
        if line.source == "exchange":
            return any(urgent or self._passed < seq <= by for seq in self._prices)
        return line.source == "supervisor" and not self._exact
