"""Execution's line to the exchange: every question gets a report, also one without an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradeagent.clock import SECOND
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.integrations.base import Exchange
from tradeagent.messages import (
    ExecutionReport,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Submission,
)

SETTLED_TOO = 10 * 60 * SECOND
"""How far before the last known fill a reconciliation looks, ns."""
NEVER_SEEN = "the venue has never seen it"


class Venue:
    """Asks the exchange. No answer is no proof: it becomes UNKNOWN, or nothing at all."""

    def __init__(self, exchange: Exchange, now: Callable[[], int]) -> None:
        """Stamp what the exchange did not say itself with `now` (UTC ns)."""
        self.exchange = exchange
        self._now = now

    @property
    def remote(self) -> bool:
        """Tell whether what the exchange says may be late, old, lost or told twice."""
        return self.exchange.remote

    async def place(self, order: Order, submission: Submission | None) -> ExecutionReport:
        """Place an order, or put it in the place of the one it replaces, which else stays.

        REJECTED and NOT_PLACED are proof, UNKNOWN says that there is none.
        """
        exchange = self.exchange
        try:
            if order.replaces is not None:
                return await exchange.modify_order(order.replaces, order, submission)
            return await exchange.place_order(order, submission)
        except OrderRefused as refused:
            return self.say(order, OrderStatus.REJECTED, str(refused))
        except NotSent as error:
            return self.say(order, OrderStatus.NOT_PLACED, str(error))
        except VenueUnavailable as error:
            return self.say(order, OrderStatus.UNKNOWN, str(error))

    async def cancel(self, order: Order) -> ExecutionReport | None:
        """Cancel an order; None when nobody answered, to be asked again."""
        try:
            return await self.exchange.cancel_order(order.symbol, order.cloid)
        except (VenueUnavailable, NotSent):
            return None

    async def status(self, order: Order, dies_at: int = 0) -> ExecutionReport:
        """Return how an order stands by the venue's word, UNKNOWN when it gives none.

        That it does not show one whose request went over a wire, and dies at `dies_at` (UTC ns),
        is no proof.
        """
        try:
            report = await self.exchange.get_order_status(order.symbol, order.cloid)
        except VenueUnavailable as error:
            return self.say(order, OrderStatus.UNKNOWN, str(error))
        if report is not None:
            return report
        if dies_at:
            return self.say(order, OrderStatus.UNKNOWN, "the venue does not show it")
        return self.say(order, OrderStatus.NOT_PLACED, NEVER_SEEN)

    async def account(self) -> Message | None:
        """Return the account, None when the venue does not answer."""
        try:
            return await self.exchange.get_account_info()
        except VenueUnavailable:
            return None

    async def missed(self, last_fill: int, last_funding: int) -> list[Message]:
        """Return fills and funding since the last known ones, which may be among them.

        Until when fills and payments are known is UTC ns; who has 0 for the latter missed none.
        Raises VenueUnavailable.
        """
        exchange = self.exchange
        told: list[Message] = [*await exchange.get_fills(max(0, last_fill - SETTLED_TOO))]
        if last_funding:
            told += await exchange.get_funding(max(0, last_funding - SETTLED_TOO))
        return told

    async def catch_up(
        self, last_fill: int, last_funding: int, working: Iterable[OrderUpdate]
    ) -> list[Message]:
        """Return what was missed, the venue's word on open orders, and the account.

        A remote venue's account comes as a statement, taken last. Raises VenueUnavailable.
        """
        missed = await self.missed(last_fill, last_funding)
        reports = [await self.status(update.order, update.dies_at) for update in working]
        if not self.remote:
            return [*missed, *reports, await self.exchange.get_account_info()]
        return [*missed, *reports, await self.exchange.get_statement()]

    def say(self, order: Order, status: OrderStatus, reason: str) -> ExecutionReport:
        """Return a report of our own on an order."""
        return ExecutionReport(
            cloid=order.cloid,
            symbol=order.symbol,
            status=status,
            time=self._now(),
            reason=reason,
        )
