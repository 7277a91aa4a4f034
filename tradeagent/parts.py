"""What differs from run to run, opened by its settings: the clock, the market and the exchange."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from tradeagent.clock import AcceleratedClock, Clock, SimulatedClock, WallClock
from tradeagent.errors import StateError, VenueUnavailable
from tradeagent.integrations.base import Exchange, LiveFeed, MarketFeed
from tradeagent.integrations.hyperliquid.settings import (
    Credentials,
    HyperliquidFeedSettings,
    HyperliquidSettings,
)
from tradeagent.integrations.recorded import RecordedSettings
from tradeagent.plan import Plan
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.scratch import Scratchpad
from tradeagent.simulation.settings import MarketSettings
from tradeagent.storage.directory import StateDirectory

if TYPE_CHECKING:
    from tradeagent.integrations.recorded import RecordedFeed

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
LEDGER_GROUP = 1_000
"""Writes of the exchange's ledger per commit in a simulation, which is never resumed half way."""


class Market(NamedTuple):
    """The clock of a run and the market that it watches."""

    clock: Clock
    feed: MarketFeed | LiveFeed


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where it is installed, None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def recording(plan: Plan) -> RecordedFeed | None:
    """Return the feed of recorded files, None for another; raises DataError."""
    if not isinstance(plan.feed, RecordedSettings):
        return None
    from tradeagent.integrations.recorded import RecordedFeed

    return RecordedFeed(plan.feed)


def open_clock(plan: Plan, ended: int, recorded: MarketFeed | None) -> Clock:
    """Return the clock, from where the last run `ended` (UTC ns); raises DataError."""
    chosen = plan.settings.clock
    first = next(recorded.events(0), None) if recorded is not None else None
    origin = max(chosen.origin_ns if first is None else first[0] - 1, ended)
    if chosen.mode == "simulated":
        return SimulatedClock(origin)
    if chosen.mode == "accelerated" and chosen.since_ns is not None:
        return AcceleratedClock(chosen.origin_ns, chosen.speed, chosen.since_ns)
    if chosen.mode == "accelerated":
        return AcceleratedClock(origin, chosen.speed)
    return WallClock()


def open_feed(plan: Plan, clock: Clock, recorded: MarketFeed | None) -> MarketFeed | LiveFeed:
    """Return the feed; a live one is not connected yet, see `connected`."""
    settings = plan.feed
    if recorded is not None:
        return recorded
    if isinstance(settings, MarketSettings):
        return GeneratedMarket(settings)
    from tradeagent.integrations.hyperliquid.feed import HyperliquidFeed

    assert isinstance(settings, HyperliquidFeedSettings)
    return HyperliquidFeed(settings, plan.watched, clock)


@asynccontextmanager
async def connected(
    plan: Plan, feed: MarketFeed | LiveFeed
) -> AsyncIterator[MarketFeed | LiveFeed]:
    """Connect a live feed, and disconnect it afterwards.

    Raises StateError in one line when that fails.
    """
    if not isinstance(feed, LiveFeed):
        yield feed
        return
    try:
        await _open(feed, plan)
        yield feed
    finally:
        await feed.close()


async def _open(feed: LiveFeed, plan: Plan) -> None:
    try:
        await feed.open()
    except VenueUnavailable as error:
        raise StateError(f"feeds.0: {feed.name} does not answer: {error}; try again") from error
    listed = {one.symbol for one in feed.instruments()}
    unknown = [symbol for symbol in plan.watched if symbol not in listed]
    if unknown:
        raise StateError(
            f"watchlist: {feed.name} does not list {', '.join(unknown)}; case matters, as in kPEPE"
        )


def open_exchange(
    plan: Plan, market: Market, directory: StateDirectory, spawn: Spawn, key: SecretStr | None
) -> Exchange:
    """Return the exchange; `key` is what a real one is traded with."""
    settings, clock = plan.exchange, market.clock
    if isinstance(settings, HyperliquidSettings):
        from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange

        assert key is not None
        credentials = Credentials(account=settings.account, key=key)
        return HyperliquidExchange(settings, credentials, clock, spawn, directory.path)
    passing = clock.simulated and plan.settings.store.fresh
    ledger = (
        Scratchpad()
        if passing
        else Ledger(directory.ledger, LEDGER_GROUP if clock.simulated else 1)
    )
    return SimulatedExchange(settings, market.feed.instruments(), ledger, clock.now)


@asynccontextmanager
async def housed(
    plan: Plan, directory: StateDirectory, clock: Clock
) -> AsyncIterator[tuple[Plan, SecretStr | None]]:
    """Run a venue of our own beside the daemon where `network: local` names none by URL.

    Yields the plan with the venue's address, and the key of the account that trades there.
    """
    settings, feed = plan.exchange, plan.feed
    if not (isinstance(settings, HyperliquidSettings) and settings.network == "local"):
        yield plan, None
        return
    from tradeagent.integrations.hyperliquid.signing import address_of

    key = _local_key(directory)
    account = settings.account or address_of(key)
    if settings.url:
        yield replace(plan, exchange=settings.model_copy(update={"account": account})), key
        return
    assert isinstance(feed, HyperliquidFeedSettings)
    async with _own_venue(directory.venue(), clock) as url:
        exchange = settings.model_copy(update={"account": account, "url": url})
        heard = feed.model_copy(update={"url": url})
        yield replace(plan, exchange=exchange, feed=heard), key


@asynccontextmanager
async def _own_venue(state: Path, clock: Clock) -> AsyncIterator[str]:
    """Serve a generated market on the loopback; yields its URL."""
    from tradeagent.simulation.venue import Floor, VenueSettings
    from tradeagent.simulation.venue.intake import Rules
    from tradeagent.simulation.venue.serving import Ports, serve_venue

    settings = VenueSettings()
    feed = GeneratedMarket(MarketSettings(tick_seconds=1, book_seconds=5))
    floor, rules = Floor(settings, feed, clock, state), Rules("any", open_accounts=True)
    async with serve_venue(floor, clock, rules, Ports(0, 0), settings.seed) as (url, _):
        yield url


def _local_key(directory: StateDirectory) -> SecretStr:
    """Return the key that trades on a local venue, made once; it is worth nothing elsewhere."""
    return SecretStr("0x" + directory.keep("local.key", lambda: secrets.token_hex(32)))
