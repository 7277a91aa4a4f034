"""Tell what befalls the account: each fill once, and an order's end after all of its fills."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from tradeagent.clock import MILLISECOND, Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.base import AccountEvent
from tradeagent.integrations.hyperliquid.answers import (
    BasicOrder,
    FrontendOrder,
    OrderHistory,
    UserFill,
)
from tradeagent.integrations.hyperliquid.channels import (
    Funding,
    OrderNews,
    UserEvent,
    UserFills,
    UserFundings,
)
from tradeagent.integrations.hyperliquid.outcomes import standing
from tradeagent.integrations.hyperliquid.questions import AccountQuestions
from tradeagent.integrations.hyperliquid.reports import (
    fill_report,
    imposed_order,
    in_order,
    is_imposed,
    payment_of,
)
from tradeagent.integrations.hyperliquid.sightings import Sighting, Sightings
from tradeagent.integrations.hyperliquid.timing import within
from tradeagent.messages import TERMINAL, ZERO, ExecutionReport, OrderStatus

S = OrderStatus
Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
PAYMENTS = 10_000
RESTING = ("Gtc", "Alo")
PARTLY = "the rest of it was canceled"


class AccountNews:
    """Turns what the streams and the answers say of orders into reports, and tells them.

    That an order has ended is told, and returned, only when its fills have been told, as far as
    the venue has them. `lost` is called with a reason when something could not be made out: then
    all must be asked for anew.
    """

    def __init__(
        self,
        questions: AccountQuestions,
        clock: Clock,
        spawn: Spawn,
        tell: Callable[[AccountEvent], None],
        lost: Callable[[str], None],
        fills_within: float,
    ) -> None:
        """Ask for the fills of an ended order after `fills_within` seconds."""
        self._questions = questions
        self._clock = clock
        self._spawn = spawn
        self._tell = tell
        self._lost = lost
        self._patience = fills_within
        self.sightings = Sightings()
        self._paid: OrderedDict[str, None] = OrderedDict()
        self.since = 0
        """From when on old fills and payments are told again, in ms: the last loss of the line."""
        self.started = 0
        """What was filled before happened while nobody here watched, in ms."""

    # -- from the streams -------------------------------------------------------------------------

    def hear(self, data: object) -> None:
        """Take in what a stream of the account says."""
        if isinstance(data, UserFills):
            fills = [one for one in data.fills if not data.is_snapshot or one.time >= self.since]
            self.take_fills(fills)
        elif isinstance(data, UserFundings):
            for paid in data.fundings:
                if not data.is_snapshot or paid.time >= self.since:
                    self._take_payment(paid)
        elif isinstance(data, UserEvent):
            for gone in data.non_user_cancel:
                self._later(self._look_at(str(gone.oid)))
        elif isinstance(data, list):
            for news in data:
                if isinstance(news, OrderNews):
                    self._take_news(news)

    def take_fills(self, fills: Sequence[UserFill]) -> None:
        """Tell the fills that were not told yet, in their order.

        Where one of them cannot be, those behind it stay news: they are told when they come again.
        """
        news = [fill for fill in in_order(fills) if self.sightings.is_news(fill)]
        told = 0
        try:
            for imposed, together in groupby(news, lambda one: self._is_imposed(one)):
                if imposed:
                    own = list(together)
                    self._take_imposed(own)
                    told += len(own)
                    continue
                for fill in together:
                    self._take_one(fill)
                    told += 1
        except VenueUnavailable:
            for fill in news[told:]:
                self.sightings.unsee(fill)
            raise

    def _take_one(self, fill: UserFill) -> None:
        found = self._order_of(fill)
        if found is None:
            self._later(self._trace(fill))
        else:
            self._take_fill(fill, found)

    def _is_imposed(self, fill: UserFill) -> bool:
        return is_imposed(fill, self._questions.account)

    def _order_of(self, fill: UserFill) -> Sighting | None:
        if fill.cloid is not None:
            return self.sightings.meet(fill.coin, fill.cloid, fill.oid)
        return self.sightings.numbered(fill.oid)

    def _take_fill(self, fill: UserFill, order: Sighting) -> None:
        order.filled += fill.sz
        try:
            report = self._report_of(fill, order)
        except VenueUnavailable:
            order.filled -= fill.sz
            raise
        self._tell(report)
        order.moved.set()

    def _report_of(self, fill: UserFill, order: Sighting) -> ExecutionReport:
        whole = order.size is not None and order.filled >= order.size
        return fill_report(fill, order.cloid, whole=whole, while_down=fill.time < self.started)

    async def identified(self, fill: UserFill) -> ExecutionReport:
        """Return the report of a fill of the past, under the name of its order."""
        return self._report_of(fill, self._order_of(fill) or await self._ask_for(fill))

    async def _ask_for(self, fill: UserFill) -> Sighting:
        """Return the order of a fill that tells its number only; raises VenueUnavailable."""
        found = await self._questions.order(str(fill.oid))
        name = found.order.cloid if found is not None else None
        return self.sightings.meet(fill.coin, name, fill.oid)

    def imposed(self, fills: Sequence[UserFill]) -> list[ExecutionReport]:
        """Return the reports of fills that the venue made itself, each order's together."""
        reports = []
        for _, parts in groupby(fills, lambda one: (one.oid, one.time)):
            own = list(parts)
            order = imposed_order(own)
            left = order.size
            for fill in own:
                left -= fill.sz
                missed = fill.time < self.started
                reports.append(
                    fill_report(fill, order.cloid, whole=not left, while_down=missed, made=order)
                )
        return reports

    def _take_imposed(self, fills: Sequence[UserFill]) -> None:
        for report in self.imposed(fills):
            self._tell(report)

    async def _trace(self, fill: UserFill) -> None:
        """Tell a fill whose order is known by its number only, once the venue has said whose."""
        try:
            order = await self._ask_for(fill)
        except VenueUnavailable:
            self.sightings.unsee(fill)
            raise
        self._take_fill(fill, order)

    def _take_payment(self, paid: Funding) -> None:
        payment = payment_of(paid, paid.time)
        if payment.tid in self._paid:
            return
        self._paid[payment.tid] = None
        if len(self._paid) > PAYMENTS:
            self._paid.popitem(last=False)
        self._tell(payment)

    def _take_news(self, news: OrderNews) -> None:
        order = news.order
        seen = self._meet(order)
        status = standing(news.status)
        if _is_over(seen, status):
            return
        if status is None:
            self._lost(f"an order is {news.status}, a word nobody has told us of")
        elif status not in TERMINAL:
            self._tell(self._standing(seen, news.status, news.status_timestamp))
        elif seen.filled >= _filled(order):
            self.end(seen, self._ended(seen, news.status, order, news.status_timestamp))
        else:
            self._later(self._finish(seen, news))

    async def _finish(self, seen: Sighting, news: OrderNews) -> None:
        report = await self.settle(seen, news.order, news.status, news.status_timestamp)
        self.end(seen, report)

    async def _look_at(self, cloid: str) -> None:
        report = await self.status(cloid)
        if report is not None:
            self._tell(report)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(self._carefully(work), "hyperliquid.account")

    async def _carefully(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except VenueUnavailable as error:
            self._lost(str(error))

    # -- how an order stands ----------------------------------------------------------------------

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
        seen = self._meet(found.order)
        status = standing(found.status)
        if status is None:
            raise VenueUnavailable(f"an order is {found.status}, a word nobody has told us of")
        if status not in TERMINAL:
            if seen.end is not None and _is_over(seen, status):  # older than what was told
                return seen.end
            return self._standing(seen, found.status, found.status_timestamp)
        return await self.settle(seen, found.order, found.status, found.status_timestamp)

    async def settle(
        self, seen: Sighting, order: BasicOrder, word: str, time_ms: int
    ) -> ExecutionReport:
        """Return the report of an order's end once its fills are told; raises VenueUnavailable."""
        await self.gather(seen, _filled(order), order.timestamp)
        return self._ended(seen, word, order, time_ms)

    async def gather(self, seen: Sighting, filled: Decimal, since_ms: int) -> None:
        """Return when fills worth `filled` of an order have been told.

        What the streams do not bring in time is asked for from `since_ms` on. The venue may have
        less: a reduce-only order shrinks with its position.
        """
        try:
            async with within(self._clock, self._patience):
                while seen.filled < filled:
                    seen.moved.clear()
                    await seen.moved.wait()
        except TimeoutError:
            self.take_fills(await self._questions.fills(since_ms))

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

    def _meet(self, order: BasicOrder) -> Sighting:
        size = order.orig_sz if order.orig_sz is not None else order.sz
        return self.sightings.meet(order.coin, order.cloid, order.oid, size)

    def _standing(self, seen: Sighting, word: str, time_ms: int) -> ExecutionReport:
        status = standing(word)
        if status is S.OPEN and seen.filled:
            status = S.PARTIAL
        return self._report(seen, status or S.UNKNOWN, time_ms)

    def _ended(self, seen: Sighting, word: str, order: BasicOrder, time_ms: int) -> ExecutionReport:
        """Return the end of an order whose fills are told; what is filled in part has ended, too.

        Raises VenueUnavailable where fills are missing that must exist.
        """
        status = standing(word) or S.UNKNOWN
        size = seen.size or order.sz
        if status is not S.FILLED or seen.filled >= size:
            return self._report(seen, status, time_ms, "" if word == "filled" else word)
        partly = _may_end_partly(order) if seen.partly is None else seen.partly
        if not seen.filled or not partly:
            raise VenueUnavailable(f"the venue does not show the fills of {seen.cloid} yet")
        return self._report(seen, S.CANCELED, time_ms, PARTLY)

    def _report(
        self, seen: Sighting, status: OrderStatus, time_ms: int, reason: str = ""
    ) -> ExecutionReport:
        return ExecutionReport(
            cloid=seen.cloid,
            symbol=seen.symbol,
            status=status,
            time=time_ms * MILLISECOND,
            oid=str(seen.oid) if seen.oid is not None else None,
            reason=reason,
        )

    def end(self, seen: Sighting, report: ExecutionReport) -> None:
        """Tell how an order has ended, unless that was told."""
        if seen.end is None:
            seen.end = report
            self._tell(report)
            seen.moved.set()


def _is_over(seen: Sighting, status: OrderStatus | None) -> bool:
    """Tell whether an order's end was told, so that `status` is no news.

    That one stands which was refused is news, and bad.
    """
    if seen.end is None:
        return False
    return seen.end.status is not S.REJECTED or status is S.REJECTED


def _may_end_partly(order: BasicOrder) -> bool:
    """Tell whether an order may be filled although a part is missing: it shrank, or never rested.

    The streams do not tell the latter, a question does.
    """
    rests = not isinstance(order, FrontendOrder) or order.tif in RESTING
    return order.reduce_only or not rests


def _filled(order: BasicOrder) -> Decimal:
    """Return how much of an ended order must have been filled, by what is left of it."""
    return order.orig_sz - order.sz if order.orig_sz is not None else ZERO
