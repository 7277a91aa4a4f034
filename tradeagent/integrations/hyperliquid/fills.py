"""Tell each fill of the account once, under the name of its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.base import AccountEvent
from tradeagent.integrations.hyperliquid.answers import UserFill
from tradeagent.integrations.hyperliquid.budget import NoRoom
from tradeagent.integrations.hyperliquid.inquiries import Inquiries
from tradeagent.integrations.hyperliquid.questions import AccountQuestions
from tradeagent.integrations.hyperliquid.reports import (
    fill_report,
    imposed_order,
    in_order,
    is_imposed,
)
from tradeagent.integrations.hyperliquid.sightings import Sighting, Sightings
from tradeagent.messages import ExecutionReport


class FillNews:
    """Turns fills, wherever they come from, into reports, and tells what was not told yet."""

    def __init__(
        self,
        questions: AccountQuestions,
        sightings: Sightings,
        inquiries: Inquiries,
        tell: Callable[[AccountEvent], None],
    ) -> None:
        self._questions = questions
        self._sightings = sightings
        self._inquiries = inquiries
        self._tell = tell
        self.started = 0
        """What was filled before happened while nobody here watched, in ms."""

    def take(self, fills: Sequence[UserFill]) -> None:
        """Tell the fills that were not told yet, in their order.

        Where one of them cannot be, those behind it stay news: they are told when they come again.
        """
        news = [fill for fill in in_order(fills) if self._sightings.is_news(fill)]
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
                self._sightings.unsee(fill)
            raise

    def _take_one(self, fill: UserFill) -> None:
        found = self._order_of(fill)
        if found is None:
            self._inquiries.later(lambda: self._trace(fill))
        else:
            self._take_fill(fill, found)

    def _is_imposed(self, fill: UserFill) -> bool:
        return is_imposed(fill, self._questions.account)

    def _order_of(self, fill: UserFill) -> Sighting | None:
        if fill.cloid is not None:
            return self._sightings.meet(fill.coin, fill.cloid, fill.oid)
        return self._sightings.numbered(fill.oid)

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
        return self._sightings.meet(fill.coin, name, fill.oid)

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
        except NoRoom:  # it is asked again: the fill stays seen, or a repetition told it twice
            raise
        except VenueUnavailable:
            self._sightings.unsee(fill)
            raise
        self._take_fill(fill, order)
