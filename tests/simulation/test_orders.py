"""What becomes of orders: books and queues, the cap, replacing, delays, and time away."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import (
    ExecutionReport,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    OrderStatus,
    TickerUpdate,
)
from tradeagent.simulation import ExchangeSettings, Ledger
from tradeagent.simulation.matching import Landing
from tradeagent.simulation.tables import SCHEMA, TO_2

from .desk import FREE, MINUTE, SYMBOL, Desk

HOUR = 60 * MINUTE
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


# -- time away ------------------------------------------------------------------------------------


def candle(minute: int, open_: float, high: float, low: float, close: float) -> MarketData:
    """Return the candle of a minute."""
    prices = {"open": open_, "high": high, "low": low, "close": close}
    return MarketData(symbol=SYMBOL, timeframe="1m", time=minute * MINUTE, volume=1, **prices)


def old_tick(minute: int, price: float) -> TickerUpdate:
    """Return the quote of a minute."""
    return TickerUpdate(symbol=SYMBOL, time=minute * MINUTE, bid=price, ask=price, last=price)


async def test_missed_candles_are_worked_through_before_anything_new(tmp_path: Path) -> None:
    """Stops and limits meet the candles that passed, at their time, and fills say so."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 95, group="g")
    await desk.place("sell", 1, "take_profit", 105, group="g")
    await desk.place("buy", 1, "limit", 90)
    await desk.exchange.close()

    again = Desk(path=path, now=5 * MINUTE)
    again.exchange.on_market(candle(1, 100, 110, 94, 100))
    again.exchange.on_market(candle(2, 93, 94, 90, 92))
    again.exchange.on_market(candle(3, 92, 93, 89, 91))

    told = [(one.cloid, one.status, one.time // MINUTE) for one in again.reports]
    assert told == [("c2", FILLED, 2), ("c3", CANCELED, 2), ("c4", FILLED, 4)]
    fills = [one.execution for one in again.reports if one.execution]
    assert [(one.price, one.while_down) for one in fills] == [(95, True), (90, True)]

    again.reports.clear()
    again.tick(80, 81)
    await again.place("sell", 1, cloid="c5")
    assert [one.execution.while_down for one in again.reports if one.execution] == [False]
    assert [one.cloid for one in await again.exchange.get_fills(0)] == ["c1", "c2", "c4", "c5"]
    await again.exchange.close()


async def test_what_is_ordered_while_it_catches_up_was_not_away(tmp_path: Path) -> None:
    """An order of now fills as one of now, at a time no earlier, though the price is an old one."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    await desk.place("buy", 2)
    await desk.place("sell", 1, "stop", 95)
    await desk.exchange.close()

    again = Desk(path=path, now=9 * MINUTE)
    again.exchange.on_market(old_tick(2, 98))
    await again.place("sell", 1, cloid="c3")
    again.exchange.on_market(old_tick(3, 94))

    told = [(one.cloid, one.time // MINUTE) for one in again.reports]
    assert told == [("c3", 9), ("c2", 9)]
    assert [one.execution.while_down for one in again.reports if one.execution] == [False, True]
    await again.exchange.close()


async def test_the_exchange_s_time_never_goes_back(tmp_path: Path) -> None:
    """Opened with a clock behind its ledger, it tells no time before the last it has told."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path, now=5 * MINUTE)
    desk.tick(100, 100)
    await desk.place("buy", 1)
    await desk.exchange.close()

    again = Desk(path=path, now=3 * MINUTE)
    again.tick(100, 100)
    await again.place("sell", 1, cloid="c2")

    assert again.now < desk.now
    assert [one.time for one in again.reports] == [desk.now]
    await again.exchange.close()


async def test_funding_and_liquidation_happen_while_away(tmp_path: Path) -> None:
    """The hours and the margin of the time away count as any other."""
    path = tmp_path / "ledger.sqlite"
    tight = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})
    desk = Desk(tight.model_copy(update={"funding_rate": Decimal("0.001")}), path=path)
    desk.tick(100, 100)
    await desk.place("buy", 100)
    await desk.exchange.close()

    rated = tight.model_copy(update={"funding_rate": Decimal("0.001")})
    again = Desk(rated, path=path, now=70 * MINUTE)
    again.exchange._listeners.clear()
    happened: list[VenueEvent] = []
    again.exchange.subscribe(happened.append)
    for minute in range(1, 61):
        again.exchange.on_market(candle(minute, 100, 100, 100, 100))
    again.exchange.on_market(candle(61, 100, 100, 90, 100))

    funding, closing = happened
    assert (funding.time, closing.time) == (60 * MINUTE, 62 * MINUTE)
    assert not isinstance(funding, ExecutionReport)
    assert funding.payment == 10
    assert isinstance(closing, ExecutionReport)
    assert closing.execution is not None
    assert (closing.execution.liquidation, closing.execution.while_down) == (True, True)
    await again.exchange.close()


