"""The matching rules, case by case and against the slow reference venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradeagent.messages import MarketData, OrderBookUpdate
from tradeagent.messages.orders import OrderStatus
from tradeagent.simulation import ExchangeSettings

from .desk import FREE, SECOND, SYMBOL, Desk

SLIPPING = FREE.model_copy(update={"slippage_bp": Decimal(100)})


async def long_desk(size: int = 1, settings: ExchangeSettings = FREE) -> Desk:
    """Return a desk that is long `size` from 100, on bars, one quiet bar after its entry."""
    desk = Desk(settings)
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", size)
    desk.bar(100, 100, 100, 100)
    desk.bar(100, 100, 100, 100)
    desk.reports.clear()
    return desk


async def test_a_market_order_fills_at_the_next_open() -> None:
    """On bars a market order fills at the open of the next bar, at that bar's time."""
    desk = Desk()
    desk.bar(100, 101, 99, 100)
    ack = await desk.place("buy", 2)
    assert (ack.status, desk.reports) == (OrderStatus.OPEN, [])
    placed = desk.now

    desk.bar(103, 120, 90, 110)

    assert desk.reports[0].time == placed
    assert desk.fills() == [("c1", Decimal(103), Decimal(2))]


async def test_a_bar_that_opened_before_the_order_gives_it_nothing() -> None:
    """An order placed inside a bar never meets that bar's prices, which it could have known."""
    desk = Desk()
    desk.bar(100, 101, 99, 100)
    desk.now += 10 * SECOND
    await desk.place("buy", 1)
    await desk.place("buy", 1, "limit", 95)

    desk.bar(100, 110, 90, 105)
    assert desk.reports == []
    desk.bar(106, 107, 94, 100)
    assert desk.fills() == [("c1", Decimal(106), Decimal(1)), ("c2", Decimal(95), Decimal(1))]


@pytest.mark.parametrize(
    ("side", "limit", "bar", "price"),
    [
        ("buy", 95, (100, 110, 95, 100), None),
        ("buy", 95, (100, 110, 94, 100), 95),
        ("buy", 95, (93, 110, 92, 100), 93),
        ("buy", 95, (95, 96, 95, 96), None),
        ("sell", 105, (100, 105, 95, 100), None),
        ("sell", 105, (100, 106, 95, 100), 105),
        ("sell", 105, (108, 110, 95, 100), 108),
    ],
)
async def test_a_limit_needs_the_bar_to_go_through_it(
    side: str, limit: int, bar: tuple[float, float, float, float], price: int | None
) -> None:
    """A limit fills at its price when the bar trades through, at the open when that is beyond."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.bar(100, 100, 100, 100)
    await desk.place(side, 1, "limit", limit)

    desk.bar(*bar)

    assert [fill[1] for fill in desk.fills()] == ([] if price is None else [Decimal(price)])


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 101, 91, 95), None),
        ((100, 101, 90, 95), 90),
        ((100, 101, 80, 95), 90),
        ((85, 101, 80, 95), 85),
    ],
)
async def test_a_stop_fires_at_its_trigger_or_at_a_worse_open(
    bar: tuple[float, float, float, float], price: int | None
) -> None:
    """A touched stop fills at its trigger; one that was jumped over fills at the open."""
    desk = await long_desk()
    await desk.place("sell", 1, "stop", 90)

    desk.bar(*bar)

    assert [fill[1] for fill in desk.fills()] == ([] if price is None else [Decimal(price)])


async def test_a_stop_that_is_met_by_the_open_fired_then() -> None:
    """A bar that opens at the trigger fires the stop at its open, not at its end."""
    desk = await long_desk()
    opened = desk.now
    await desk.place("sell", 1, "stop", 90)

    desk.bar(90, 95, 90, 95)

    assert [report.time for report in desk.reports] == [opened]


@pytest.mark.parametrize(("open_", "price"), [(100, 90), (85, 85)])
async def test_a_stop_placed_inside_a_bar_counts_in_it(open_: int, price: int) -> None:
    """A stop is in doubt against its owner: a bar that was under way may fire it, after it came."""
    desk = await long_desk()
    desk.now += 10 * SECOND
    placed = desk.now
    await desk.place("sell", 1, "stop", 90)

    desk.bar(open_, 100, 80, 95)

    assert desk.reports[0].time == (placed if open_ < 90 else desk.now)
    assert [fill[1] for fill in desk.fills()] == [Decimal(price)]


async def test_a_stop_comes_before_a_target_in_one_bar() -> None:
    """When stop and target are both in a bar's range, the stop has it."""
    desk = await long_desk()
    await desk.place("sell", 1, "take_profit", 110, group="exit")
    await desk.place("sell", 1, "stop", 90, group="exit")

    desk.bar(100, 120, 80, 100)

    assert desk.heard() == [("c3", OrderStatus.FILLED), ("c2", OrderStatus.CANCELED)]


