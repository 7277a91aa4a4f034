"""Execution acts on sealed approvals alone and books each fill once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.harness import BTC, KEY, START, Rig, tick
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.identity import cloid, seal
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import (
    AccountUpdate,
    Envelope,
    ExecutionReport,
    Fill,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    Share,
    StopPlan,
    Submission,
)
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.storage.base import Entry
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

S = OrderStatus
MINUTE, HOUR = 60, 3600
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


@pytest.mark.parametrize(
    "begun", [0, 1, 7 * MINUTE + 13, 59 * MINUTE + 59, 21 * HOUR + 30 * MINUTE]
)
async def test_a_simulation_is_told_of_the_account_at_each_full_hour(begun: int) -> None:
    """Whenever it starts: at once, then at each hour of the clock; and what it is told stands."""
    seconds = range(begun, begun + 5 * HOUR + 7 * MINUTE, 11 * MINUTE)
    events = [(START + at * SECOND, tick(100.0, at)) for at in seconds]
    rig = Rig(events=events, start=START + begun * SECOND)

    await rig.run()

    told = rig.heard(AccountUpdate)
    hours = [at for at in range(0, seconds[-1], HOUR) if at > begun]
    assert [(one.time - START) / SECOND for one in told] == [begun, *hours]
    assert all(one.stands for one in told)
    assert len(hours) >= 4
