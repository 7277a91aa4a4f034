"""The streams a group of processes reads: its place in them, and what is not acknowledged yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hiredis import ReplyError

from tradeagent.bus.incoming import Incoming
from tradeagent.bus.outgoing import Outgoing
from tradeagent.bus.shards import BLOCK
from tradeagent.bus.wire import REPLY, Reply, Wire, pack
from tradeagent.clock import breathe
from tradeagent.messages import Envelope, Message

COUNT = 512
PORTION = 64
"""Messages taken in before the event loop may breathe."""
DELIVERIES = 5
"""Deliveries after which a message that nobody survives is a dead letter."""
CONSUMER = "owner"
"""One name for whoever owns a shard, so what one owner left pending is the next one's."""

Entries = Sequence[tuple[bytes, Sequence[bytes] | None]]


@dataclass(frozen=True, slots=True)
class Inlet:
    """The side of the run queue: what it listens to and knows, and how it is given more.

    `settle` acknowledges what has been handled by then, `quiet` tells whether nothing waits.
    """

    listened: Callable[[], frozenset[type[Message]]]
    known: Callable[[str], bool]
    deliver: Callable[[Envelope[Message]], None]
    settle: Callable[[], None]
    quiet: Callable[[], bool]


class Streams:
    """Reads streams for one group and remembers what must still be acknowledged."""

    def __init__(
        self,
        group: str,
        incoming: Incoming,
        outgoing: Outgoing,
        inlet: Inlet,
    ) -> None:
        self.group = group
        self.unacknowledged: dict[tuple[str, bytes], Envelope[Message]] = {}
        self._incoming = incoming
        self._outgoing = outgoing
        self._inlet = inlet
        self._cursors: dict[str, bytes] = {}
        self._drained: set[str] = set()
        self._words = ("XREADGROUP", "GROUP", group, CONSUMER, "COUNT", COUNT)

    # -- groups -----------------------------------------------------------------------------------

    async def join(self, wire: Wire, keys: Sequence[str], returning: bool) -> None:
        """Make the group where it is missing.

        A stream that is new to us is read from now on. Where the group is gone from a stream we
        have read, it goes on where we were, or from the beginning if the stream itself is new. A
        process that is `returning` but finds none of its groups reads everything: the server was
        emptied while the process was away.
        """
        first = [key for key in keys if key not in self._cursors]
        made = await self._make(wire, first, "$")
        if returning and len(made) == len(first):
            for key in first:
                await wire.call("XGROUP", "SETID", key, self.group, "0")
        for key in await self._make(wire, [key for key in keys if key not in first], "0"):
            await self._set_back(wire, key)
        self._cursors.update(dict.fromkeys(first, b"0-0"))

    async def _make(self, wire: Wire, keys: Sequence[str], start: str) -> list[str]:
        """Make the group on `keys`; returns those that had none."""
        if not keys:
            return []
        packed = b"".join(
            pack("XGROUP", "CREATE", key, self.group, start, "MKSTREAM") for key in keys
        )
        replies = await wire.send(packed, len(keys))
        for reply in replies:
            if isinstance(reply, ReplyError) and not str(reply).startswith("BUSYGROUP"):
                raise reply
        return [
            key
            for key, reply in zip(keys, replies, strict=True)
            if not isinstance(reply, ReplyError)
        ]

    async def _set_back(self, wire: Wire, key: str) -> None:
        newest = await wire.call("XREVRANGE", key, "+", "-", "COUNT", 1)
        cursor = self._cursors[key]
        if newest and _order(newest[0][0]) >= _order(cursor):
            await wire.call("XGROUP", "SETID", key, self.group, cursor)

    # -- reading ----------------------------------------------------------------------------------

    def forget(self, keys: Iterable[str]) -> None:
        """Leave streams that belong to another process now; it will drain what is pending."""
        gone = set(keys)
        self._drained -= gone
        for place in [place for place in self.unacknowledged if place[0] in gone]:
            del self.unacknowledged[place]

    def restart(self) -> None:
        """Drain every stream again: what was on its way when a connection broke is pending."""
        self._drained.clear()

    async def read(self, wire: Wire, keys: Sequence[str], ours: Callable[[str], bool]) -> None:
        """Take in what waits in `keys`, or wait up to BLOCK seconds for it; raises OSError.

        `ours` is asked before each portion, as the lease on a shard may have run out.
        """
        for key in keys:
            if key not in self._drained:
                await self._drain(wire, key, ours)
        places: list[str | int] = ["BLOCK", int(BLOCK * 1000), "STREAMS", *keys]
        places += [">"] * len(keys)
        try:
            found = await wire.call(*self._words, *places, wait=BLOCK + REPLY)
        except ReplyError as error:
            if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise
            await self.join(wire, keys, returning=True)
            return
        for stream, entries in found or ():
            await self._take(stream.decode(), entries, ours)

    async def _drain(self, wire: Wire, key: str, ours: Callable[[str], bool]) -> None:
        """Take in what was delivered to an owner of this shard and never acknowledged."""
        last = b"0"
        while True:
            try:
                found = await wire.call(*self._words, "STREAMS", key, last)
            except ReplyError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                await self.join(wire, (key,), returning=True)
                continue
            entries: Entries = found[0][1] if found else ()
            if not entries:
                self._drained.add(key)
                return
            await self._take(key, await self._sift(wire, key, entries), ours)
            last = entries[-1][0]

    async def _sift(self, wire: Wire, key: str, entries: Entries) -> Entries:
        """Return pending entries without those that were delivered too often."""
        counts: Reply = await wire.call(
            "XPENDING", key, self.group, entries[0][0], entries[-1][0], len(entries), CONSUMER
        )
        often = {entry: times for entry, _, _, times in counts if times > DELIVERIES}
        kept = []
        for entry, fields in entries:
            if entry in often and fields and (key, entry) not in self.unacknowledged:
                reason = f"delivered {often[entry] - 1} times and never handled"
                self._incoming.bury(_body(fields), key, reason)
                self._acknowledge(key, [entry])
            else:
                kept.append((entry, fields))
        return kept

    async def _take(self, key: str, entries: Entries, ours: Callable[[str], bool]) -> None:
        for first in range(0, len(entries), PORTION):
            if not ours(key):
                return
            if first:
                await breathe()
            while not self._inlet.quiet():  # more would only put off the next commit
                await breathe()
            portion = entries[first : first + PORTION]
            done = [entry for entry, fields in portion if self._settles(key, entry, fields)]
            if done:
                self._acknowledge(key, done)
            self._inlet.settle()
            self._cursors[key] = max(self._cursors[key], portion[-1][0], key=_order)

    def _settles(self, key: str, entry: bytes, fields: Sequence[bytes] | None) -> bool:
        """Deliver one entry; returns whether there is nothing to wait for."""
        if fields is None:
            return True
        envelope = self._incoming.open(_body(fields), key, entry.decode())
        if envelope is None:
            return True
        place = (key, entry)
        if place in self.unacknowledged:
            return False
        assert envelope.wire_id is not None
        if self._inlet.known(envelope.wire_id):
            self._inlet.deliver(envelope)
            return True
        self.unacknowledged[place] = envelope
        self._inlet.deliver(envelope)
        return False

    # -- acknowledging ----------------------------------------------------------------------------

    def settle(self, held: set[int], seq: int) -> bool:
        """Acknowledge what was handled and is not `held`; returns whether some is yet to be taken.

        `seq` is the last message dispatched: once it is committed, all effects are.
        """
        done: dict[str, list[bytes]] = {}
        waiting = False
        for (key, entry), envelope in self.unacknowledged.items():
            if envelope.seq == 0:
                waiting = True
            elif id(envelope) not in held:
                done.setdefault(key, []).append(entry)
        for key, entries in done.items():
            for entry in entries:
                del self.unacknowledged[key, entry]
            self._acknowledge(key, entries, seq)
        return waiting

    def _acknowledge(self, key: str, entries: list[bytes], seq: int = 0) -> None:
        self._outgoing.acknowledge(seq, key, self.group, entries)


def _body(fields: Sequence[bytes]) -> bytes:
    """Return the value of field `m`, or what stands in its place."""
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if name == b"m":
            return value
    return b" ".join(fields)


def _order(entry: bytes) -> tuple[int, int]:
    """Return the place of an entry's id in its stream."""
    time, _, count = entry.partition(b"-")
    return int(time), int(count or 0)