async def test_the_nearer_stop_goes_first() -> None:
    """Of two stops in a bar's range the one nearer to the open is met first."""
    desk = await long_desk()
    await desk.place("sell", 1, "stop", 80)
    await desk.place("sell", 1, "stop", 90)

    desk.bar(100, 100, 70, 75)

    assert desk.heard() == [("c3", OrderStatus.FILLED), ("c2", OrderStatus.CANCELED)]


async def test_the_first_stop_is_judged_by_the_bar_of_its_entry() -> None:
    """A bar that passed both the entry and its stop closes the position as soon as the stop comes.

    A second stop, such as one that trails, is not judged by that bar, nor one that comes a bar
    later, nor one that follows a reduction.
    """
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1)
    desk.bar(100, 102, 90, 101)
    desk.reports.clear()

    await desk.place("sell", 1, "stop", 85)
    await desk.place("sell", 1, "stop", 95)
    assert desk.reports == []

    desk.bar(101, 101, 101, 101)
    await desk.place("buy", 1)
    desk.bar(100, 102, 96, 101)
    desk.reports.clear()
    await desk.place("sell", 1, "stop", 97)
    assert desk.fills() == [("c5", Decimal(97), Decimal(1))]

    await desk.place("buy", 2)
    desk.bar(100, 102, 90, 101)
    desk.bar(101, 101, 101, 101)
    await desk.place("sell", 1, reduce_only=True)
    await desk.place("sell", 1, "stop", 95)
    desk.bar(101, 101, 96, 101)
    desk.reports.clear()
    await desk.place("sell", 1, "stop", 97)
    assert desk.reports == []


async def test_slippage_and_rounding_go_against_the_taker() -> None:
    """Market orders lose the slippage and the rounding, on both sides; limits lose neither."""
    desk = Desk(FREE.model_copy(update={"slippage_bp": Decimal(10)}))
    desk.tick(1500, 1503)
    await desk.place("buy", 1)
    await desk.place("sell", 1)
    await desk.place("buy", 1, "limit", 1510)

    prices = [price for _, price, _ in desk.fills()]

    assert prices == [Decimal(1505), Decimal(1498), Decimal(1503)]


async def test_a_market_order_with_a_limit_never_fills_beyond_it() -> None:
    """The limit of a market order is the worst price it takes; beyond it the order ends."""
    desk = Desk(SLIPPING)
    desk.tick(99, 100)
    await desk.place("buy", 1, limit=Decimal(100))
    await desk.place("buy", 1, limit=Decimal(101))

    assert desk.heard() == [("c1", OrderStatus.CANCELED), ("c2", OrderStatus.FILLED)]


async def test_quotes_trigger_on_the_mark_and_fill_at_the_touch() -> None:
    """The touch alone triggers nothing; when the mark gets there the touch is what is paid."""
    desk = Desk()
    desk.tick(99, 100, mark=100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 90)
    desk.reports.clear()

    desk.tick(80, 81, mark=91)
    assert desk.reports == []
    desk.tick(85, 86, mark=90)
    assert desk.fills() == [("c2", Decimal(85), Decimal(1))]


async def test_without_a_mark_the_middle_triggers() -> None:
    """A quote without a mark is judged by the middle of bid and ask."""
    desk = Desk()
    desk.tick(99, 101)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "take_profit", 110)
    desk.reports.clear()

    desk.tick(108, 110)
    assert desk.reports == []
    desk.tick(109, 111)
    assert desk.fills() == [("c2", Decimal(109), Decimal(1))]


