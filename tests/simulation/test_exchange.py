"""What the exchange answers and reports: groups, reduce-only, cancels, order of reports."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.integrations.base import Exchange
from tradeagent.messages import ExecutionReport, InstrumentUpdate, OrderStatus
from tradeagent.simulation import Ledger, SimulatedExchange

from .desk import FREE, SYMBOL, Desk

BTC = InstrumentUpdate(
    symbol=SYMBOL,
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(10),
    significant=5,
    max_leverage=10,
)
OPEN, FILLED = OrderStatus.OPEN, OrderStatus.FILLED
REJECTED, CANCELED = OrderStatus.REJECTED, OrderStatus.CANCELED


def test_it_is_an_exchange() -> None:
    """The simulated exchange fits the port that agents know."""
    exchange: Exchange = SimulatedExchange(FREE, [BTC], Ledger(None), lambda: 0)

    assert exchange is not None


async def test_a_repeated_cloid_places_nothing() -> None:
    """The second order under a cloid is told how the first stands, whatever it asks for."""
    desk = Desk()
    desk.tick(99, 100)
    answers = [
        await desk.place("buy", 1, "limit", 95, cloid="same"),
        await desk.place("sell", 3, cloid="same"),
    ]
    desk.tick(94, 95)
    answers.append(await desk.place("buy", 1, cloid="same"))
    refused = [await desk.place("buy", "0.5", cloid="bad") for _ in range(2)]

    assert [answer.status for answer in answers] == [OPEN, OPEN, FILLED]
    assert {answer.oid for answer in answers} == {answers[0].oid}
    assert await desk.position() == 1
    assert refused[0] == refused[1]
    assert refused[0].status is REJECTED


async def test_the_fill_is_delivered_before_the_acknowledgement_returns() -> None:
    """With a touch the report of the fill comes inside the call, and the answer is OPEN."""
    desk = Desk()
    desk.tick(99, 100)

    ack = await desk.place("buy", 1)

    assert ack.status is OPEN
    assert [(one.status, one.oid) for one in desk.reports] == [(FILLED, ack.oid)]
    assert desk.reports[0].time == desk.now


@pytest.mark.parametrize(
    ("tif", "price", "status", "reason", "heard"),
    [
        ("ALO", 100, REJECTED, "a post-only order would have matched", []),
        ("ALO", 99, OPEN, "", []),
        ("IOC", 99, CANCELED, "nothing to match the order at once", []),
        ("IOC", 100, OPEN, "", [("c1", FILLED)]),
        ("GTC", 101, OPEN, "", [("c1", FILLED)]),
    ],
)
async def test_time_in_force_at_the_touch(
    tif: str, price: int, status: OrderStatus, reason: str, heard: list[tuple[str, OrderStatus]]
) -> None:
    """With a touch a post-only order that crosses is refused and an IOC matches or ends at once."""
    desk = Desk()
    desk.tick(98, 100)

    ack = await desk.place("buy", 1, "limit", price, tif=tif)

    assert (ack.status, ack.reason) == (status, reason)
    assert desk.heard() == heard


async def test_one_order_of_a_group_fills_and_the_rest_go() -> None:
    """A fill cancels the orders of its group, in other symbols too, and later ones are refused."""
    eth = BTC.model_copy(update={"symbol": "ETH"})
    desk = Desk(FREE, (BTC, eth))
    desk.tick(100.0, 101.0)
    desk.tick(100.0, 101.0, symbol="ETH")
    await desk.place("buy", 1, "limit", 90, group="g")
    await desk.place("buy", 1, "limit", 95, group="g", symbol="ETH")
    await desk.place("buy", 1, "limit", 95, group="other")

    desk.tick(94.0, 95.0, symbol="ETH")

    reason = "another order of its group has filled"
    assert [(one.cloid, one.status, one.reason) for one in desk.reports] == [
        ("c2", FILLED, ""),
        ("c1", CANCELED, reason),
    ]
    late = await desk.place("buy", 1, "limit", 90, group="g")
    assert (late.status, late.reason) == (REJECTED, reason)
    assert [order.cloid for order in await desk.exchange.get_open_orders()] == ["c3"]


async def test_a_canceled_order_leaves_its_group_alone() -> None:
    """Only a fill ends a group; a cancel takes out one order."""
    desk = Desk()
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 90, group="g")
    await desk.place("buy", 1, "limit", 95, group="g")

    await desk.exchange.cancel_order(SYMBOL, "c2")

    assert [order.cloid for order in await desk.exchange.get_open_orders()] == ["c1"]


async def test_a_reduce_only_order_is_cut_to_the_position() -> None:
    """What the position has not is not traded: a partial fill, then the end with its reason."""
    desk = Desk()
    desk.tick(99, 100)
    await desk.place("buy", 2)
    await desk.place("sell", 5, "stop", 90)
    desk.reports.clear()

    desk.tick(89, 90, mark=90)

    first, second = desk.reports
    assert first.execution is not None
    assert (first.status, first.execution.size) == (OrderStatus.PARTIAL, 2)
    assert (second.status, second.reason) == (CANCELED, "reduce-only: cut to the position")
    assert await desk.position() == 0


async def test_reduce_only_orders_go_with_the_position() -> None:
    """When the position closes or turns, resting orders with nothing left to reduce are ended."""
    desk = Desk()
    desk.tick(99, 100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 90)
    desk.reports.clear()

    await desk.place("sell", 2)

    assert desk.heard() == [("c3", FILLED), ("c2", CANCELED)]
    assert await desk.position() == -1


async def test_cancels_answer_how_the_order_stands() -> None:
    """A cancel of a resting order ends it; any other is refused with the order's true status."""
    desk = Desk()
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 90)
    await desk.place("buy", 1)
    desk.reports.clear()

    answers = [await desk.exchange.cancel_order(SYMBOL, c) for c in ("c1", "c1", "c2", "none")]

    assert [(one.status, one.cancel_refused) for one in answers] == [
        (CANCELED, False),
        (CANCELED, True),
        (FILLED, True),
        (OrderStatus.NOT_PLACED, True),
    ]
    assert desk.reports == []


