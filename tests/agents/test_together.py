"""Strategies that share a symbol, and what comes late, after a restart, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.agents.script import RISK, S, Script, rig, scripted, size
from tests.agents.test_trading import Desk, signal
from tests.harness import START, Rig, bar, tick
from tradeagent.agents.blotter import REMEMBERED, Blotter
from tradeagent.agents.desk import Mandate
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.clock import SECOND
from tradeagent.config import load
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Fill,
    Order,
    OrderRequest,
    OrderUpdate,
    PositionPart,
    PositionUpdate,
    StrategyState,
)
from tradeagent.messages import Execution as Done
from tradeagent.plan import make_plan, unclaimed


def both(prices: Mapping[int, float], one: Script, two: Script, **trading: Any) -> Rig:
    """Return a daemon with two strategies of half a position each."""
    first, second = scripted(one), scripted(two)
    return Rig(
        strategies=lambda: [first("one", "BTC"), second("two", "BTC")],
        weights={"one": 0.5, "two": 0.5},
        events=[(START + at * SECOND, tick(price, at)) for at, price in prices.items()],
        risk=RISK,
        trading=TradingSettings(**trading),
    )


def parts(found: Rig) -> dict[str, Decimal]:
    """Return what each strategy holds at the end."""
    return {part.strategy: part.size for part in found.heard(PositionUpdate)[-1].parts}


LONG = {"direction": "long", "stop": 90.0}
FALL = {second: 100.0 if second < 20 else 96.0 for second in range(60)}


async def test_a_stop_takes_only_the_part_it_is_for() -> None:
    """The other strategy keeps its part, its opinion and its own stop."""
    found = both(FALL, {1: {"direction": "long", "stop": 97.0}}, {5: LONG})

    await found.run()

    held = parts(found)
    assert held["one"] == 0
    assert held["two"] == size(found) > 0
    (stop,) = await found.exchange.get_open_orders()
    assert (stop.trigger, stop.size) == (90, held["two"])


async def test_a_strategy_that_was_stopped_does_not_come_back_with_a_restart() -> None:
    """Its old opinion counts no more, though another's order was under way at the restart."""
    prices = {at: 100.0 if at < 3 else 96.0 for at in range(5)}
    one: Script = {1: {"direction": "long", "stop": 97.0}}
    patient = {"entry": "limit", "limit_offset_bp": 100.0, "reprice_s": 600.0}
    found = both(prices, one, {4: LONG}, **patient)
    await found.run()
    assert parts(found) == {"one": 0}
    assert [one.type for one in await found.exchange.get_open_orders()] == ["limit"]
    found.store.restart()

    again = both(dict.fromkeys(range(5, 40), 94.0), {}, {7: {"direction": "flat"}})
    again = Rig(again.strategies, again.weights, again.events, risk=RISK, store=found.store,
                ledger=found.ledger)  # fmt: skip
    await again.run()

    assert [one.side for one in again.heard(OrderRequest)] == ["sell"]
    assert parts(again) == {"one": 0, "two": 0}


def _cancelled(request: OrderRequest, filled: str) -> OrderUpdate:
    """Return the end of an entry of 4 that a cancel met after `filled`."""
    order = Order(
        cloid="0x9", intent_id=request.intent_id, symbol="BTC", side="buy", size=Decimal(4),
        type="limit", limit=Decimal(100),
    )  # fmt: skip
    return OrderUpdate(
        order=order, status=S.CANCELED, filled=Decimal(filled), strategy="a", expires_at=START
    )


def test_a_fill_after_the_cancel_counts_towards_the_target() -> None:
    """What was filled late is not asked for again, whatever is under way by then."""
    desk = Desk()
    request = desk.one(desk.agent.handle_signal(signal("a", "long")))
    desk.books.fill(Decimal(1), Decimal(100), Decimal(0), request.shares)
    desk.agent.positioned(desk.books.update(START))
    rest = desk.one(desk.agent.ordered(_cancelled(request, "1")))
    desk.books.fill(Decimal(2), Decimal(100), Decimal(0), request.shares)
    desk.agent.positioned(desk.books.update(START))
    desk.agent.ordered(_cancelled(request, "3"))

    assert desk.agent.desks["BTC"].held["a"] == 0.5 * 3 / 4
    back = desk.one(desk.fill(rest, "3"))

    assert back.reduce_only
    assert abs(back.size - 2) <= Decimal("0.0001")


