"""Ways into a position and out of it: limits, slices, moving stops, exits, strategies at rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness import BTC, START, Rig, tick
from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.stops import moved_stop
from tradeagent.agents.tickets import TradingSettings
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Fill,
    Incident,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskOverride,
    StopPlan,
    StrategyState,
    TickerUpdate,
    TradeSignal,
    TradingMode,
)
from tradeagent.quant.rules import Limits
from tradeagent.strategies.base import Event, Inputs, Strategy, View

S = OrderStatus
LIMITS = Limits(max_order_notional=Decimal(10**6), max_position_notional=Decimal(10**6))
RISK = RiskSettings(sizing="fixed_fraction", fraction=Decimal(1), limits=LIMITS)
Script = Mapping[int, Mapping[str, Any]]


def scripted(script: Script) -> type[Strategy]:
    """Return a strategy that signals at the seconds of a script."""

    class Scripted(Strategy):
        """Do as written."""

        def inputs(self) -> Inputs:
            """Ask for quotes."""
            return Inputs(quotes=True)

        def decide(self, event: Event, _: View) -> TradeSignal | None:
            """Return what stands at this second, if anything does."""
            assert isinstance(event, TickerUpdate)
            wish = script.get((event.time - START) // SECOND)
            return self.signal(event, **wish) if wish is not None else None

    return Scripted


def rig(
    prices: Mapping[int, float],
    script: Script,
    extra: tuple[Callable[[], BaseAgent[Any]], ...] = (),
    **trading: Any,
) -> Rig:
    """Return a daemon that sees `prices` at their seconds and trades by the script."""
    kind = scripted(script)
    return Rig(
        strategies=lambda: [kind("one", "BTC")],
        weights={"one": 1.0},
        events=[(START + at * SECOND, tick(price, at)) for at, price in prices.items()],
        risk=RISK,
        trading=TradingSettings(**trading),
        extra=extra,
    )


def stops(found: Rig) -> list[Decimal]:
    """Return the triggers of the stops that rested, in their order."""
    rested = {}
    for update in found.heard(OrderUpdate):
        if update.order.type == "stop" and update.status is S.OPEN:
            rested[update.order.cloid] = update.order.trigger
    return list(rested.values())


def size(found: Rig) -> Decimal:
    """Return the last position."""
    return found.heard(PositionUpdate)[-1].size


# -- stops ----------------------------------------------------------------------------------------


async def test_a_trailing_stop_follows_and_then_closes() -> None:
    """It rises with the price by its distance, never falls, and its fill closes the position."""
    climb = {second: 100.0 + second for second in range(11)}
    fall = {11 + step: 110.0 - step for step in range(8)}
    found = rig({**climb, **fall}, {0: {"direction": "long", "stop": 95.0, "trail": 5.0}})

    await found.run()

    moved = stops(found)
    assert moved[0] == 95
    assert moved[-1] == Decimal("105.0")
    assert all(one < after for one, after in pairwise(moved))
    assert size(found) == 0
    assert found.heard(Fill)[-1].price > 104
    assert await found.exchange.get_open_orders() == []
    assert found.heard(Incident) == []


async def test_a_stop_goes_to_the_entry_once_the_price_has_come_far_enough() -> None:
    """Before `break_even` it stays; from there on the position cannot lose but for slippage."""
    prices = {0: 100.0, 1: 104.0, 2: 105.0, 3: 103.0, 4: 99.0}
    found = rig(prices, {0: {"direction": "long", "stop": 90.0, "break_even": 105.0}})

    await found.run()

    entry = found.heard(Fill)[0].price
    assert stops(found) == [90, entry.quantize(Decimal("0.1"))]
    assert size(found) == 0


@pytest.mark.parametrize("direction", ["long", "short"])
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.integers(-3, 3), min_size=5, max_size=60))
async def test_a_held_position_has_one_stop_that_never_retreats(
    direction: str, steps: list[int]
) -> None:
    """Whatever the path, one stop rests while a position is held, and none when it is flat."""
    price, prices = 100.0, {0: 100.0}
    for second, step in enumerate(steps, 1):
        price += step * 0.5
        prices[second] = price
    sign = 1 if direction == "long" else -1
    wish = {"direction": direction, "stop": 100.0 - 4 * sign, "trail": 2.0}
    found = rig(prices, {0: wish})

    await found.run()

    triggers = [trigger * sign for trigger in stops(found)]
    assert all(one < after for one, after in pairwise(triggers))
    resting = [one for one in await found.exchange.get_open_orders() if one.type == "stop"]
    assert len(resting) == (1 if size(found) else 0)
    assert sum(one.size for one in resting) == abs(size(found))
    assert found.heard(Incident) == []


@given(
    price=st.decimals(50, 200, places=1),
    trigger=st.decimals(50, 200, places=1),
    side=st.sampled_from(["buy", "sell"]),
    even=st.none() | st.decimals(50, 200, places=1),
)
def test_a_moved_stop_protects_more_and_is_not_yet_reached(
    price: Decimal, trigger: Decimal, side: Any, even: Decimal | None
) -> None:
    """A stop moves with the position only, stays on its side of the price, and on the grid."""
    order = Order(
        cloid="0x1", intent_id="i", symbol="BTC", side=side, size=Decimal(1), type="stop",
        trigger=trigger, reduce_only=True,
    )  # fmt: skip
    plan = StopPlan(stop=trigger, trail=Decimal(3), break_even=even)
    update = OrderUpdate(
        order=order, status=S.OPEN, strategy="one", stop_plan=plan, expires_at=START
    )
    sign = 1 if side == "sell" else -1
    moved = moved_stop(update, price, Decimal(100), BTC)
    if moved is not None:
        assert (moved - trigger) * sign > 0
        assert (price - moved) * sign > 0
        assert BTC.price_fits(moved)


async def test_a_position_ends_with_its_time() -> None:
    """At `exit_at` the opinion ends: the position is closed at the next price, stop and all."""
    prices = dict.fromkeys(range(10), 100.0)
    wish = {"direction": "long", "stop": 95.0, "exit_at": START + 5 * SECOND}
    found = rig(prices, {0: wish})

    await found.run()

    opened, closed = found.heard(Fill)
    assert (opened.side, closed.side, size(found)) == ("buy", "sell", 0)
    assert closed.time == START + 5 * SECOND
    assert await found.exchange.get_open_orders() == []


# -- entries --------------------------------------------------------------------------------------


async def test_twap_enters_in_equal_parts_over_its_time() -> None:
    """Six parts, evenly spaced, add up to what one order would have been, each with its stop."""
    prices = dict.fromkeys(range(80), 100.0)
    found = rig(
        prices, {0: {"direction": "long", "stop": 90.0}}, entry="twap", slices=6, twap_s=60.0
    )

    await found.run()

    fills = found.heard(Fill)
    assert [(fill.time - START) // SECOND for fill in fills] == [0, 10, 20, 30, 40, 50]
    assert max(fill.size for fill in fills) < min(fill.size for fill in fills) * Decimal("1.01")
    whole = Decimal(10_000) / Decimal(100)
    assert abs(size(found) - whole) < whole * Decimal("0.01")
    stopped = [one.size for one in await found.exchange.get_open_orders()]
    assert sum(stopped) == size(found)


async def test_twap_ends_with_its_signal() -> None:
    """A new opinion in the middle ends it: what has come in goes out, and no slice follows."""
    prices = dict.fromkeys(range(80), 100.0)
    script = {0: {"direction": "long", "stop": 90.0}, 25: {"direction": "flat"}}
    found = rig(prices, script, entry="twap", slices=6, twap_s=60.0)

    await found.run()

    sides = [fill.side for fill in found.heard(Fill)]
    assert sides == ["buy", "buy", "buy", "sell"]
    assert size(found) == 0


async def test_an_iceberg_shows_one_part_at_a_time() -> None:
    """Each limit is placed when the one before has filled; at no time do two entries rest."""
    prices = {second: 100.0 - second * 0.2 for second in range(40)}
    found = rig(
        prices, {0: {"direction": "long", "stop": 85.0}}, entry="iceberg", slices=4, reprice_s=600.0
    )

    await found.run()

    entries = [one for one in found.heard(OrderUpdate) if one.order.type == "limit"]
    resting: set[str] = set()
    for update in entries:
        (resting.add if update.status is S.OPEN else resting.discard)(update.order.cloid)
        assert len(resting) <= 1
    fills = found.heard(Fill)
    assert len(fills) == 4
    assert max(fill.size for fill in fills) < size(found) / 3


async def test_a_limit_entry_is_moved_after_the_price_and_at_last_given_up() -> None:
    """It is cancelled and placed again at the new price, as often as allowed."""
    prices = {second: 100.0 + second * 0.1 for second in range(400)}
    script = {0: {"direction": "long", "stop": 90.0}}
    found = rig(prices, script, entry="limit", reprice_s=20.0, reprices=2)

    await found.run()

    placed = [one.limit for one in found.heard(OrderRequest)]
    assert len(placed) == 3
    assert placed == sorted(set(placed))
    wishes = [one.reason for one in found.heard(CancelRequest)]
    assert ["placed again" in wish for wish in wishes] == [True, True, False]
    assert found.heard(Fill) == []
    assert await found.exchange.get_open_orders() == []


# -- strategies at rest ---------------------------------------------------------------------------


class Operator(BaseAgent[AgentSettings]):
    """Says at some second what a strategy may do."""

    said: Mapping[int, str] = {}
    about = "one"

    @on(TickerUpdate)
    def look(self, event: TickerUpdate) -> Message | None:
        """Speak when it is time."""
        mode = self.said.get((event.time - START) // SECOND)
        if mode is None:
            return None
        return StrategyState.model_validate(
            {"strategy": self.about, "mode": mode, "reason": "as tested", "actor": "test"}
        )


def operator(said: Mapping[int, str], about: str = "one") -> Callable[[], BaseAgent[Any]]:
    """Return what makes an operator who speaks at these seconds."""

    def build() -> BaseAgent[Any]:
        agent = Operator(AgentSettings(), "hand")
        agent.said, agent.about = said, about
        return agent

    return build


async def test_a_paused_strategy_opens_nothing_and_keeps_what_it_holds() -> None:
    """Its signals count again once it is active."""
    prices = dict.fromkeys(range(30), 100.0)
    script = {
        1: {"direction": "long", "stop": 90.0},
        10: {"direction": "short", "stop": 110.0},
        20: {"direction": "flat"},
    }
    found = rig(prices, script, (operator({5: "paused", 15: "active"}),))

    await found.run()

    assert [(fill.side, (fill.time - START) // SECOND) for fill in found.heard(Fill)] == [
        ("buy", 1),
        ("sell", 20),
    ]


async def test_an_agent_is_closed_with_all_it_signals() -> None:
    """A word on the analyst is a word on each strategy that speaks through it."""
    script = {1: {"direction": "long", "stop": 90.0}, 10: {"direction": "short", "stop": 110.0}}
    found = rig(dict.fromkeys(range(30), 100.0), script, (operator({5: "closed"}, "analysis"),))

    await found.run()

    assert [(fill.side, (fill.time - START) // SECOND) for fill in found.heard(Fill)] == [
        ("buy", 1),
        ("sell", 5),
    ]


async def test_a_closed_strategy_gives_up_what_it_holds() -> None:
    """Its position is closed at once, its stop goes, and later signals count for nothing."""
    prices = dict.fromkeys(range(30), 100.0)
    script = {
        1: {"direction": "long", "stop": 90.0},
        10: {"direction": "short", "stop": 110.0},
    }
    found = rig(prices, script, (operator({5: "closed"}),))

    await found.run()

    assert [(fill.side, (fill.time - START) // SECOND) for fill in found.heard(Fill)] == [
        ("buy", 1),
        ("sell", 5),
    ]
    assert await found.exchange.get_open_orders() == []


# -- what did not fill whole ----------------------------------------------------------------------


def test_what_filled_of_an_entry_is_held_and_the_rest_is_not() -> None:
    """After a part of an entry filled, the target asks for the rest, no more and no less."""
    from tests.agents.test_trading import Desk, signal

    desk = Desk()
    request = desk.one(desk.agent.handle_signal(signal("a", "long")))
    order = Order(
        cloid="0x9", intent_id=request.intent_id, symbol="BTC", side="buy", size=Decimal(4),
        type="limit", limit=Decimal(100),
    )  # fmt: skip
    desk.books.fill(Decimal(1), Decimal(100), Decimal(0), request.shares)
    desk.agent.positioned(desk.books.update(START))
    said = desk.agent.ordered(
        OrderUpdate(
            order=order,
            status=S.CANCELED,
            filled=Decimal(1),
            average_price=Decimal(100),
            strategy="a",
            shares=request.shares,
            expires_at=START,
        )
    )

    rest = desk.one(said)
    assert rest.weight == pytest.approx(0.5 * 3 / 4)
    assert rest.intent_id != request.intent_id


async def test_a_replacement_that_is_refused_leaves_the_stop_as_it_was() -> None:
    """A stop the venue does not move stays, is known to stay, and nobody is left unprotected."""
    prices = {0: 100.0, 1: 103.0, 2: 103.0, 3: 103.0}
    found = rig(prices, {0: {"direction": "long", "stop": 95.0, "trail": 5.0}})

    async def refusing(cloid: str, order: Order) -> ExecutionReport:
        return ExecutionReport(
            cloid=order.cloid, symbol="BTC", status=S.REJECTED, time=START, reason="not now"
        )

    found.exchange.modify_order = refusing  # type: ignore[method-assign]
    await found.run()

    (stop,) = [one for one in await found.exchange.get_open_orders() if one.type == "stop"]
    assert stop.trigger == 95
    last = {one.order.cloid: one.status for one in found.heard(OrderUpdate)}
    assert last[stop.cloid] is S.OPEN
    assert size(found) == stop.size


# -- positions without a strategy -----------------------------------------------------------------


@pytest.mark.parametrize("rule", ["adopt", "close"])
async def test_a_position_whose_strategy_is_gone_is_kept_or_closed(rule: str) -> None:
    """Adopted, it stays with its stop through other strategies' trades; else it is closed."""
    first = rig({0: 100.0, 1: 100.0}, {0: {"direction": "long", "stop": 90.0, "strength": 0.5}})
    await first.run()
    (held,) = {part.size for part in first.heard(PositionUpdate)[-1].parts}
    first.store.restart()

    kind = scripted({30: {"direction": "long", "stop": 90.0, "strength": 0.25}})
    again = Rig(
        strategies=lambda: [kind("two", "BTC")],
        weights={"two": 1.0},
        events=[(START + at * SECOND, tick(100.0, at)) for at in range(2, 130)],
        risk=RISK,
        trading=TradingSettings.model_validate({"removed": rule}),
        store=first.store,
        ledger=first.ledger,
    )
    await again.run()

    parts = {part.strategy: part.size for part in again.heard(PositionUpdate)[-1].parts}
    assert parts["one"] == (held if rule == "adopt" else 0)
    assert parts["two"] > 0
    stops = [one for one in await again.exchange.get_open_orders() if one.type == "stop"]
    assert len(stops) == (2 if rule == "adopt" else 1)
    assert again.heard(Incident) == []