# -- older files ----------------------------------------------------------------------------------


async def test_a_ledger_of_version_one_opens_and_goes_on(tmp_path: Path) -> None:
    """An old file keeps its account, orders and volume, and what is new works on it."""
    path = tmp_path / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    db.execute("PRAGMA application_id = 2054048817")
    db.execute("PRAGMA user_version = 1")
    db.execute("INSERT INTO events VALUES (1, 0, 'deposit', '', '5000')")
    fill = (
        '{"cloid":"a","symbol":"BTC","status":"FILLED","time":7,"oid":"2","execution":{"tid":"3",'
        '"price":"100","size":"2","fee":"1","liquidity":"taker","while_down":false},'
        '"cancel_refused":false,"reason":""}'
    )
    db.execute("INSERT INTO events VALUES (3, 7, 'fill', 'a', ?)", (fill,))
    order = modified("b", "sell", 2, 120).model_dump_json()
    row = ("b", 4, 8, 1, 8, SYMBOL, "OPEN", "", order)
    db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute("INSERT INTO positions VALUES ('BTC', '2', '200', '0', '1', 7)")
    db.execute("INSERT INTO events VALUES (4, 8, 'order', 'b', '{}')")
    db.commit()
    db.close()

    desk = Desk(ExchangeSettings(), path=path)
    assert desk.ledger.volumes() == {0: 200}
    desk.tick(119, 121, mark=120)
    trade(desk, 121, 1, "buy")
    assert desk.fills() == [("b", Decimal(120), Decimal(2))]
    assert (await desk.exchange.get_account_info()).balance == 5000 - 1 + 40 - Decimal("0.036")
    await desk.exchange.close()
    reopened = Ledger(path)
    assert [one.cloid for one in reopened.fills(0)] == ["a", "b"]
    reopened.close()


async def test_a_ledger_of_version_two_opens_and_goes_on(tmp_path: Path) -> None:
    """What was triggered, what may be on its way and the funding hour are taken over."""
    path = tmp_path / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.executescript(f"{SCHEMA} {TO_2}")
    db.execute("PRAGMA application_id = 2054048817")
    db.execute("PRAGMA user_version = 2")
    db.execute("INSERT INTO events VALUES (1, 0, 'deposit', '', '5000')")
    db.execute("INSERT INTO events VALUES (9, 90, 'order', 'd', '{}')")
    stop = {"type": "stop", "limit": None, "trigger": 90, "reduce_only": True}
    for cloid, oid, placed, filled, replaces, more in (
        ("a", 2, 20, "1", "", stop),
        ("b", 3, 30, "0", "", {}),
        ("c", 4, 40, "0", "b", {}),
        ("d", 5, 91, "0", "", {}),
    ):
        body = modified(cloid, "sell", 2, 120)
        body = Order.model_validate({**body.model_dump(), **more})
        row = (cloid, oid, placed, 1, placed, SYMBOL, "OPEN", "", body.model_dump_json())
        marks = ", ".join("?" * 12)
        db.execute(f"INSERT INTO orders VALUES ({marks})", (*row, filled, "0", replaces))
    held = (SYMBOL, "2", "200", "0", "1", 7, "0", "0", "0.001", 2 * HOUR)
    db.execute("INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", held)
    db.commit()
    db.close()

    ledger = Ledger(path)

    assert [(one.order.cloid, one.triggered) for one in ledger.open_orders()] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", False),
    ]
    assert ledger.landings() == [
        Landing(40, 4, SYMBOL, "c", False),
        Landing(91, 5, SYMBOL, "d", False),
    ]
    page = ledger.pages()[SYMBOL]
    assert (page.rate, page.hour) == (Decimal("0.001"), 3 * HOUR)
    assert ledger.positions()[SYMBOL].size == 2
    ledger.close()
