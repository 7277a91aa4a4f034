"""What Execution does about a remote venue: compare, take over, call off, keep asking."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.agents.far import FarExchange, finished
from tests.agents.test_execution import approval
from tests.harness import KEY, START, tick
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.identity import TAG, seal
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import (
    ExecutionReport,
    Holding,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    Severity,
    TaskRequest,
    TaskResult,
    VenueStatement,
    VenueStatus,
)
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

S = OrderStatus
D = Decimal


class Calm(FarExchange):
    """A far venue without trouble, on whose account somebody else may trade as well."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(1, clock)
        self.healed = True
        self.added: tuple[Holding, ...] | None = None
        self.strangers: tuple[Order, ...] = ()
        self.cancelled: list[str] = []
        self.asked: list[int] = []
        self.paid_in = D(0)

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Note since when fills are asked for."""
        self.asked.append(since)
        return await super().get_fills(since)

    async def get_statement(self) -> VenueStatement:
        """Return what is held and rests, strangers' doings included."""
        told = await super().get_statement()
        held = told.holdings if self.added is None else self.added
        orders = (*told.orders, *self.strangers)
        cost = sum((one.size * one.entry_price for one in await self.get_positions()), D(0))
        cash = told.account.balance - cost + self.paid_in
        return told.model_copy(update={"holdings": held, "orders": orders, "cash": cash})

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Note what is cancelled."""
        self.cancelled.append(cloid)
        return await super().cancel_order(symbol, cloid)


class Floor:
    """An Execution agent at a calm far venue."""

    def __init__(self, settings: ExecutionSettings | None = None) -> None:
        self.clock = SimulatedClock(START)
        store = MemoryStore(keep=True)
        supervisor = self.supervisor = Supervisor(self.clock, store.past, store.journal.committed)
        self.bus = MemoryBus(self.clock, supervisor, store.journal)
        supervisor.connect(self.bus)
        self.exchange = Calm(self.clock)
        chosen = settings or ExecutionSettings()
        supervisor.add(lambda: Execution(chosen, self.exchange, "test", KEY))
        self.said: list[Message] = []
        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))

    def at(self, second: float, message: Message) -> None:
        """Send a message at a time of the run."""
        when = START + int(second * SECOND)
        self.clock.call_at(when, lambda: self.bus.publish(message, "test"))

    async def run(self, seconds: int) -> None:
        """Run for a while."""
        ticks = ((START + second * SECOND, None) for second in range(1, seconds))
        self.clock.add_stream(ticks, lambda _: None)
        await self.supervisor.run()

    def codes(self) -> list[str]:
        """Return the codes of all incidents."""
        return [one.code for one in self.said if isinstance(one, Incident)]


def resting_entry() -> RiskAssessment:
    """Return the approval of a limit that rests far below the price."""
    order = approval().order
    assert order is not None
    order = order.model_copy(update={"type": "limit", "limit": D(50)})
    plan, expires = approval().stop_plan, START + 60 * SECOND
    mark = seal(KEY, order, plan, expires)
    return approval(order=order, seal=mark, expires_at=expires)


async def test_a_position_that_differs_for_good_is_taken_over_and_told() -> None:
    """What somebody else bought becomes the operator's part, after three statements, once."""
    floor = Floor()
    floor.at(1, approval())
    floor.clock.call_at(
        START + 15 * SECOND,
        lambda: setattr(
            floor.exchange, "added", (Holding(symbol="BTC", size=D(3), entry_price=D(99)),)
        ),
    )

    await floor.run(60)

    assert floor.codes() == ["POSITION_MISMATCH"]
    (*_, held) = [one for one in floor.said if isinstance(one, PositionUpdate)]
    assert held.size == D(3)
    assert {one.strategy: one.size for one in held.parts} == {"a": D(1), "operator": D(2)}


