"""What our exchange does with the venue's answers: real sockets, a venue that follows a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.integrations.hyperliquid.scripted import (
    ACCOUNT,
    Lost,
    ScriptedVenue,
    Trader,
    basic,
    err,
    fill,
    ok,
    trading,
)
from tradeagent.clock import MILLISECOND, SECOND, AcceleratedClock, WallClock
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid import HyperliquidSettings
from tradeagent.integrations.hyperliquid.answers import META
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.messages import ExecutionReport, Order, OrderStatus

S = OrderStatus
ONE, TWO = "0x" + "1" * 32, "0x" + "2" * 32
RESTS = ok({"resting": {"oid": 77}})


def order(cloid: str = ONE, **changes: object) -> Order:
    """Return a limit order to buy BTC, or what `changes` make of it."""
    return Order.model_validate(
        {
            "cloid": cloid,
            "intent_id": "i",
            "symbol": "BTC",
            "side": "buy",
            "size": Decimal("0.02"),
            "type": "limit",
            "limit": Decimal(60000),
            **changes,
        }
    )


def market(cloid: str = ONE, **changes: object) -> Order:
    """Return a market order to buy BTC."""
    return order(cloid, type="market", limit=None, **changes)


def known(cloid: str | None, word: str, **changes: object) -> dict[str, object]:
    """Return how an order stands, as the venue answers it."""
    shown = basic(cloid, triggerCondition="N/A", isTrigger=False, orderType="Limit", **changes)
    return {
        "status": "order",
        "order": {"order": shown, "status": word, "statusTimestamp": 1_700_000_001_000},
    }


def told(trader: Trader) -> list[tuple[str, OrderStatus, str | None]]:
    """Return what was told of orders: cloid, status and the fill's id."""
    return [
        (one.cloid, one.status, one.execution.tid if one.execution else None)
        for one in trader.told
        if isinstance(one, ExecutionReport)
    ]


async def test_what_is_posted_is_what_was_prepared() -> None:
    """The bytes on record are the bytes on the wire; nonce and expiry are those of the record."""
    async with trading() as trader:
        submission = trader.exchange.prepare(order())
        assert submission is not None
        report = await trader.exchange.place_order(order(), submission)

    assert trader.venue.bodies == [submission.body.encode()]
    posted = json.loads(submission.body)
    assert posted["nonce"] == submission.nonce
    assert posted["expiresAfter"] == submission.dies_at // MILLISECOND
    assert (report.status, report.oid) == (S.OPEN, "77")


@pytest.mark.parametrize(("kind", "seconds"), [("resting", 15), ("market", 10), ("IOC", 10)])
async def test_every_order_dies(kind: str, seconds: int) -> None:
    """An order that rests is void after 15 s, one that fills at once after 10 s."""
    asked = {"resting": order(), "market": market(), "IOC": order(tif="IOC")}[kind]
    async with trading() as trader:
        submission = trader.exchange.prepare(asked)
        assert submission is not None
        left = submission.dies_at - trader.exchange.time.now()

    assert (seconds - 1) * SECOND < left <= seconds * SECOND


