"""The bus over Redis: the run queue of this process, and a bridge to those of others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import blake2b

from tradeagent.bus.base import Host, Recorder, Subscriber, Unsubscribe
from tradeagent.bus.bridge import Bridge
from tradeagent.bus.incoming import Arrived, Incoming
from tradeagent.bus.memory import REMEMBERED, MemoryBus
from tradeagent.bus.options import BusOptions
from tradeagent.bus.outgoing import Outgoing
from tradeagent.bus.streams import Inlet
from tradeagent.bus.traffic import Traffic
from tradeagent.clock import Clock
from tradeagent.messages import Envelope, Message, Timer


class RedisBus(MemoryBus):
    """Agents of one process meet in its run queue; every message is also published to Redis.

    Lossy classes go to the channel `{namespace}:{TYPE}`, lossless ones to the stream
    `{namespace}:{TYPE}:{shard}`, field `m`, each as the JSON of its envelope. What other processes,
    operators and tools put there enters the run queue as an input. Nothing here waits for Redis:
    when it is away, trading goes on and lossless messages wait.

    A process without a store must be given an `epoch` that rises with every start.
    """

    def __init__(
        self,
        options: BusOptions,
        clock: Clock,
        host: Host,
        record: Recorder | None = None,
        epoch: int = 1,
        seq: int = 0,
    ) -> None:
        super().__init__(clock, host, record, epoch, seq)
        self._outgoing = outgoing = Outgoing(options, self.dropped)
        inlet = Inlet(
            self._listened, self._seen.__contains__, self.post, self._settle, lambda: self.quiet
        )
        incoming = Incoming(
            options,
            clock,
            self.dropped,
            report=lambda payload: self.publish(payload, "bus"),
            bury=lambda *words: outgoing.bury(self.seq, *words),
        )
        self._traffic = Traffic(options, epoch, incoming, outgoing, inlet)
        self._bridge = Bridge(options, self._traffic, outgoing)
        self._spoken: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._settling: asyncio.Handle | None = None

    @property
    def connected(self) -> bool:
        """Tell whether the server is there."""
        return self._outgoing.connected

    @property
    def outgoing(self) -> int:
        """Return how many messages and acknowledgements have not left yet."""
        return self._outgoing.waiting

    @property
    def shards(self) -> dict[int, int]:
        """Return the shards this process owns for its group, each with its fencing number."""
        return {shard: self._traffic.leases.fences[shard] for shard in self._traffic.leases.owned()}

    async def start(self) -> None:
        """Connect; raises BusUnavailable with what to do."""
        await self._bridge.start()

    async def close(self) -> None:
        """Deliver what still waits, let it out, and disconnect."""
        await super().close()
        self._settle()
        await self._bridge.stop()

    async def agree(self, key: str, value: str) -> str:
        """Return the value of `key` that a process gave first; raises BusUnavailable."""
        return await self._bridge.agree(key, value)

    def subscribe(self, subscriber: Subscriber) -> Unsubscribe:
        """Deliver to `subscriber`, and read from Redis what it listens to."""
        leave = super().subscribe(subscriber)
        self._traffic.changed.set()

        def stop() -> None:
            leave()
            self._traffic.changed.set()

        return stop

    def resume(self, subscriber: Subscriber) -> None:
        """Hand an agent that is free again what waited for it."""
        super().resume(subscriber)
        self._settle_soon()

    def _dispatch(self, envelope: Envelope[Message]) -> None:
        super()._dispatch(envelope)
        if type(envelope.wire_id) is not Arrived:
            self._outgoing.add(envelope)

    def _derived_id(self, source: str, cause: str) -> str:
        """Return a pure function of producer, cause and place among what it said on that cause.

        When the cause is handled again after a crash, its consequences bear the same ids.
        """
        spoken = self._spoken
        index = spoken[source, cause] = spoken.get((source, cause), 0) + 1
        if len(spoken) > REMEMBERED:
            spoken.popitem(last=False)
        words = f"{source}\n{cause}\n{index}".encode()
        return f"{source}-{blake2b(words, digest_size=12).hexdigest()}"

    def _listened(self) -> frozenset[type[Message]]:
        kinds: set[type[Message]] = set()
        for subscriber in self.routes.subscribers:
            kinds.update(subscriber.handlers, subscriber.slow)
        if Message in kinds:
            kinds.update(Message.kinds.values())
        return frozenset(kinds - {Message, Timer})

    # -- acknowledging ----------------------------------------------------------------------------

    def _settle_soon(self) -> None:
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        """Acknowledge what every agent is done with: neither queued, nor waiting, nor in hand."""
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        both = (self._traffic.urgent, self._traffic.shared)
        if not any(streams.unacknowledged for streams in both):
            return
        held: set[int] = set()
        for subscriber in self.routes.subscribers:
            if not subscriber.idle:
                held.update(map(id, subscriber.inbox))
                if subscriber.working:
                    held.add(id(subscriber.hand))
        waiting = [streams.settle(held, self.seq) for streams in both]
        if any(waiting):
            self._settle_soon()
