"""What becomes of orders: books and queues, the cap, replacing and delays."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tradeagent.messages import (
    MarketTrade,
    Order,
    OrderBookUpdate,
    OrderStatus,
)

from .desk import FREE, SYMBOL, Desk

OPEN, PARTIAL, FILLED = OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.FILLED
REJECTED, CANCELED = OrderStatus.REJECTED, OrderStatus.CANCELED
Levels = tuple[tuple[float, float], ...]


def book(desk: Desk, bids: Levels, asks: Levels) -> None:
    """Show a book now."""
    desk.exchange.on_market(OrderBookUpdate(symbol=SYMBOL, time=desk.now, bids=bids, asks=asks))


def trade(desk: Desk, price: float, size: float, side: str) -> None:
    """Show a public trade now, by its aggressor."""
    desk.exchange.on_market(
        MarketTrade(symbol=SYMBOL, time=desk.now, price=price, size=size, side=side)
    )


def deep() -> Desk:
    """Return a desk that shows 2 at 100, 3 at 101 and 5 at 103 to buy, and as much below 99."""
    desk = Desk(FREE.model_copy(update={"slippage_bp": Decimal(100)}))
    desk.tick(99, 100)
    book(desk, ((99, 2), (98, 3), (96, 5)), ((100, 2), (101, 3), (103, 5)))
    return desk


def modified(cloid: str, side: str, size: int, limit: int, **more: object) -> Order:
    """Return a limit order that may take the place of another."""
    values = {"cloid": cloid, "intent_id": cloid, "symbol": SYMBOL, "side": side, "size": size}
    return Order.model_validate({**values, "type": "limit", "limit": limit, **more})


async def test_a_taker_walks_the_book() -> None:
    """A market order takes level after level at their prices, in parts that share its id."""
    desk = deep()

    ack = await desk.place("buy", 6)

    assert [one.status for one in desk.reports] == [PARTIAL, PARTIAL, FILLED]
    assert {one.oid for one in desk.reports} == {ack.oid}
    assert len({one.execution.tid for one in desk.reports if one.execution}) == 3
    assert desk.fills() == [
        ("c1", Decimal(100), Decimal(2)),
        ("c1", Decimal(101), Decimal(3)),
        ("c1", Decimal(103), Decimal(1)),
    ]


async def test_what_was_taken_is_gone_until_the_next_book() -> None:
    """A second taker finds what the first has left; a new book shows new sizes."""
    desk = deep()
    await desk.place("buy", 4)
    desk.reports.clear()
    await desk.place("buy", 2)
    assert [fill[1] for fill in desk.fills()] == [101, 103]

    book(desk, ((99, 2),), ((100, 2),))
    await desk.place("buy", 2)
    assert [fill[1] for fill in desk.fills()] == [100]


async def test_what_the_book_does_not_hold_is_canceled() -> None:
    """The rest of a market order that has taken the whole book ends with its reason."""
    desk = deep()

    await desk.place("buy", 12)

    assert sum(one.execution.size for one in desk.reports if one.execution) == 10
    assert (desk.reports[-1].status, desk.reports[-1].reason) == (
        CANCELED,
        "the book shows nothing more to take",
    )
    assert await desk.exchange.get_open_orders() == []


async def test_a_stop_that_finds_too_little_keeps_its_rest() -> None:
    """A triggered stop is not given up: what it did not find it takes from the next price."""
    desk = deep()
    await desk.place("buy", 9)
    await desk.place("sell", 9, "stop", 95)
    desk.reports.clear()

    desk.tick(94, 95, mark=95)
    assert desk.heard() == [("c2", FILLED)]

    await desk.place("buy", 9)
    book(desk, ((94, 4), (93, 3)), ((95, 1),))
    await desk.place("sell", 9, "stop", 95)
    standing = await desk.exchange.get_order_status(SYMBOL, "c4")
    assert standing is not None
    assert standing.status is PARTIAL
    book(desk, ((97, 9),), ((98, 1),))
    assert await desk.position() == 0


async def test_a_market_order_beyond_the_cap_is_canceled() -> None:
    """What lies more than `slippage_cap` from the mark is not taken, the rest of a part either."""
    desk = Desk(FREE.model_copy(update={"slippage_cap": Decimal("0.02")}))
    desk.tick(100, 106, mark=100)
    await desk.place("buy", 1)
    book(desk, ((99, 1),), ((101, 1), (103, 5)))
    await desk.place("buy", 3)

    assert [(one.cloid, one.status) for one in desk.reports] == [
        ("c1", CANCELED),
        ("c2", PARTIAL),
        ("c2", CANCELED),
    ]
    assert {one.reason for one in desk.reports if one.status is CANCELED} == {
        "the price is too far from the mark for a market order"
    }


async def test_a_gap_between_candles_beyond_the_cap_cancels_too() -> None:
    """On bars the cap is measured from the close before the open that would fill."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1)
    desk.bar(106, 106, 106, 106)

    assert desk.heard() == [("c1", CANCELED)]