async def test_what_an_operator_opens_by_hand_is_his_to_close() -> None:
    """Trading leaves it alone, with its stop, through a strategy's trades, until he closes it."""
    script = {20: {"direction": "long", "stop": 90.0, "strength": 0.5}, 40: {"direction": "flat"}}
    found = rig(dict.fromkeys(range(200), 100.0), script, (closing(150),))
    wish = OrderRequest(
        intent_id="by-hand",
        symbol="BTC",
        side="buy",
        size=Decimal(5),
        stop_plan=StopPlan(stop=Decimal(95)),
        price=Decimal(100),
        price_time=START + SECOND,
        valid_until=START + 60 * SECOND,
    )
    found.clock.call_at(START + SECOND, lambda: found.bus.publish(wish, "operator"))
    await found.run()

    fills = [((one.time - START) // SECOND, one.side, one.strategy) for one in found.heard(Fill)]
    assert [one[:2] for one in fills] == [(1, "buy"), (20, "buy"), (40, "sell"), (150, "sell")]
    assert [one.size for one in found.heard(Fill)][-1] == 5
    assert size(found) == 0


def closing(second: int) -> Callable[[], BaseAgent[Any]]:
    """Return what makes an operator who closes what he holds."""

    class Closing(Operator):
        """Closes what was opened by hand."""

        @on(TickerUpdate)
        def look(self, event: TickerUpdate) -> Message | None:
            """Speak when it is time."""
            if (event.time - START) // SECOND != second:
                return None
            return StrategyState(strategy="operator", mode="closed", reason="done", actor="test")

    return lambda: Closing(AgentSettings(), "hand")


def test_a_strategy_that_leaves_is_flat_to_the_last_digit() -> None:
    """Its part may be no multiple of a lot: what rounding leaves is the others'."""
    from tests.agents.test_trading import Desk, signal

    desk = Desk()
    first = desk.one(desk.agent.handle_signal(signal("a", "long")))
    desk.fill(first, "0.3333")
    second = desk.one(desk.agent.handle_signal(signal("b", "long", 1)))
    desk.fill(second, "0.1777")
    third = desk.one(desk.agent.handle_signal(signal("a", "flat", 2)))
    assert third.reduce_only
    desk.fill(third, str(third.size))
    again = desk.agent.handle_signal(signal("a", "long", 3))
    desk.fill(desk.one(again), "0.05555")
    last = desk.one(desk.agent.handle_signal(signal("a", "flat", 4)))
    assert last.size == Decimal("0.0555")
    desk.fill(last, str(last.size))

    assert "a" not in desk.parts() or abs(desk.parts()["a"]) < Decimal("1e-12")
    assert sum(desk.parts().values()) == desk.agent.desk("BTC").size


async def test_a_resting_exit_holds_no_close_back() -> None:
    """Flattening takes what a far exit reserves, and no order is left."""
    found = rig(dict.fromkeys(range(200), 100.0), {0: {"direction": "long", "stop": 95.0}})
    far = OrderRequest(
        intent_id="far",
        symbol="BTC",
        side="sell",
        size=Decimal("0.5"),
        type="limit",
        limit=Decimal("101.5"),
        reduce_only=True,
        price=Decimal(100),
        price_time=START + 2 * SECOND,
        valid_until=START + 60 * SECOND,
    )
    flatten = RiskOverride(rule="STATE", mode=TradingMode.FLATTENING, reason="so", actor="op")
    found.clock.call_at(START + 2 * SECOND, lambda: found.bus.publish(far, "operator"))
    found.clock.call_at(START + 9 * SECOND, lambda: found.bus.publish(flatten, "operator"))
    await found.run()

    assert size(found) == 0
    assert await found.exchange.get_open_orders() == []
    assert len(found.heard(Fill)) == 2


async def test_a_resting_entry_that_nobody_wants_any_more_is_called_back() -> None:
    """A flat signal cancels the limit it finds at work, so that it neither fills nor blocks."""
    prices = {second: 100.0 if second < 20 else 99.0 for second in range(60)}
    script = {0: {"direction": "long", "stop": 90.0}, 5: {"direction": "flat"}}
    found = rig(prices, script, entry="limit", limit_offset_bp=50.0, reprice_s=600.0)

    await found.run()

    assert [one.reason for one in found.heard(CancelRequest)] == ["it is not wanted any more"]
    assert found.heard(Fill) == []


async def test_a_paused_entry_goes_no_further() -> None:
    """Slices stop with the pause; what came in stays."""
    script = {0: {"direction": "long", "stop": 90.0}}
    prices = dict.fromkeys(range(90), 100.0)
    found = rig(prices, script, (operator({15: "paused"}),), entry="twap", slices=6, twap_s=60.0)

    await found.run()

    assert [(fill.time - START) // SECOND for fill in found.heard(Fill)] == [0, 10]


async def test_closing_by_hand_waits_for_what_is_at_work() -> None:
    """An operator who gives up his position while an entry rests is flat once that has ended."""
    script = {20: {"direction": "long", "stop": 90.0, "strength": 0.5}, 60: {"direction": "flat"}}
    found = rig(
        dict.fromkeys(range(300), 100.0),
        script,
        (closing(30),),
        entry="limit",
        limit_offset_bp=50.0,
        reprice_s=600.0,
    )
    wish = OrderRequest(
        intent_id="by-hand",
        symbol="BTC",
        side="buy",
        size=Decimal(5),
        stop_plan=StopPlan(stop=Decimal(95)),
        price=Decimal(100),
        price_time=START + SECOND,
        valid_until=START + 60 * SECOND,
    )
    found.clock.call_at(START + SECOND, lambda: found.bus.publish(wish, "operator"))
    await found.run()

    assert size(found) == 0
