"""What the streams tell is told on once and in order; silence is noticed and never believed."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.integrations.hyperliquid.orders import ONE, TWO, fast, known, order, state, told
from tests.integrations.hyperliquid.scripted import ACCOUNT, Trader, basic, fill, trading
from tradeagent.clock import MILLISECOND
from tradeagent.integrations.hyperliquid import sightings
from tradeagent.messages import (
    ExecutionReport,
    FundingPayment,
    OrderStatus,
    VenueStatus,
)

S = OrderStatus
NOW = 1_900_000_000_000


async def say_fills(trader: Trader, *fills: object, snapshot: bool = False) -> None:
    """Tell fills of the account."""
    mark = {"isSnapshot": True} if snapshot else {}
    await trader.venue.say("userFills", {"user": ACCOUNT, **mark, "fills": list(fills)})


async def say_order(trader: Trader, cloid: str | None, word: str, **changes: object) -> None:
    """Tell a step in the life of an order."""
    news = {"order": basic(cloid, **changes), "status": word, "statusTimestamp": NOW}
    await trader.venue.say("orderUpdates", [news])


async def test_a_fill_is_told_once_however_often_it_comes() -> None:
    """By the stream twice and in a snapshot: one report."""
    async with trading() as trader:
        await say_fills(trader, fill(1, cloid=ONE), fill(1, cloid=ONE))
        await say_fills(trader, fill(1, cloid=ONE, time=NOW), snapshot=True)
        await say_fills(trader, fill(2, cloid=TWO))
        await trader.until(lambda _: len(told(trader)) == 2)

    assert told(trader) == [(ONE, S.PARTIAL, "1"), (TWO, S.PARTIAL, "2")]


async def test_fills_of_one_moment_follow_their_positions() -> None:
    """The venue tells fills of one block in any order; each starts where another has ended."""
    fills = [
        fill(3, cloid=ONE, startPosition="0.02"),
        fill(1, cloid=ONE, startPosition="0.0"),
        fill(2, cloid=ONE, startPosition="0.01"),
    ]
    async with trading() as trader:
        await say_fills(trader, *fills)
        await trader.until(lambda _: len(told(trader)) == 3)

    assert [tid for _, _, tid in told(trader)] == ["1", "2", "3"]


async def test_an_order_ends_after_its_fills_whatever_comes_first() -> None:
    """The end overtakes the last fill on the line; it is told after it."""
    async with trading(fills_within=5.0) as trader:
        await trader.exchange.place_order(order())
        await say_order(trader, ONE, "filled", sz="0.0")
        await say_fills(trader, fill(1, sz="0.015", cloid=ONE))
        await say_fills(trader, fill(2, sz="0.005", cloid=ONE))
        await trader.until(lambda _: len(told(trader)) == 3)

    assert told(trader) == [(ONE, S.PARTIAL, "1"), (ONE, S.FILLED, "2"), (ONE, S.FILLED, None)]


async def test_an_end_is_told_once_and_nothing_after_it_but_fills() -> None:
    """A repeated end and an older `open` say nothing; a fill that comes late is told."""
    async with trading() as trader:
        await trader.exchange.place_order(order())
        await say_order(trader, ONE, "canceled")
        await say_order(trader, ONE, "canceled")
        await say_order(trader, ONE, "open")
        await say_fills(trader, fill(1, cloid=ONE))
        await trader.until(lambda _: len(told(trader)) == 2)

    assert told(trader) == [(ONE, S.CANCELED, None), (ONE, S.PARTIAL, "1")]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", S.OPEN),
        ("triggered", S.TRIGGERED),
        ("reduceOnlyCanceled", S.CANCELED),
        ("badTriggerPxRejected", S.REJECTED),
        ("scheduledCancel", S.CANCELED),
    ],
)
async def test_steps_are_told_with_the_venues_word(word: str, status: OrderStatus) -> None:
    """The reason of an end is the venue's word, verbatim."""
    async with trading() as trader:
        await say_order(trader, ONE, word)
        await trader.until(lambda _: len(told(trader)) == 1)

    assert told(trader) == [(ONE, status, None)]
    (report,) = [one for one in trader.told if isinstance(one, ExecutionReport)]
    assert report.reason == ("" if status in (S.OPEN, S.TRIGGERED) else word)


async def test_a_fill_without_a_name_is_traced_by_its_number() -> None:
    """Known from an earlier step, asked for, or else a stranger with its number for a name."""
    async with trading() as trader:
        await say_order(trader, ONE, "open", oid=5)
        await say_fills(trader, fill(1, oid=5))
        trader.venue.info["orderStatus"] = lambda asked: (
            known(TWO, "open", oid=6) if asked["oid"] == 6 else {"status": "unknownOid"}
        )
        await say_fills(trader, fill(2, oid=6))
        await say_fills(trader, fill(3, oid=7))
        await trader.until(lambda _: len(told(trader)) == 4)

    assert {(name, tid) for name, _, tid in told(trader)} == {
        (ONE, None),
        (ONE, "1"),
        (TWO, "2"),
        ("7", "3"),
    }


