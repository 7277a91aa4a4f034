"""What was under way when the daemon died is finished by the next one, without a second order."""

from __future__ import annotations

from tests.agents.far import LIVES, finished
from tests.agents.test_execution import approval
from tests.agents.test_remote import Calm
from tests.agents.test_trouble import Stage
from tests.harness import START
from tests.storage.examples import envelope
from tradeagent.agents.identity import cloid
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import Fenced
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


async def test_nothing_is_sent_again_once_another_daemon_has_taken_over() -> None:
    """The second sending asks as the first does whether the journal is still ours."""
    store = journaled(prepared(), REQUEST, prepared(dies_at=START + LIVES))
    gone = Settled(Fenced("another daemon has taken over"))
    store.journal.committed = lambda _: gone  # type: ignore[method-assign]
    stage = Stage(Counting, store=store)

    await stage.run(40)

    assert isinstance(stage.exchange, Counting)
    assert stage.exchange.requests == []
