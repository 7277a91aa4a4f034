"""A run queue that is led by a journal: it hands over what the journal says, when it says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

from tradeagent.bus.base import Out, Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.bus.routes import Route
from tradeagent.messages import Attendance, Delivery, Envelope, Message, Timer


class Step(NamedTuple):
    """One message that was handed over: to whom, who could not take it yet, and who said what."""

    envelope: Envelope[Message]
    agents: tuple[str, ...]
    waiting: tuple[str, ...]
    answers: tuple[tuple[str, Message], ...]


class ReplayClock:
    """A clock that shows the time of the row in hand."""

    simulated = False
    speed = 1.0

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        return self.time

    async def sleep_until(self, when: int) -> None:
        """Return at once: what was waited for stands in the journal."""

    async def sleep(self, seconds: float) -> None:
        """Return at once: what was waited for stands in the journal."""

    def hold(self) -> None:
        """Do nothing: the journal leads."""

    def release(self) -> None:
        """Do nothing: the journal leads."""


class ReplayHost:
    """Runs no slow handler, and keeps in mind whose handler raised."""

    def __init__(self, *, heals: bool) -> None:
        """Put down who fails if the daemon `heals` its agents, as all but simulations do."""
        self._heals = heals
        self.raised: dict[str, tuple[int, Exception]] = {}
        """By agent: the `seq` it raised on, and what."""

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        """Keep in mind that a handler raised; whether it did so then shows in the journal."""
        if self._heals:
            self.raised[subscriber.name] = (envelope.seq, error)
            subscriber.up = subscriber.idle = False

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        """Do nothing: what followed is in the journal."""

    def ran_away(self, envelope: Envelope[Message]) -> None:
        """Do nothing: what followed is in the journal."""

    def operate(
        self,
        subscriber: Subscriber,  # noqa: ARG002
        envelope: Envelope[Message],  # noqa: ARG002
        work: Coroutine[Any, Any, Out],
    ) -> None:
        """Leave a slow handler alone: what it said is in the journal, and when it was done."""
        work.close()


class ReplayBus(MemoryBus):
    """The bus of a daemon, but nothing is handed over unless the journal says that it was.

    What handlers return waits in the run queue, as it did then, until `take` fetches it to be
    compared with the journal's row. Until then it bears the number and the time of the row that was
    in hand when it came.
    """

    def __init__(self, clock: ReplayClock, host: ReplayHost, epoch: int) -> None:
        super().__init__(clock, host, epoch=epoch)
        self._shown = clock
        self._draining = True
        self.witness: Callable[[Step], None] | None = None
        """Who is shown every message that is handed over, with the answers to it."""
        self._said: list[tuple[str, Message]] = []

    def hand_over(self, envelope: Envelope[Message], seq: int, ts: int) -> None:
        """Dispatch a message with the number and the time (UTC ns) that it had."""
        self._shown.time = ts
        self.seq = seq - 1
        self._dispatch(envelope)

    def serve_again(self, subscriber: Subscriber, seq: int, ts: int) -> None:
        """Hand an agent what waited for it, at a row's number and time (UTC ns)."""
        self._shown.time = self._instant = ts
        self.seq = seq
        self._said.clear()
        self.resume(subscriber)
        if self.witness is not None:
            told = Attendance(agent=subscriber.name, state="up")
            envelope = Envelope[Message](told, "bus", self.epoch)
            envelope.seq, envelope.ts = seq, ts
            self.witness(Step(envelope, (subscriber.name,), (), tuple(self._said)))

    def mark(self, payload: Message, source: str) -> None:
        """Put nothing on record: it is there already."""

    def lane(self, kind: type[Message]) -> deque[Envelope[Message]]:
        """Return what waits in the lane of a class, the next to be handed over first."""
        return self._urgent if kind.delivery is Delivery.URGENT else self._queue

    @property
    def urgent(self) -> deque[Envelope[Message]]:
        """Return what waits in the urgent lane."""
        return self._urgent

    def take(self, envelope: Envelope[Message]) -> None:
        """Let go of a message that waits."""
        payload = envelope.payload
        lane = self.lane(type(payload))
        if lane[0] is envelope:
            lane.popleft()
        else:
            lane.remove(envelope)
        if payload.delivery is Delivery.LATEST:
            self._latest = {key: one for key, one in self._latest.items() if one is not envelope}

    def skip_unrecorded(self) -> None:
        """Let go of what is next but is never put on record: nobody decides on it."""
        queue = self._queue
        while queue and not self.recorded(type(queue[0].payload)):
            self.take(queue[0])

    def recorded(self, kind: type[Message]) -> bool:
        """Tell whether messages of a class are put on record."""
        return (self._plans.get(kind) or self.routes.plan(kind)).recorded

    def left(self) -> Iterator[Envelope[Message]]:
        """Yield all that waits and is put on record."""
        for envelope in (*self._urgent, *self._queue):
            if self.recorded(type(envelope.payload)):
                yield envelope

    @property
    def idle(self) -> bool:
        """Tell whether nothing waits."""
        return not (self._queue or self._urgent)

    def _enqueue(self, envelope: Envelope[Message]) -> None:
        """Let a message wait; until it is handed over it bears those of the row in hand."""
        envelope.seq, envelope.ts = self.seq, self._shown.time
        super()._enqueue(envelope)

    def _dispatch(self, envelope: Envelope[Message]) -> None:
        if self.witness is None:
            super()._dispatch(envelope)
            return
        self._said.clear()
        ready = {route.subscriber.name: route.subscriber.idle for route in self._routes(envelope)}
        super()._dispatch(envelope)
        waits = tuple(name for name, idle in ready.items() if not idle)
        self.witness(Step(envelope, tuple(ready), waits, tuple(self._said)))

    def _routes(self, envelope: Envelope[Message]) -> Sequence[Route]:
        payload = envelope.payload
        if isinstance(payload, Timer):
            return self.routes.timer(payload.agent)
        return (self._plans.get(type(payload)) or self.routes.plan(type(payload))).routes

    def _emit(self, out: Out, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        super()._emit(out, subscriber, envelope)
        if self.witness is not None:
            said = () if out is None else (out,) if isinstance(out, Message) else out
            self._said.extend((subscriber.name, message) for message in said)
