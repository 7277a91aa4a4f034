"""The feed on our own venue: every candle once and in order, whatever the line does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integrations.hyperliquid.on_venue import (
    ORIGIN,
    on,
    until,
)
from tests.integrations.hyperliquid.scripted import Tasks
from tradeagent.clock import SECOND
from tradeagent.integrations.hyperliquid import (
    HyperliquidFeedSettings,
)
from tradeagent.integrations.hyperliquid.feed import HyperliquidFeed
from tradeagent.messages import (
    MarketData,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.venue import VenueSettings

MARKET = GeneratedMarket(MarketSettings(seed=3, tick_seconds=1, book_seconds=5))


@asynccontextmanager
async def feeding(speed: float, since: int, **changes: object) -> AsyncIterator[Any]:
    """Yield a place, a feed that listens to BTC there, and what it has delivered."""
    async with on(MARKET, speed, VenueSettings()) as place:
        values = {"network": "local", "url": place.url, "weight_share": 1.0, "ack_within": 600.0}
        settings = HyperliquidFeedSettings.model_validate(
            {**values, "request_timeout": 600.0, "settled_after": 20.0, **changes}
        )
        feed = HyperliquidFeed(settings, ["BTC"], place.clock)
        heard: list[object] = []
        tasks = Tasks()
        try:
            await feed.open()
            tasks.spawn(feed.listen(since, heard.append), "listen")
            yield place, feed, heard
        finally:
            await tasks.end()
            await feed.close()


def bars(heard: list[object]) -> list[MarketData]:
    """Return the candles among what was delivered."""
    return [one for one in heard if isinstance(one, MarketData)]


async def test_the_feed_delivers_what_the_venue_trades() -> None:
    """Candles from `since` on without a gap, the same that history tells; tickers and books."""
    since = ORIGIN - 5 * 60 * SECOND
    async with feeding(120.0, since, book_within=90.0) as (_, feed, heard):
        await until(lambda: len(bars(heard)) >= 8)
        await until(lambda: any(isinstance(one, TickerUpdate) for one in heard))
        await until(lambda: any(isinstance(one, OrderBookUpdate) for one in heard))
        closed = bars(heard)
        last = closed[-1].close_time
        known = await feed.history("BTC", "1m", last, len(closed))
        (status,) = feed.status()

    assert closed[0].close_time == since
    assert [bar.time for bar in closed] == [
        since - 60 * SECOND + i * 60 * SECOND for i in range(len(closed))
    ]
    assert _settled(known) == _settled(closed)
    assert (status.gaps, status.missing, status.malformed) == (0, 0, 0)
    ticks = [one for one in heard if isinstance(one, TickerUpdate)]
    assert all(tick.bid < tick.ask and tick.mark is not None for tick in ticks)
    assert [tick.time for tick in ticks] == sorted(tick.time for tick in ticks)


@pytest.mark.parametrize("fault", ["drop_sockets", "stall", "reorder_event"])
async def test_no_fault_of_the_line_costs_a_candle(fault: str) -> None:
    """Cut, stalled or reordered: every candle comes once and in order."""
    async with feeding(120.0, ORIGIN, ping_every=20.0, pong_within=20.0, book_within=90.0) as (
        place,
        feed,
        heard,
    ):
        await until(lambda: len(bars(heard)) >= 1)
        more = {"channel": "candle"} if fault.endswith("event") else {}
        await place.switch(fault, **more)
        await until(lambda: len(bars(heard)) >= 4)
        closed = bars(heard)
        known = await feed.history("BTC", "1m", closed[-1].close_time, len(closed))

    times = [bar.time for bar in closed]
    assert times == [times[0] + i * 60 * SECOND for i in range(len(times))]
    if not fault.endswith("event"):
        assert _settled(known) == _settled(closed)


def _settled(candles: Sequence[MarketData]) -> list[MarketData]:
    """Return candles but the one in which the venue began, of which it has not seen all."""
    return [one for one in candles if one.time != ORIGIN]
