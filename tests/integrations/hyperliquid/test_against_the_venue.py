"""Our adapter on our own venue with its faults switched on: no order lost, doubled or made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from tests.conformance.exchange import Venue
from tests.conformance.stage import Shown, Stage
from tests.integrations.hyperliquid.scripted import Tasks, middle
from tests.venue.place import Place, trader
from tests.venue.server import wallet
from tradeagent.clock import SECOND, AcceleratedClock, Clock
from tradeagent.errors import NotSent, OperatorError, OrderRefused, VenueUnavailable
from tradeagent.integrations.base import MarketFeed
from tradeagent.integrations.hyperliquid import (
    Credentials,
    HyperliquidFeedSettings,
    HyperliquidSettings,
)
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.integrations.hyperliquid.feed import HyperliquidFeed
from tradeagent.messages import (
    ExecutionReport,
    MarketData,
    Order,
    OrderBookUpdate,
    OrderStatus,
    TickerUpdate,
    VenueStatus,
)
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.venue import Floor, VenueSettings
from tradeagent.simulation.venue.intake import Rules
from tradeagent.simulation.venue.serving import Ports, serve_venue

S = OrderStatus
ORIGIN = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""
FREE = Rules(limited=False)
MARKET = GeneratedMarket(MarketSettings(seed=3, tick_seconds=1, book_seconds=5))


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


async def until_known(venue: OnVenue, order: Order) -> ExecutionReport:
    """Return how an order stands, once the venue says it."""
    async with asyncio.timeout(10):
        while True:
            try:
                report = await venue.exchange.get_order_status("BTC", order.cloid)
            except VenueUnavailable:
                report = None
            if report is not None:
                return report
            await asyncio.sleep(0.01)


async def test_an_agent_trades_for_its_master_alone() -> None:
    """Orders of the agent are the account's; as agent of another account the start is refused."""
    async with exchanging() as venue:
        order = await venue.trade("buy", "0.01")
        assert await venue.names() == [order.cloid]
        other = Credentials(account=trader(venue.place_, 2).user, key=SecretStr(_key(70_000)))
        line = HyperliquidSettings(network="local", url=venue.place_.url)
        stranger = HyperliquidExchange(line, other, venue.place_.clock, Tasks().spawn)
        with pytest.raises(OperatorError, match=f"it is an agent of {venue.user}"):
            await stranger.start()
        await stranger.close()


def _key(number: int) -> str:
    return str(wallet(number).key.hex())


@pytest.mark.parametrize(
    "switch",
    [
        {"switch": "time_out", "seconds": 4.0},
        {"switch": "bad_gateway"},
        {"switch": "garbage", "form": "text"},
        {"switch": "garbage", "form": "empty"},
        {"switch": "garbage", "form": "bare"},
        {"switch": "delay_answer", "seconds": 10.0},
        {"switch": "delay_request", "seconds": 4.0},
    ],
    ids=lambda switch: "-".join(map(str, switch.values())),
)
async def test_an_order_without_an_answer_is_found_again(switch: dict[str, Any]) -> None:
    """It was placed, nobody said so: it is unknown at first, then known, and there is one of it."""
    async with exchanging() as venue:
        told = {"type": "order", "n": 1, **switch}
        await venue.place_.switch(str(told.pop("switch")), **told)
        order = venue.resting()
        submission = venue.exchange.prepare(order)
        with pytest.raises(VenueUnavailable):
            await venue.exchange.place_order(order, submission)
        known = await until_known(venue, order)
        again = await venue.exchange.place_order(order, submission)

        assert (known.status, again.status) == (S.OPEN, S.OPEN)
        assert known.oid == again.oid
        assert await venue.names() == [order.cloid]


async def test_a_lost_order_is_sent_again_byte_for_byte() -> None:
    """Nothing arrived: the same request may go out once more, and places one order."""
    async with exchanging() as venue:
        await venue.place_.switch("lose", type="order", n=1, seconds=4.0)
        order = venue.resting()
        submission = venue.exchange.prepare(order)
        with pytest.raises(VenueUnavailable):
            await venue.exchange.place_order(order, submission)
        assert await venue.exchange.get_order_status("BTC", order.cloid) is None
        report = await venue.exchange.place_order(order, submission)

        assert report.status is S.OPEN
        assert await venue.names() == [order.cloid]


async def test_the_same_bytes_never_place_a_second_order() -> None:
    """A run that knows nothing of an earlier one sends its bytes: the venue refuses the nonce."""
    async with exchanging() as venue, another(venue) as later:
        order = venue.order("buy", "0.01")
        submission = venue.exchange.prepare(order)
        await venue.exchange.place_order(order, submission)
        with pytest.raises(VenueUnavailable, match="duplicate nonce"):
            await later.place_order(order, submission)

        assert await venue.names() == [order.cloid]
        assert await venue.position() == Decimal("0.01")