async def test_order_status_knows_every_order_it_has_seen() -> None:
    """Resting, filled, refused and canceled orders are told; an unseen one is None."""
    desk = Desk()
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 90)
    await desk.place("buy", 1)
    await desk.place("buy", "0.5")
    await desk.place("buy", 1, "limit", 90, tif="IOC")

    found = [await desk.exchange.get_order_status(SYMBOL, f"c{n}") for n in range(1, 6)]

    assert [one and one.status for one in found] == [OPEN, FILLED, REJECTED, CANCELED, None]
    assert await desk.exchange.get_order_status("ETH", "c1") is None


async def test_reports_keep_their_order_when_a_listener_orders() -> None:
    """An order placed while a report is delivered is reported after all that came before it."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1, "limit", 95)
    await desk.place("buy", 1, "limit", 94)
    heard: list[str] = []
    second: list[object] = []

    def order_on_first(report: object) -> None:
        assert isinstance(report, ExecutionReport)
        heard.append(report.cloid)
        if report.cloid == "c1":
            nested = desk.place("sell", 1, "stop", 92, cloid="nested")
            with pytest.raises(StopIteration):
                nested.send(None)

    desk.exchange.subscribe(order_on_first)
    desk.exchange.subscribe(second.append)
    desk.bar(100, 100, 90, 95)

    assert heard == ["c1", "c2", "nested"]
    assert second == desk.reports
    assert [report.cloid for report in desk.reports] == heard


async def test_an_ended_subscription_hears_no_more() -> None:
    """What subscribe returns ends exactly that subscription."""
    desk = Desk()
    heard: list[object] = []
    end = desk.exchange.subscribe(heard.append)
    desk.tick(99, 100)
    await desk.place("buy", 1)
    end()
    await desk.place("buy", 1)

    assert (len(heard), len(desk.reports)) == (1, 2)


async def test_fills_are_told_again_by_their_time() -> None:
    """get_fills returns fills at or after a time, oldest first, as they were delivered."""
    desk = Desk()
    for price in (100, 101, 102):
        desk.tick(price, price)
        await desk.place("buy", 1)
    second = desk.reports[1].time

    assert await desk.exchange.get_fills(0) == desk.reports
    assert await desk.exchange.get_fills(second) == desk.reports[1:]
    assert await desk.exchange.get_fills(desk.now + 1) == []
    assert len({one.execution.tid for one in desk.reports if one.execution}) == 3


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["market", "limit", "stop", "take_profit"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 5),
        st.integers(80, 120),
        st.booleans(),
        st.integers(80, 120),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.booleans())
def test_reduce_only_never_raises_or_turns_a_position(
    steps: list[tuple[Any, ...]], quotes: bool
) -> None:
    """Whatever happens, each fill of a reduce-only order brings the position nearer to flat."""

    async def live() -> None:
        desk = Desk()
        held, flagged = Decimal(0), {}
        for type_, side, size, price, reduce_only, market in steps:
            flag = reduce_only or type_ in ("stop", "take_profit")
            priced = None if type_ == "market" else price
            ack = await desk.place(side, size, type_, priced, reduce_only=flag)
            flagged[ack.cloid] = (flag, side)
            if quotes:
                desk.tick(market, market + 1)
            else:
                desk.bar(market, market + 5, market - 5, market)
            for cloid, _, filled in desk.fills():
                flag, way = flagged[cloid]
                after = held + filled if way == "buy" else held - filled
                assert not flag or (abs(after) < abs(held) and after * held >= 0)
                held = after
            assert held == await desk.position()

    asyncio.run(live())
