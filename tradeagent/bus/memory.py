"""The bus of one process: one run queue, run to completion, no task and no hop per message."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from tradeagent.bus.base import Host, Out, Recorder, Subscriber, Unsubscribe
from tradeagent.bus.options import BusOptions
from tradeagent.bus.routes import Plan, Route, Routes
from tradeagent.clock import Clock, monotonic
from tradeagent.messages import Attendance, Delivery, Envelope, Message, Origin, Timer, Trace

TURN = 64
"""Messages a live drain delivers before it lets the event loop breathe."""
CHAIN = 10_000
"""Messages under one trace, or at one instant, after which the chain is cut."""
REMEMBERED = 100_000
SAMPLE = 63
LATEST, URGENT = Delivery.LATEST, Delivery.URGENT
DERIVED, RECORDED = Origin.DERIVED, Origin.RECORDED
Key = tuple[type[Message], str, bool]


class MemoryBus:
    """Delivers each message to all its subscribers before any message they return.

    `record` takes each message once, at dispatch, in order; it is the journal. It is told whenever
    nothing is left to deliver, so that an input and all that followed from it are kept together.
    """

    def __init__(
        self,
        clock: Clock,
        host: Host,
        record: Recorder | None = None,
        epoch: int = 1,
        seq: int = 0,
    ) -> None:
        self.seq = seq
        self.epoch = epoch
        self.current: Envelope[Message] | None = None
        self.dropped: Counter[str] = Counter()
        self.routes = Routes()
        self._clock = clock
        self._now = clock.now
        self._host = host
        self._record = record
        self._queue: deque[Envelope[Message]] = deque()
        self._urgent: deque[Envelope[Message]] = deque()
        self._latest: dict[Key, Envelope[Message]] = {}
        self._plans = self.routes.plans
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._draining = False
        self._unsettled = False
        self._instant = 0
        self._instant_seq = 0

    @property
    def connected(self) -> bool:
        """Return True: memory is always there."""
        return True

    @property
    def outgoing(self) -> int:
        """Return 0: nothing leaves the process."""
        return 0

    async def agree(self, key: str, value: str) -> str:  # noqa: ARG002
        """Return `value`: nobody else is on the bus."""
        return value

    async def start(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Deliver what still waits."""
        self._drain()
        while self._queue or self._urgent:
            self._drain()

    def subscribe(self, subscriber: Subscriber) -> Unsubscribe:
        """Deliver to `subscriber`, after those that came before it."""
        return self.routes.add(subscriber)

    def publish(
        self,
        payload: Message,
        source: str,
        cause: Envelope[Message] | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        """Send `payload`; `cause` is the message that led to it."""
        if cause is None:
            envelope = Envelope(payload, source, self.epoch, 0, None, origin)
            if self._draining:
                self._enqueue(envelope)
                return
            self._draining = True
            try:
                self._dispatch(envelope)
            finally:
                if self._queue or self._urgent:
                    self._drain()
                else:
                    self._draining = False
                    if self._unsettled:
                        self._round_off()
            return
        chain = cause.chain
        if chain is None:
            chain = cause.chain = Trace(cause.seq)
        chain.count += 1
        envelope = Envelope(payload, source, self.epoch, cause.seq, chain, origin)
        if cause.wire_id is not None:
            envelope.wire_id = self._derived_id(source, cause.wire_id)
        if chain.count > CHAIN:
            self._host.ran_away(envelope)
        else:
            self.post(envelope)

    def _derived_id(self, _source: str, _cause: str) -> str | None:
        """Return the identity between processes of what `source` says next on a cause."""
        return None

    def post(self, envelope: Envelope[Message]) -> None:
        """Send an envelope; one whose wire id was seen before is dropped."""
        if envelope.wire_id is not None and self._repeated(envelope.wire_id):
            self.dropped["duplicate"] += 1
            return
        self._enqueue(envelope)
        if not self._draining:
            self._drain()

    def remember(self, wire_ids: Iterable[str]) -> None:
        """Take messages with these wire ids for handled, as after a restart from a journal."""
        for wire_id in wire_ids:
            self._repeated(wire_id)

    def _enqueue(self, envelope: Envelope[Message]) -> None:
        delivery = envelope.payload.delivery
        if delivery is URGENT:
            self._urgent.append(envelope)
            return
        if delivery is LATEST:
            key = _key(envelope)
            waiting = self._latest.get(key)
            if waiting is not None:
                waiting.payload = envelope.payload
                waiting.source, waiting.cause = envelope.source, envelope.cause
                waiting.chain = envelope.chain
                waiting.wire_id = envelope.wire_id
                self.dropped["conflated"] += 1
                return
            self._latest[key] = envelope
        self._queue.append(envelope)

    def _repeated(self, wire_id: str) -> bool:
        seen = self._seen
        if wire_id in seen:
            return True
        seen[wire_id] = None
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)
        return False

    def _drain(self) -> None:
        """Deliver what waits; a live drain goes on in the event loop's next turn after TURN."""
        self._draining = True
        queue, urgent = self._queue, self._urgent
        left = TURN
        try:
            while (urgent or queue) and left:
                if not self._clock.simulated:
                    left -= 1
                if urgent:
                    envelope = urgent.popleft()
                else:
                    envelope = queue.popleft()
                    if envelope.payload.delivery is LATEST:
                        del self._latest[_key(envelope)]
                self._dispatch(envelope)
        finally:
            if urgent or queue:
                asyncio.get_running_loop().call_soon(self._drain)
            else:
                self._draining = False
                if self._unsettled:
                    self._round_off()

    def _round_off(self) -> None:
        """Tell the record that an input and all that followed from it are whole."""
        assert self._record is not None
        self._unsettled = False
        self._record.settle()

    def _dispatch(self, envelope: Envelope[Message]) -> None:
        payload = envelope.payload
        kind = type(payload)
        self.seq = seq = self.seq + 1
        envelope.seq = seq
        envelope.ts = now = self._now()
        plan = self._plans.get(kind) or self.routes.plan(kind)
        if now != self._instant:
            self._instant = now
            self._instant_seq = seq
        elif seq - self._instant_seq > CHAIN and self._clock.simulated:
            self._instant_seq = seq
            self._host.ran_away(envelope)
            return
        if plan.recorded and envelope.origin is not RECORDED and self._record is not None:
            self._record.append(envelope)
            self._unsettled = True
        if plan.expires and payload.valid_until < now:  # type: ignore[attr-defined]
            self.dropped["expired"] += 1
            return
        self.current = envelope
        if not seq & SAMPLE or kind is Timer:
            self._dispatch_timed(plan, envelope)
            return
        plan.count += 1
        for subscriber, handler, route in plan.steps:
            if subscriber.idle and handler is not None:
                subscriber.hand = envelope
                try:
                    out = handler(payload)
                    if out:
                        self._emit(out, subscriber, envelope)
                    elif out is not None and not isinstance(out, list | tuple):
                        raise _no_message(subscriber, out)
                except Exception as error:
                    self._host.failed(subscriber, envelope, error)
            else:
                route.count -= 1  # it is counted once it is handed over
                self._hold(subscriber, envelope)

    def _dispatch_timed(self, plan: Plan, envelope: Envelope[Message]) -> None:
        """Deliver a message and measure how long each handler takes; a timer goes to its agent."""
        payload = envelope.payload
        routes = self.routes.timer(payload.agent) if type(payload) is Timer else plan.routes
        sampled = not envelope.seq & SAMPLE
        for route in routes:
            if not route.subscriber.idle or route.slow is not None:
                self._hold(route.subscriber, envelope)
            elif sampled:
                started = monotonic()
                self._deliver(route, envelope)
                route.measure(monotonic() - started)
            else:
                self._deliver(route, envelope)

    def _deliver(self, route: Route, envelope: Envelope[Message]) -> None:
        """Call one handler here and now."""
        assert route.handler is not None
        route.subscriber.hand = envelope
        route.count += 1
        try:
            out = route.handler(envelope.payload)
            if out:
                self._emit(out, route.subscriber, envelope)
            elif out is not None and not isinstance(out, list | tuple):
                raise _no_message(route.subscriber, out)
        except Exception as error:
            self._host.failed(route.subscriber, envelope, error)

    def _emit(self, out: Out, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        origin = Origin.INPUT if subscriber.observer else DERIVED
        if isinstance(out, Message):
            self.publish(out, subscriber.name, envelope, origin)
        elif out is not None:
            for payload in out:
                if not isinstance(payload, Message):
                    raise _no_message(subscriber, payload)
            for payload in out:
                self.publish(payload, subscriber.name, envelope, origin)

    def _hold(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        """Let a message wait in the inbox of an agent that cannot take it now."""
        envelope.held = True
        if not subscriber.inbox.put(envelope, envelope.ts):
            self._host.overflowed(subscriber, envelope)
        subscriber.idle = False
        if subscriber.up and not subscriber.working:
            self._serve(subscriber)

    @property
    def quiet(self) -> bool:
        """Tell whether nothing waits to be delivered."""
        return not self._draining

    def mark(self, payload: Message, source: str) -> None:
        """Put a message on record here and now, ahead of what waits; nobody receives it."""
        envelope = Envelope(payload, source, self.epoch)
        self.seq = envelope.seq = self.seq + 1
        envelope.ts = now = self._now()
        if now != self._instant:
            self._instant = now
            self._instant_seq = envelope.seq
        if self._record is not None:
            self._record.append(envelope)
            self._unsettled = True
            if not self._draining:
                self._round_off()

    def resume(self, subscriber: Subscriber) -> None:
        """Hand an agent that is free again what waited for it; from when on is put on record."""
        if not subscriber.observer:
            restored, subscriber.restored = subscriber.restored, None
            self.mark(Attendance(agent=subscriber.name, state="up", restored=restored), "bus")
        subscriber.working = False
        if subscriber.rebound:
            subscriber.rebound = False
            self.routes.rebind(subscriber)
        if self._draining:
            self._serve(subscriber)
            return
        self._draining = True
        try:
            self._serve(subscriber)
        finally:
            self._drain()

    def _serve(self, subscriber: Subscriber) -> None:
        inbox = subscriber.inbox
        while inbox and subscriber.up and not subscriber.working:
            envelope = inbox.take()
            deadline = envelope.payload.deadline if type(envelope.payload).expires else None
            if deadline is not None and deadline < self._instant:
                self.dropped["expired"] += 1
                continue
            route = self.routes.between(type(envelope.payload), subscriber)
            if route.slow is None:
                self._deliver(route, envelope)
                continue
            subscriber.working = True
            subscriber.hand = envelope
            route.count += 1
            work: Any = route.slow(envelope.payload)
            self._host.operate(subscriber, envelope, work)
        subscriber.settle()


def _no_message(subscriber: Subscriber, said: object) -> TypeError:
    return TypeError(f"{subscriber.name} returned {said!r}, which is no message")


def _key(envelope: Envelope[Message]) -> Key:
    """Return what a newer message replaces an older one by.

    What is computed again in a replay never gives way to what is not, nor the other way round.
    """
    payload = envelope.payload
    return type(payload), payload.symbol, envelope.origin is DERIVED  # type: ignore[attr-defined]


def open_memory(
    _options: BusOptions,
    clock: Clock,
    host: Host,
    record: Recorder | None = None,
    epoch: int = 1,
    seq: int = 0,
) -> MemoryBus:
    """Return a bus in memory as `open_bus` asks for it."""
    return MemoryBus(clock, host, record, epoch, seq)
