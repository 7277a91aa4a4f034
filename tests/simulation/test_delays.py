"""What happens while orders and cancels are on their way."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tradeagent.messages import OrderStatus

from .desk import FREE, SYMBOL, Desk, modified

OPEN, FILLED, CANCELED = OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELED


def slow_line(order: int = 0, cancel: int = 0) -> Desk:
    """Return a desk whose orders and cancels take that many milliseconds."""
    delays = {"order_delay_ms": order, "cancel_delay_ms": cancel}
    desk = Desk(FREE.model_copy(update=delays))
    desk.tick(99, 100)
    return desk


async def test_a_delayed_order_meets_the_price_of_its_arrival() -> None:
    """It fills at what was last shown when it arrived, at the time of its arrival."""
    desk = slow_line(order=1500)
    placed = desk.now
    ack = await desk.place("buy", 1)
    assert (ack.status, desk.reports) == (OPEN, [])
    desk.tick(104, 105, mark=104)
    assert desk.reports == []
    desk.tick(109, 110)

    assert desk.reports[0].time == placed + 1_500_000_000
    assert desk.fills() == [("c1", Decimal(105), Decimal(1))]


async def test_a_delayed_post_only_order_ends_on_arrival() -> None:
    """Whether it would match is decided when it arrives, and told as a cancel."""
    desk = slow_line(order=1500)
    await desk.place("buy", 1, "limit", 99, tif="ALO")
    desk.tick(97, 98)
    desk.tick(97, 98)

    assert [(one.status, one.reason) for one in desk.reports] == [
        (CANCELED, "a post-only order would have matched")
    ]


async def test_an_order_may_fill_while_its_cancel_is_on_the_way() -> None:
    """The answer to a delayed cancel is how the order stands; its end comes later, if at all."""
    desk = slow_line(cancel=1500)
    for price in (95, 90):
        await desk.place("buy", 1, "limit", price)
    answers = [await desk.exchange.cancel_order(SYMBOL, name) for name in ("c1", "c2")]
    assert [(one.status, one.cancel_refused) for one in answers] == [(OPEN, False)] * 2
    desk.tick(94, 95)
    desk.tick(89, 90)

    assert desk.heard() == [("c1", FILLED), ("c2", CANCELED)]


async def test_a_delayed_modify_leaves_the_old_order_at_work() -> None:
    """Until the replacement arrives the old order may fill; the replacement then ends."""
    desk = slow_line(order=1500)
    await desk.place("buy", 1, "limit", 95)
    desk.tick(99, 100)
    desk.tick(99, 100)
    await desk.exchange.modify_order("c1", modified("c9", "buy", 1, 90))
    desk.tick(94, 95)
    desk.tick(89, 90)

    assert desk.heard() == [("c1", FILLED), ("c9", CANCELED)]


async def test_what_is_on_its_way_survives_a_restart(tmp_path: Path) -> None:
    """An order that had not arrived arrives after the restart, and a replacement still replaces."""
    path = tmp_path / "ledger.sqlite"
    late = FREE.model_copy(update={"order_delay_ms": 2500})
    desk = Desk(late, path=path)
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 90)
    for _ in range(3):
        desk.tick(99, 100)
    await desk.place("buy", 1)
    await desk.exchange.modify_order("c1", modified("c9", "buy", 1, 91))
    await desk.exchange.close()

    again = Desk(late, path=path, now=desk.now)
    again.tick(99, 100)
    assert again.reports == []
    again.tick(100, 101)
    again.tick(102, 103)

    assert again.heard() == [("c2", FILLED), ("c1", CANCELED)]
    assert [one.cloid for one in await again.exchange.get_open_orders()] == ["c9"]
    await again.exchange.close()
