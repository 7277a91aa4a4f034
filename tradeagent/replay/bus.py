"""A run queue that is led by a journal: it hands over what the journal says, when it says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

from tradeagent.bus.base import Out, Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.messages import Delivery, Envelope, Message


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

    def __init__(self) -> None:
        self.raised: dict[str, tuple[int, Exception]] = {}
        """By agent: the `seq` it raised on, and what."""

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        """Keep in mind that a handler raised; whether it did so then shows in the journal."""
        self.raised[subscriber.name] = (envelope.seq, error)

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
    compared with the journal's row.
    """

    def __init__(self, clock: ReplayClock, host: ReplayHost, epoch: int) -> None:
        super().__init__(clock, host, epoch=epoch)
        self._shown = clock
        self._draining = True
        self.said: list[tuple[str, Message]] | None = None
        """Who answered what, for whoever wants to see; it is for him to empty."""

    def hand_over(self, envelope: Envelope[Message], seq: int, ts: int) -> None:
        """Dispatch a message with the number and the time (UTC ns) that it had."""
        self._shown.time = ts
        self.seq = seq - 1
        self._dispatch(envelope)

    def serve_again(self, subscriber: Subscriber, seq: int, ts: int) -> None:
        """Hand an agent what waited for it, at a row's number and time (UTC ns)."""
        self._shown.time = self._instant = ts
        self.seq = seq
        self.resume(subscriber)

    def mark(self, payload: Message, source: str) -> None:
        """Put nothing on record: it is there already."""

    def lane(self, kind: type[Message]) -> deque[Envelope[Message]]:
        """Return what waits in the lane of a class, the next to be handed over first."""
        return self._urgent if kind.delivery is Delivery.URGENT else self._queue

    def lane_urgent(self) -> deque[Envelope[Message]]:
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

    def receivers(self, kind: type[Message]) -> list[str]:
        """Return who listens to a class with a handler that decides."""
        plan = self._plans.get(kind) or self.routes.plan(kind)
        return [one.subscriber.name for one in plan.routes if one.handler is not None]

    def _emit(self, out: Out, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        super()._emit(out, subscriber, envelope)
        if self.said is not None:
            said = () if out is None else (out,) if isinstance(out, Message) else out
            self.said.extend((subscriber.name, message) for message in said)
