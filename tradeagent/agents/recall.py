"""Calling orders back: cancels wait for nobody and are asked for until the venue answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable

from tradeagent.agents.base import Runtime
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.lifecycle import advance
from tradeagent.agents.proof import patience
from tradeagent.agents.venue import Venue
from tradeagent.crash import crashpoint
from tradeagent.messages import (
    ExecutionReport,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    TradingMode,
)

S = OrderStatus
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a venue is called again, the last one repeated."""


class Recall:
    """Takes orders back; those not seen to rest yet are kept in mind until they are."""

    def __init__(
        self,
        venue: Venue,
        blotter: Blotter,
        runtime: Callable[[], Runtime],
        start: Callable[[Coroutine[None, None, ExecutionReport | None]], None],
    ) -> None:
        """Begin work by `start`; `runtime` returns what carries it, once it runs."""
        self._venue = venue
        self._blotter = blotter
        self._runtime = runtime
        self._start = start
        self._under_way: set[str] = set()

    def withdraw(self, meant: Iterable[OrderUpdate], reason: str) -> list[Message]:
        """Start to cancel orders; one that is not sent yet never will be."""
        return [one for update in meant for one in self._withdraw(update, reason)]

    def withdraw_resting(self, mode: TradingMode) -> list[Message]:
        """Start to cancel what may not stay at work in a trading state other than ACTIVE.

        FLATTENING cancels resting exits, too: what they hold back must not wait for their price.
        """
        flattening = mode is TradingMode.FLATTENING
        meant = [
            update
            for update in self._blotter.working.values()
            if not update.order.reduce_only or (flattening and update.order.type == "limit")
        ]
        return self.withdraw(meant, f"trading is {mode}")

    def once_seen(self, cloid: str) -> list[Message]:
        """Start to cancel an order that is seen to rest, if it was called back before that."""
        update = self._blotter.working.get(cloid)
        if update is None or cloid not in self._blotter.unwanted:
            return []
        if update.status not in (S.OPEN, S.PARTIAL):
            return []
        return self._withdraw(update, "cancelled while it was being sent")

    def call_off(self, order: Order) -> None:
        """Start to cancel an order; the venue is called until it answers."""
        if order.cloid not in self._under_way:
            self._under_way.add(order.cloid)
            self._start(self._cancel(order))

    def again(self) -> None:
        """Ask again for every cancel without an answer."""
        for update in tuple(self._blotter.working.values()):
            if update.status is S.PEND_CANCEL or update.order.cloid in self._blotter.unwanted:
                self.call_off(update.order)

    async def entries(self) -> list[ExecutionReport]:
        """Cancel, once each, whatever could raise a position; return what the venue says."""
        reports = []
        for update in tuple(self._blotter.working.values()):
            if not update.order.reduce_only:
                reports.append(await self._venue.cancel(update.order))
                crashpoint("CP11")
        return [one for one in reports if one is not None]

    def _withdraw(self, update: OrderUpdate, reason: str) -> list[Message]:
        """Start to cancel one order; where its state is not known, again once it is seen."""
        order = update.order
        self.call_off(order)
        if update.status not in (S.OPEN, S.PARTIAL):
            self._blotter.unwanted.add(order.cloid)
            return []
        self._blotter.unwanted.discard(order.cloid)
        pending = advance(update, S.PEND_CANCEL, reason=reason)
        self._blotter.keep(pending)
        return [pending]

    async def _cancel(self, order: Order) -> ExecutionReport | None:
        pauses = patience(PAUSES)
        try:
            while (report := await self._venue.cancel(order)) is None:
                await self._runtime().sleep(next(pauses))
            crashpoint("CP7")
            return report
        finally:
            self._under_way.discard(order.cloid)