@asynccontextmanager
async def another(venue: OnVenue) -> AsyncIterator[HyperliquidExchange]:
    """Yield another exchange with the same key."""
    credentials = Credentials(account=venue.user, key=SecretStr(_key(70_000)))
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


@pytest.mark.parametrize("fault", ["duplicate_event", "reorder_event", "delay_event"])
async def test_fills_are_told_once_and_before_the_end(fault: str) -> None:
    """Whatever the line does to events: each fill once, and no end before its fills."""
    async with exchanging() as venue:
        for channel in ("userFills", "orderUpdates"):
            await venue.place_.switch(fault, channel=channel, p=0.7)
        orders = [venue.order(side, "0.01") for side in ("buy", "sell") * 5]
        for order in orders:
            await venue.place(order)
        await venue.until(lambda: sum(venue.filled(one) for one in orders) >= Decimal("0.1"))
        for order in orders:
            told = [one for one in venue.reports(order) if one.execution is not None]
            assert len(told) == len({one.execution.tid for one in told if one.execution})
            ends = [i for i, one in enumerate(venue.reports(order)) if one.status is S.FILLED]
            assert ends

        assert await venue.position() == 0


async def test_what_happens_while_the_line_is_cut_is_told_after() -> None:
    """A fill behind a cut line comes with the snapshot; down and up are told."""
    async with exchanging() as venue:
        order = venue.resting()
        await venue.place(order)
        await venue.place_.switch("stall", n=None)
        taken = venue.order("buy", "0.01")
        report = await venue.place(taken)
        assert report.status is S.FILLED
        await venue.place_.clear()
        await venue.place_.switch("drop_sockets")
        await venue.until(lambda: venue.filled(taken) == Decimal("0.01"))
        await venue.until(lambda: venue.states()[-2:] == ["down", "up"])
        told = [one for one in venue.reports(taken) if one.execution is not None]

        assert len(told) == 1
        assert await venue.open() == {order.cloid}


async def test_a_stalled_line_enters_nothing_and_still_closes() -> None:
    """A silent stall is noticed by its prices; entries do not leave, exits do."""
    async with exchanging(speed=10.0, request_timeout=20.0) as venue:
        await venue.trade("buy", "0.01")
        await venue.place_.switch("stall", new=True)
        await venue.until(lambda: venue.states()[-1:] == ["down"])
        with pytest.raises(NotSent, match="VENUE_DOWN"):
            await venue.exchange.place_order(venue.order("buy", "0.01"))
        exit_ = await _when_priced(venue, lambda: venue.order("sell", "0.01", reduce_only=True))

        assert exit_.status is S.FILLED
        assert await venue.position() == 0


async def _when_priced(venue: OnVenue, order: Callable[[], Order]) -> ExecutionReport:
    """Place an order as soon as there is a price for it."""
    async with asyncio.timeout(10):
        while middle(venue.hyperliquid, "BTC") is None:
            await asyncio.sleep(0.01)
    return await venue.exchange.place_order(order())


async def test_a_late_node_proves_nothing() -> None:
    """An answer from a while ago says neither flat nor what the account is worth."""
    async with exchanging(answers_within=1.0) as venue:
        await venue.trade("buy", "0.01")
        await venue.place_.switch("lag_info", seconds=30.0)
        await venue.place_.clock.sleep(2.0)
        for ask in (venue.exchange.get_positions, venue.exchange.get_statement):
            with pytest.raises(VenueUnavailable, match="s old"):
                await ask()


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [("maintenance", "degraded"), ("post_only", "degraded")],
)
async def test_a_venue_that_takes_no_risk_is_degraded(switch: str, wanted: str) -> None:
    """Entries get no answer or a refusal; it is told, and told again when it is over."""
    async with exchanging(breaker_failures=2, breaker_pause=1.0, measure_every=2.0) as venue:
        await venue.place_.switch(switch, path="exchange")
        for _ in range(3):
            with pytest.raises((VenueUnavailable, NotSent, OrderRefused)):
                await venue.exchange.place_order(venue.resting())
        assert venue.states()[-1] == wanted
        await venue.place_.clear()
        async with asyncio.timeout(20):
            while await venue.tried(venue.resting()) is not S.OPEN:
                await asyncio.sleep(0.05)

        await venue.until(lambda: venue.states()[-1] == "up")
        assert len(await venue.names()) == 1


async def test_after_a_429_entries_wait_and_cancels_pass() -> None:
    """The venue says that it was too much: nothing is entered for ten seconds."""
    async with exchanging() as venue:
        order = venue.resting()
        await venue.place(order)
        await venue.place_.switch("too_many_requests", path="exchange", n=1)
        with pytest.raises(VenueUnavailable, match="HTTP 429"):
            await venue.exchange.place_order(venue.resting())
        with pytest.raises(OrderRefused, match="VENUE_BUDGET"):
            await venue.exchange.place_order(venue.resting())
        report = await venue.exchange.cancel_order("BTC", order.cloid)

        assert report.status is S.CANCELED