async def test_a_resting_limit_fills_at_its_price_when_the_other_side_comes() -> None:
    """On quotes a resting buy fills as maker at its limit once the ask is there."""
    desk = Desk(FREE.model_copy(update={"maker_fee": Decimal("0.01")}))
    desk.tick(99, 101)
    await desk.place("buy", 1, "limit", 100)

    desk.tick(97, 98)

    execution = desk.reports[0].execution
    assert execution is not None
    assert (execution.price, execution.liquidity, execution.fee) == (100, "maker", 1)


async def test_once_quotes_are_known_bars_change_nothing() -> None:
    """With a ticker stream the bars of the same symbol fill nothing and move no mark."""
    desk = Desk()
    desk.tick(99, 101, mark=100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 90)
    desk.reports.clear()

    desk.bar(100, 200, 10, 150)

    assert desk.reports == []
    assert (await desk.exchange.get_account_info()).unrealised_pnl == Decimal(-1)


async def test_a_stop_comes_before_a_target_in_one_quote() -> None:
    """When one quote reaches a stop and, with its touch, a limit, the stop has it."""
    desk = Desk()
    desk.tick(99, 101, mark=100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "limit", 110, reduce_only=True)
    await desk.place("sell", 1, "stop", 90)
    desk.reports.clear()

    desk.tick(111, 112, mark=89)

    assert desk.heard() == [("c3", OrderStatus.FILLED), ("c2", OrderStatus.CANCELED)]


async def test_a_book_moves_the_touch_and_keeps_the_stated_mark() -> None:
    """An order book fills what its best levels reach, while triggers wait for the mark."""
    desk = Desk()
    desk.tick(99, 101, mark=100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 90)
    await desk.place("buy", 1, "limit", 85)
    desk.reports.clear()

    book = OrderBookUpdate(symbol=SYMBOL, time=desk.now, bids=((80.0, 1.0),), asks=((84.0, 1.0),))
    desk.exchange.on_market(book)
    desk.exchange.on_market(book.model_copy(update={"bids": ()}))

    assert desk.fills() == [("c3", Decimal(85), Decimal(1))]


async def test_one_market_in_two_timeframes_fills_once() -> None:
    """A bar that overlaps one already taken in is passed over."""
    desk = Desk()
    for _ in range(5):
        desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1)
    desk.bar(100, 100, 80, 100)
    desk.bar(100, 100, 100, 100)
    await desk.place("sell", 1, "stop", 90)
    desk.bar(100, 100, 100, 100)
    desk.reports.clear()

    longer = MarketData(
        symbol=SYMBOL, timeframe="15m", time=0, open=100, high=100, low=80, close=100, volume=1
    )
    desk.exchange.on_market(longer)

    assert desk.reports == []


@pytest.mark.parametrize(
    ("tif", "bar", "status"),
    [
        ("IOC", (100, 110, 80, 100), OrderStatus.CANCELED),
        ("IOC", (94, 110, 80, 100), OrderStatus.FILLED),
        ("ALO", (94, 110, 80, 100), OrderStatus.CANCELED),
        ("ALO", (96, 110, 80, 100), OrderStatus.FILLED),
    ],
)
async def test_time_in_force_on_bars_is_decided_at_the_open(
    tif: str, bar: tuple[float, float, float, float], status: OrderStatus
) -> None:
    """On bars an IOC meets the next open or ends, and a post-only order that crosses it ends."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1, "limit", 95, tif=tif)

    desk.bar(*bar)

    assert desk.heard() == [("c1", status)]


async def test_a_post_only_order_that_waited_makes() -> None:
    """An open beyond a post-only order ends it on arrival only; later it is filled as maker."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1, "limit", 95, tif="ALO")
    desk.bar(100, 100, 96, 100)

    desk.bar(94, 94, 94, 94)

    execution = desk.reports[0].execution
    assert execution is not None
    assert execution.liquidity == "maker"


async def test_a_limit_that_crosses_on_arrival_pays_as_taker() -> None:
    """A limit the first open is beyond of takes; one that waited longer makes."""
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1, "limit", 95)
    desk.bar(94, 94, 94, 94)
    await desk.place("buy", 1, "limit", 90)
    desk.bar(95, 95, 95, 95)
    desk.bar(89, 89, 89, 89)

    liquidity = [report.execution.liquidity for report in desk.reports if report.execution]
    assert liquidity == ["taker", "maker"]
