"""What becomes of orders: books and queues, groups and the cap."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.messages import OrderStatus

from .desk import FREE, SYMBOL, Desk, book, deep, trade

OPEN, PARTIAL, FILLED = OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.FILLED
REJECTED, CANCELED = OrderStatus.REJECTED, OrderStatus.CANCELED


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