@pytest.mark.parametrize(
    ("asked", "entry", "status"),
    [
        (order(), {"resting": {"oid": 77}}, S.OPEN),
        (order(), {"filled": {"totalSz": "0.02", "avgPx": "60000.0", "oid": 77}}, S.FILLED),
        (order(), {"filled": {"totalSz": "0.01", "avgPx": "60000.0", "oid": 77}}, S.PARTIAL),
        (order(), {"error": "Insufficient margin to place order. asset=0"}, S.REJECTED),
        (
            order(tif="IOC"),
            {"error": "Order could not immediately match against any resting orders. asset=0"},
            S.CANCELED,
        ),
        (
            order(tif="ALO"),
            {"error": "Post only order would have immediately matched, bbo was 1@2. asset=0"},
            S.REJECTED,
        ),
        (
            order(type="stop", limit=None, trigger=Decimal(50000), reduce_only=True),
            "waitingForTrigger",
            S.OPEN,
        ),
    ],
)
async def test_an_orders_own_entry_is_proof(asked: Order, entry: object, status: S) -> None:
    """Resting, filled and refused orders are reported as the venue says, with its reason."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: ok(entry)
        report = await trader.exchange.place_order(asked)

    assert report.status is status
    if isinstance(entry, dict) and "error" in entry:
        assert report.reason == entry["error"]


def late(_: dict[str, Any]) -> Any:
    """Answer too late."""

    async def answer() -> web.Response:
        await asyncio.sleep(30)
        return web.json_response(RESTS)

    return answer()


def lost(_: dict[str, Any]) -> Any:
    """Cut the connection without an answer."""
    raise Lost


@pytest.mark.parametrize(
    "script",
    [
        late,
        lost,
        lambda _: web.Response(status=502, text="bad gateway"),
        lambda _: web.Response(status=429),
        lambda _: web.Response(status=422, text="Failed to deserialize"),
        lambda _: web.Response(text="<html>"),
        lambda _: {"status": "ok", "response": {"type": "default"}},
        lambda _: err("Invalid nonce: duplicate nonce 1"),
    ],
    ids=["timeout", "cut", "502", "429", "422", "no JSON", "no data", "duplicate nonce"],
)
async def test_no_proof_is_no_outcome(script: Callable[[dict[str, Any]], Any]) -> None:
    """Without the order's own entry nobody knows; one request was sent and none repeated."""
    async with trading(request_timeout=0.3) as trader:
        trader.venue.exchange = script
        with pytest.raises(VenueUnavailable):
            await trader.exchange.place_order(order())

    assert len(trader.venue.bodies) == 1


async def test_what_finds_no_connection_was_not_sent() -> None:
    """Where nobody listens nothing can have arrived; a question is just not answered."""
    rest = Rest(HyperliquidSettings(network="local", url="http://127.0.0.1:1"), WallClock())
    with pytest.raises(NotSent):
        await rest.act("{}")
    rest.open()
    try:
        with pytest.raises(NotSent):
            await rest.act("{}")
        with pytest.raises(VenueUnavailable):
            await rest.ask({"type": "meta"}, META)
    finally:
        await rest.close()


async def test_a_refusal_as_a_whole_is_certain() -> None:
    """`status: err` on the first sending refuses the order."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: err("User or API Wallet 0x1 does not exist.")
        with pytest.raises(OrderRefused, match="does not exist"):
            await trader.exchange.place_order(order())


async def test_a_repeated_order_is_asked_for_before_anything_is_sent() -> None:
    """An order that was sent before is told as it stands; nothing else is sent for it."""
    async with trading(request_timeout=0.3) as trader:
        trader.venue.exchange = late
        with pytest.raises(VenueUnavailable):
            await trader.exchange.place_order(order())
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "open")
        report = await trader.exchange.place_order(order())

    assert (report.status, report.oid) == (S.OPEN, "77")
    assert len(trader.venue.bodies) == 1


async def test_only_the_same_bytes_are_sent_again() -> None:
    """While an order may still arrive, what it is sent again with is what it was sent with."""
    async with trading() as trader:
        first = trader.exchange.prepare(order())
        trader.venue.exchange = lost
        with pytest.raises(VenueUnavailable):
            await trader.exchange.place_order(order(), first)
        with pytest.raises(VenueUnavailable, match="may still arrive"):
            await trader.exchange.place_order(order(), trader.exchange.prepare(order()))
        trader.venue.exchange = lambda _: err("Action already expired")
        with pytest.raises(VenueUnavailable, match="may have arrived"):
            await trader.exchange.place_order(order())

    assert first is not None
    assert trader.venue.bodies == [first.body.encode()] * 2


async def test_a_market_order_is_priced_from_a_fresh_middle() -> None:
    """It is an IOC five percent beyond the middle, on the grid; without one it is not worded."""
    async with trading() as trader:
        await trader.exchange.place_order(market(reduce_only=True))
        (asked,) = trader.venue.actions[-1]["action"]["orders"]
        with pytest.raises(OrderRefused, match="UNLISTED"):
            trader.exchange.prepare(market(symbol="OLD"))

    assert (asked["p"], asked["t"], asked["r"]) == ("63536", {"limit": {"tif": "Ioc"}}, True)


async def test_prices_are_asked_for_while_the_stream_is_down() -> None:
    """A position can be closed at the market although the stream says nothing."""
    async with trading(clock=fast()) as trader:
        trader.venue.deaf = True
        await trader.venue.hang_up()
        await trader.until(lambda events: state(trader) == "down")
        async with asyncio.timeout(10):
            while not any(one["type"] == "allMids" for one in trader.venue.questions[-1:]):
                await asyncio.sleep(0.01)
        trader.venue.exchange = lambda _: RESTS
        report = await trader.exchange.place_order(market(side="sell", reduce_only=True))
        with pytest.raises(NotSent, match="VENUE_DOWN"):
            await trader.exchange.place_order(market(TWO))

    assert report.status is S.OPEN


def fast(speed: float = 20.0) -> AcceleratedClock:
    """Return a clock that runs faster than the wall's."""
    return AcceleratedClock(1_800_000_000 * SECOND, speed)