async def test_twap_makes_up_for_slices_that_no_price_came_for() -> None:
    """With a price a minute, six parts over a minute and a half are whole at its end."""
    prices = dict.fromkeys(range(0, 360, 60), 100.0)
    found = rig(prices, {0: LONG}, entry="twap", slices=6, twap_s=90.0)

    await found.run()

    whole = Decimal(10_000) / Decimal(100)
    assert [(fill.time - START) // SECOND for fill in found.heard(Fill)] == [0, 60, 120]
    assert abs(size(found) - whole) < whole * Decimal("0.01")


async def test_an_unsent_cancel_of_an_order_without_an_answer_is_not_forgotten() -> None:
    """An order that shows up after it was to be cancelled is cancelled then."""
    found = rig(dict.fromkeys(range(40), 100.0), {0: LONG}, entry="limit", limit_offset_bp=50.0,
                reprice_s=600.0)  # fmt: skip
    place, cancel = found.exchange.place_order, found.exchange.cancel_order
    status = found.exchange.get_order_status
    silent = [True]

    async def unanswered(order: Order, _: object = None) -> ExecutionReport:
        await place(order)
        raise VenueUnavailable("gone")

    async def unheard(symbol: str, cloid: str) -> ExecutionReport:
        if silent[0]:
            raise VenueUnavailable("gone")
        return await cancel(symbol, cloid)

    async def unknown(symbol: str, cloid: str) -> ExecutionReport | None:
        if silent[0]:
            raise VenueUnavailable("gone")
        return await status(symbol, cloid)

    found.exchange.place_order = unanswered  # type: ignore[method-assign]
    found.exchange.cancel_order = unheard  # type: ignore[method-assign]
    found.exchange.get_order_status = unknown  # type: ignore[method-assign]
    wish = CancelRequest(reason="as tested")
    found.clock.call_at(START + 1 * SECOND, lambda: found.bus.publish(wish, "operator"))
    found.clock.call_at(START + 2 * SECOND, silent.clear)
    found.clock.call_at(START + 2 * SECOND, lambda: silent.append(False))
    await found.run()

    statuses = [one.status for one in found.heard(OrderUpdate)]
    assert S.UNKNOWN in statuses
    assert statuses[-1] is S.CANCELED
    assert await found.exchange.get_open_orders() == []


def test_a_position_in_a_symbol_that_is_not_the_strategys_any_more_is_unclaimed() -> None:
    """A strategy that trades ETH alone has no claim on the BTC it still holds."""
    narrowed = {"strategies": {"breakout": {"symbols": ["ETH"]}}}
    held = PositionUpdate(
        symbol="BTC",
        size=Decimal(3),
        time=START,
        parts=(
            PositionPart(strategy="breakout", size=Decimal(1)),
            PositionPart(strategy="sma_cross", size=Decimal(2)),
        ),
    )

    assert unclaimed(make_plan(load("demo", [], {}, {}, None, None)), [held]) == []
    plan = make_plan(load("demo", [], narrowed, {}, None, None))
    assert unclaimed(plan, [held]) == ["breakout holds 1 BTC"]


def test_an_agent_is_known_by_its_mandate_before_it_has_spoken() -> None:
    """Right after a restart an agent is closed with all it is configured to speak for."""
    from tradeagent.bus.base import Subscriber
    from tradeagent.messages import Envelope

    agent = Trading(TradingSettings(), {"a": Mandate(0.5, agent="analysis")}, "test")
    inlet = Subscriber("trading", {})
    inlet.hand = Envelope(bar(100))
    inlet.hand.ts = START
    agent.attach(None, inlet)  # type: ignore[arg-type]
    desk = agent.desks["BTC"]
    desk.opinions["a"] = signal("a", "long")

    agent.direct(StrategyState(strategy="analysis", mode="closed", reason="so", actor="test"))

    assert desk.opinions == {}


def test_a_liquidation_is_booked_once_however_often_it_is_told() -> None:
    """Also when so many orders came after it that it is not at hand any more."""
    blotter = Blotter("test", "execution")

    def told(number: int) -> ExecutionReport:
        order = Order(
            cloid=f"liquidation-{number}", intent_id=f"l{number}", symbol="BTC", side="sell",
            size=Decimal(1), type="market", reduce_only=True,
        )  # fmt: skip
        done = Done(tid=f"{number}", price=Decimal(50), size=Decimal(1), fee=Decimal(0))
        return ExecutionReport(
            cloid=order.cloid, symbol="BTC", status=S.FILLED, time=START, execution=done,
            order=order,
        )  # fmt: skip

    for number in range(3 * REMEMBERED):
        blotter.book(told(number))
    assert "liquidation-0" not in blotter.orders

    assert blotter.book(told(0)) == []
    assert blotter.books["BTC"].net.size == -3 * REMEMBERED


async def test_a_part_too_small_for_the_venue_stays_until_all_is_closed() -> None:
    """No exit is asked for that a venue refuses; the dust goes with the rest of the position."""
    prices = {second: 100.0 if second < 30 else 95.0 for second in range(200)}
    flat = {"direction": "flat"}
    first, second = scripted({2: LONG, 150: flat}), scripted({5: LONG, 40: flat})
    found = Rig(
        strategies=lambda: [first("one", "BTC"), second("two", "BTC")],
        weights={"one": 0.5, "two": 0.051},
        events=[(START + at * SECOND, tick(price, at)) for at, price in prices.items()],
        risk=RISK.model_copy(update={"fraction": Decimal("0.02")}),
    )

    await found.run()

    (entry,) = [one for one in found.heard(Fill) if one.strategy == "two"][:1]
    assert 95 * entry.size < 10 <= 100 * entry.size
    exits = [one for one in found.heard(OrderRequest) if one.reduce_only]
    assert [(one.price_time - START) // SECOND for one in exits] == [150]
    assert size(found) == 0
