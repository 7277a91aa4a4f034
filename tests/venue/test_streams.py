"""The WebSocket: acknowledgements, first messages, news, posts, errors, limits and idleness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.venue.place import Place, cancel, line, opened, order, trader
from tests.venue.server import wallet
from tradeagent.clock import SECOND
from tradeagent.simulation.venue import limits
from tradeagent.simulation.venue.channels import FIELDS
from tradeagent.simulation.venue.intake import Rules

USER = wallet(1).address
HOUR = 3_600 * SECOND


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A venue without limits."""
    async with opened() as made:
        yield made


def asked(kind: str) -> dict[str, object]:
    """Return a subscription of a type with the fields it needs."""
    values = {"coin": "BTC", "user": USER, "interval": "1m"}
    return {name: values[name] for name in FIELDS[kind] if name in values}


SILENT = {"orderUpdates", "userEvents", "notification", "outcomeMetaUpdates"}


@pytest.mark.parametrize("kind", sorted(FIELDS))
async def test_every_channel_acknowledges_and_shows_what_is(place: Place, kind: str) -> None:
    """The acknowledgement repeats the subscription; what there is so far comes right after."""
    async with line(place) as wire:
        said = (await wire.subscribe(kind, **asked(kind)))["data"]
        assert said["method"] == "subscribe"
        echoed = said["subscription"]
        for name, value in {"type": kind, **asked(kind)}.items():
            assert str(echoed[name]).lower() == str(value).lower()
        if kind not in SILENT | {"trades"}:
            data = (await wire.until(kind))["data"]
            if isinstance(data, dict) and "isSnapshot" in data:
                assert data["isSnapshot"] is True
        await wire.send("unsubscribe", subscription={"type": kind, **asked(kind)})
        gone = await wire.until(
            "subscriptionResponse", lambda data: data["method"] == "unsubscribe"
        )
        assert gone["data"]["subscription"] == echoed


async def test_what_an_order_goes_through_is_told_in_order(place: Place) -> None:
    """Open, filled and canceled on orderUpdates, fills on both channels, with equal times."""
    master = trader(place)
    async with line(place) as wire:
        for kind in ("orderUpdates", "userFills", "userEvents", "openOrders"):
            await wire.subscribe(kind, user=master.key.address)
        oid = await master.rest()
        steps = (await wire.until("orderUpdates"))["data"]
        assert [(one["order"]["oid"], one["status"]) for one in steps] == [(oid, "open")]
        shown = await wire.until("openOrders", lambda data: data["orders"])
        assert [one["oid"] for one in shown["data"]["orders"]] == [oid]
        await master.status(cancel(oid))
        steps = (await wire.until("orderUpdates"))["data"]
        assert [one["status"] for one in steps] == ["canceled"]
        filled = (await master.status(order(await place.price(part=1.05), tif="Ioc")))["filled"]
        said = {}
        while not {"userFills", "user", "orderUpdates"} <= said.keys():
            news = await wire.next()
            said[news["channel"]] = news["data"]
        fills = said["userFills"]["fills"]
        assert fills == said["user"]["fills"]
        assert {one["oid"] for one in fills} == {filled["oid"]}
        last = said["orderUpdates"][-1]
        assert (last["status"], last["statusTimestamp"]) == ("filled", fills[-1]["time"])


async def test_a_book_comes_as_it_was_asked_for(place: Place) -> None:
    """Coarser levels for nSigFigs, five for fast; the plain book goes on beside them."""
    async with line(place) as wire:
        await wire.subscribe("l2Book", coin="BTC", nSigFigs=2, mantissa=None)
        coarse = (await wire.until("l2Book"))["data"]
        assert all(float(one["px"]) % 1000 == 0 for side in coarse["levels"] for one in side)
        await wire.send(
            "unsubscribe", subscription={"type": "l2Book", "coin": "BTC", "nSigFigs": 2}
        )
        await wire.subscribe("l2Book", coin="BTC", fast=True)
        fast = (await wire.until("l2Book"))["data"]
        assert all(len(side) <= 5 for side in fast["levels"])


