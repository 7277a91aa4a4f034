"""Our adapter on our own venue with its faults switched on: no order lost, doubled or made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from tests.integrations.hyperliquid.on_venue import (
    OnVenue,
    another,
    exchanging,
    key_of,
)
from tests.integrations.hyperliquid.scripted import Tasks, middle
from tests.venue.place import trader
from tradeagent.errors import NotSent, OperatorError, OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid import (
    Credentials,
    HyperliquidSettings,
)
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.messages import (
    ExecutionReport,
    Order,
    OrderStatus,
)

S = OrderStatus


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
        other = Credentials(account=trader(venue.place_, 2).user, key=SecretStr(key_of(70_000)))
        line = HyperliquidSettings(network="local", url=venue.place_.url)
        stranger = HyperliquidExchange(line, other, venue.place_.clock, Tasks().spawn)
        with pytest.raises(OperatorError, match=f"it is an agent of {venue.user}"):
            await stranger.start()
        await stranger.close()


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


async def lag(venue: OnVenue) -> float:
    """Return how old the state is that the venue answers with, in seconds."""
    state = await venue.place_.info("clearinghouseState", user=venue.user)
    return float(venue.place_.floor.now_ms() - state["time"]) / 1_000


async def test_a_late_node_proves_nothing() -> None:
    """An answer from a while ago says neither flat nor what the account is worth."""
    async with exchanging(answers_within=1.0) as venue:
        await venue.trade("buy", "0.01")
        await venue.place_.switch("lag_info", seconds=30.0)
        while await lag(venue) < 1.5:
            continue
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
        await venue.until(lambda: venue.states()[-1] == "up")
        assert await venue.tried(venue.resting()) is S.OPEN
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
