"""A machine that has slept learns the venue's time anew before it signs or tells anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.integrations.hyperliquid.clocks import SetClock
from tests.integrations.hyperliquid.orders import ONE, known, order, state
from tests.integrations.hyperliquid.scripted import ACCOUNT, basic, middle, ok, trading
from tests.integrations.hyperliquid.test_feed import listening
from tradeagent.clock import MILLISECOND, SECOND, WallClock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid import timing
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.messages import OrderStatus, VenueStatus

HOUR = 3_600


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets the wall's clock go on by some seconds and the monotonic one not."""
    awake = time.time_ns
    gone = 0

    def sleep(seconds: float) -> None:
        nonlocal gone
        gone += int(seconds * SECOND)

    monkeypatch.setattr(time, "time_ns", lambda: awake() + gone)
    return sleep


async def test_nothing_is_signed_with_the_time_from_before(
    slept: Callable[[float], None],
) -> None:
    """Else it would be void before it arrives; a cancel waits until the time was learnt."""
    async with trading(measure_every=900.0) as trader:
        venue, exchange = trader.venue, trader.exchange
        await exchange.place_order(order())
        venue.exchange = lambda _: ok("success", kind="cancel")
        venue.info["orderStatus"] = lambda _: known(ONE, "canceled")
        slept(HOUR)
        with pytest.raises(VenueUnavailable, match="time is not known"):
            exchange.prepare(order())
        report = await exchange.cancel_order("BTC", ONE)
        submission = exchange.prepare(order())

    assert report.status is OrderStatus.CANCELED
    assert venue.actions[-1]["expiresAfter"] > venue.now()
    assert submission is not None
    assert submission.dies_at > venue.now() * MILLISECOND


async def test_the_line_counts_as_lost(slept: Callable[[float], None]) -> None:
    """What happened meanwhile must be asked for: down, with the reason, and up again."""
    async with trading(measure_every=900.0) as trader:
        slept(HOUR)
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")
        await trader.venue.say(
            "orderUpdates",
            [{"order": basic(ONE), "status": "open", "statusTimestamp": trader.venue.now()}],
        )

    (down,) = [one for one in trader.told if isinstance(one, VenueStatus) and one.state == "down"]
    assert down.reason == "this machine has slept"
    assert len(trader.venue.subscribed) == 10
    assert all(one.get("user", ACCOUNT) == ACCOUNT for one in trader.venue.subscribed)


async def test_the_feed_takes_its_line_for_lost_too(slept: Callable[[float], None]) -> None:
    """What waits on it is from before; its candles are asked for by the right time."""
    async with listening(clock=WallClock()) as listener:
        slept(HOUR)
        await listener.connected(times=2)
        assert abs(listener.feed._time.now() // MILLISECOND - listener.venue.now()) < 1_000


@pytest.mark.parametrize(("seconds", "lost"), [(1.9, False), (2.1, True), (-HOUR, False)])
def test_a_small_step_or_one_back_is_no_sleep(
    seconds: float, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks are set right by a little all the time; one that is set back stands still instead."""
    clock, woken = SetClock(), list[int]()
    passed = 0.0
    monkeypatch.setattr(timing, "elapsed", lambda _: passed)
    venue_time = VenueTime(clock)
    venue_time.woken = lambda: woken.append(1)
    venue_time.sight(clock.now() // MILLISECOND)
    clock.time += int((10 + seconds) * SECOND)
    passed += 10.0

    assert venue_time.is_known is not lost
    assert len(woken) == lost
    venue_time.sight(clock.now() // MILLISECOND)
    assert venue_time.is_known


async def test_an_answer_from_before_a_sleep_tells_no_time(slept: Callable[[float], None]) -> None:
    """What was asked before is as old as the sleep was long, however late it is read."""
    async with trading(measure_every=900.0) as trader:
        then = trader.venue.now()

        def answer(_: object) -> object:
            slept(HOUR)
            return {"time": then, "specialStatuses": None}

        usual = trader.venue.info["exchangeStatus"]
        trader.venue.info["exchangeStatus"] = answer
        await trader.exchange._venue.time()
        assert not trader.exchange.time.is_known
        trader.venue.info["exchangeStatus"] = usual
        await trader.exchange._venue.time()
        assert abs(trader.exchange.time.now() // MILLISECOND - trader.venue.now()) < 1_000


async def test_a_middle_from_before_a_sleep_prices_nothing(slept: Callable[[float], None]) -> None:
    """It looks fresh to a clock that stood still."""
    async with trading(measure_every=900.0) as trader:
        assert middle(trader.exchange, "BTC") is not None
        slept(HOUR)
        trader.exchange.time.look()
        assert middle(trader.exchange, "BTC") is None


async def test_who_waits_for_the_time_waits_no_longer_than_told() -> None:
    """A venue that does not answer leaves a cancel without the time: that is told."""
    venue_time = VenueTime(WallClock())
    with pytest.raises(VenueUnavailable, match="time is not known"):
        await venue_time.known(0.01)
    waiting = asyncio.ensure_future(venue_time.known(10.0))
    await asyncio.sleep(0)
    venue_time.sight(time.time_ns() // MILLISECOND)
    await waiting
