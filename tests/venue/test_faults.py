"""Fault switches at work: what is lost, what is done all the same, and what is told late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from tests.venue.place import Json, Place, Trader, cancel, line, opened, order, trader

BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
NOOP = {"type": "noop"}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A venue without limits."""
    async with opened() as made:
        yield made


async def resting(place: Place, master: Trader) -> list[int]:
    """Return the numbers of the orders that rest."""
    return [one["oid"] for one in await place.info("openOrders", user=master.user)]


@pytest.mark.parametrize(("name", "lands"), [("lose", 0), ("time_out", 1)])
async def test_a_request_without_an_answer_has_landed_or_not(
    place: Place, name: str, lands: int
) -> None:
    """Both look the same from outside; only the second one is on the book."""
    master = trader(place)
    await place.switch(name, path="exchange", type="order", seconds=0, n=1)
    body = master.signed(order(await place.price(part=0.8)))
    with pytest.raises(BROKEN):
        await place.ask("/exchange", body)
    assert len(await resting(place, master)) == lands
    answer = (await place.ask("/exchange", body))[1]
    assert (answer["status"] == "ok") == (not lands)
    assert len(await resting(place, master)) == 1


@pytest.mark.parametrize(
    ("name", "more", "status"),
    [
        ("bad_gateway", {}, 502),
        ("garbage", {"form": "text"}, 200),
        ("garbage", {"form": "empty"}, 200),
        ("garbage", {"form": "bare"}, 200),
    ],
)
async def test_a_useless_answer_hides_an_order_that_was_placed(
    place: Place, name: str, more: Json, status: int
) -> None:
    """The order rests whatever the answer looks like."""
    master = trader(place)
    await place.switch(name, type="order", n=1, **more)
    answer = await place.ask("/exchange", master.signed(order(await place.price(part=0.8))))
    assert answer[0] == status
    assert answer[1] == {"status": "ok"} or isinstance(answer[1], str)
    assert len(await resting(place, master)) == 1


async def test_a_request_on_its_way_lands_though_its_sender_gave_up() -> None:
    """A client that times out learns nothing about what still arrives."""
    async with opened(speed=10.0) as place, line(place) as wire:
        master = trader(place)
        await wire.subscribe("orderUpdates", user=master.user)
        body = master.signed(order(await place.price(part=0.8)))
        await place.switch("delay_request", path="exchange", seconds=10)
        with pytest.raises(TimeoutError):
            await place.http.post(
                f"{place.url}/exchange", json=body, timeout=aiohttp.ClientTimeout(total=0.2)
            )
        assert await resting(place, master) == []
        await wire.until("orderUpdates")
        assert len(await resting(place, master)) == 1


async def test_a_late_answer_comes_after_the_news() -> None:
    """The socket tells of the order before its own request is answered."""
    async with opened(speed=10.0) as place, line(place) as wire:
        master = trader(place)
        await wire.subscribe("orderUpdates", user=master.user)
        action = order(await place.price(part=0.8))
        await place.switch("delay_answer", path="exchange", seconds=5)
        answering = asyncio.ensure_future(master.act(action))
        await wire.until("orderUpdates")
        assert not answering.done()
        assert (await answering)["status"] == "ok"


async def test_refusals_before_anything_is_done(place: Place) -> None:
    """429 and maintenance place nothing and burn nothing; queries go on in maintenance."""
    master = trader(place)
    body = master.signed(order(await place.price(part=0.8)))
    for name, status in (("too_many_requests", 429), ("maintenance", 502)):
        await place.switch(name, path="exchange")
        assert (await place.ask("/exchange", body))[0] == status
        assert (await place.ask("/info", {"type": "meta"}))[0] == 200
        await place.clear()
    await place.switch("maintenance")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await place.http.ws_connect(f"{place.url}/ws")
    await place.clear()
    assert (await place.ask("/exchange", body))[1]["status"] == "ok"


