"""The streams a group of processes reads: its place in them, and what is not acknowledged yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from hiredis import ReplyError, pack_command

from tradeagent.bus.incoming import Incoming
from tradeagent.bus.outgoing import Outgoing
from tradeagent.bus.shards import BLOCK
from tradeagent.bus.wire import Reply, Wire
from tradeagent.clock import Clock
from tradeagent.messages import Envelope, Message

COUNT = 512
PORTION = 64
"""Messages taken in before the event loop may breathe."""
DELIVERIES = 5
"""Deliveries after which a message that nobody survives is a dead letter."""
CONSUMER = "owner"
"""One name for whoever owns a shard, so what one owner left pending is the next one's."""

Known = Callable[[str], bool]
Deliver = Callable[[Envelope[Message]], None]
Entries = Sequence[tuple[bytes, Sequence[bytes] | None]]


class Streams:
    """Reads streams for one group and remembers what must still be acknowledged."""

    def __init__(
        self,
        group: str,
        incoming: Incoming,
        outgoing: Outgoing,
        known: Known,
        deliver: Deliver,
        dropped: Counter[str],
    ) -> None:
        self.group = group
        self.unacknowledged: dict[tuple[str, bytes], Envelope[Message]] = {}
        self._incoming = incoming
        self._outgoing = outgoing
        self._known = known
        self._deliver = deliver
        self._dropped = dropped
        self._cursors: dict[str, bytes] = {}
        self._drained: set[str] = set()
        self._seq = 0

    # -- groups -----------------------------------------------------------------------------------

    async def join(self, wire: Wire, keys: Sequence[str], returning: bool) -> None:
        """Make the group where it is missing.

        A stream that is new to us is read from now on. Where the group is gone from a stream we
        have read, it goes on where we were, or from the beginning if the stream itself is new. A
        process that is `returning` but finds none of its groups reads everything: the server was
        emptied while the process was away.
        """
        first = [key for key in keys if key not in self._cursors]
        made = [await self._make(wire, key, "$") for key in first]
        if first and returning and all(made):
            for key in first:
                await wire.call("XGROUP", "SETID", key, self.group, "0")
        for key in keys:
            if key not in first and await self._make(wire, key, "0"):
                await self._set_back(wire, key)
        for key in first:
            self._cursors[key] = b"0-0"

    async def _make(self, wire: Wire, key: str, start: str) -> bool:
        try:
            await wire.call("XGROUP", "CREATE", key, self.group, start, "MKSTREAM")
        except ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            return False
        return True

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

    def drained(self) -> set[str]:
        """Return the streams that are read for new entries."""
        return self._drained

    def restart(self) -> None:
        """Drain every stream again: what was on its way when a connection broke is pending."""
        self._drained.clear()

    async def read(
        self, wire: Wire, keys: Sequence[str], ours: Callable[[str], bool], clock: Clock
    ) -> None:
        """Take in what waits in `keys`, or wait up to BLOCK seconds for it; raises OSError.

        `ours` is asked before each portion, as the lease on a shard may have run out.
        """
        for key in keys:
            if key not in self._drained:
                await self._drain(wire, key, ours, clock)
        words = ("XREADGROUP", "GROUP", self.group, CONSUMER, "COUNT", COUNT)
        block = int(BLOCK * 1000)
        try:
            found = await wire.call(
                *words, "BLOCK", block, "STREAMS", *keys, *(">",) * len(keys)
            )  # fmt: skip
        except ReplyError as error:
            if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise
            await self.join(wire, keys, returning=True)
            return
        for stream, entries in found or ():
            await self._take(stream.decode(), entries, ours, clock)

    async def _drain(
        self, wire: Wire, key: str, ours: Callable[[str], bool], clock: Clock
    ) -> None:
        """Take in what was delivered to an owner of this shard and never acknowledged."""
        last = b"0"
        while True:
            words = ("XREADGROUP", "GROUP", self.group, CONSUMER, "COUNT", COUNT)
            try:
                found = await wire.call(*words, "STREAMS", key, last)
            except ReplyError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                await self.join(wire, (key,), returning=True)
                continue
            entries: Entries = found[0][1] if found else ()
            if not entries:
                self._drained.add(key)
                return
            await self._take(key, await self._sift(wire, key, entries), ours, clock)
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

    async def _take(
        self, key: str, entries: Entries, ours: Callable[[str], bool], clock: Clock
    ) -> None:
        for first in range(0, len(entries), PORTION):
            if not ours(key):
                return
            if first:
                await clock.sleep(0)
            done = [entry for entry in entries[first : first + PORTION] if self._settles(key, entry)]
            if done:
                self._acknowledge(key, [entry for entry, _ in done])
            if not key.endswith(":dead"):
                self._cursors[key] = max(
                    self._cursors.get(key, b"0-0"), entries[first][0], key=_order
                )

    def _settles(self, key: str, item: tuple[bytes, Sequence[bytes] | None]) -> bool:
        """Deliver one entry; returns whether there is nothing to wait for."""
        entry, fields = item
        if fields is None:
            self._dropped["trimmed"] += 1
            return True
        envelope = self._incoming.open(_body(fields), key, entry.decode())
        if envelope is None:
            return True
        place = (key, entry)
        if place in self.unacknowledged:
            return False
        assert envelope.wire_id is not None
        if self._known(envelope.wire_id):
            self._dropped["duplicate"] += 1
            return True
        self.unacknowledged[place] = envelope
        self._deliver(envelope)
        return False

    # -- acknowledging ----------------------------------------------------------------------------

    def settle(self, held: set[int], seq: int) -> bool:
        """Acknowledge what was handled and is not `held`; returns whether some is yet to be taken.

        `seq` is the last message dispatched: once it is committed, all effects are.
        """
        self._seq = seq
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
            self._acknowledge(key, entries)
        return waiting

    def _acknowledge(self, key: str, entries: list[bytes]) -> None:
        self._outgoing.acknowledge(self._seq, key, self.group, entries)


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