def state(trader: Trader) -> str:
    """Return the state of the venue as last told."""
    states = [one.state for one in trader.told if one.wire == "VENUE_STATUS"]  # type: ignore[union-attr]
    return states[-1] if states else "up"


async def test_an_ioc_filled_in_part_ends_after_its_fills() -> None:
    """The answer that the rest is canceled comes when the fills have been told."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: ok(
            {"filled": {"totalSz": "0.01", "avgPx": "60510.0", "oid": 78}}
        )
        placing = asyncio.ensure_future(trader.exchange.place_order(market()))
        while not trader.venue.bodies:
            await asyncio.sleep(0.001)
        own = fill(1, oid=78, cloid=ONE)
        await trader.venue.say("userFills", {"user": ACCOUNT, "fills": [own]})
        report = await placing

    assert told(trader) == [(ONE, S.PARTIAL, "1")]
    assert (report.status, report.oid) == (S.CANCELED, "78")


async def test_fills_the_stream_does_not_tell_are_asked_for() -> None:
    """Where the stream is late the venue is asked, and what it then tells is told once."""
    async with trading() as trader:
        own = fill(1, oid=78, cloid=ONE, time=trader.venue.now())
        trader.venue.info["userFillsByTime"] = lambda _: [own]
        trader.venue.exchange = lambda _: ok(
            {"filled": {"totalSz": "0.01", "avgPx": "60510.0", "oid": 78}}
        )
        report = await trader.exchange.place_order(market())
        await trader.venue.say("userFills", {"user": ACCOUNT, "fills": [own, fill(2, cloid=TWO)]})
        await trader.until(lambda _: len(told(trader)) == 2)

    assert report.status is S.CANCELED
    assert told(trader) == [(ONE, S.PARTIAL, "1"), (TWO, S.PARTIAL, "2")]


async def test_a_cancel_ends_the_order_after_its_last_fill() -> None:
    """A fill that came before the cancel is told before the answer, however late it is heard."""
    async with trading() as trader:
        await trader.exchange.place_order(order())
        trader.venue.exchange = lambda _: ok("success", kind="cancel")
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "canceled", sz="0.015")
        trader.venue.info["userFillsByTime"] = lambda _: [fill(5, sz="0.005", cloid=ONE)]
        report = await trader.exchange.cancel_order("BTC", ONE)

    assert trader.venue.actions[-1]["action"] == {
        "type": "cancelByCloid",
        "cancels": [{"asset": 0, "cloid": ONE}],
    }
    assert told(trader) == [(ONE, S.PARTIAL, "5")]
    assert (report.status, report.reason) == (S.CANCELED, "canceled")


async def test_a_cancel_whose_end_the_stream_tells_asks_nothing() -> None:
    """The end the stream has told is the answer."""
    async with trading(fills_within=5.0) as trader:
        await trader.exchange.place_order(order())
        trader.venue.exchange = lambda _: ok("success", kind="cancel")
        cancel = asyncio.ensure_future(trader.exchange.cancel_order("BTC", ONE))
        while len(trader.venue.bodies) < 2:
            await asyncio.sleep(0.001)
        news = {"order": basic(ONE), "status": "canceled", "statusTimestamp": 1_700_000_000_500}
        await trader.venue.say("orderUpdates", [news])
        report = await cancel

    assert report.status is S.CANCELED
    assert "orderStatus" not in {one["type"] for one in trader.venue.questions}


async def test_a_refused_cancel_tells_how_the_order_stands() -> None:
    """Filled, still open, or never seen: the last proves nothing, as it may still arrive."""
    refused = ok({"error": "Order was never placed, already canceled, or filled. asset=0"})
    own = fill(9, sz="0.02", cloid=ONE)
    async with trading() as trader:
        trader.venue.exchange = lambda _: refused
        unseen = await trader.exchange.cancel_order("BTC", ONE)
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "filled", sz="0.0")
        trader.venue.info["userFillsByTime"] = lambda _: [own]
        filled = await trader.exchange.cancel_order("BTC", ONE)

    assert (unseen.status, unseen.cancel_refused) == (S.UNKNOWN, True)
    assert (filled.status, filled.cancel_refused) == (S.FILLED, True)
    assert told(trader) == [(ONE, S.FILLED, "9")]


async def test_a_cancel_without_an_answer_is_sent_once_more() -> None:
    """A cancel may be repeated: with a nonce of its own, past every limit."""
    scripts = [lost, lambda _: ok("success", kind="cancel")]
    async with trading(reserve=9_990) as trader:
        trader.venue.exchange = lambda action: scripts.pop(0)(action)
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "canceled")
        report = await trader.exchange.cancel_order("BTC", ONE)

    assert report.status is S.CANCELED
    nonces = [action["nonce"] for action in trader.venue.actions]
    assert len(set(nonces)) == 2


async def test_an_order_without_a_cloid_is_cancelled_by_its_number() -> None:
    """What others have placed has its number for a name."""
    async with trading() as trader:
        trader.venue.exchange = lambda _: ok("success", kind="cancel")
        trader.venue.info["orderStatus"] = lambda _: known(None, "canceled", oid=4711)
        report = await trader.exchange.cancel_order("BTC", "4711")

    assert trader.venue.actions[-1]["action"] == {
        "type": "cancel",
        "cancels": [{"a": 0, "o": 4711}],
    }
    assert report.cloid == "4711"


async def test_a_replacement_tells_the_end_of_what_it_replaces() -> None:
    """The new order is acknowledged, and listeners hear that the old one is gone."""
    async with trading() as trader:
        await trader.exchange.place_order(order())
        trader.venue.exchange = lambda _: ok({"resting": {"oid": 78}})
        trader.venue.info["orderStatus"] = lambda asked: (
            known(ONE, "canceled") if asked["oid"] == ONE else {"status": "unknownOid"}
        )
        report = await trader.exchange.modify_order(ONE, order(TWO, replaces=ONE))

    assert trader.venue.actions[-1]["action"]["type"] == "batchModify"
    assert (report.cloid, report.status) == (TWO, S.OPEN)
    assert told(trader) == [(ONE, S.CANCELED, None)]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Cannot modify canceled or filled order", False),
        ("Error placing new order during modify: Insufficient margin asset=0", True),
    ],
)
async def test_a_refused_replacement_tells_whether_the_old_order_stands(
    text: str,
    gone: bool,
) -> None:
    """Where the venue cancelled the old order all the same, its end is told."""
    async with trading() as trader:
        await trader.exchange.place_order(order())
        trader.venue.exchange = lambda _: ok({"error": text})
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "canceled")
        report = await trader.exchange.modify_order(ONE, order(TWO, replaces=ONE))

    assert report.status is S.REJECTED
    assert told(trader) == ([(ONE, S.CANCELED, None)] if gone else [])


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
        await asyncio.sleep(0.05)
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