async def test_a_position_that_was_turned_over_is_the_operators() -> None:
    """Every part is closed, and what stands on the other side was traded by hand."""
    floor = Floor()
    floor.at(1, approval())
    turned = (Holding(symbol="BTC", size=D(-2), entry_price=D(99)),)
    floor.clock.call_at(START + 15 * SECOND, lambda: setattr(floor.exchange, "added", turned))

    await floor.run(60)

    (*_, held) = [one for one in floor.said if isinstance(one, PositionUpdate)]
    assert {one.strategy: one.size for one in held.parts} == {"a": D(0), "operator": D(-2)}


async def test_a_position_that_is_gone_is_taken_from_every_part() -> None:
    """What somebody else sold is missing from the strategies."""
    floor = Floor()
    floor.at(1, approval())
    floor.clock.call_at(START + 15 * SECOND, lambda: setattr(floor.exchange, "added", ()))

    await floor.run(60)

    assert floor.codes() == ["POSITION_MISMATCH"]
    (*_, held) = [one for one in floor.said if isinstance(one, PositionUpdate)]
    assert (held.size, sum(one.size for one in held.parts)) == (0, 0)


@pytest.mark.parametrize(
    ("paid_in", "severity"), [("-50", Severity.ERROR), ("50", Severity.WARNING), ("-0.004", None)]
)
async def test_money_that_no_trade_explains_is_told_once(
    paid_in: str, severity: Severity | None
) -> None:
    """What leaves stops entries, what comes is told; trading, its fees and rounding explain."""
    floor = Floor()
    floor.at(1, approval())
    floor.clock.call_at(START + 15 * SECOND, lambda: setattr(floor.exchange, "paid_in", D(paid_in)))
    floor.at(30, approval(intent="more"))

    await floor.run(120)

    told = [(one.code, one.severity) for one in floor.said if isinstance(one, Incident)]
    assert told == ([("CASH_MISMATCH", severity)] if severity else [])


def pay(floor: Floor, second: int, amount: str) -> None:
    """Let money come to the account or leave it at a second."""
    exchange = floor.exchange

    def move() -> None:
        exchange.paid_in += D(amount)

    floor.clock.call_at(START + second * SECOND, move)


async def test_money_that_leaves_in_steps_is_told_too() -> None:
    """A dollar each half minute stops entries as a hundred at once do."""
    floor = Floor()
    for step in range(1, 10):
        pay(floor, 30 * step, "-1")

    await floor.run(300)

    assert floor.codes()[:2] == ["CASH_MISMATCH"] * 2


async def test_funding_that_is_told_late_is_no_difference() -> None:
    """What the account shows before it is told of is explained within the minute."""
    floor = Floor()
    pay(floor, 15, "-3")
    pay(floor, 65, "3")

    await floor.run(200)

    assert floor.codes() == []


async def test_a_difference_that_passes_is_none() -> None:
    """A statement that is behind for a moment says nothing."""
    floor = Floor()
    floor.at(1, approval())
    for second, held in ((19.0, ()), (21.0, None), (39.0, ()), (41.0, None)):
        floor.clock.call_at(
            START + int(second * SECOND),
            lambda held=held: setattr(floor.exchange, "added", held),
        )

    await floor.run(80)

    assert floor.codes() == []


async def test_an_order_with_our_mark_that_we_do_not_know_is_cancelled() -> None:
    """Another daemon's entry is an incident and goes; its stop and a stranger's order stay."""
    floor = Floor()
    ours = Order(
        cloid=f"0x{TAG}" + "0" * 28, intent_id="x", symbol="BTC", side="buy", size=D(1),
        type="limit", limit=D(50),
    )  # fmt: skip
    stop = {"cloid": f"0x{TAG}" + "1" * 28, "reduce_only": True}
    foreign = ours.model_copy(update={"cloid": "4711"})
    floor.exchange.strangers = (ours, ours.model_copy(update=stop), foreign)

    await floor.run(25)

    assert floor.codes().count("UNKNOWN_ORDER") >= 2
    assert floor.codes().count("FOREIGN_ORDER") == 1
    assert set(floor.exchange.cancelled) == {ours.cloid}


