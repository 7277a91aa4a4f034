"""How orders stand: an order's end counts, and is told, after all of its fills."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tradeagent.clock import MILLISECOND, Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.base import AccountEvent
from tradeagent.integrations.hyperliquid.answers import BasicOrder, FrontendOrder, OrderHistory
from tradeagent.integrations.hyperliquid.fills import FillNews
from tradeagent.integrations.hyperliquid.outcomes import standing
from tradeagent.integrations.hyperliquid.questions import AccountQuestions
from tradeagent.integrations.hyperliquid.sightings import Sighting, Sightings
from tradeagent.integrations.hyperliquid.timing import within
from tradeagent.messages import TERMINAL, ZERO, ExecutionReport, OrderStatus

S = OrderStatus
RESTING = ("Gtc", "Alo")
PARTLY = "the rest of it was canceled"


class Standings:
    """Says how orders stand, by what the venue answers and what was seen before.

    That an order has ended is told, and returned, only when its fills have been told, as far as
    the venue has them.
    """

    def __init__(
        self,
        questions: AccountQuestions,
        clock: Clock,
        fills: FillNews,
        sightings: Sightings,
        tell: Callable[[AccountEvent], None],
        fills_within: float,
    ) -> None:
        """Ask for the fills of an ended order after `fills_within` seconds."""
        self._questions = questions
        self._clock = clock
        self._fills = fills
        self.sightings = sightings
        self._tell = tell
        self._patience = fills_within

    async def status(self, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, its fills told before its end; None when it is unknown.

        Raises VenueUnavailable.
        """
        found = await self._questions.order(cloid)
        if found is not None:
            return await self._judge(found)
        seen = self.sightings.find(cloid)
        if seen is None or seen.oid is None or seen.end is not None:
            return None if seen is None else seen.end
        raise VenueUnavailable(f"the venue has shown {cloid} before; its answer is old")

    async def _judge(self, found: OrderHistory) -> ExecutionReport:
        seen = self.meet(found.order)
        status = standing(found.status)
        if status is None:
            raise VenueUnavailable(f"an order is {found.status}, a word nobody has told us of")
        if status not in TERMINAL:
            if seen.end is not None and is_over(seen, status):  # older than what was told
                return seen.end
            return self.live(seen, found.status, found.status_timestamp)
        return await self.settle(seen, found.order, found.status, found.status_timestamp)

    async def settle(
        self, seen: Sighting, order: BasicOrder, word: str, time_ms: int
    ) -> ExecutionReport:
        """Return the report of an order's end once its fills are told; raises VenueUnavailable."""
        await self.gather(seen, filled(order), order.timestamp)
        return self.over(seen, word, order, time_ms)

    async def gather(self, seen: Sighting, worth: Decimal, since_ms: int) -> None:
        """Return when fills worth so much of an order have been told.

        What the streams do not bring in time is asked for from `since_ms` on. The venue may have
        less: a reduce-only order shrinks with its position.
        """
        try:
            async with within(self._clock, self._patience):
                while seen.filled < worth:
                    seen.moved.clear()
                    await seen.moved.wait()
        except TimeoutError:
            self._fills.take(await self._questions.fills(since_ms))

    async def ended(self, seen: Sighting, patience: float) -> ExecutionReport | None:
        """Return an order's end as the streams tell it within `patience` seconds, else None."""
        try:
            async with within(self._clock, patience):
                while seen.end is None:
                    seen.moved.clear()
                    await seen.moved.wait()
        except TimeoutError:
            pass
        return seen.end

    def end(self, seen: Sighting, report: ExecutionReport) -> None:
        """Tell how an order has ended, unless that was told."""
        if seen.end is None:
            seen.end = report
            self._tell(report)
            seen.moved.set()

    def meet(self, order: BasicOrder) -> Sighting:
        """Return what was seen of an order that the venue shows."""
        size = order.orig_sz if order.orig_sz is not None else order.sz
        return self.sightings.meet(order.coin, order.cloid, order.oid, size)

    def live(self, seen: Sighting, word: str, time_ms: int) -> ExecutionReport:
        """Return the report of an order that has not ended, by the venue's word."""
        status = standing(word)
        if status is S.OPEN and seen.filled:
            status = S.PARTIAL
        return _report(seen, status or S.UNKNOWN, time_ms)

    def over(self, seen: Sighting, word: str, order: BasicOrder, time_ms: int) -> ExecutionReport:
        """Return the end of an order whose fills are told; what is filled in part has ended, too.

        Raises VenueUnavailable where fills are missing that must exist.
        """
        status = standing(word) or S.UNKNOWN
        size = seen.size or order.sz
        if status is not S.FILLED or seen.filled >= size:
            return _report(seen, status, time_ms, "" if word == "filled" else word)
        partly = _may_end_partly(order) if seen.partly is None else seen.partly
        if not seen.filled or not partly:
            raise VenueUnavailable(f"the venue does not show the fills of {seen.cloid} yet")
        return _report(seen, S.CANCELED, time_ms, PARTLY)


def is_over(seen: Sighting, status: OrderStatus | None) -> bool:
    """Tell whether an order's end was told, so that `status` is no news.

    That one stands which was refused is news, and bad.
    """
    if seen.end is None:
        return False
    return seen.end.status is not S.REJECTED or status is S.REJECTED


def filled(order: BasicOrder) -> Decimal:
    """Return how much of an ended order must have been filled, by what is left of it."""
    return order.orig_sz - order.sz if order.orig_sz is not None else ZERO


def _may_end_partly(order: BasicOrder) -> bool:
    """Tell whether an order may be filled although a part is missing: it shrank, or never rested.

    The streams do not tell the latter, a question does.
    """
    rests = not isinstance(order, FrontendOrder) or order.tif in RESTING
    return order.reduce_only or not rests


def _report(seen: Sighting, status: OrderStatus, time_ms: int, reason: str = "") -> ExecutionReport:
    return ExecutionReport(
        cloid=seen.cloid,
        symbol=seen.symbol,
        status=status,
        time=time_ms * MILLISECOND,
        oid=str(seen.oid) if seen.oid is not None else None,
        reason=reason,
    )
