"""What is asked about the market and the account, and how it is judged before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import TypeAdapter

from tradeagent.clock import MILLISECOND, SECOND
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid import answers
from tradeagent.integrations.hyperliquid.answers import (
    Candle,
    ClearinghouseState,
    ExtraAgent,
    FrontendOrder,
    FundingRate,
    KnownOrder,
    Meta,
    OrderHistory,
    UserFill,
    UserFunding,
    UserRateLimit,
    UserRole,
)
from tradeagent.integrations.hyperliquid.paging import Span, all_pages
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.integrations.hyperliquid.wording import CLOID

T = TypeVar("T")
FILLS_A_PAGE = 2000
PAYMENTS_A_PAGE = 500
FILLS_ASKED_BY = 300_000
"""Fills are asked for from a multiple of this on, ms, so that who asks at once asks the same."""
BETWEEN_PAGES = 120.0
"""How long a further page may wait for room in the weight limit, in seconds: full ones are dear."""


class MarketQuestions:
    """Asks about the market and the venue; every question raises VenueUnavailable."""

    def __init__(self, rest: Rest, venue_time: VenueTime) -> None:
        self._rest = rest
        self._time = venue_time

    async def time(self) -> float:
        """Learn the venue's time; returns by how many seconds this machine's is ahead of it."""
        await self.shown()
        return self._time.skew

    async def shown(self) -> int:
        """Return the time of the node that answers, ms; it may lag."""
        sleeps = self._time.sleeps
        told = await self._rest.ask({"type": "exchangeStatus"}, answers.TIME)
        self._time.sight(told.time, sleeps)
        return told.time

    async def meta(self) -> Meta:
        """Return what is listed."""
        return await self._rest.ask({"type": "meta", "dex": ""}, answers.META)

    async def mids(self) -> dict[str, str]:
        """Return the middle of every book."""
        return await self._rest.ask({"type": "allMids", "dex": ""}, answers.MIDS)

    async def candles(
        self, coin: str, interval: str, start_ms: int, end_ms: int, patience: float
    ) -> Sequence[Candle]:
        """Return candles that opened from `start_ms` to `end_ms`, the last perhaps not closed."""
        wanted = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": end_ms}
        return await self._rest.ask(
            {"type": "candleSnapshot", "req": wanted}, answers.CANDLES, patience
        )

    async def funding(
        self, coin: str, start_ms: int, end_ms: int, patience: float
    ) -> Sequence[FundingRate]:
        """Return the first rates from `start_ms` to `end_ms`, 500 at most, oldest first."""
        question = {
            "type": "fundingHistory",
            "coin": coin,
            "startTime": start_ms,
            "endTime": end_ms,
        }
        return await self._rest.ask(question, answers.FUNDING_HISTORY, patience)


class AccountQuestions:
    """Asks about one account; every question raises VenueUnavailable."""

    def __init__(self, rest: Rest, account: str, venue_time: VenueTime, oldest: float) -> None:
        """Believe no state that is more than `oldest` seconds old."""
        self._rest = rest
        self.account = account
        self._time = venue_time
        self._oldest = int(oldest * SECOND)

    async def role(self, address: str) -> UserRole:
        """Return what an address is to the venue."""
        return await self._rest.ask({"type": "userRole", "user": address}, answers.ROLE)

    async def agents(self) -> Sequence[ExtraAgent]:
        """Return the agents that have a name; those without one are not told."""
        return await self._ask("extraAgents", answers.AGENTS)

    async def abstraction(self) -> str:
        """Return how the account keeps its balances."""
        return await self._ask("userAbstraction", answers.WORD)

    async def rate_limit(self) -> UserRateLimit:
        """Return how many actions are used and allowed."""
        return await self._ask("userRateLimit", answers.RATE_LIMIT)

    async def order(self, cloid: str) -> OrderHistory | None:
        """Return an order by cloid or number, None when the venue does not know it."""
        if not CLOID.fullmatch(cloid) and not cloid.isdigit():
            return None
        oid: int | str = int(cloid) if cloid.isdigit() else cloid
        question = {"type": "orderStatus", "user": self.account, "oid": oid}
        told = await self._rest.ask(question, answers.ORDER_STATUS)
        return told.order if isinstance(told, KnownOrder) else None

    async def open_orders(self) -> Sequence[FrontendOrder]:
        """Return every order that rests."""
        return await self._ask("frontendOpenOrders", answers.FRONTEND_ORDERS)

    async def state(self) -> ClearinghouseState:
        """Return positions and margin, as fresh as they must be to be evidence."""
        told = await self._ask("clearinghouseState", answers.STATE)
        age = self._time.now() - told.time * MILLISECOND
        if age > self._oldest:
            raise VenueUnavailable(f"the venue's answer is {age / SECOND:.0f} s old")
        return told

    async def fills(self, since_ms: int) -> list[UserFill]:
        """Return every fill from `since_ms` on, each once, in no order."""
        found = await self._pages(
            {"type": "userFillsByTime", "user": self.account, "aggregateByTime": False},
            max(0, since_ms) // FILLS_ASKED_BY * FILLS_ASKED_BY,
            FILLS_A_PAGE,
            answers.FILLS,
            lambda fill: (fill.time, (fill.coin, fill.oid, fill.tid)),
        )
        return [fill for fill in found if fill.time >= since_ms]

    async def funding(self, since_ms: int) -> list[UserFunding]:
        """Return every funding payment from `since_ms` on, each once, in no order."""
        return await self._pages(
            {"type": "userFunding", "user": self.account},
            since_ms,
            PAYMENTS_A_PAGE,
            answers.FUNDING,
            lambda one: (one.time, (one.delta.coin, one.time)),
        )

    async def _ask(self, kind: str, shape: TypeAdapter[T]) -> T:
        return await self._rest.ask({"type": kind, "user": self.account}, shape)

    async def _pages(
        self,
        question: Mapping[str, object],
        since_ms: int,
        full: int,
        shape: TypeAdapter[list[T]],
        key: Callable[[T], tuple[int, object]],
    ) -> list[T]:
        """Return all pages from `since_ms` on; the first waits for room as any question does."""
        patience: float | None = None

        async def page(span: Span) -> list[T]:
            nonlocal patience
            start, end = span
            limits = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            told = await self._rest.ask({**question, **limits}, shape, patience)
            patience = BETWEEN_PAGES
            return told

        return await all_pages(page, since_ms, full, key)