def by_hand(floor: Floor, cloid: str) -> None:
    """Cancel an order at the venue, whose word about it is never heard."""
    floor.exchange._listeners.clear()
    finished(FarExchange.cancel_order(floor.exchange, "BTC", cloid))


async def test_a_stop_that_somebody_else_cancelled_is_placed_again() -> None:
    """A position is without its stop for no longer than it takes to find out."""
    floor = Floor()
    floor.at(1, approval())

    def cancel() -> None:
        (stop,) = [
            one.order.cloid
            for one in floor.said
            if isinstance(one, OrderUpdate) and one.status is S.OPEN
        ]
        by_hand(floor, stop)

    floor.clock.call_at(START + 12 * SECOND, cancel)

    await floor.run(60)

    (stop,) = await floor.exchange.get_open_orders()
    assert (stop.type, stop.size, stop.trigger) == ("stop", D(1), D(95))
    assert floor.codes() == ["STOP_LOST"]


async def test_what_an_account_traded_before_is_nobodys_business() -> None:
    """The first start on an account asks for no fill of the years before."""
    floor = Floor()

    await floor.run(25)

    assert floor.exchange.asked
    assert min(floor.exchange.asked) >= START - 600 * SECOND


async def test_an_order_that_a_list_lacks_is_asked_about() -> None:
    """Absence ends no order: what became of it is asked, and a cancel by hand is found out."""
    floor = Floor()
    floor.at(1, resting_entry())
    cloid = resting_entry().order.cloid  # type: ignore[union-attr]

    floor.clock.call_at(START + 12 * SECOND, lambda: by_hand(floor, cloid))

    await floor.run(60)

    (*_, last) = [
        one for one in floor.said if isinstance(one, OrderUpdate) and one.order.cloid == cloid
    ]
    assert last.status is S.CANCELED
    assert floor.codes() == []


async def test_what_was_missed_is_read_once_the_venue_is_back() -> None:
    """After `up` fills that nobody told are booked."""
    floor = Floor()
    floor.at(1, resting_entry())

    def deaf() -> None:
        floor.exchange._listeners.clear()
        floor.exchange.on_market(tick(40))

    floor.clock.call_at(START + 3 * SECOND, deaf)
    floor.at(5, VenueStatus(state="up", time=START))

    await floor.run(8)

    (*_, held) = [one for one in floor.said if isinstance(one, PositionUpdate)]
    assert held.size == D(1)


async def test_the_venues_own_switch_is_armed_only_while_flat_with_entries_resting() -> None:
    """It is put off while an entry rests on a flat account, and taken back once that is over.

    It is taken back at the start as well: an earlier run may have asked for it.
    """
    floor = Floor(ExecutionSettings(dead_man_s=10))
    floor.at(1, resting_entry())
    floor.at(22, approval(intent="market"))

    await floor.run(40)

    times = [one and (one - START) // SECOND for one in floor.exchange.scheduled]
    assert times == [None, 15, 20, 25, 30, None]


async def test_an_operator_may_ask_for_a_comparison() -> None:
    """What was missed is booked, and how it ended is told."""
    floor = Floor()
    floor.at(1, resting_entry())

    def deaf() -> None:
        floor.exchange._listeners.clear()
        floor.exchange.on_market(tick(40))

    floor.clock.call_at(START + 3 * SECOND, deaf)
    floor.at(5, TaskRequest(task_id="now", task="reconcile"))

    await floor.run(8)

    (*_, held) = [one for one in floor.said if isinstance(one, PositionUpdate)]
    assert held.size == D(1)
    (result,) = [one for one in floor.said if isinstance(one, TaskResult)]
    assert (result.task_id, result.outcome) == ("now", "succeeded")
