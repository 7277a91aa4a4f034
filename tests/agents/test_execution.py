"""Execution acts on sealed approvals alone and books each fill once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.harness import BTC, KEY, START, tick
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.identity import cloid, seal
from tradeagent.agents.lifecycle import LEGAL, advance
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import IllegalTransition
from tradeagent.messages import (
    TERMINAL,
    Envelope,
    ExecutionReport,
    Fill,
    FundingPayment,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    Severity,
    Share,
    StopPlan,
    Submission,
)
from tradeagent.messages import (
    Execution as Done,
)
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.storage.base import Entry
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

S = OrderStatus
ALL = (Share(strategy="a", part=Decimal(1)),)


def approval(size: str = "1", intent: str = "intent", **changes: object) -> RiskAssessment:
    """Return a sealed approval of a market buy."""
    order = Order(
        cloid=cloid(intent, 0, 1),
        intent_id=intent,
        symbol="BTC",
        side="buy",
        size=Decimal(size),
        type="market",
    )
    expires = START + 60 * SECOND
    fields: dict[str, object] = {
        "intent_id": intent,
        "symbol": "BTC",
        "verdict": "approved",
        "order": order,
        "strategy": "a",
        "shares": ALL,
        "expires_at": expires,
        "stop_plan": StopPlan(stop=Decimal(95)),
    }
    fields["seal"] = seal(KEY, order, StopPlan(stop=Decimal(95)), expires)
    return RiskAssessment.model_validate({**fields, **changes})


class Counting(SimulatedExchange):
    """A venue that notes what it was asked to place."""

    def __init__(self) -> None:
        super().__init__(ExchangeSettings(), (BTC,), Ledger(None), lambda: START)
        self.asked: list[str] = []
        self.on_market(tick(100))

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Note the id and place the order."""
        self.asked.append(order.cloid)
        return await super().place_order(order)


class Floor:
    """An Execution agent on a real bus and a simulated exchange that quotes 100."""

    def __init__(self, store: MemoryStore | None = None, venue: Counting | None = None) -> None:
        self.clock = SimulatedClock(START)
        self.store = store = store or MemoryStore()
        self.supervisor = Supervisor(self.clock, store.past, store.journal.committed)
        self.bus = MemoryBus(self.clock, self.supervisor, store.journal)
        self.supervisor.connect(self.bus)
        self.exchange = venue or Counting()
        self.supervisor.add(lambda: Execution(ExecutionSettings(), self.exchange, "test", KEY))
        self.said: list[Message] = []
        from tradeagent.bus.base import Subscriber

        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))

    async def tell(self, *messages: Message) -> list[Message]:
        """Send messages to a running agent; returns everything that was said."""
        for second, message in enumerate(messages):
            self.clock.call_at(
                START + second, lambda message=message: self.bus.publish(message, "test")
            )
        self.clock.add_stream(iter([(START + 100, None)]), lambda _: None)
        await self.supervisor.run()
        return self.said

    def entries_until(self, status: S) -> Iterator[Entry]:
        """Yield the journal's rows up to the first order of this status."""
        for entry in self.store.journal.entries():
            yield entry
            if isinstance(entry.message, OrderUpdate) and entry.message.status is status:
                return

    def count(self, kind: type[Message]) -> int:
        """Return how many messages of a class were said."""
        return sum(type(message) is kind for message in self.said)


async def test_an_approved_order_is_filled_and_protected() -> None:
    """An approval leads to one fill and to a resting stop of the filled size."""
    floor = Floor()

    await floor.tell(approval())

    assert floor.count(Fill) == 1
    (stop,) = await floor.exchange.get_open_orders()
    assert (stop.type, stop.size, stop.trigger) == ("stop", Decimal(1), Decimal(95))


@pytest.mark.parametrize(
    "forged",
    [
        {"seal": "0" * 64},
        {"expires_at": START + 61 * SECOND},
        {"stop_plan": None},
        {"order": approval("2").order},
    ],
)
async def test_a_forged_approval_reaches_no_venue(forged: dict[str, object]) -> None:
    """Any change to what was sealed is refused with an incident."""
    floor = Floor()

    await floor.tell(approval(**forged))

    assert floor.count(Fill) == 0
    assert await floor.exchange.get_fills(0) == []
    assert [one.code for one in floor.said if isinstance(one, Incident)] == ["FORGED_APPROVAL"]


@pytest.mark.parametrize(("price", "held", "resting"), [(100, 1, 1), (90, 0, 0)])
async def test_a_stop_that_left_unrecorded_is_found_again(
    price: float, held: int, resting: int
) -> None:
    """A later run takes up the stop of an earlier one, resting or filled, and places no other."""
    first = Floor(MemoryStore(keep=True))
    await first.tell(approval())
    lost = MemoryStore(keep=True)
    for entry in first.entries_until(S.PREPARED):
        lost.journal.append(Envelope(entry.message, entry.source))
    lost.restart()
    first.exchange.on_market(tick(price))

    again = Floor(lost, first.exchange)
    await again.tell()

    assert len(await again.exchange.get_open_orders()) == resting
    assert len(again.exchange.asked) == len(set(again.exchange.asked)) == 2
    positions = [one for one in again.said if isinstance(one, PositionUpdate)]
    assert positions[-1].size == held
    assert again.count(Incident) == 0


