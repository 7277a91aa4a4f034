"""The WebSocket: acknowledgements, first messages, news, posts, errors, limits and idleness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.venue.place import ORIGIN, Place, cancel, line, opened, order, trader
from tests.venue.server import wallet
from tradeagent.clock import SECOND, WallClock
from tradeagent.simulation.venue import limits
from tradeagent.simulation.venue.channels import FIELDS
from tradeagent.simulation.venue.connection import MOST_WAITING, Message, Socket
from tradeagent.simulation.venue.intake import Rules
from tradeagent.simulation.venue.switches import Switchboard

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
        gone = (await wire.unsubscribe(kind, **asked(kind)))["data"]
        assert gone == {"method": "unsubscribe", "subscription": echoed}


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
        told = await wire.until("userFills", lambda data: not data.get("isSnapshot"))
        fills = told["data"]["fills"]
        assert (await wire.until("user"))["data"] == {"fills": fills}
        assert {one["oid"] for one in fills} == {filled["oid"]}
        last = (await wire.until("orderUpdates"))["data"][-1]
        assert (last["status"], last["statusTimestamp"]) == ("filled", fills[-1]["time"])


async def test_a_book_comes_as_it_was_asked_for(place: Place) -> None:
    """Coarser levels for nSigFigs, five for fast; the plain book goes on beside them."""
    async with line(place) as wire:
        await wire.subscribe("l2Book", coin="BTC", nSigFigs=2, mantissa=None)
        coarse = (await wire.until("l2Book"))["data"]
        assert all(float(one["px"]) % 1000 == 0 for side in coarse["levels"] for one in side)
        await wire.unsubscribe("l2Book", coin="BTC", nSigFigs=2)
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
    async with opened(speed=60.0) as place:
        began = place.floor.now_ms()
        async with line(place) as wire, line(place) as other:
            await place.later(30)
            await other.send("ping")
            await other.until("pong")
            async with asyncio.timeout(20):
                closed = await wire.socket.receive()
            assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            assert 60_000 <= place.floor.now_ms() - began < 85_000
            assert wire.socket.close_code == 1000
            await other.send("ping")
            await other.until("pong")


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


async def test_posts_under_way_are_limited() -> None:
    """A hundred at once over all sockets of an IP; the next is told its number."""
    async with opened(Rules()) as place, line(place) as wire:
        await place.switch("delay_answer", path="info", seconds=3600)
        query = {"type": "info", "payload": {"type": "exchangeStatus"}}
        for number in range(limits.MOST_POSTS + 1):
            await wire.send("post", id=number, request=query)
        said = await wire.until("error")
        assert said["data"] == f"too many pending post requests id={limits.MOST_POSTS}"


async def test_messages_to_the_venue_are_limited_by_the_minute() -> None:
    """Two thousand, whatever they ask for; what is beyond is told and not done."""
    async with opened(Rules()) as place, line(place) as wire:
        for _ in range(limits.MOST_MESSAGES):
            await wire.socket.send_str('{"method":"ping"}')
        await wire.send("subscribe", subscription={"type": "bbo", "coin": "BTC"})
        said = await wire.until("error")
        assert said["data"] == "Cannot send more than 2000 messages per minute."
        assert all(one["channel"] == "pong" for one in wire.unread)


def test_a_socket_that_nobody_reads_is_cut() -> None:
    """What waits for a reader is bounded; steps of one moment still come as one message."""
    board = Switchboard(1)
    cut: list[bool] = []
    socket = Socket(1, "ip", WallClock(), board)
    socket.open(asyncio.TaskGroup(), lambda: cut.append(True))
    for number in range(MOST_WAITING):
        socket.send(Message("orderUpdates", [{"statusTimestamp": number // 2}], "0xaa"))
    assert not cut
    for number in range(MOST_WAITING):
        socket.send(Message("trades", [{"tid": number}]))
    assert cut


async def test_a_twap_is_told_from_its_start_to_its_end(place: Place) -> None:
    """Its state while it runs, its steps in the history and among the account's events."""
    master = trader(place)
    async with line(place) as wire:
        for kind in ("twapStates", "userTwapHistory", "userEvents"):
            await wire.subscribe(kind, user=master.user)
        await wire.until("twapStates", lambda data: data["states"] == [])
        twap = {"a": 0, "b": True, "s": "0.1", "r": False, "m": 5, "t": False}
        answer = await master.act({"type": "twapOrder", "twap": twap})
        number = answer["response"]["data"]["status"]["running"]["twapId"]
        states = await wire.until("twapStates", lambda data: data["states"])
        assert states["data"]["states"][0][0] == number
        answer = await master.act({"type": "twapCancel", "a": 0, "t": number})
        assert answer["response"]["data"]["status"] == "success"
        await wire.until("twapStates", lambda data: data["states"] == [])
        steps = []
        while "terminated" not in steps:
            told = await wire.until("userTwapHistory", lambda data: not data.get("isSnapshot"))
            steps += [one["status"]["status"] for one in told["data"]["history"]]
        assert steps == ["activated", "terminated"]
        await wire.until("user", lambda data: "twapHistory" in data)


async def test_funding_is_paid_at_the_full_hour_and_told() -> None:
    """The snapshot is empty, the payment comes on both channels and stands in the history."""
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
