"""Learning from the venue what was missed: at the start, after an outage, and again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from tradeagent.agents.base import Runtime
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.venue import Venue
from tradeagent.clock import SECOND
from tradeagent.crash import crashpoint
from tradeagent.errors import NotSent, VenueUnavailable
from tradeagent.messages import (
    ExecutionReport,
    FundingPayment,
    Message,
    OrderStatus,
    TaskRequest,
    TaskResult,
)

S = OrderStatus


class CatchUp:
    """Asks the venue and keeps what the books do not know; no answer teaches nothing."""

    def __init__(self, venue: Venue, blotter: Blotter, runtime: Callable[[], Runtime]) -> None:
        """`runtime` returns what carries it, once it runs."""
        self._venue = venue
        self._blotter = blotter
        self._runtime = runtime

    async def reconcile(self) -> list[Message]:
        """Return the venue's word on every order at work, on missed fills, and on the account.

        Not on those that are on their way out. That an order is not there says nothing of one that
        has moved on since it was asked for. Raises VenueUnavailable and NotSent.
        """
        blotter = self._blotter
        working = blotter.working.items()
        asked = {name: update for name, update in working if not blotter.is_on_its_way(update)}
        told = await self._venue.catch_up(*self._heard(), asked.values())
        crashpoint("CP9")
        return [
            one
            for one in told
            if blotter.is_news(one)
            and not (
                isinstance(one, ExecutionReport)
                and one.status is S.NOT_PLACED
                and blotter.orders.get(one.cloid) is not asked.get(one.cloid)
            )
        ]

    async def try_reconcile(self) -> Sequence[Message]:
        """Reconcile, or return nothing where the venue does not answer."""
        try:
            return await self.reconcile()
        except (VenueUnavailable, NotSent):
            return ()

    async def reconcile_for(self, wish: TaskRequest) -> Sequence[Message]:
        """Reconcile, and say how that ended; what differs is told as incidents."""
        try:
            told = await self.reconcile()
        except (VenueUnavailable, NotSent) as error:
            return (TaskResult(task_id=wish.task_id, outcome="failed", text=str(error)),)
        news = sum(isinstance(one, ExecutionReport | FundingPayment) for one in told)
        text = f"the venue told of {news} fills, payments and working orders"
        return (*told, TaskResult(task_id=wish.task_id, outcome="succeeded", text=text))

    async def state(self) -> Sequence[Message]:
        """Return the venue's statement of the account."""
        try:
            return (await self._venue.exchange.get_statement(),)
        except VenueUnavailable:
            return ()

    async def audit(self) -> Sequence[Message]:
        """Return fills and funding that were never told."""
        try:
            told = await self._venue.missed(*self._heard())
        except VenueUnavailable:
            return ()
        return [message for message in told if self._blotter.is_news(message)]

    async def look_again(self, seconds: float) -> Sequence[Message]:
        """Look at a difference again after `seconds`, and at the fills that may explain it."""
        await self._runtime().sleep(seconds)
        return [*await self.audit(), *await self.state()]

    def _heard(self) -> tuple[int, int]:
        """Return until when all our fills and payments are known, UTC ns; 0 for no payment yet."""
        blotter = self._blotter
        now = self._runtime().time()
        return blotter.heard_until(now), blotter.last_funding or blotter.last_fill


async def hold_dead_man(
    venue: Venue, blotter: Blotter, runtime: Callable[[], Runtime], horizon: float
) -> None:
    """Put off, by `horizon` seconds at a time, that the venue cancels entries on a flat account.

    It would cancel stops as well, so it is taken back once something is held, and at first: an
    earlier run may have asked for it. It ends where the venue does not offer it.
    """
    armed = True
    while True:
        flat = not any(books.net.size for books in blotter.books.values())
        resting = any(not one.order.reduce_only for one in blotter.working.values())
        wanted = flat and resting
        if wanted or armed:
            until = runtime().time() + int(horizon * SECOND) if wanted else None
            with suppress(VenueUnavailable, NotSent):
                if not await venue.exchange.schedule_cancel(until):
                    return
                armed = wanted
        await runtime().sleep(horizon / 2)
