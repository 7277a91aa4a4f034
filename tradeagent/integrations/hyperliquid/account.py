"""Hear what befalls the account: fills, steps in the life of its orders, and payments."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tradeagent.integrations.base import AccountEvent
from tradeagent.integrations.hyperliquid.channels import (
    Funding,
    OrderNews,
    UserEvent,
    UserFills,
    UserFundings,
)
from tradeagent.integrations.hyperliquid.fills import FillNews
from tradeagent.integrations.hyperliquid.inquiries import Inquiries
from tradeagent.integrations.hyperliquid.outcomes import standing
from tradeagent.integrations.hyperliquid.reports import payment_of
from tradeagent.integrations.hyperliquid.sightings import Sighting
from tradeagent.integrations.hyperliquid.standings import Standings, filled, is_over
from tradeagent.messages import TERMINAL

PAYMENTS = 10_000


class AccountNews:
    """Turns what the streams of the account say into reports, and tells them.

    What could not be made out, so that all must be asked for anew, goes to `inquiries.lost`.
    """

    def __init__(
        self,
        fills: FillNews,
        orders: Standings,
        inquiries: Inquiries,
        tell: Callable[[AccountEvent], None],
    ) -> None:
        self._fills = fills
        self._orders = orders
        self._inquiries = inquiries
        self._tell = tell
        self._paid: OrderedDict[str, None] = OrderedDict()
        self.since = 0
        """From when on old fills and payments are told again, in ms: the last loss of the line."""

    def hear(self, data: object) -> None:
        """Take in what a stream of the account says."""
        if isinstance(data, UserFills):
            fills = [one for one in data.fills if not data.is_snapshot or one.time >= self.since]
            self._fills.take(fills)
        elif isinstance(data, UserFundings):
            for paid in data.fundings:
                if not data.is_snapshot or paid.time >= self.since:
                    self._take_payment(paid)
        elif isinstance(data, UserEvent):
            for gone in data.non_user_cancel:
                self._look_at_later(str(gone.oid))
        elif isinstance(data, list):
            for news in data:
                if isinstance(news, OrderNews):
                    self._take_news(news)

    def _take_payment(self, paid: Funding) -> None:
        payment = payment_of(paid, paid.time)
        if payment.tid in self._paid:
            return
        self._paid[payment.tid] = None
        if len(self._paid) > PAYMENTS:
            self._paid.popitem(last=False)
        self._tell(payment)

    def _take_news(self, news: OrderNews) -> None:
        order, orders = news.order, self._orders
        seen = orders.meet(order)
        status = standing(news.status)
        if is_over(seen, status):
            return
        if status is None:
            self._inquiries.lost(f"an order is {news.status}, a word nobody has told us of")
        elif status not in TERMINAL:
            self._tell(orders.live(seen, news.status, news.status_timestamp))
        elif seen.filled >= filled(order):
            orders.end(seen, orders.over(seen, news.status, order, news.status_timestamp))
        else:
            self._inquiries.later(lambda: self._finish(seen, news))

    async def _finish(self, seen: Sighting, news: OrderNews) -> None:
        report = await self._orders.settle(seen, news.order, news.status, news.status_timestamp)
        self._orders.end(seen, report)

    def _look_at_later(self, number: str) -> None:
        self._inquiries.later(lambda: self._look_at(number))

    async def _look_at(self, number: str) -> None:
        report = await self._orders.status(number)
        if report is not None:
            self._tell(report)