async def test_cancels_pass_when_nothing_else_does() -> None:
    """With one request in two lost or refused, a cancel goes through in the end."""
    async with exchanging() as venue:
        order = venue.resting()
        await venue.place(order)
        await venue.place_.switch("bad_gateway", type="cancelByCloid", n=3)
        async with asyncio.timeout(10):
            while True:
                try:
                    report = await venue.exchange.cancel_order("BTC", order.cloid)
                    break
                except VenueUnavailable:
                    continue

        assert report.status is S.CANCELED
        assert await venue.open() == set()


async def test_what_fills_in_part_ends_after_its_fills() -> None:
    """A market order of which the venue fills a third is cancelled for the rest."""
    async with exchanging() as venue:
        await venue.place_.switch("partial_fills", fraction=0.3)
        order = venue.order("buy", "0.01")
        report = await venue.place(order)

        assert report.status is S.CANCELED
        assert 0 < venue.filled(order) < order.size
        assert await venue.position() == venue.filled(order)


async def test_a_liquidation_is_told_as_such() -> None:
    """The venue closes a position: the fill names the order it made, and the position is gone."""
    async with exchanging() as venue:
        await venue.trade("buy", "0.01")
        stop = venue.order(
            "sell", "0.01", type="stop", trigger=Decimal(int(venue.mid / 2)), reduce_only=True
        )
        await venue.place(stop)
        await venue.place_.switch("liquidate", user=venue.user)
        await venue.until(lambda: any(one.order is not None for one in _executions(venue)))
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(stop)))
        (closed,) = [one for one in _executions(venue) if one.order is not None]
        asked = [one for one in await venue.exchange.get_fills(0) if one.order is not None]

        assert closed.execution is not None
        assert closed.execution.liquidation
        assert [one.order for one in asked] == [closed.order]
        assert await venue.position() == 0


def _executions(venue: OnVenue) -> list[ExecutionReport]:
    return [one for one in venue.told if isinstance(one, ExecutionReport)]


async def test_a_changed_grid_is_learnt() -> None:
    """When sizes get coarser, what does not fit any more is refused here."""
    async with exchanging(listing_every=1.0) as venue:
        await venue.place_.switch("metadata", coin="BTC", szDecimals=2)
        async with asyncio.timeout(10):
            while (await venue.exchange.get_market_data())[0].lot != Decimal("0.01"):
                await asyncio.sleep(0.01)
        with pytest.raises(OrderRefused, match="GRID: size"):
            venue.exchange.prepare(venue.limit("buy", "0.011", 50_000.0))
        await venue.place_.switch("metadata", coin="BTC", isDelisted=True)
        async with asyncio.timeout(10):
            while "BTC" in {one.symbol for one in await venue.exchange.get_market_data()}:
                await asyncio.sleep(0.01)
        with pytest.raises(OrderRefused, match="UNLISTED"):
            venue.exchange.prepare(venue.limit("buy", "0.01", 50_000.0))


async def test_another_hand_on_the_account_is_seen() -> None:
    """Orders and fills that others make have their number for a name."""
    async with exchanging() as venue:
        wire = {"a": 0, "b": True, "p": "30000", "s": "0.01", "r": False}
        order = {**wire, "t": {"limit": {"tif": "Gtc"}}}
        action = {"type": "order", "orders": [order], "grouping": "na"}
        await venue.place_.switch("outsider", user=venue.user, action=action)
        taking = {**order, "p": str(int(venue.mid * 11 / 10)), "t": {"limit": {"tif": "Ioc"}}}
        await venue.place_.switch(
            "outsider", user=venue.user, action={**action, "orders": [taking]}
        )
        await venue.until(lambda: any(one.execution for one in _executions(venue)))
        (fill,) = [one for one in _executions(venue) if one.execution is not None]
        (resting,) = await venue.exchange.get_open_orders()
        cancelled = await venue.exchange.cancel_order("BTC", resting.cloid)

        assert fill.cloid == fill.oid
        assert fill.cloid.isdigit()
        assert fill.order is None
        assert cancelled.status is S.CANCELED
        assert await venue.position() == Decimal("0.01")


async def test_a_scheduled_cancel_ends_what_rests() -> None:
    """Where the volume is enough the venue cancels everything at the time, and that is told."""
    async with exchanging(settings=VenueSettings(schedule_volume=Decimal(0))) as venue:
        order = venue.resting()
        await venue.place(order)
        assert await venue.hyperliquid.schedule_cancel(venue.hyperliquid.time.now() + 6 * SECOND)
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(order)))

        assert venue.reports(order)[-1].reason == "scheduledCancel"
    async with exchanging(settings=VenueSettings(schedule_volume=Decimal(1_000_000))) as venue:
        assert not await venue.hyperliquid.schedule_cancel(None)


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


async def until(wanted: Callable[[], bool], patience: float = 20.0) -> None:
    """Return when it is as wanted."""
    async with asyncio.timeout(patience):
        while not wanted():
            await asyncio.sleep(0.01)


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
