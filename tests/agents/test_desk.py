"""What several strategies, an operator and the venue do to one position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.agents.script import RISK, S, rig, scripted, size
from tests.harness import START, Rig, tick
from tradeagent.agents.base import AgentSettings, BaseAgent, on
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
    OrderUpdate,
    PositionUpdate,
    RiskOverride,
    StopPlan,
    StrategyState,
    TickerUpdate,
    TradingMode,
)

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

    async def refusing(cloid: str, order: Order, _: object = None) -> ExecutionReport:
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
    desk.fill(desk.one(again), "0.15555")
    last = desk.one(desk.agent.handle_signal(signal("a", "flat", 4)))
    assert last.size == Decimal("0.1555")
    desk.fill(last, str(last.size))

    assert "a" not in desk.parts() or abs(desk.parts()["a"]) < Decimal("1e-12")
    assert sum(desk.parts().values()) == desk.agent.desks["BTC"].size


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
