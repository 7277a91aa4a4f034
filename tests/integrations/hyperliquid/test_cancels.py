"""How orders end: cancels, replacements and fills in part, on a venue that follows a script."""

from __future__ import annotations

import asyncio

import pytest

from tests.integrations.hyperliquid.orders import (
    ONE,
    TWO,
    known,
    lost,
    market,
    order,
    told,
)
from tests.integrations.hyperliquid.scripted import (
    ACCOUNT,
    basic,
    fill,
    ok,
    trading,
)
from tradeagent.messages import OrderStatus

S = OrderStatus


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
