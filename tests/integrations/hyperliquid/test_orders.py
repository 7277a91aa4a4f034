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

from tests.integrations.hyperliquid.orders import (
    ONE,
    RESTS,
    TWO,
    fast,
    known,
    late,
    lost,
    market,
    order,
    state,
)
from tests.integrations.hyperliquid.scripted import (
    err,
    ok,
    trading,
)
from tradeagent.clock import MILLISECOND, SECOND, WallClock
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid import HyperliquidSettings
from tradeagent.integrations.hyperliquid.answers import META
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.messages import Order, OrderStatus

S = OrderStatus


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


@pytest.mark.parametrize("answer", [err("Action already expired"), err("Invalid nonce: too low")])
async def test_an_earlier_runs_request_is_asked_for_first_and_never_taken_for_new(
    tmp_path: Path, answer: Any
) -> None:
    """That it cannot go out, or is refused as a whole, is no proof: it may have gone out before."""
    async with trading(state=tmp_path) as trader:
        submission = trader.exchange.prepare(order())
    async with trading(state=tmp_path) as trader:
        trader.venue.exchange = lambda _: answer
        with pytest.raises(VenueUnavailable, match="may have arrived"):
            await trader.exchange.place_order(order(), submission)
        assert submission is not None
        dead = submission.model_copy(update={"dies_at": 1})
        with pytest.raises(VenueUnavailable, match="not sent again: EXPIRED"):
            await trader.exchange.place_order(order(TWO), dead.model_copy(update={"cloid": TWO}))
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "open")
        report = await trader.exchange.place_order(order(), submission)

    assert report.status is S.OPEN
    assert len(trader.venue.bodies) == 1


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