async def test_a_liquidation_brings_its_order_along() -> None:
    """Fills the venue made are marked, and name one order for all of them, always the same."""
    mark = {"liquidatedUser": ACCOUNT, "markPx": "50000.0", "method": "market"}
    fills = [
        fill(1, oid=9, side="A", sz="0.01", startPosition="0.03", liquidation=mark),
        fill(2, oid=9, side="A", sz="0.02", startPosition="0.02", liquidation=mark),
    ]
    others = fill(3, cloid=ONE, liquidation={**mark, "liquidatedUser": "0xother"})
    async with trading() as trader:
        await say_fills(trader, *fills, others)
        await trader.until(lambda _: len(told(trader)) == 3)
        trader.venue.info["userFillsByTime"] = lambda _: [*fills, others]
        asked = await trader.exchange.get_fills(0)

    first, second, third = [one for one in trader.told if isinstance(one, ExecutionReport)]
    assert first.order == second.order
    assert first.order is not None
    assert (first.order.size, first.order.side) == (Decimal("0.03"), "sell")
    assert first.execution is not None
    assert first.execution.liquidation
    assert third.order is None
    assert [one.cloid for one in asked] == [first.cloid, second.cloid, ONE]


async def test_a_cancel_by_the_venue_is_looked_up() -> None:
    """`nonUserCancel` names a number only; what became of it is asked for and told."""
    async with trading() as trader:
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "marginCanceled")
        await trader.venue.say("user", {"nonUserCancel": [{"coin": "BTC", "oid": 77}]})
        await trader.until(lambda _: len(told(trader)) == 1)

    assert told(trader) == [(ONE, S.CANCELED, None)]


async def test_funding_is_told_once_with_its_sign_turned() -> None:
    """What the venue shows as below zero was paid; stream and question name a payment alike."""
    paid = {"time": NOW, "coin": "BTC", "usdc": "-1.5", "szi": "1.0", "fundingRate": "0.0000125"}
    async with trading() as trader:
        for _ in range(2):
            await trader.venue.say("userFundings", {"user": ACCOUNT, "fundings": [paid]})
        await say_order(trader, ONE, "open")
        await trader.until(lambda _: len(told(trader)) == 1)
        delta = {key: value for key, value in paid.items() if key != "time"}
        trader.venue.info["userFunding"] = lambda _: [
            {"time": NOW, "hash": "0x0", "delta": {"type": "funding", "nSamples": None, **delta}}
        ]
        asked = await trader.exchange.get_funding(0)

    payments = [one for one in trader.told if isinstance(one, FundingPayment)]
    assert payments == list(asked)
    assert payments[0].payment == Decimal("1.5")


async def test_after_a_cut_it_is_told_and_what_was_missed_is_told_first() -> None:
    """Down, up, and the fills of the gap from the snapshot; old ones are not told again."""
    async with trading(clock=fast()) as trader:
        await trader.venue.hang_up()
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")
        missed = fill(2, cloid=TWO, time=trader.venue.now())
        await say_fills(trader, fill(1, cloid=ONE, time=1), missed, snapshot=True)
        await trader.until(lambda _: len(told(trader)) == 1)

    assert told(trader) == [(TWO, S.PARTIAL, "2")]
    states = [one.state for one in trader.told if isinstance(one, VenueStatus)]
    assert states == ["up", "down", "up"]
    assert len(trader.venue.subscribed) == 10


@pytest.mark.parametrize("silent", ["all", "prices"])
async def test_a_silent_stall_is_noticed(silent: str) -> None:
    """A stream that says nothing, or no more prices, is opened anew, though the socket is open."""
    async with trading(
        clock=fast(),
        ping_every=2.0,
        pong_within=1.0,
        mids_within=4.0 if silent == "prices" else 900,
    ) as trader:
        trader.venue.deaf = silent == "all"
        await trader.until(lambda _: state(trader) == "down")
        trader.venue.deaf = False
        await trader.until(lambda _: state(trader) == "up")

    (down,) = [one for one in trader.told if isinstance(one, VenueStatus) and one.state == "down"]
    assert down.reason == (
        "the venue answers no ping" if silent == "all" else "allMids was silent for 4 s"
    )


async def test_pings_keep_a_quiet_stream_alive() -> None:
    """Pongs are signs of life: nothing is opened anew while they come."""
    async with trading(clock=fast(), ping_every=1.0, pong_within=0.9, mids_within=900) as trader:
        async with asyncio.timeout(10):
            while trader.venue.pings < 5:
                await asyncio.sleep(0.01)

    assert state(trader) == "up"
    assert len(trader.venue.subscribed) == 5


@pytest.mark.parametrize(
    "data",
    [
        {"user": ACCOUNT, "fills": [{"coin": "BTC"}]},
        {"user": ACCOUNT, "fills": [fill(1, px="NaN")]},
        {"user": ACCOUNT, "fills": [fill(1, px="0.0", cloid=ONE)]},
        None,
    ],
)
async def test_a_message_nobody_told_us_of_is_asked_for_anew(data: object) -> None:
    """What cannot be read is a gap: the line is opened anew and all is asked for."""
    async with trading(clock=fast()) as trader:
        await trader.venue.say("userFills", data)
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")

    assert told(trader) == []