async def test_a_repeated_approval_is_no_second_order() -> None:
    """The same approval twice, or another cloid for the same intent, places one order."""
    floor = Floor()

    await floor.tell(approval(), approval(), approval())

    assert len(await floor.exchange.get_fills(0)) == 1


async def test_a_late_approval_is_not_acted_on() -> None:
    """After its expiry an approval ends as EXPIRED_LOCAL."""
    floor = Floor()
    floor.clock._now = START + 120 * SECOND

    await floor.tell(approval())

    assert await floor.exchange.get_fills(0) == []
    assert [one.status for one in floor.said if isinstance(one, OrderUpdate)] == [S.EXPIRED_LOCAL]


def _working(size: str = "10") -> tuple[Blotter, OrderUpdate]:
    blotter = Blotter("test", "execution")
    order = approval(size).order
    assert order is not None
    update = OrderUpdate(order=order, status=S.PREPARED, strategy="a", shares=ALL, expires_at=START)
    blotter.keep(update)
    return blotter, update


def _report(update: OrderUpdate, status: S, tid: str = "", size: str = "1") -> ExecutionReport:
    done = (
        Done(tid=tid, price=Decimal(100), size=Decimal(size), fee=Decimal("0.1")) if tid else None
    )
    return ExecutionReport(
        cloid=update.order.cloid, symbol="BTC", status=status, time=START, execution=done
    )


@pytest.mark.parametrize("seed", range(50))
def test_reports_in_any_order_and_number_give_one_end(seed: int) -> None:
    """Acknowledgement, fills and repeats in any order end FILLED with each fill booked once."""
    blotter, update = _working()
    reports = [_report(update, S.OPEN), _report(update, S.OPEN)]
    reports += [_report(update, S.PARTIAL, tid=str(number), size="2") for number in range(5)] * 2
    random.Random(seed).shuffle(reports)

    said = [message for report in reports for message in blotter.book(report)]

    assert blotter.orders[update.order.cloid].status is S.FILLED
    assert blotter.books["BTC"].net.size == Decimal(10)
    assert sum(isinstance(message, Fill) for message in said) == 5
    assert not [message for message in said if isinstance(message, Incident)]


def test_an_unproven_outcome_stays_working() -> None:
    """UNKNOWN keeps the order among those that may still fill, and a later fill is booked."""
    blotter, update = _working("1")

    blotter.book(_report(update, S.UNKNOWN))
    assert update.order.cloid in blotter.working

    blotter.book(_report(update, S.FILLED, tid="1"))
    assert blotter.orders[update.order.cloid].status is S.FILLED


def test_a_fill_after_a_cancel_is_booked_and_told() -> None:
    """A late fill counts, and says so."""
    blotter, update = _working()
    blotter.book(_report(update, S.OPEN))
    blotter.book(_report(update, S.CANCELED))

    said = blotter.book(_report(update, S.PARTIAL, tid="1"))

    assert blotter.books["BTC"].net.size == Decimal(1)
    assert [one.code for one in said if isinstance(one, Incident)] == ["LATE_FILL"]


def test_an_order_the_venue_shows_after_all_is_taken_back() -> None:
    """OPEN for an order we held to be NOT_PLACED books it again and is CRITICAL."""
    blotter, update = _working()
    blotter.book(_report(update, S.NOT_PLACED))

    said = blotter.book(_report(update, S.OPEN))

    assert blotter.orders[update.order.cloid].status is S.RESURRECTED
    assert [one.severity for one in said if isinstance(one, Incident)] == ["CRITICAL"]


@pytest.mark.parametrize("status", [S.OPEN, S.PEND_CANCEL])
def test_a_venue_that_gives_no_answer_unproves_nothing(status: S) -> None:
    """UNKNOWN about an order that was seen changes nothing, and raises nothing."""
    blotter, update = _working()
    blotter.book(_report(update, S.OPEN))
    standing = blotter.orders[update.order.cloid]
    if status is S.PEND_CANCEL:
        blotter.keep(advance(standing, S.PEND_CANCEL))

    assert blotter.book(_report(update, S.UNKNOWN)) == []
    assert blotter.orders[update.order.cloid].status is status


def test_a_cancel_that_overtakes_its_order_decides_nothing() -> None:
    """Never placed, said in answer to a cancel, leaves an order that may be on its way PREPARED."""
    blotter, update = _working()
    early = _report(update, S.NOT_PLACED).model_copy(update={"cancel_refused": True})

    assert blotter.book(early) == []
    assert blotter.orders[update.order.cloid].status is S.PREPARED


