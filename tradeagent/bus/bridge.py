"""The connections between a run queue and Redis: kept up, written to, read from, and re-made."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hiredis import ReplyError, pack_command

from tradeagent.bus.incoming import Incoming
from tradeagent.bus.options import BusOptions
from tradeagent.bus.outgoing import LASTING, Outgoing
from tradeagent.bus.shards import BEAT, BLOCK, Leases
from tradeagent.bus.streams import Deliver, Known, Streams
from tradeagent.bus.wire import REPLY, Address, Push, Reply, Wire, connect
from tradeagent.clock import SECOND, Clock, monotonic
from tradeagent.errors import BusUnavailable, JournalError
from tradeagent.log import log
from tradeagent.messages import Delivery, Message

BACKOFF = (0.05, 1.0)
"""Seconds between attempts to connect, from the first to the longest."""
RETRY = 0.5
"""Seconds before a write the server refused is tried again."""
SPARE = 0.3

Kinds = Callable[[], frozenset[type[Message]]]


@dataclass(frozen=True, slots=True)
class Wires:
    """The connections of one session; urgent messages have one of their own."""

    commands: Wire
    channels: Wire
    urgent: Wire
    streams: Wire

    def close(self) -> None:
        """End all of them."""
        for wire in (self.commands, self.channels, self.urgent, self.streams):
            wire.close()


class Bridge:
    """Keeps the sessions with the server going until it is stopped.

    Urgent classes go to every process of a group, all others to the owner of their shard.
    """

    def __init__(
        self,
        options: BusOptions,
        clock: Clock,
        epoch: int,
        incoming: Incoming,
        outgoing: Outgoing,
        inlet: tuple[Kinds, Known, Deliver],
    ) -> None:
        """Connect `incoming` and `outgoing`; `inlet` is: listened to, known wire id, deliver."""
        self._options = options
        self._clock = clock
        self._returning = epoch > 1
        self._incoming = incoming
        self._outgoing = outgoing
        self._kinds, known, self._deliver = inlet
        self._address = Address.parse(options.url)
        self._backoff = random.Random(options.identity)  # noqa: S311
        self._channels: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._refused = False
        self.changed = asyncio.Event()
        self.agreed: dict[str, str] = {}
        self.leases = Leases(options, epoch)
        groups = (f"{options.group}.{options.identity}", options.group)
        self.urgent, self.shared = (
            Streams(group, incoming, outgoing, known, self._deliver) for group in groups
        )

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and keep connected; raises BusUnavailable with what to do."""
        assert self._options.spawn is not None, "a Redis bus needs somebody who owns its tasks"
        try:
            wires = await self._open()
            try:
                await self._check_memory(wires.commands)
                await self._establish(wires)
            except BaseException:
                wires.close()
                raise
        except (BusUnavailable, ReplyError, OSError) as error:
            remedy = "start it or correct bus.url; --bus memory:// runs without"
            raise BusUnavailable(f"bus: {error}: {remedy}") from error
        self._task = self._options.spawn(self._keep(wires), "bus")

    async def stop(self, patience: float = 2.0) -> None:
        """Let out what waits for up to `patience` seconds, give up the shards and disconnect."""
        if self._task is None:
            return
        if self._outgoing.connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._outgoing.idle.wait()
        self._task.cancel()
        await asyncio.wait({self._task})
        self._task = None
        self._outgoing.connected = False
        with suppress(BusUnavailable, ReplyError, OSError):
            wire = await self._connect()
            await self.leases.release(wire)
            wire.close()

    async def agree(self, key: str, value: str) -> str:
        """Return the value of `key` that was there first; raises BusUnavailable."""
        try:
            wire = await self._connect()
            try:
                agreed = await self._agree(wire, key, value)
            finally:
                wire.close()
        except (ReplyError, OSError) as error:
            raise BusUnavailable(f"bus: cannot agree on {key}: {error}") from error
        self.agreed[key] = agreed
        return agreed

    async def _agree(self, wire: Wire, key: str, value: str) -> str:
        name = f"{self._options.namespace}:agreed:{key}"
        await wire.call("SET", name, value, "NX")
        first: bytes = await wire.call("GET", name)
        return first.decode()

    async def _connect(self, push: Push | None = None) -> Wire:
        return await connect(self._address, f"tradeagent.{self._options.identity}", push)

    async def _open(self) -> Wires:
        opened: list[Wire] = []
        try:
            for push in (None, self._hear, None, None):
                opened.append(await self._connect(push))
        except BaseException:
            for wire in opened:
                wire.close()
            raise
        return Wires(*opened)

    async def _check_memory(self, wire: Wire) -> None:
        """Refuse a server that would evict streams; raises BusUnavailable."""
        with suppress(ReplyError):  # not everybody may ask
            found: Sequence[bytes] = await wire.call("CONFIG", "GET", "maxmemory-policy")
            if found and found[1].startswith(b"allkeys"):
                policy = found[1].decode()
                raise BusUnavailable(
                    f"Redis at {self._address} may evict streams (maxmemory-policy {policy}): "
                    "set it to noeviction"
                )

    async def _keep(self, wires: Wires) -> None:
        """Run sessions one after the other until cancelled."""
        while True:
            reason: BaseException | None = None
            try:
                await self._session(wires)
            except* (OSError, ReplyError) as lost:
                reason = lost.exceptions[0]
            finally:
                wires.close()
                self._outgoing.connected = False
                self._outgoing.restore()
            since = monotonic()
            log.warning(
                "Redis at {} is away ({}); messages for it wait", self._address, _text(reason)
            )
            wires = await self._reopen()
            away = (monotonic() - since) / SECOND
            log.info("Redis at {} is back after {:.1f} s", self._address, away)

    async def _reopen(self) -> Wires:
        shortest, longest = BACKOFF
        wait = shortest
        while True:
            await self._pause(wait * self._backoff.uniform(0.5, 1.0))
            wait = min(wait * 2, longest)
            wires: Wires | None = None
            try:
                wires = await self._open()
                await self._establish(wires)
            except (BusUnavailable, ReplyError, OSError):
                if wires is not None:
                    wires.close()
                continue
            return wires

    async def _pause(self, seconds: float, unless: asyncio.Event | None = None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (unless or asyncio.Event()).wait()

    # -- one session ------------------------------------------------------------------------------

    async def _establish(self, wires: Wires) -> None:
        """Put back what the server must know of us: subscriptions, leases, groups, agreements."""
        self._channels.clear()
        self.urgent.restart()
        self.shared.restart()
        async with asyncio.timeout(REPLY):
            for key, value in self.agreed.items():
                await self._agree(wires.commands, key, value)
            await self._subscribe(wires.channels)
            await self.leases.beat(wires.commands)
            await self.urgent.join(wires.urgent, self._urgent_keys(), self._returning)
            await self.shared.join(wires.streams, self._shared_keys(), self._returning)
        self._returning = True
        self._outgoing.connected = True

    async def _session(self, wires: Wires) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(wires.commands))
            group.create_task(self._renew(wires.commands))
            group.create_task(self._listen(wires.channels))
            group.create_task(self._read(wires.urgent, self.urgent, self._urgent_keys))
            group.create_task(self._read(wires.streams, self.shared, self._shared_keys))

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
                replies = await wire.send(*outgoing.pack(batch))
            refusal = _refusal(replies)
            if refusal is None:
                outgoing.confirm()
            else:
                outgoing.restore()
                await self._pause(RETRY)
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
            await self._pause(BEAT)
            before = set(self.leases.owned())
            await self.leases.beat(wire)
            lost = before - set(self.leases.owned())
            if lost:
                self.shared.forget(self._keys(lost, lasting=Delivery.LOSSLESS))

    async def _listen(self, wire: Wire) -> None:
        """Keep the subscriptions as wanted, and see that the connection lives."""
        while True:
            self.changed.clear()
            await self._subscribe(wire)
            await wire.call("PING")
            await self._pause(BEAT, self.changed)

    async def _subscribe(self, wire: Wire) -> None:
        wanted = {f"{self._options.namespace}:{kind.wire}" for kind in self._kinds()}
        for verb, channels in (
            ("SUBSCRIBE", sorted(wanted - self._channels)),
            ("UNSUBSCRIBE", sorted(self._channels - wanted)),
        ):
            if channels:
                async with asyncio.timeout(REPLY):
                    await wire.send(pack_command((verb, *channels)), len(channels))
        self._channels = wanted

    def _hear(self, push: list[bytes]) -> None:
        envelope = self._incoming.open(push[2], push[1].decode())
        if envelope is not None:
            self._deliver(envelope)

    async def _read(self, wire: Wire, streams: Streams, wanted: Callable[[], list[str]]) -> None:
        joined: list[str] = wanted()
        while True:
            keys = wanted()
            if keys != joined:
                await streams.join(wire, keys, returning=False)
                joined = keys
            if keys:
                ours = self._ours if streams is self.shared else _always
                await streams.read(wire, keys, ours, self._clock)
            else:
                await self._pause(BEAT / 4)

    def _ours(self, key: str) -> bool:
        return int(key.rpartition(":")[2]) in self.leases.owned()

    def _urgent_keys(self) -> list[str]:
        return self._keys(range(self._options.shards), lasting=Delivery.URGENT)

    def _shared_keys(self) -> list[str]:
        return self._keys(self.leases.owned(BLOCK + SPARE), lasting=Delivery.LOSSLESS)

    def _keys(self, shards: Sequence[int] | set[int] | range, lasting: Delivery) -> list[str]:
        assert lasting in LASTING
        return sorted(
            f"{self._options.namespace}:{kind.wire}:{shard}"
            for kind in self._kinds()
            if kind.delivery is lasting
            for shard in shards
        )


def _always(_key: str) -> bool:
    return True


def _refusal(replies: list[Reply]) -> ReplyError | None:
    """Return the first error among the replies, looking into a transaction's result."""
    for reply in replies:
        if isinstance(reply, ReplyError):
            return reply
    last = replies[-1]
    if isinstance(last, list):
        return next((reply for reply in last if isinstance(reply, ReplyError)), None)
    return None


def _text(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