async def test_unknown_channels_and_keys_do_no_harm() -> None:
    """The venue may add channels and keys."""
    async with trading() as trader:
        await trader.venue.say("novelty", {"some": "thing"})
        await say_fills(trader, fill(1, cloid=ONE, novelty=1))
        await trader.until(lambda _: len(told(trader)) == 1)

    assert state(trader) == "up"


async def test_a_greeting_and_a_repeated_confirmation_do_no_harm() -> None:
    """The line stays: the one is no JSON, the other says that a subscription stands."""
    async with trading(clock=fast(), mids_within=900) as trader:
        for socket in trader.venue.sockets:
            await socket.send_str("Websocket connection established.")
        await trader.venue.say("error", 'Already subscribed: {"type":"allMids"}')
        await say_fills(trader, fill(1, cloid=ONE))
        await trader.until(lambda _: len(told(trader)) == 1)

    assert state(trader) == "up"
    assert len(trader.venue.subscribed) == 5


async def test_an_order_that_rests_long_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came and went since, its end is told with what it had filled before."""
    monkeypatch.setattr(sightings, "ORDERS", 3)
    async with trading() as trader:
        await say_fills(trader, fill(1, cloid=ONE))
        for number in range(5):
            await say_order(trader, f"0x{number:032x}", "canceled", oid=1000 + number)
        await say_fills(trader, fill(2, cloid=ONE, startPosition="0.01"))
        await say_order(trader, ONE, "filled", sz="0.0")
        await trader.until(lambda _: (ONE, S.FILLED, None) in told(trader))

    assert [one for one in told(trader) if one[0] == ONE] == [
        (ONE, S.PARTIAL, "1"),
        (ONE, S.PARTIAL, "2"),
        (ONE, S.FILLED, None),
    ]


async def test_a_fill_that_cannot_be_takes_no_other_with_it() -> None:
    """What came behind it is told when it comes again, and counts once for its order."""
    async with trading(clock=fast()) as trader:
        now = trader.venue.now()
        whole = fill(2, cloid=TWO, oid=78, sz="0.02", time=now + 1)
        await say_fills(trader, fill(1, cloid=ONE, px="0.0", time=now), whole)
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")
        await say_fills(trader, whole, snapshot=True)
        await say_order(trader, TWO, "filled", sz="0.0", oid=78)
        await trader.until(lambda _: len(told(trader)) == 2)

    assert told(trader) == [(TWO, S.PARTIAL, "2"), (TWO, S.FILLED, None)]


async def test_a_fill_that_is_missing_is_no_cancel() -> None:
    """An order of an earlier run is filled, but a node that lags shows only a part of its fills."""
    async with trading(clock=fast()) as trader:
        trader.venue.info["userFillsByTime"] = lambda _: [fill(1, cloid=ONE)]
        await say_order(trader, ONE, "filled", sz="0.0")
        await trader.until(lambda _: state(trader) == "down")
        trader.venue.info["userFillsByTime"] = lambda _: [fill(1, cloid=ONE), fill(2, cloid=ONE)]
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "filled", sz="0.0", tif="Gtc")
        report = await trader.exchange.get_order_status("BTC", ONE)

    assert report is not None
    assert report.status is S.FILLED
    assert [status for _, status, _ in told(trader)] == [S.PARTIAL, S.FILLED]


async def test_an_order_of_an_earlier_run_may_end_in_part() -> None:
    """One that never rested is filled as far as it was; the rest of it is cancelled."""
    async with trading(clock=fast()) as trader:
        trader.venue.info["userFillsByTime"] = lambda _: [fill(1, cloid=ONE)]
        trader.venue.info["orderStatus"] = lambda _: known(ONE, "filled", sz="0.0", tif="Ioc")
        report = await trader.exchange.get_order_status("BTC", ONE)

    assert report is not None
    assert report.status is S.CANCELED


async def test_a_machine_that_has_slept_learns_the_time_with_the_line() -> None:
    """Else all it signs until the next round is void before it arrives, cancels too."""
    async with trading(clock=fast(), mids_within=900) as trader:
        venue = trader.venue
        later = venue.now() + 3_600_000
        venue.info["exchangeStatus"] = lambda _: {"time": later}
        await venue.hang_up()
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")
        async with asyncio.timeout(10):
            while (submission := trader.exchange.prepare(order())) is None or (
                submission.dies_at < later * MILLISECOND
            ):
                await asyncio.sleep(0.01)

    assert trader.exchange.time.skew < -3_500


async def test_a_word_nobody_told_us_of_asks_for_everything() -> None:
    """An order with an unknown status is neither open nor ended: the line is opened anew."""
    async with trading(clock=fast()) as trader:
        await say_order(trader, ONE, "novelCanceled")
        await trader.until(lambda _: state(trader) == "down")
        await trader.until(lambda _: state(trader) == "up")

    assert told(trader) == []
