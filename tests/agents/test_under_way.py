"""What was under way when the daemon died is finished by the next one, without a second order."""

from __future__ import annotations

from decimal import Decimal

from tests.agents.far import LIVES, finished
from tests.agents.test_execution import approval
from tests.agents.test_remote import Calm, resting_entry
from tests.agents.test_trouble import Stage
from tests.harness import START
from tests.storage.examples import envelope
from tradeagent.agents.base import Runtime
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.identity import cloid
from tradeagent.agents.router import OrderRouter
from tradeagent.agents.sendgate import SendGate
from tradeagent.agents.venue import Venue
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import Fenced, NotSent
from tradeagent.messages import (
    ExecutionReport,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Share,
    Submission,
)
from tradeagent.storage.base import Settled
from tradeagent.storage.memory import MemoryStore

S = OrderStatus
STOP = Order.model_validate(
    {
        "cloid": cloid("stop", 0, 1),
        "intent_id": "stop",
        "symbol": "BTC",
        "side": "sell",
        "size": 1,
        "type": "stop",
        "trigger": 95,
        "reduce_only": True,
    }
)
REQUEST = Submission(
    cloid=STOP.cloid,
    symbol="BTC",
    signer="far",
    nonce=7,
    dies_at=START + LIVES,
    body=STOP.model_dump_json(),
)


def prepared(order: Order = STOP, **changes: object) -> OrderUpdate:
    """Return an order that is on its way out."""
    fields: dict[str, object] = {
        "order": order,
        "status": S.PREPARED,
        "strategy": "a",
        "shares": (Share(strategy="a", part=1),),  # type: ignore[arg-type]
        "expires_at": START,
    }
    return OrderUpdate.model_validate({**fields, **changes})


def journaled(*messages: Message) -> MemoryStore:
    """Return what a start finds that follows a crash after these messages."""
    store = MemoryStore(keep=True)
    for seq, message in enumerate(messages, 1):
        store.journal.append(envelope(seq, message, START))
    store.restart()
    return store


class Counting(Calm):
    """A venue that notes each request, and when it came."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock)
        self.requests: list[tuple[int, Submission | None]] = []

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Note the request."""
        self.requests.append((self.clock.now(), submission))
        return await super().place_order(order, submission)


async def test_a_request_under_way_is_sent_again_byte_for_byte_after_a_crash() -> None:
    """A stop that never arrived rests within two seconds, not once its request is dead."""
    stage = Stage(Counting, store=journaled(prepared(), REQUEST, prepared(dies_at=START + LIVES)))
    bought = approval().order
    assert bought is not None
    finished(stage.exchange._place(bought))

    await stage.run(40)

    assert isinstance(stage.exchange, Counting)
    ((when, request),) = stage.exchange.requests
    assert request == REQUEST
    assert when < START + 2 * SECOND
    assert stage.steps(STOP.cloid)[-1] is S.OPEN


async def test_a_request_that_is_dead_is_not_sent_again_after_a_crash() -> None:
    """What can arrive no more is proven not placed."""
    late = START + SECOND
    request = REQUEST.model_copy(update={"dies_at": late})
    stage = Stage(Counting, store=journaled(prepared(), request, prepared(dies_at=late)))

    await stage.run(40)

    assert isinstance(stage.exchange, Counting)
    assert stage.exchange.requests == []
    assert stage.steps(STOP.cloid)[-1] is S.NOT_PLACED


class Cut(Counting):
    """A venue that takes no connection for orders."""

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Refuse the connection."""
        self.requests.append((self.clock.now(), submission))
        raise NotSent("connection refused")


async def test_that_it_cannot_be_sent_again_proves_nothing() -> None:
    """The first time may have arrived: only the venue's word settles it, once nothing can come."""
    stage = Stage(Cut, store=journaled(prepared(), REQUEST, prepared(dies_at=START + LIVES)))

    await stage.run(17)

    assert isinstance(stage.exchange, Cut)
    assert [one for _, one in stage.exchange.requests] == [REQUEST]
    assert S.NOT_PLACED not in stage.steps(STOP.cloid)


async def test_an_entry_under_way_is_not_sent_again_after_a_crash() -> None:
    """It can wait for proof; somebody may have called it off."""
    entry = resting_entry().order
    assert entry is not None
    request = REQUEST.model_copy(update={"cloid": entry.cloid, "body": entry.model_dump_json()})
    told = prepared(entry, expires_at=START + 60 * SECOND)
    noted = told.model_copy(update={"dies_at": START + LIVES})
    stage = Stage(Counting, store=journaled(told, request, noted))

    await stage.run(40)

    assert isinstance(stage.exchange, Counting)
    assert stage.exchange.requests == []
    assert stage.steps(entry.cloid)[-1] is S.NOT_PLACED


async def test_an_order_that_moved_on_while_it_waited_is_left_to_who_moved_it() -> None:
    """Its turn to be sent comes late: that says nothing of the request that has left already."""
    clock = SimulatedClock(START)
    blotter = Blotter("test", "execution")
    blotter.keep(prepared(status=S.UNKNOWN, dies_at=START + LIVES))
    venue = Counting(clock)

    def nobody() -> Runtime:
        raise AssertionError("there is nothing to do")

    gate = SendGate(Decimal(1))
    router = OrderRouter(Venue(venue, clock.now), blotter, gate, "execution", nobody)

    assert await router.send(prepared(), START, Settled()) == []
    router.take(REQUEST)
    assert await router.send(prepared(), START, Settled()) == []
    assert venue.requests == []


async def test_an_order_that_has_not_left_yet_is_not_asked_about() -> None:
    """Who sends it tells what becomes of it; after a crash nobody does."""
    blotter = Blotter("test", "execution")
    assert blotter.is_on_its_way(prepared())
    past = journaled(prepared(), REQUEST, prepared(dies_at=START + LIVES)).past()
    blotter.restore(past)
    assert not blotter.is_on_its_way(past.orders[0])


async def test_nothing_is_sent_again_once_another_daemon_has_taken_over() -> None:
    """The second sending asks as the first does whether the journal is still ours."""
    store = journaled(prepared(), REQUEST, prepared(dies_at=START + LIVES))
    gone = Settled(Fenced("another daemon has taken over"))
    store.journal.committed = lambda _: gone  # type: ignore[method-assign]
    stage = Stage(Counting, store=store)

    await stage.run(40)

    assert isinstance(stage.exchange, Counting)
    assert stage.exchange.requests == []