async def test_after_an_upgrade_only_post_only_orders_pass(place: Place) -> None:
    """Others are an error of the whole action; cancels pass."""
    master = trader(place)
    oid = await master.rest()
    await place.switch("post_only")
    price = await place.price(part=0.8)
    answer = await master.act(order(price))
    assert answer["status"] == "err"
    assert "post-only" in answer["response"]
    assert "resting" in await master.status(order(price, tif="Alo"))
    assert await master.status(cancel(oid)) == "success"


async def test_events_are_dropped_doubled_swapped_and_late() -> None:
    """Each by its switch, and only on the channel that was named."""
    async with opened(speed=10.0) as place, line(place) as wire:
        master = trader(place)
        await wire.subscribe("orderUpdates", user=master.user)

        async def told(count: int) -> list[int]:
            steps = [(await wire.until("orderUpdates"))["data"] for _ in range(count)]
            return [one["order"]["oid"] for several in steps for one in several]

        await place.switch("drop_event", channel="orderUpdates", n=1)
        await master.rest()
        second = await master.rest()
        assert await told(1) == [second]
        await place.clear()
        await place.switch("duplicate_event", channel="orderUpdates", n=1)
        third = await master.rest()
        assert set(await told(2)) == {third}
        await place.clear()
        await place.switch("reorder_event", channel="orderUpdates", n=1)
        fourth, fifth = await master.rest(), await master.rest()
        assert await told(2) == [fifth, fourth]
        await place.clear()
        await place.switch("delay_event", channel="orderUpdates", seconds=3, n=1)
        sixth, seventh = await master.rest(), await master.rest()
        assert await told(2) == [seventh, sixth]


async def test_sockets_stall_in_silence_or_break(place: Place) -> None:
    """A stalled socket stays open and answers nothing; a new one is well."""
    async with line(place) as wire, line(place) as other:
        await wire.subscribe("bbo", coin="BTC")
        await wire.until("bbo")
        await place.switch("stall")
        await wire.send("ping")
        async with line(place) as fresh:
            await fresh.send("ping")
            await fresh.until("pong")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wire.socket.receive(), 0.3)
        await place.clear()
        await wire.send("ping")
        await wire.until("pong")
        await place.switch("cut_socket", channel="bbo", n=1)
        while not wire.socket.closed:
            async with asyncio.timeout(20):
                await wire.socket.receive()
        await place.clear()
        assert await place.switch("drop_sockets") == {"dropped": 1}
        async with asyncio.timeout(20):
            await other.socket.receive()
        assert other.socket.closed


async def test_a_post_that_is_lost_gets_no_answer(place: Place) -> None:
    """Over a socket as over HTTP; the next one is answered."""
    async with line(place) as wire:
        await place.switch("lose", path="info", n=1)
        for number in (1, 2):
            query = {"type": "info", "payload": {"type": "meta"}}
            await wire.send("post", id=number, request=query)
        assert (await wire.until("post"))["data"]["id"] == 2


async def test_queries_lag_behind_actions() -> None:
    """A lagging node shows the orders of a while ago, with the time of then, and catches up."""
    async with opened(speed=10.0) as place:
        master = trader(place)
        first = await master.rest()
        await place.switch("lag_info", seconds=10)
        moment = place.floor.now_ms()
        second = await master.rest()
        assert await resting(place, master) == [first]
        state = await place.info("clearinghouseState", user=master.user)
        assert state["time"] <= moment
        found = await place.info("orderStatus", user=master.user, oid=second)
        assert found == {"status": "unknownOid"}
        await place.later(12)
        assert sorted(await resting(place, master)) == [first, second]
        state = await place.info("clearinghouseState", user=master.user)
        assert place.floor.now_ms() - state["time"] >= 10_000
        await place.switch("lag_info", seconds=0)
        state = await place.info("clearinghouseState", user=master.user)
        assert place.floor.now_ms() - state["time"] < 5_000


