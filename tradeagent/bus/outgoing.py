"""What leaves for Redis: queued in dispatch order, packed once a turn, kept until confirmed."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from tradeagent.bus.options import BusOptions
from tradeagent.bus.shards import shard_of
from tradeagent.bus.wire import pack
from tradeagent.messages import Delivery, Envelope, Message, encode

CAP = 50_000
"""Messages that wait while Redis is away; the oldest go first."""
LOSSY_CAP = 5_000
"""Waiting messages above which lossy ones are dropped."""
BATCH = 512
HEADS = 10_000
"""Packed beginnings of commands that are kept, by class and symbol."""
LENGTH = 100_000
"""Entries a stream keeps, about."""
DEAD = 10_000
LASTING = (Delivery.LOSSLESS, Delivery.URGENT)
_MULTI, _EXEC = pack("MULTI"), pack("EXEC")


class Command:
    """A packed command that leaves in order with the messages, once `seq` is committed."""

    __slots__ = ("packed", "seq")

    def __init__(self, seq: int, packed: bytes) -> None:
        self.seq = seq
        self.packed = packed


Item = Envelope[Message] | Command


class Outgoing:
    """The bounded queue between the run queue and the connection."""

    def __init__(self, options: BusOptions, dropped: Counter[str]) -> None:
        self.connected = False
        self._options = options
        self._dropped = dropped
        self._queue: deque[Item] = deque()
        self._flight: list[Item] = []
        self._heads: dict[tuple[type[Message], str], bytes] = {}
        self._mark = f'{{"by":"{options.identity}",'.encode()
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def waiting(self) -> int:
        """Return how many messages and commands have not left."""
        return len(self._queue) + len(self._flight)

    def add(self, envelope: Envelope[Message]) -> None:
        """Queue a dispatched message; lossy ones are dropped when they would have to wait."""
        if envelope.payload.delivery not in LASTING and (
            not self.connected or len(self._queue) >= LOSSY_CAP
        ):
            self._dropped["outgoing"] += 1
            return
        self._put(envelope)

    def command(self, seq: int, *words: str | bytes | int) -> None:
        """Queue a command that goes out in one transaction with the messages around it."""
        self._put(Command(seq, pack(*words)))

    def acknowledge(self, seq: int, stream: str, group: str, entries: list[bytes]) -> None:
        """Queue that `entries` were handled."""
        self.command(seq, "XACK", stream, group, *entries)

    def bury(self, seq: int, body: bytes, place: str, reason: str) -> None:
        """Queue a message nobody can handle for the dead letters."""
        dead = f"{self._options.namespace}:dead"
        words = ("XADD", dead, "MAXLEN", "~", DEAD, "*", "m", body, "from", place)
        self.command(seq, *words, "reason", reason)

    def _put(self, item: Item) -> None:
        if len(self._queue) >= CAP:
            self._queue.popleft()
            self._dropped["outgoing"] += 1
        self._queue.append(item)
        self._wake.set()
        self.idle.clear()

    async def batch(self) -> list[Item]:
        """Wait for something to send; it counts as in flight until `confirm` or `restore`."""
        queue = self._queue
        while not queue:
            self._wake.clear()
            await self._wake.wait()
        self._flight = [queue.popleft() for _ in range(min(len(queue), BATCH))]
        return self._flight

    def confirm(self) -> None:
        """Forget the batch in flight: it has arrived."""
        self._flight = []
        if not self._queue:
            self.idle.set()

    def restore(self) -> None:
        """Put the batch in flight back in front; what is lossy is too old by now."""
        kept = [
            item
            for item in self._flight
            if isinstance(item, Command) or item.payload.delivery in LASTING
        ]
        self._dropped["outgoing"] += len(self._flight) - len(kept)
        self._flight = []
        self._queue.extendleft(reversed(kept))
        if not self._queue:
            self.idle.set()

    def packed(self, batch: list[Item]) -> tuple[bytes, int]:
        """Return a batch as bytes and how many replies they will get.

        A batch with an acknowledgement is one transaction: either all of it happened or nothing.
        """
        parts: list[bytes] = []
        whole = False
        for item in batch:
            if isinstance(item, Command):
                parts.append(item.packed)
                whole = True
            else:
                parts.append(self._message(item))
        if whole:
            return b"".join((_MULTI, *parts, _EXEC)), len(parts) + 2
        return b"".join(parts), len(parts)

    def _message(self, envelope: Envelope[Message]) -> bytes:
        if envelope.wire_id is None:
            envelope.wire_id = (
                f"{self._options.identity}.{envelope.source}-{envelope.epoch}-{envelope.seq}"
            )
        payload = envelope.payload
        key = (type(payload), getattr(payload, "symbol", None) or "")
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= HEADS:
                self._heads.clear()  # a symbol may be a name that never comes again
            head = self._heads[key] = self._head(payload)
        body = self._mark + encode(envelope)[1:]
        return b"%b%d\r\n%b\r\n" % (head, len(body), body)

    def _head(self, payload: Message) -> bytes:
        """Return the packed command for messages of this class and symbol, up to the body."""
        channel = f"{self._options.namespace}:{payload.wire}"
        if payload.delivery in LASTING:
            stream = f"{channel}:{shard_of(payload, self._options.shards)}"
            packed = pack("XADD", stream, "MAXLEN", "~", LENGTH, "*", "m", b"")
        else:
            packed = pack("PUBLISH", channel, b"")
        return packed.removesuffix(b"0\r\n\r\n")
