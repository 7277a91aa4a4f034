"""What the operator, a flattening and opposite strategies leave of each other's parts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.agents.script import RISK, Script, rig, scripted, size
from tests.agents.test_together import LONG, both, parts
from tests.harness import START, Rig, tick
from tradeagent.agents.desk import Mandate, Work
from tradeagent.agents.desks import Desks
from tradeagent.agents.legs import oversized
from tradeagent.agents.tickets import TradingSettings
from tradeagent.clock import SECOND
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.messages import (
    ExecutionReport,
    Fill,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RiskOverride,
    Share,
    StopPlan,
    StrategyState,
    TradingMode,
)

CALM = dict.fromkeys(range(300), 100.0)


def say(found: Rig, second: int, message: Message) -> None:
    """Have the operator say something at a second."""
    found.clock.call_at(START + second * SECOND, lambda: found.bus.publish(message, "operator"))


def go(found: Rig, second: int, mode: TradingMode) -> None:
    """Have the operator ask for a trading state at a second."""
    say(found, second, RiskOverride(rule="STATE", mode=mode, reason="so", actor="test"))


def buy(found: Rig, second: int, amount: int) -> None:
    """Have the operator buy by hand at a second, with a stop at 90."""
    now = START + second * SECOND
    wish = OrderRequest(
        intent_id=f"by-hand-{second}",
        symbol="BTC",
        side="buy",
        size=Decimal(amount),
        stop_plan=StopPlan(stop=Decimal(90)),
        price=Decimal(100),
        price_time=now,
        valid_until=now + 30 * SECOND,
    )
    say(found, second, wish)


async def test_what_was_adopted_and_flattened_takes_no_part_in_the_next_entry() -> None:
    """The strategy that opens after a flattening holds the whole position, the operator nothing."""
    found = rig(CALM, {150: {**LONG, "strength": 0.5}})
    buy(found, 5, 20)
    go(found, 20, TradingMode.FLATTENING)
    go(found, 100, TradingMode.ACTIVE)

    await found.run()

    assert parts(found) == {"operator": 0, "one": size(found)}
    assert size(found) > 0


async def test_what_an_operator_buys_while_an_entry_rests_stays_his() -> None:
    """The strategy that goes flat closes its own part alone."""
    prices = {second: 100.0 if second < 30 else 98.0 for second in range(200)}
    script: Script = {2: LONG, 100: {"direction": "flat"}}
    found = rig(prices, script, entry="limit", limit_offset_bp=100.0, reprice_s=600.0)
    buy(found, 5, 20)

    await found.run()

    assert parts(found) == {"operator": 20, "one": 0}


SHORT = {"direction": "short", "stop": 110.0}
FLAT = {"direction": "flat"}


def uneven(one: Script, two: Script, prices: dict[int, float] = CALM, **trading: Any) -> Rig:
    """Return a daemon with a strategy of 0.6 and one of 0.4 of a full position."""
    first, second = scripted(one), scripted(two)
    return Rig(
        strategies=lambda: [first("one", "BTC"), second("two", "BTC")],
        weights={"one": 0.6, "two": 0.4},
        events=[(START + at * SECOND, tick(price, at)) for at, price in prices.items()],
        risk=RISK,
        trading=TradingSettings(**trading),
    )


@pytest.mark.parametrize("by_hand", [False, True])
async def test_who_held_against_the_position_can_leave_it(by_hand: bool) -> None:
    """Though nobody newly wants more, it gives up all it holds, and the other keeps its part."""
    found = uneven({2: LONG}, {100: SHORT} if by_hand else {100: SHORT, 200: FLAT})
    if by_hand:
        say(found, 200, StrategyState(strategy="two", mode="closed", reason="so", actor="test"))

    await found.run()

    assert parts(found) == {"one": 60, "two": 0}
    (stop,) = await found.exchange.get_open_orders()
    assert (stop.trigger, stop.size) == (90, 60)


async def test_who_leaves_goes_at_the_market_and_is_asked_once() -> None:
    """However entries are made, and although a closed strategy may not open anything."""
    prices = {second: 98.0 if second == 5 else 100.0 for second in range(60)}
    found = uneven({2: LONG}, {10: SHORT}, prices, entry="limit", limit_offset_bp=100.0)
    say(found, 20, StrategyState(strategy="two", mode="closed", reason="so", actor="test"))

    await found.run()

    assert [(one.side, one.type) for one in found.heard(OrderRequest)] == [
        ("buy", "limit"),
        ("sell", "market"),
        ("buy", "market"),
    ]
    assert parts(found)["two"] == 0


def test_an_entry_that_takes_a_leaver_along_opens_nothing_for_it() -> None:
    """A closed strategy may give up what it holds, by any order; it may not end on the far side."""
    desks = Desks({"a": Mandate(0.6), "b": Mandate(0.4)}, TradingSettings())
    desk = desks["BTC"]
    desk.held = {"a": 0.6, "b": -0.4}
    desks.heed(StrategyState(strategy="b", mode="closed", reason="so", actor="test"))

    assert desks.idle(desk, Work("some", START, {"a": 0.1, "b": 0.4})) == []
    assert desks.idle(desk, Work("some", START, {"a": 0.1, "b": 0.5})) == ["b"]


async def test_the_stop_of_who_left_takes_nothing_from_the_others() -> None:
    """It is cancelled once its strategy holds nothing, as far as other stops cover the rest."""
    prices = {second: 100.0 if second < 150 else 96.0 for second in range(300)}
    found = uneven({1: LONG}, {5: {"direction": "long", "stop": 97.0}, 30: FLAT}, prices)

    await found.run()

    assert parts(found) == {"one": 60, "two": 0}
    (stop,) = await found.exchange.get_open_orders()
    assert (stop.trigger, stop.size) == (90, 60)


# -- what holds an exit up ------------------------------------------------------------------------


def silent_on_entries(found: Rig, since: int) -> None:
    """Have the venue give no answer about orders that can open, from a second on."""
    place, status, lost = found.exchange.place_order, found.exchange.get_order_status, set[str]()

    async def unheard(order: Order, _: object = None) -> ExecutionReport:
        if order.reduce_only or found.clock.now() < START + since * SECOND:
            return await place(order)
        lost.add(order.cloid)
        raise VenueUnavailable("gone")

    async def unknown(symbol: str, cloid: str) -> ExecutionReport | None:
        if cloid in lost:
            raise VenueUnavailable("gone")
        return await status(symbol, cloid)

    found.exchange.place_order = unheard  # type: ignore[method-assign]
    found.exchange.get_order_status = unknown  # type: ignore[method-assign]


def closed_at(found: Rig) -> list[int]:
    """Return the seconds at which something was sold."""
    return [(one.time - START) // SECOND for one in found.heard(Fill) if one.side == "sell"]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_an_order_of_unknown_outcome_holds_no_exit_up(by_hand: bool) -> None:
    """Whether the strategy leaves or the account is flattened, what is held is closed at once."""
    half = {**LONG, "strength": 0.5}
    found = rig(CALM, {2: half, 40: LONG} if by_hand else {2: half, 40: LONG, 70: FLAT})
    silent_on_entries(found, 30)
    if by_hand:
        go(found, 70, TradingMode.FLATTENING)

    await found.run()

    assert closed_at(found) == [70]
    assert size(found) == 0


async def test_what_fills_late_of_an_unknown_order_is_closed_too() -> None:
    """An entry that shows up after the strategy left is not kept."""
    half = {**LONG, "strength": 0.5}
    found = rig(CALM, {2: half, 40: LONG, 70: FLAT})
    place, lost = found.exchange.place_order, list[str]()
    status = found.exchange.get_order_status

    async def unanswered(order: Order, _: object = None) -> ExecutionReport:
        report = await place(order)
        if found.clock.now() == START + 40 * SECOND and not order.reduce_only:
            lost.append(order.cloid)
            raise VenueUnavailable("gone")
        return report

    async def unknown(symbol: str, cloid: str) -> ExecutionReport | None:
        if cloid in lost and found.clock.now() < START + 100 * SECOND:
            raise VenueUnavailable("gone")
        return await status(symbol, cloid)

    found.exchange.place_order = unanswered  # type: ignore[method-assign]
    found.exchange.get_order_status = unknown  # type: ignore[method-assign]

    await found.run()

    assert size(found) == 0
    assert await found.exchange.get_positions() == []


async def test_flattening_goes_on_as_soon_as_an_entry_is_cancelled() -> None:
    """What an earlier slice opened is closed within the second, not at the next look."""
    prices = {second: 99.8 if second == 10 else 100.0 for second in range(200)}
    found = rig(prices, {2: LONG}, entry="iceberg", slices=3, limit_offset_bp=10.0, reprice_s=600.0)
    go(found, 70, TradingMode.FLATTENING)

    await found.run()

    assert closed_at(found) == [70]
    assert size(found) == 0


async def test_who_leaves_after_its_entry_was_refused_waits_for_nothing() -> None:
    """The venue refuses what was to be added; the opinion that changed meanwhile counts at once."""
    half = {**LONG, "strength": 0.5}
    found = rig(CALM, {2: half, 40: LONG, 41: FLAT})
    place = found.exchange.place_order

    async def refused(order: Order, _: object = None) -> ExecutionReport:
        if order.reduce_only or found.clock.now() < START + 40 * SECOND:
            return await place(order)
        await found.clock.sleep(5.0)
        raise OrderRefused("not now")

    found.exchange.place_order = refused  # type: ignore[method-assign]

    await found.run()

    assert closed_at(found) == [45]


async def test_what_was_given_up_is_not_adopted_again_by_a_restart() -> None:
    """A part without a strategy that is to be closed is closed once trading goes on."""
    first = rig({0: 100.0, 1: 100.0}, {0: LONG})
    await first.run()

    def later(begin: int, end: int) -> Rig:
        first.store.restart()
        prices = range(begin, end)
        return Rig(
            weights={"two": 1.0},
            events=[(START + at * SECOND, tick(100.0, at)) for at in prices],
            risk=RISK,
            trading=TradingSettings(removed="adopt"),
            store=first.store,
            ledger=first.ledger,
        )

    halted = later(2, 60)
    go(halted, 10, TradingMode.HALTED)
    word = StrategyState(strategy="one", mode="closed", reason="so", actor="test")
    say(halted, 20, word)
    await halted.run()
    again = later(60, 200)
    go(again, 70, TradingMode.ACTIVE)
    await again.run()

    assert parts(again) == {"one": 0}


async def test_what_the_venue_refuses_a_stop_for_is_closed() -> None:
    """A position whose stop cannot be placed is closed at once; another strategy keeps its."""
    found = uneven({2: LONG}, {50: {"direction": "long", "stop": 97.0}})
    place = found.exchange.place_order

    async def refused(order: Order, _: object = None) -> ExecutionReport:
        if order.trigger == 97:
            raise OrderRefused("the price is through")
        return await place(order)

    found.exchange.place_order = refused  # type: ignore[method-assign]

    await found.run()

    assert closed_at(found) == [50]
    assert parts(found) == {"one": 60, "two": 0}


async def test_who_holds_less_has_stops_and_targets_for_less() -> None:
    """A strategy that halves its part takes no more than that from the position when stopped."""
    prices = {second: 100.0 if second < 40 else 96.0 for second in range(60)}
    first: Script = {5: {"direction": "long", "stop": 90.0}}
    second: Script = {
        1: {"direction": "long", "stop": 97.0, "target": 120.0},
        20: {"direction": "long", "stop": 97.0, "strength": 0.5},
    }
    found = both(prices, second, first)

    await found.run()

    resting = {
        (one.order.type, one.order.size)
        for one in found.heard(OrderUpdate)
        if one.strategy == "one" and one.order.replaces and one.status is OrderStatus.OPEN
    }
    assert resting == {("stop", Decimal(25)), ("take_profit", Decimal(25))}
    held = parts(found)
    assert held["one"] == 0
    assert held["two"] == size(found) > 49


async def test_a_flattening_goes_on_with_the_first_price_after_a_restart() -> None:
    """A daemon that died while the venue took no orders closes the position as it comes back."""
    found = rig(dict.fromkeys(range(20), 100.0), {1: LONG})
    place = found.exchange.place_order

    async def closed(order: Order, _: object = None) -> ExecutionReport:
        if order.reduce_only and order.type == "market":
            raise OrderRefused("not now")
        return await place(order)

    found.exchange.place_order = closed  # type: ignore[method-assign]
    go(found, 18, TradingMode.FLATTENING)
    await found.run()
    assert size(found) > 0
    found.store.restart()

    again = rig(dict.fromkeys(range(20, 40), 100.0), {})
    again = Rig(again.strategies, again.weights, again.events, risk=RISK, store=found.store,
                ledger=found.ledger)  # fmt: skip
    await again.run()

    assert [(fill.time - START) // SECOND for fill in again.heard(Fill)] == [20]
    assert size(again) == 0


def test_a_stop_is_made_no_smaller_than_the_position_needs() -> None:
    """What one strategy's stop covers of another's part stays covered, to the lot."""

    def stop(name: str, amount: str, *shared: str) -> OrderUpdate:
        order = Order(
            cloid=f"0x{name}{amount}", intent_id=name, symbol="BTC", side="sell",
            size=Decimal(amount), type="stop", trigger=Decimal(90), reduce_only=True,
        )  # fmt: skip
        parts = tuple(
            Share(strategy=one, part=Decimal(1) / (1 + len(shared))) for one in (name, *shared)
        )
        return OrderUpdate(
            order=order, status=OrderStatus.OPEN, strategy=name, shares=parts, expires_at=START
        )

    legs = [stop("two", "0.0076", "one"), stop("one", "0.0305")]
    held = {"one": Decimal("0.01266"), "two": Decimal("0.01484")}

    ((leg, left),) = oversized(legs, held, Decimal("0.0275"), Decimal("0.0001"))

    assert leg is legs[1]
    assert str(left) == "0.0199"
    going = [legs[0].model_copy(update={"status": OrderStatus.PEND_CANCEL}), legs[1]]
    assert [one for _, one in oversized(going, held, Decimal("0.0275"), Decimal("0.0001"))] == [
        Decimal("0.0275")
    ]