def _stop(blotter: Blotter, entry: OrderUpdate) -> OrderUpdate:
    """Fill `entry` with a plan and return its stop."""
    planned = entry.model_copy(update={"stop_plan": StopPlan(stop=Decimal(95))})
    blotter.keep(planned)
    said = blotter.book(_report(planned, S.FILLED, tid="1"))
    return next(one for one in said if isinstance(one, OrderUpdate) and one.order.type == "stop")


def test_a_stop_that_was_not_placed_is_placed_again_unless_it_was_unwanted() -> None:
    """While the position is open the next attempt is prepared under a cloid of its own."""
    blotter, update = _working("1")
    stop = _stop(blotter, update)

    said = blotter.book(_report(stop, S.NOT_PLACED))
    again = [one for one in said if isinstance(one, OrderUpdate) and one.status is S.PREPARED]
    assert len(again) == 1
    assert again[0].order.cloid != stop.order.cloid
    assert again[0].order.intent_id == stop.order.intent_id

    blotter.unwanted.add(again[0].order.cloid)
    said = blotter.book(_report(again[0], S.NOT_PLACED))
    assert [one.status for one in said if isinstance(one, OrderUpdate)] == [S.NOT_PLACED]


def test_a_refused_stop_is_an_incident() -> None:
    """A position whose stop the venue refuses is not left naked in silence."""
    blotter, update = _working("1")
    stop = _stop(blotter, update)

    said = blotter.book(_report(stop, S.REJECTED))

    assert [one.code for one in said if isinstance(one, Incident)] == ["STOP_REJECTED"]


def test_an_overfill_is_not_booked_but_halts() -> None:
    """More than was ordered is an incident of severity CRITICAL."""
    blotter, update = _working("1")

    said = blotter.book(_report(update, S.FILLED, tid="1", size="2"))

    assert [one.severity for one in said if isinstance(one, Incident)] == ["CRITICAL"]
    assert "BTC" not in blotter.books


def test_only_legal_moves_are_made() -> None:
    """Every move outside the table raises, every one inside is made."""
    _, update = _working()
    for before in S:
        for after in S:
            standing = update.model_copy(update={"status": before})
            if after in LEGAL[before]:
                assert advance(standing, after).status is after
            else:
                with pytest.raises(IllegalTransition):
                    advance(standing, after)


def test_filled_sizes_never_shrink_or_overflow() -> None:
    """A smaller filled size, or one above the order's, raises."""
    _, update = _working()
    half = advance(update, S.PARTIAL, filled=Decimal(5))

    for wrong in (Decimal(4), Decimal(11)):
        with pytest.raises(IllegalTransition):
            advance(half, S.PARTIAL, filled=wrong)


def test_what_has_ended_stays_ended() -> None:
    """From a terminal status the table leads only to late fills and resurrections."""
    for status in TERMINAL:
        assert LEGAL[status] <= {S.CANCELED, S.RESURRECTED}


def test_a_payment_is_booked_once() -> None:
    """Funding told twice, as after a reconnect, is paid once."""
    blotter, update = _working()
    blotter.book(_report(update, S.FILLED, "1", "10"))
    payment = FundingPayment(
        symbol="BTC", time=START, rate=Decimal("0.0001"), payment=Decimal("0.1"), tid="f1"
    )
    told = blotter.fund(payment)
    assert told is not None
    assert told.funding == Decimal("0.1")
    assert blotter.fund(payment) is None


def test_a_liquidation_is_booked_as_the_venues_own_order() -> None:
    """It closes the position and every strategy's part, and trading halts."""
    blotter, update = _working()
    blotter.book(_report(update, S.FILLED, "1", "10"))
    order = Order(
        cloid="liquidation-7", intent_id="liquidation-7", symbol="BTC", side="sell",
        size=Decimal(10), type="market", reduce_only=True,
    )  # fmt: skip
    done = Done(tid="8", price=Decimal(50), size=Decimal(10), fee=Decimal("0.5"), liquidation=True)
    said = blotter.book(
        ExecutionReport(
            cloid=order.cloid,
            symbol="BTC",
            status=S.FILLED,
            time=START,
            execution=done,
            order=order,
        )
    )
    (held,) = [one for one in said if isinstance(one, PositionUpdate)]
    assert held.size == 0
    assert {part.strategy: part.size for part in held.parts if part.strategy != "venue"} == {"a": 0}
    (trouble,) = [one for one in said if isinstance(one, Incident)]
    assert (trouble.code, trouble.severity) == ("LIQUIDATED", Severity.CRITICAL)
    assert (
        blotter.book(
            ExecutionReport(
                cloid=order.cloid,
                symbol="BTC",
                status=S.FILLED,
                time=START,
                execution=done,
                order=order,
            )
        )
        == []
    )
