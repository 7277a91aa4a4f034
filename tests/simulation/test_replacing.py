"""An order takes the place of another in one step, or leaves it as it was."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradeagent.messages import Order, OrderStatus

from .desk import FREE, Desk, deep, modified, trade

OPEN, REJECTED, CANCELED = OrderStatus.OPEN, OrderStatus.REJECTED, OrderStatus.CANCELED


async def test_a_modify_replaces_in_one_step() -> None:
    """The old order's end is told, the new one rests under its own id, and both are durable."""
    desk = deep()
    await desk.place("buy", 3, "limit", 90)

    ack = await desk.exchange.modify_order("c1", modified("c9", "buy", 3, 95))

    assert (ack.cloid, ack.status) == ("c9", OPEN)
    assert [(one.cloid, one.status, one.reason) for one in desk.reports] == [
        ("c1", CANCELED, "replaced by c9")
    ]
    assert [one.cloid for one in await desk.exchange.get_open_orders()] == ["c9"]
    again = await desk.exchange.modify_order("c1", modified("c9", "buy", 3, 95))
    assert (again.status, again.oid) == (OPEN, ack.oid)


@pytest.mark.parametrize(
    ("old", "changes", "reason"),
    [
        ("c7", {}, "the order to be replaced does not rest"),
        ("c1", {"side": "sell"}, "a replacing order must keep the side of the one it replaces"),
        ("c1", {"limit": "95.5"}, "limit price 95.5 is not on the grid of 1"),
        ("c1", {"limit": 100, "tif": "ALO"}, "a post-only order would have matched"),
        ("c1", {"limit": 95, "tif": "IOC"}, "nothing to match the order at once"),
        ("c1", {"reduce_only": True}, "reduce-only order would increase the position"),
        ("c1", {"size": 10**9}, "insufficient margin"),
    ],
)
async def test_a_refused_modify_leaves_the_old_order(
    old: str, changes: dict[str, object], reason: str
) -> None:
    """A replacement that is refused is REJECTED under its own id, and the old one stands."""
    desk = deep()
    await desk.place("buy", 3, "limit", 90)
    order = modified("c9", "buy", 3, 95)
    order = Order.model_validate({**order.model_dump(), **changes})

    ack = await desk.exchange.modify_order(old, order)

    assert (ack.cloid, ack.status, ack.reason) == ("c9", REJECTED, reason)
    assert [one.cloid for one in await desk.exchange.get_open_orders()] == ["c1"]
    assert desk.reports == []


async def test_a_modify_is_judged_without_the_order_it_replaces() -> None:
    """What the old order reserved is free for the new one."""
    desk = Desk(FREE.model_copy(update={"balance": Decimal(1000), "leverage": 1}))
    desk.tick(100, 101)
    await desk.place("buy", 9, "limit", 100)

    assert (await desk.place("buy", 9, "limit", 99)).status is REJECTED
    ack = await desk.exchange.modify_order("c1", modified("c9", "buy", 9, 99))
    assert ack.status is OPEN


async def test_only_a_smaller_size_keeps_the_place_in_the_queue() -> None:
    """A smaller order keeps what was before it; another price and back loses the place."""
    for moves, filled in ((((2, 98),), True), (((3, 97), (3, 98)), False)):
        desk = deep()
        await desk.place("buy", 3, "limit", 98)
        trade(desk, 98, 3, "sell")
        for number, (size, limit) in enumerate(moves):
            known = "c1" if number == 0 else f"m{number - 1}"
            await desk.exchange.modify_order(known, modified(f"m{number}", "buy", size, limit))
        desk.reports.clear()

        trade(desk, 98, 1, "sell")

        assert bool(desk.fills()) is filled
