"""A process on Redis, for the tests: a bus with its clock, its host and an end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import redis

from tests.bus.desk import Notes, Record, SetClock, listen, turn
from tradeagent.bus.options import BusOptions
from tradeagent.bus.redis import RedisBus
from tradeagent.messages import Message


class Station:
    """One bus over Redis and what stands around it."""

    def __init__(
        self,
        url: str,
        identity: str,
        group: str = "",
        epoch: int = 1,
        committed: Callable[[int], Awaitable[None]] | None = None,
        refused: frozenset[type[Message]] = frozenset(),
    ) -> None:
        self.host = Notes()
        self.clock = SetClock()
        self.record = Record()
        options = BusOptions(
            url,
            group=group or identity,
            identity=identity,
            refused=refused,
            committed=committed,
            spawn=self.host.spawn,
        )
        self.bus = RedisBus(options, self.clock, self.host, self.record, epoch)
        self.host.bus = self.bus

    def hear(self, *kinds: type[Message]) -> list[Any]:
        """Return the list to which what arrives is added."""

        return listen(self.bus, *kinds)

    async def die(self) -> None:
        """End without a word, as a killed process does: nothing is acknowledged or given back."""
        for task in list(self.host.tasks):
            task.cancel()
        while self.host.tasks:
            await turn()


@asynccontextmanager
async def running(*stations: Station) -> AsyncIterator[None]:
    """Start stations in their order, and close them."""
    for station in stations:
        await station.bus.start()
    try:
        yield
    finally:
        for station in stations:
            await station.bus.close()


def streams(client: redis.Redis, wire: str) -> list[dict[str, Any]]:
    """Return every message on the streams of one class."""
    return [
        json.loads(fields["m"])
        for shard in range(4)
        for _, fields in client.xrange(f"tradeagent:{wire}:{shard}")
    ]


def pending(client: redis.Redis, key: str, group: str) -> int:
    """Return how many entries of a stream a group has not acknowledged."""
    count: int = client.xpending(key, group)["pending"]
    return count