async def test_a_post_answers_as_http_does(place: Place) -> None:
    """Queries nest their data, actions do not, and what is malformed is an error."""
    master = trader(place)
    async with line(place) as wire:
        query = {"type": "l2Book", "coin": "ETH"}
        await wire.send("post", id=7, request={"type": "info", "payload": query})
        said = (await wire.until("post"))["data"]
        assert said["id"] == 7
        assert said["response"]["payload"]["type"] == "l2Book"
        assert said["response"]["payload"]["data"]["coin"] == "ETH"
        body = master.signed(order(await place.price(part=0.8)))
        await wire.send("post", id=8, request={"type": "action", "payload": body})
        said = (await wire.until("post"))["data"]
        assert said["response"]["type"] == "action"
        assert said["response"]["payload"]["status"] == "ok"
        for wrong in ({"type": "action", "payload": {}}, {"type": "dance"}, None):
            await wire.send("post", id=9, request=wrong)
            said = (await wire.until("post"))["data"]
            assert said["response"]["type"] == "error"
            assert said["response"]["payload"].startswith("422 Unprocessable Entity")


async def test_mistakes_are_told_and_leave_what_was_subscribed(place: Place) -> None:
    """Each with the venue's text; the subscription before goes on."""
    async with line(place) as wire:
        await wire.subscribe("bbo", coin="BTC")
        await wire.send("subscribe", subscription={"type": "bbo", "coin": "BTC"})
        said = await wire.until("error")
        assert said["data"] == 'Already subscribed: {"type":"bbo","coin":"BTC"}'
        await wire.send("unsubscribe", subscription={"type": "bbo", "coin": "ETH"})
        said = await wire.until("error")
        assert said["data"] == 'Already unsubscribed: {"type":"bbo","coin":"ETH"}'
        for wrong in ({"type": "bbo", "coin": "NONE"}, {"type": "bbo"}, {"type": "dance"}, 5):
            await wire.send("subscribe", subscription=wrong)
            said = await wire.until("error")
            assert (
                said["data"] == f"Invalid subscription {json.dumps(wrong, separators=(',', ':'))}"
            )
        for wrong in ("no json", "[]", '{"method":"jump"}', '{"method":"post","id":"x"}'):
            await wire.socket.send_str(wrong)
            said = await wire.until("error")
            expected = f"Error parsing JSON into valid websocket request: {wrong}"
            assert said["data"] == expected
        await wire.send("ping")
        assert await wire.until("pong") == {"channel": "pong"}
        await wire.until("bbo")


async def test_a_quiet_connection_is_closed_after_a_minute_and_pings_keep_it() -> None:
    """What counts is when the venue last sent something, by its own clock."""
    async with opened(speed=60.0) as place, line(place) as wire, line(place) as other:
        began = place.floor.now_ms()
        await other.send("ping")
        async with asyncio.timeout(20):
            closed = await wire.socket.receive()
        assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert 60_000 <= place.floor.now_ms() - began < 75_000
        assert wire.socket.close_code == 1000


async def test_an_ip_has_so_many_connections_users_and_posts() -> None:
    """What is beyond the limit is told; what was there before goes on."""
    async with opened(Rules()) as place:
        most = limits.MOST_CONNECTIONS
        lines = [await place.http.ws_connect(f"{place.url}/ws") for _ in range(most)]
        async with line(place) as wire:
            said = await wire.until("error")
            assert said["data"] == "Cannot open more than 10 connections."
            await wire.socket.receive()
            assert wire.socket.close_code == 1008
        for one in lines[1:]:
            await one.close()
        await lines[0].close()
        async with line(place) as wire:
            for number in range(limits.MOST_USERS):
                await wire.subscribe("orderUpdates", user=wallet(number + 1).address)
            await wire.send(
                "subscribe", subscription={"type": "userFills", "user": wallet(1).address}
            )
            await wire.until("userFills")
            late = {"type": "userFills", "user": wallet(500).address}
            await wire.send("subscribe", subscription=late)
            said = await wire.until("error")
            assert said["data"] == "Cannot track more than 10 total users."


async def test_funding_is_paid_at_the_full_hour_and_told() -> None:
    """The snapshot is empty, the payment comes on both channels and stands in the history."""
    from tests.venue.place import ORIGIN

    async with opened(origin=ORIGIN + HOUR - 8 * SECOND, speed=4.0) as place, line(place) as wire:
        master = trader(place)
        await wire.subscribe("userFundings", user=master.user)
        assert (await wire.until("userFundings"))["data"]["fundings"] == []
        await wire.subscribe("userEvents", user=master.user)
        await master.status(order(await place.price(part=1.05), tif="Ioc"))
        event = await wire.until("user", lambda data: "funding" in data)
        told = await wire.until("userFundings")
        (paid,) = told["data"]["fundings"]
        assert paid["coin"] == event["data"]["funding"]["coin"] == "BTC"
        (listed,) = await place.info("userFunding", user=master.user, startTime=0)
        assert listed["delta"]["usdc"] == paid["usdc"]
        assert listed["time"] % 3_600_000 < 60_000
