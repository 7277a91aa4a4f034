"""Whatever becomes of requests and answers: no order twice, none forgotten, none made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.agents.far import FarExchange
from tests.agents.test_execution import approval
from tests.harness import KEY, START
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.proof import Proof
from tradeagent.agents.venue import Venue
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import TradeAgentError, VenueUnavailable
from tradeagent.messages import (
    ZERO,
    ExecutionReport,
    Fill,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
)
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

S = OrderStatus
SEEDS = 1000
SOON = 30 * SECOND
"""How long after the venue answers freshly again all is known."""
STORM, CALM = 120 * SECOND, 240 * SECOND


class Storm:
    """An Execution agent that trades on a far venue for two minutes, then two more in calm."""

    def __init__(self, seed: int) -> None:
        self.clock = SimulatedClock(START)
        self.store = MemoryStore(keep=True)
        self.supervisor = Supervisor(self.clock, self.store.past, self.store.journal.committed)
        self.bus = MemoryBus(self.clock, self.supervisor, self.store.journal)
        self.supervisor.connect(self.bus)
        self.exchange = FarExchange(seed, self.clock)
        self.supervisor.add(lambda: Execution(ExecutionSettings(), self.exchange, "test", KEY))
        self.said: list[Message] = []
        self.settled: dict[str, int] = {}
        """When each order was last without proof, UTC ns."""
        self.bus.subscribe(Subscriber("ear", {Message: self._hear}, observer=True))

    async def run(self) -> None:
        """Send three approvals at different times, and let all settle."""
        for number in range(3):
            at = START + (1 + number * 17) * SECOND
            self.clock.call_at(at, lambda number=number: self._approve(number))
        self.clock.call_at(START + STORM, self._heal)
        ticks = ((START + second * SECOND, None) for second in range(1, CALM // SECOND))
        self.clock.add_stream(ticks, lambda _: None)
        await self.supervisor.run()

    def _hear(self, message: Message) -> None:
        self.said.append(message)
        if isinstance(message, OrderUpdate):
            self.settled[message.order.cloid] = self.clock.now()

    def _approve(self, number: int) -> None:
        self.bus.publish(approval(intent=f"intent-{number}"), "test")

    def _heal(self) -> None:
        self.exchange.healed = True

    def last(self) -> dict[str, OrderUpdate]:
        """Return the last word on each order."""
        return {one.order.cloid: one for one in self.said if isinstance(one, OrderUpdate)}


async def weather(seed: int) -> Counter[S]:
    """Live through one storm; returns how its orders ended. Raises AssertionError for a wrong."""
    storm = Storm(seed)
    await storm.run()
    venue, last = storm.exchange, storm.last()
    arrived, where = set(venue.arrived), f"seed {seed}"
    assert arrived <= set(last), where
    intents = Counter(one.order.intent_id for name, one in last.items() if name in arrived)
    assert not [one for one, times in intents.items() if times > 1], where
    for name, update in last.items():
        assert update.status not in (S.UNKNOWN, S.PREPARED, S.RESURRECTED), (where, update)
        assert (update.status is S.NOT_PLACED) == (name not in arrived), (where, update)
    last_proof = max(storm.settled.values())
    assert last_proof <= START + STORM + SOON, (where, (last_proof - START) / SECOND)
    codes = {one.code for one in storm.said if isinstance(one, Incident)}
    assert codes <= {"ORDER_UNKNOWN"}, (where, codes)
    held = [one.size for one in storm.said if isinstance(one, PositionUpdate)]
    stated = sum((one.size for one in (await venue.get_statement()).holdings), ZERO)
    assert (held[-1] if held else ZERO) == stated, where
    fills = Counter((one.cloid, one.tid) for one in storm.said if isinstance(one, Fill))
    assert set(fills.values()) <= {1}, where
    assert len(fills) == len(await venue.get_fills(0)), where
    return Counter(one.status for one in last.values())


async def season(storms: int) -> Counter[S]:
    """Live through many storms; returns how their orders ended."""
    seen: Counter[S] = Counter()
    for seed in range(storms):
        seen += await weather(seed)
    return seen


@pytest.mark.timeout(900)
async def test_no_order_is_doubled_lost_or_made_up() -> None:
    """In any storm each intent comes to one order at most, and all is known once it is over."""
    seen = await season(SEEDS)

    assert seen[S.NOT_PLACED] > SEEDS / 10, "the storms lose too little"
    assert seen[S.FILLED] > SEEDS / 2, "the storms let too little through"


def timeout_is_rejection(plant: pytest.MonkeyPatch) -> None:
    """A request without an answer is taken for a refused one."""
    say = Venue.say

    def mistaken(self: Venue, order: Order, status: S, reason: str) -> ExecutionReport:
        return say(self, order, S.REJECTED if status is S.UNKNOWN else status, reason)

    plant.setattr(Venue, "say", mistaken)


def age_of_state_ignored(plant: pytest.MonkeyPatch) -> None:
    """That nobody shows an order counts however old what they tell is."""
    shown = Proof._shown
    plant.setattr(Proof, "_shown", lambda self, order, _: shown(self, order, 1))


def failed_question_is_a_no(plant: pytest.MonkeyPatch) -> None:
    """A venue that does not answer is taken to say that there is no order."""

    async def deaf(self: Proof, order: Order, _: int) -> tuple[ExecutionReport, ...]:
        try:
            known = await self._venue.exchange.get_order_status(order.symbol, order.cloid)
        except VenueUnavailable:
            known = None
        return () if known is None else (known,)

    plant.setattr(Proof, "_shown", deaf)


def fills_not_told_apart(plant: pytest.MonkeyPatch) -> None:
    """A fill that is told again is booked again."""
    plant.setattr(Blotter, "is_news", lambda *_: True)


def found_order_is_sent_anew(plant: pytest.MonkeyPatch) -> None:
    """A request without an answer is made anew, under another nonce and another name."""
    renewed = Blotter._restate

    def restate(self: Blotter, update: OrderUpdate, report: ExecutionReport) -> list[Message]:
        messages = renewed(self, update, report)
        if report.status is S.UNKNOWN and update.status is S.PREPARED:
            messages.append(self._again(update))
        return messages

    plant.setattr(Blotter, "_restate", restate)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "bug",
    [
        timeout_is_rejection,
        age_of_state_ignored,
        failed_question_is_a_no,
        fills_not_told_apart,
        found_order_is_sent_anew,
    ],
)
async def test_a_planted_bug_is_caught(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each bug breaks a promise within a hundred storms."""
    bug(monkeypatch)

    with pytest.raises((AssertionError, TradeAgentError)):
        await season(100)
