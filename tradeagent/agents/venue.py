"""Execution's line to the exchange: every question gets a report, also one without an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradeagent.clock import SECOND
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.base import Exchange
from tradeagent.messages import ExecutionReport, Message, Order, OrderStatus, OrderUpdate

SETTLED_TOO = 10 * 60 * SECOND
"""How far before the last known fill a reconciliation looks, ns."""


class Venue:
    """Asks the exchange. No answer is no proof: it becomes UNKNOWN, or nothing at all."""

    def __init__(self, exchange: Exchange, now: Callable[[], int]) -> None:
        """Stamp what the exchange did not say itself with `now` (UTC ns)."""
        self.exchange = exchange
        self._now = now

    async def place(self, order: Order) -> ExecutionReport:
        """Place an order; REJECTED is proof, UNKNOWN says that there is none."""
        try:
            return await self.exchange.place_order(order)
        except OrderRefused as refused:
            return self.say(order, OrderStatus.REJECTED, str(refused))
        except VenueUnavailable as error:
            return self.say(order, OrderStatus.UNKNOWN, str(error))

    async def replace(self, cloid: str, order: Order) -> ExecutionReport:
        """Put `order` in the place of the resting `cloid`; REJECTED leaves that one as it was."""
        try:
            return await self.exchange.modify_order(cloid, order)
        except OrderRefused as refused:
            return self.say(order, OrderStatus.REJECTED, str(refused))
        except VenueUnavailable as error:
            return self.say(order, OrderStatus.UNKNOWN, str(error))

    async def cancel(self, order: Order) -> ExecutionReport | None:
        """Cancel an order; None when nobody answered, to be asked again."""
        try:
            return await self.exchange.cancel_order(order.symbol, order.cloid)
        except VenueUnavailable:
            return None

    async def status(self, order: Order) -> ExecutionReport:
        """Return how an order stands by the venue's word, UNKNOWN when it gives none."""
        try:
            report = await self.exchange.get_order_status(order.symbol, order.cloid)
        except VenueUnavailable as error:
            return self.say(order, OrderStatus.UNKNOWN, str(error))
        if report is None:
            return self.say(order, OrderStatus.NOT_PLACED, "the venue has never seen it")
        return report

    async def account(self) -> Message | None:
        """Return the account, None when the venue does not answer."""
        try:
            return await self.exchange.get_account_info()
        except VenueUnavailable:
            return None

    async def catch_up(
        self, last_fill: int, last_funding: int, working: Iterable[OrderUpdate]
    ) -> list[Message]:
        """Return missed fills and funding, the venue's word on open orders, and the account.

        The times of the last known fill and payment are UTC ns; who has neither missed no payment.
        Raises VenueUnavailable.
        """
        exchange = self.exchange
        missed: list[Message] = [*await exchange.get_fills(max(0, last_fill - SETTLED_TOO))]
        since = last_funding or last_fill
        if since:
            missed += await exchange.get_funding(max(0, since - SETTLED_TOO))
        reports = [await self.status(update.order) for update in working]
        return [*missed, *reports, await exchange.get_account_info()]

    def say(self, order: Order, status: OrderStatus, reason: str) -> ExecutionReport:
        """Return a report of our own on an order."""
        return ExecutionReport(
            cloid=order.cloid,
            symbol=order.symbol,
            status=status,
            time=self._now(),
            reason=reason,
        )
