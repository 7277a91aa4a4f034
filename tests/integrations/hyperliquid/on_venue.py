"""Our adapter on a venue of our own, with its clock and all that it has on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from pydantic import SecretStr

from tests.conformance.stage import Shown, Stage
from tests.conformance.venue import Venue
from tests.integrations.hyperliquid.scripted import Tasks, middle
from tests.venue.place import Place, trader
from tests.venue.server import wallet
from tradeagent.clock import SECOND, AcceleratedClock, Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.base import MarketFeed
from tradeagent.integrations.hyperliquid import (
    Credentials,
    HyperliquidSettings,
)
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.messages import (
    ExecutionReport,
    Order,
    OrderStatus,
    VenueStatus,
)
from tradeagent.simulation.venue import Floor, VenueSettings
from tradeagent.simulation.venue.intake import Rules
from tradeagent.simulation.venue.serving import Ports, serve_venue

S = OrderStatus
ORIGIN = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""
FREE = Rules(limited=False)


class OnVenue(Venue):
    """Our exchange on a market that stands still, and what it has told."""

    def __init__(self, place: Site, exchange: HyperliquidExchange, user: str) -> None:
        super().__init__()
        self.place_ = place
        self.exchange = exchange
        self.hyperliquid = exchange
        self.user = user
        exchange.subscribe(self.hear)

    async def show(self, shown: Shown) -> None:
        """Leave the market to itself."""

    @property
    def mid(self) -> Decimal:
        """Return the middle as the exchange knows it."""
        mid = middle(self.hyperliquid, "BTC")
        assert mid is not None
        return mid

    def resting(self, part: float = 0.8, **changes: object) -> Order:
        """Return an order to buy far below the market."""
        return self.limit("buy", "0.01", float(int(float(self.mid) * part)), **changes)

    async def tried(self, order: Order) -> OrderStatus:
        """Return what became of an order that may get no answer."""
        try:
            return (await self.place(order)).status
        except VenueUnavailable:
            return S.UNKNOWN

    def states(self) -> list[str]:
        """Return what was told of the venue's state."""
        return [one.state for one in self.told if isinstance(one, VenueStatus)]

    async def at_venue(self) -> list[dict[str, Any]]:
        """Return every status of every order that the venue has on record, newest first."""
        found: list[dict[str, Any]] = await self.place_.info("historicalOrders", user=self.user)
        return found

    async def names(self) -> list[str]:
        """Return the cloids of all orders that ever were, each order once."""
        orders = {one["order"]["oid"]: one["order"]["cloid"] for one in await self.at_venue()}
        return list(orders.values())


class Site(Place):
    """A venue that is open, with the clock it runs on."""

    def __init__(
        self, floor: Floor, clock: Clock, url: str, admin: str, http: aiohttp.ClientSession
    ) -> None:
        super().__init__(floor, clock, url, admin, http)
        self.clock = clock


@asynccontextmanager
async def on(feed: MarketFeed, speed: float, settings: VenueSettings) -> AsyncIterator[Site]:
    """Open a venue on a market."""
    clock = AcceleratedClock(ORIGIN, speed)
    floor = Floor(settings, feed, clock, None)
    async with (
        serve_venue(floor, clock, FREE, Ports(), 1) as (url, admin),
        aiohttp.ClientSession() as http,
    ):
        yield Site(floor, clock, url, admin, http)


@asynccontextmanager
async def exchanging(
    speed: float = 5.0, settings: VenueSettings | None = None, name: str = "", **changes: object
) -> AsyncIterator[OnVenue]:
    """Yield our exchange on a venue, trading as an agent of an account, `name` for the agent's."""
    async with on(Stage(), speed, settings or VenueSettings()) as place:
        owner, agent = trader(place), wallet(70_000)
        await owner.approve(agent, name)
        tasks = Tasks()
        values = {"request_timeout": 2.5, "fills_within": 0.5, "weight_share": 1.0, **changes}
        line = HyperliquidSettings.model_validate(
            {"network": "local", "url": place.url, "ack_within": 50.0, **values}
        )
        credentials = Credentials(account=owner.user, key=SecretStr(agent.key.hex()))
        exchange = HyperliquidExchange(line, credentials, place.clock, tasks.spawn)
        venue = OnVenue(place, exchange, owner.user)
        try:
            await exchange.start()
            yield venue
        finally:
            await exchange.close()
            await tasks.end()


def key_of(number: int) -> str:
    """Return the private key of a wallet."""
    return str(wallet(number).key.hex())


@asynccontextmanager
async def another(venue: OnVenue) -> AsyncIterator[HyperliquidExchange]:
    """Yield another exchange with the same key."""
    credentials = Credentials(account=venue.user, key=SecretStr(key_of(70_000)))
    line = HyperliquidSettings(
        network="local", url=venue.place_.url, ack_within=50.0, request_timeout=50.0
    )
    tasks = Tasks()
    exchange = HyperliquidExchange(line, credentials, venue.place_.clock, tasks.spawn)
    try:
        await exchange.start()
        yield exchange
    finally:
        await exchange.close()
        await tasks.end()


def executions(venue: OnVenue) -> list[ExecutionReport]:
    """Return every report of an order that was told."""
    return [one for one in venue.told if isinstance(one, ExecutionReport)]


async def until(wanted: Callable[[], bool], patience: float = 20.0) -> None:
    """Return when it is as wanted."""
    async with asyncio.timeout(patience):
        while not wanted():
            await asyncio.sleep(0.01)
