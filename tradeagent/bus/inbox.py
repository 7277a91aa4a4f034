"""What waits for a busy agent, by the delivery class of each message."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from tradeagent.messages import Delivery, Envelope, Message

RING = 1_000


class Inbox:
    """Waiting messages: urgent ones first, newest only of the latest-wins classes, bounded."""

    __slots__ = ("_latest", "_queue", "_rings", "_urgent", "cap", "dropped", "essential")

    def __init__(self, cap: int, essential: bool) -> None:
        """Hold up to `cap` messages; an `essential` inbox reports its cap and keeps on."""
        self.cap = cap
        self.essential = essential
        self.dropped: Counter[str] = Counter()
        self._queue: deque[Envelope[Message]] = deque()
        self._urgent: deque[Envelope[Message]] = deque()
        self._latest: dict[tuple[type[Message], str], Envelope[Message]] = {}
        self._rings: Counter[type[Message]] = Counter()

    def __len__(self) -> int:
        return len(self._queue) + len(self._urgent)

    def __iter__(self) -> Iterator[Envelope[Message]]:
        yield from self._urgent
        yield from self._queue

    def put(self, envelope: Envelope[Message], now: int) -> bool:
        """Add a message; returns False when the inbox is over its cap."""
        payload = envelope.payload
        match payload.delivery:
            case Delivery.URGENT:
                self._urgent.append(envelope)
            case Delivery.LATEST:
                return self._put_latest(envelope)
            case Delivery.RING:
                self._put_ring(envelope)
            case _:
                self._queue.append(envelope)
        if len(self) <= self.cap:
            return True
        if not self.essential:
            self._shed(now)
        return False

    def _put_latest(self, envelope: Envelope[Message]) -> bool:
        key = (type(envelope.payload), getattr(envelope.payload, "symbol", ""))
        waiting = self._latest.get(key)
        self._latest[key] = envelope
        if waiting is None:
            self._queue.append(envelope)
            return True
        self.dropped["conflated"] += 1
        self._queue[self._queue.index(waiting)] = envelope
        return True

    def _put_ring(self, envelope: Envelope[Message]) -> None:
        kind = type(envelope.payload)
        self._queue.append(envelope)
        self._rings[kind] += 1
        if self._rings[kind] > RING:
            self._remove(next(item for item in self._queue if type(item.payload) is kind))
            self.dropped["ring"] += 1

    def _shed(self, now: int) -> None:
        """Drop what has expired, else the oldest."""
        for item in self._queue:
            deadline = item.payload.deadline
            if deadline is not None and deadline < now:
                self._remove(item)
                self.dropped["expired"] += 1
                return
        self._remove(self._queue[0] if self._queue else self._urgent[0])
        self.dropped["oldest"] += 1

    def _remove(self, item: Envelope[Message]) -> None:
        (self._queue if item in self._queue else self._urgent).remove(item)
        self._forget(item)

    def _forget(self, item: Envelope[Message]) -> None:
        kind = type(item.payload)
        if kind.delivery is Delivery.LATEST:
            self._latest.pop((kind, getattr(item.payload, "symbol", "")), None)
        elif kind.delivery is Delivery.RING:
            self._rings[kind] -= 1

    def take(self) -> Envelope[Message]:
        """Remove and return the next message; raises IndexError when there is none."""
        if self._urgent:
            return self._urgent.popleft()
        item = self._queue.popleft()
        self._forget(item)
        return item

    def put_back(self, envelope: Envelope[Message]) -> None:
        """Put a message that was in hand back at the front."""
        if envelope.payload.delivery is Delivery.URGENT:
            self._urgent.appendleft(envelope)
        else:
            self._queue.appendleft(envelope)
            if envelope.payload.delivery is Delivery.RING:
                self._rings[type(envelope.payload)] += 1