async def test_a_limit_takes_what_is_there_and_rests_with_the_rest() -> None:
    """A limit that crosses takes up to its price; what is left rests as PARTIAL and makes."""
    desk = deep()

    ack = await desk.place("buy", 7, "limit", 101)
    assert ack.status is OPEN
    assert [fill[1:] for fill in desk.fills()] == [(100, 2), (101, 3)]
    standing = await desk.exchange.get_order_status(SYMBOL, "c1")
    assert standing is not None
    assert standing.status is PARTIAL

    desk.tick(99, 101)
    assert [one.execution.liquidity for one in desk.reports if one.execution] == ["maker"]
    assert desk.fills() == [("c1", Decimal(101), Decimal(2))]


async def test_an_ioc_keeps_what_it_found() -> None:
    """An IOC that finds a part fills it, and its rest is canceled at once."""
    desk = deep()
    await desk.place("buy", 7, "limit", 101, tif="IOC")

    assert [one.status for one in desk.reports] == [PARTIAL, PARTIAL, CANCELED]


async def test_the_queue_is_served_first() -> None:
    """A resting limit waits for what was shown before it, then fills by what trades beyond."""
    desk = deep()
    await desk.place("buy", 3, "limit", 98)

    trade(desk, 98, 2, "sell")
    assert desk.reports == []
    trade(desk, 98, 2, "sell")
    assert desk.fills() == [("c1", Decimal(98), Decimal(1))]
    trade(desk, 98, 9, "buy")
    assert desk.reports == []
    trade(desk, 97, 1, "sell")
    assert desk.fills() == [("c1", Decimal(98), Decimal(2))]


async def test_the_queue_shrinks_with_its_level_and_never_grows() -> None:
    """When less is shown at its price an order moves forward; what comes stands behind it."""
    desk = deep()
    await desk.place("buy", 3, "limit", 98)
    book(desk, ((99, 2), (98, 1)), ((100, 2),))
    book(desk, ((99, 2), (98, 8)), ((100, 2),))

    trade(desk, 98, 2, "sell")

    assert desk.fills() == [("c1", Decimal(98), Decimal(1))]


async def test_an_unseen_queue_gives_nothing() -> None:
    """Beyond the levels shown nobody knows what stands there: only a price beyond it fills."""
    desk = deep()
    await desk.place("buy", 3, "limit", 90)

    trade(desk, 90, 100, "sell")
    assert desk.reports == []
    trade(desk, 89, 1, "sell")
    assert desk.fills() == [("c1", Decimal(90), Decimal(3))]


async def test_two_orders_of_ours_do_not_share_a_trade() -> None:
    """What a trade gave to our first order at a price is not given to the second again."""
    desk = deep()
    for _ in range(2):
        await desk.place("buy", 2, "limit", 99)

    trade(desk, 99, 5, "sell")

    assert [fill[2] for fill in desk.fills()] == [2, 1]


async def test_a_part_of_one_order_shrinks_its_group() -> None:
    """A partial fill takes as much off its siblings, so that a pair never fills twice."""
    desk = deep()
    await desk.place("buy", 6)
    await desk.place("sell", 6, "limit", 99, reduce_only=True, group="g", tif="GTC")
    assert [one[1:] for one in desk.fills()][-1] == (99, 2)
    await desk.place("sell", 6, "limit", 102, reduce_only=True, group="h")
    await desk.place("sell", 6, "stop", 90, group="h")
    trade(desk, 102, 1, "buy")
    desk.reports.clear()

    desk.tick(88, 89, mark=89)

    assert await desk.position() == 0


async def test_an_entry_pair_fills_no_more_than_one_of_it() -> None:
    """Two entries of a group together fill what one asked for; the last says why it ended."""
    desk = deep()
    await desk.place("buy", 3, "limit", 98, group="g")
    await desk.place("buy", 3, "limit", 96, group="g")
    trade(desk, 98, 4, "sell")
    assert desk.fills() == [("c1", Decimal(98), Decimal(1))]
    await desk.exchange.cancel_order(SYMBOL, "c1")

    trade(desk, 95, 1, "sell")

    assert await desk.position() == 3
    assert [(one.cloid, one.status) for one in desk.reports] == [("c2", PARTIAL), ("c2", CANCELED)]
    assert desk.reports[-1].reason == "another order of its group has filled"


# -- replacing ------------------------------------------------------------------------------------


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


# -- delays ---------------------------------------------------------------------------------------


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
