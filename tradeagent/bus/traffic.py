"""What goes over the connections while they last: writing, reading, subscribing, renewing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from hiredis import ReplyError

from tradeagent.bus.incoming import Incoming
from tradeagent.bus.options import BusOptions
from tradeagent.bus.outgoing import Outgoing
from tradeagent.bus.shards import BEAT, BLOCK, Leases
from tradeagent.bus.streams import Inlet, Streams
from tradeagent.bus.wire import REPLY, Reply, Wire, pack
from tradeagent.errors import JournalError
from tradeagent.log import log
from tradeagent.messages import Delivery

RETRY = 0.5
"""Seconds before a write the server refused is tried again."""
SPARE = 0.3
"""Seconds by which a lease must outlast a read."""


@dataclass(frozen=True, slots=True)
class Wires:
    """The connections of one session; urgent messages have one of their own."""

    commands: Wire
    channels: Wire
    urgent: Wire
    streams: Wire

    async def close(self) -> None:
        """End all of them."""
        for wire in (self.commands, self.channels, self.urgent, self.streams):
            await wire.close()


class Traffic:
    """Both directions between a run queue and a server, for one session after the other.

    Urgent classes go to every process of a group, all others to the owner of their shard.
    """

    def __init__(
        self,
        options: BusOptions,
        epoch: int,
        incoming: Incoming,
        outgoing: Outgoing,
        inlet: Inlet,
    ) -> None:
        self._options = options
        self._returning = epoch > 1
        self._incoming = incoming
        self._outgoing = outgoing
        self._inlet = inlet
        self._channels: set[str] = set()
        self._refused = False
        self.changed = asyncio.Event()
        self.leases = Leases(options, epoch)
        groups = (f"{options.group}.{options.identity}", options.group)
        self.urgent, self.shared = (
            Streams(group, incoming, outgoing, inlet) for group in groups
        )  # fmt: skip

    async def establish(self, wires: Wires) -> None:
        """Put back what the server must know of us; raises OSError and ReplyError."""
        self._channels.clear()
        self.urgent.restart()
        self.shared.restart()
        async with asyncio.timeout(REPLY):
            await self._meet(wires.commands)
            await self._subscribe(wires.channels)
            await self._beat(wires.commands)
            await self.urgent.join(wires.urgent, self._urgent_keys(), self._returning)
            await self.shared.join(wires.streams, self._shared_keys(), self._returning)
        self._returning = True
        self._outgoing.connected = True

    async def _meet(self, wire: Wire) -> None:
        """Note the server's time when we meet it first."""
        if not self._incoming.began:
            seconds, micros = await wire.call("TIME")
            self._incoming.began = int(seconds) * 1000 + int(micros) // 1000

    async def run(self, wires: Wires) -> None:
        """Carry messages both ways until a connection fails: a group of OSError or ReplyError."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(wires.commands))
                group.create_task(self._renew(wires.commands))
                group.create_task(self._listen(wires.channels))
                group.create_task(self._read(wires.urgent, self.urgent, self._urgent_keys))
                group.create_task(self._read(wires.streams, self.shared, self._shared_keys))
        finally:
            self._outgoing.connected = False
            self._outgoing.restore()

    def hear(self, push: list[bytes]) -> None:
        """Take in what a subscription brought."""
        envelope = self._incoming.open(push[2], push[1].decode())
        if envelope is not None:
            self._inlet.deliver(envelope)

    async def _write(self, wire: Wire) -> None:
        """Send what waits, a batch at a time, each once its last cause is committed."""
        outgoing, committed = self._outgoing, self._options.committed
        while True:
            batch = await outgoing.batch()
            if committed is not None:
                try:
                    await committed(max(item.seq for item in batch))
                except JournalError as error:
                    log.error("nothing leaves for Redis any more: {}", error)
                    await asyncio.Event().wait()
            async with asyncio.timeout(REPLY):
                replies = await wire.send(*outgoing.packed(batch))
            refusal = _refusal(replies)
            if refusal is None:
                outgoing.confirm()
            else:
                outgoing.restore()
                await pause(RETRY)
            self._note(refusal)

    def _note(self, refusal: ReplyError | None) -> None:
        """Log once when the server begins to refuse writes, and once when it takes them again."""
        if refusal is not None and not self._refused:
            log.error("Redis refuses what is written ({}); messages wait", refusal)
        elif refusal is None and self._refused:
            log.info("Redis takes what is written again")
        self._refused = refusal is not None

    async def _renew(self, wire: Wire) -> None:
        while True:
            await pause(BEAT)
            await self._beat(wire)

    async def _beat(self, wire: Wire) -> None:
        """Renew our shards; one whose fence changed had another owner meanwhile."""
        before = set(self.leases.fences.items())
        await self.leases.beat(wire)
        lost = before - set(self.leases.fences.items())
        if lost:
            self.shared.forget(self._keys(Delivery.LOSSLESS, [shard for shard, _ in lost]))

    async def _listen(self, wire: Wire) -> None:
        """Keep the subscriptions as wanted, and see that the connection lives."""
        while True:
            self.changed.clear()
            await self._subscribe(wire)
            await wire.call("PING")
            await pause(BEAT, self.changed)

    async def _subscribe(self, wire: Wire) -> None:
        wanted = {f"{self._options.namespace}:{kind.wire}" for kind in self._inlet.listened()}
        for verb, channels in (
            ("SUBSCRIBE", sorted(wanted - self._channels)),
            ("UNSUBSCRIBE", sorted(self._channels - wanted)),
        ):
            if channels:
                async with asyncio.timeout(REPLY):
                    await wire.send(pack(verb, *channels), len(channels))
        self._channels = wanted

    async def _read(self, wire: Wire, streams: Streams, wanted: Callable[[], list[str]]) -> None:
        ours = self._ours if streams is self.shared else _always
        joined = wanted()
        while True:
            keys = wanted()
            if keys != joined:
                await streams.join(wire, keys, returning=False)
                joined = keys
            if keys:
                await streams.read(wire, keys, ours)
            else:
                await pause(BEAT / 4)

    def _ours(self, key: str) -> bool:
        return int(key.rpartition(":")[2]) in self.leases.owned()

    def _urgent_keys(self) -> list[str]:
        return self._keys(Delivery.URGENT, range(self._options.shards))

    def _shared_keys(self) -> list[str]:
        return self._keys(Delivery.LOSSLESS, self.leases.owned(BLOCK + SPARE))

    def _keys(self, delivery: Delivery, shards: Iterable[int]) -> list[str]:
        kinds = [kind.wire for kind in self._inlet.listened() if kind.delivery is delivery]
        return sorted(
            f"{self._options.namespace}:{wire}:{shard}" for shard in shards for wire in kinds
        )


async def pause(seconds: float, unless: asyncio.Event | None = None) -> None:
    """Wait `seconds` of real time, or until `unless` happens."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await (unless or asyncio.Event()).wait()


def _always(_key: str) -> bool:
    return True


def _refusal(replies: list[Reply]) -> ReplyError | None:
    """Return the first error among the replies, looking into a transaction's result."""
    last = replies[-1]
    for reply in (*replies, *(last if isinstance(last, list) else ())):
        if isinstance(reply, ReplyError):
            return reply
    return None