async def test_the_venues_clock_can_be_off(place: Place) -> None:
    """Its own time moves, and with it what nonces and expiries are judged by."""
    master = trader(place)
    nonce = master.nonce()
    await place.switch("skew", seconds=-3600)
    status = await place.info("exchangeStatus")
    assert nonce - status["time"] > 3_500_000
    answer = await master.act(NOOP, nonce + 86_400_000)
    assert answer["status"] == "err"
    await place.switch("skew", seconds=3600)
    answer = await master.act(NOOP, expires=nonce + 60_000)
    assert answer["response"] == "Action already expired"


async def test_the_market_and_the_account_can_be_tampered_with(place: Place) -> None:
    """Partial fills, refused stops, changed listings, somebody else's order, a liquidation."""
    master = trader(place)
    far = await place.price(part=1.05)
    await place.switch("partial_fills", fraction=0.5, user=master.user)
    status = await master.status(order(far, "0.02", "Ioc"))
    assert 0 < Decimal(status["filled"]["totalSz"]) < Decimal("0.02")
    await place.clear()
    await place.switch("reject_stops", count=1)
    low = await place.price(part=0.9)
    stop = {"trigger": {"isMarket": True, "triggerPx": low, "tpsl": "sl"}}
    wanted = order(low, "0.01", buy=False, reduce=True, type=stop)
    assert (await master.status(wanted))["error"].startswith("Invalid TP/SL price.")
    assert "error" not in str(await master.status(wanted))
    outside = order(await place.price(part=0.7))
    answer = await place.switch("outsider", user=master.user, action=outside)
    assert answer["status"] == "ok"
    assert len(await resting(place, master)) == 2
    gift = {"type": "usdSend", "destination": trader(place, 2).user, "amount": "5"}
    assert (await place.switch("outsider", user=master.user, action=gift))["status"] == "ok"
    await place.switch("metadata", coin="BTC", szDecimals=2, maxLeverage=10)
    entry = (await place.info("meta"))["universe"][0]
    assert (entry["szDecimals"], entry["maxLeverage"]) == (2, 10)
    async with line(place) as wire:
        await wire.subscribe("userEvents", user=master.user)
        assert await place.switch("liquidate", user=master.user) == {"liquidated": True}
        await wire.until("user", lambda data: "liquidation" in data)
    state = await place.info("clearinghouseState", user=master.user)
    assert state["assetPositions"] == []


async def test_what_is_no_switch_is_refused(place: Place) -> None:
    """With the reason, in one line for each mistake."""
    for wrong in ({"switch": "explode"}, {"switch": "lose", "p": 3}, {"switch": "liquidate"}, []):
        async with place.http.post(place.admin, json=wrong) as answer:
            assert answer.status == 400
            assert await answer.text()
    async with place.http.delete(f"{place.admin}/99") as answer:
        assert answer.status == 404
    number = (await place.switch("lose", p=0))["id"]
    async with place.http.get(place.admin) as answer:
        shown = await answer.json()
    assert [one["switch"] for one in shown["on"]] == ["lose"]
    assert "drop_sockets" in shown["known"]
    async with place.http.delete(f"{place.admin}/{number}") as answer:
        assert answer.status == 200


async def test_equal_seeds_spoil_the_same_requests() -> None:
    """Several switches at once strike the same places in two venues with one seed."""
    runs = []
    for seed in (5, 5, 6):
        async with opened(seed=seed) as place:
            master = trader(place)
            await place.switch("bad_gateway", p=0.3)
            await place.switch("too_many_requests", p=0.2, path="exchange")
            await place.switch("garbage", p=0.3, form="empty")
            found: list[object] = []
            for _ in range(40):
                status, body = await place.ask("/exchange", master.signed(NOOP))
                found.append((status, body == ""))
            runs.append(found)
    assert runs[0] == runs[1] != runs[2]
    assert {status for status, _ in runs[0]} == {200, 429, 502}
