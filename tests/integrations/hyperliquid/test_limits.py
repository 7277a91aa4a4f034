"""What is not sent: beyond budgets, without answers, too late, or with the clocks apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from tests.integrations.hyperliquid.orders import (
    ONE,
    RESTS,
    TWO,
    fast,
    known,
    order,
    state,
)
from tests.integrations.hyperliquid.scripted import (
    ScriptedVenue,
    err,
    ok,
    trading,
)
from tradeagent.clock import SECOND
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.messages import OrderStatus

S = OrderStatus


async def test_entries_are_refused_here_when_only_the_reserve_is_left() -> None:
    """Nothing is sent for an entry; exits and cancels go out."""
    async with trading(reserve=9_990) as trader:
        with pytest.raises(OrderRefused, match="VENUE_BUDGET"):
            await trader.exchange.place_order(order())
        assert trader.venue.bodies == []
        exit_ = await trader.exchange.place_order(order(side="sell", reduce_only=True))
        trader.venue.exchange = lambda _: ok("success", kind="cancel")
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "canceled")
        ended = await trader.exchange.cancel_order("BTC", ONE)

    assert (exit_.status, ended.status) == (S.OPEN, S.CANCELED)


async def test_an_exhausted_account_enters_no_more() -> None:
    """What the venue refuses for its number is not asked for again; exits go out."""
    text = "Too many cumulative requests sent (10001 > 10000) for cumulative volume traded $0.0."
    async with trading() as trader:
        trader.venue.exchange = lambda _: err(text)
        with pytest.raises(OrderRefused, match="Too many"):
            await trader.exchange.place_order(order())
        with pytest.raises(OrderRefused, match="VENUE_BUDGET"):
            await trader.exchange.place_order(order(TWO))
        trader.venue.exchange = lambda _: RESTS
        stop = order("0x" + "3" * 32, side="sell", reduce_only=True)
        report = await trader.exchange.place_order(stop)

    assert report.status is S.OPEN
    assert len(trader.venue.bodies) == 2


async def test_entries_are_refused_while_the_venue_gives_no_answers() -> None:
    """After some failures entries do not leave and the venue is degraded; exits go."""
    async with trading(breaker_failures=2, breaker_pause=60.0) as trader:
        trader.venue.exchange = lambda _: web.Response(status=502)
        for name in (ONE, TWO):
            with pytest.raises(VenueUnavailable):
                await trader.exchange.place_order(order(name))
        assert state(trader) == "degraded"
        sent = len(trader.venue.bodies)
        with pytest.raises(NotSent, match="VENUE_AWAY"):
            await trader.exchange.place_order(order("0x" + "3" * 32))
        assert len(trader.venue.bodies) == sent
        trader.venue.exchange = lambda _: RESTS
        await trader.exchange.place_order(order("0x" + "4" * 32, side="sell", reduce_only=True))

    assert state(trader) == "up"


async def test_a_post_only_window_degrades_the_venue() -> None:
    """Orders that may trade are refused, and it is told that the venue takes no new risk."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: err("Only post-only orders allowed after an upgrade")
        with pytest.raises(OrderRefused):
            await trader.exchange.place_order(order())
        assert state(trader) == "degraded"
        trader.venue.exchange = lambda _: RESTS
        await trader.exchange.place_order(order(TWO, tif="ALO"))
        assert state(trader) == "degraded"
        await trader.exchange.place_order(order("0x" + "3" * 32))

    assert state(trader) == "up"


async def test_a_request_that_would_be_void_is_not_sent() -> None:
    """What waited too long to be sent is refused here: the venue charges five times for it."""
    async with trading(clock=fast(100.0), resting_expiry=2.0, mids_within=500.0) as trader:
        submission = trader.exchange.prepare(order())
        assert submission is not None
        await trader.venue.clock.sleep_until(submission.dies_at - SECOND + 1)
        with pytest.raises(NotSent, match="EXPIRED"):
            await trader.exchange.place_order(order(), submission)

    assert trader.venue.bodies == []


async def test_a_clock_off_the_venues_enters_nothing() -> None:
    """With more than two seconds between the clocks entries are refused, exits are not."""

    def slow(venue: ScriptedVenue) -> None:
        venue.info["exchangeStatus"] = lambda _: {"time": venue.now() - 3_000}

    async with trading(script=slow) as trader:
        with pytest.raises(OrderRefused, match=r"CLOCK_SKEW: .* \+3\.0 s"):
            await trader.exchange.place_order(order())
        report = await trader.exchange.place_order(order(TWO, side="sell", reduce_only=True))

    assert report.status is S.OPEN


async def test_a_scheduled_cancel_is_probed() -> None:
    """Where the venue schedules it, it is scheduled; below the volume it says no."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: {"status": "ok", "response": {"type": "default"}}
        assert await trader.exchange.schedule_cancel(1_800_000_000 * SECOND)
        assert await trader.exchange.schedule_cancel(None)
        trader.venue.exchange = lambda _: err(
            "Cannot set scheduled cancel time until enough volume"
        )
        assert not await trader.exchange.schedule_cancel(None)

    first, second, _ = (one["action"] for one in trader.venue.actions)
    assert first == {"type": "scheduleCancel", "time": 1_800_000_000_000}
    assert second == {"type": "scheduleCancel"}


async def test_nonces_outlive_a_run(tmp_path: Path) -> None:
    """A second run on the same folder gives higher nonces than the first."""
    async with trading(state=tmp_path) as trader:
        first = trader.exchange.prepare(order())
    async with trading(state=tmp_path) as trader:
        second = trader.exchange.prepare(order())

    assert first is not None
    assert second is not None
    assert second.nonce > first.nonce
