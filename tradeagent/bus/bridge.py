"""The connections between a run queue and Redis: opened, kept up, re-made and closed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from hiredis import ReplyError

from tradeagent.bus.options import BusOptions
from tradeagent.bus.outgoing import Outgoing
from tradeagent.bus.traffic import Traffic, Wires, pause
from tradeagent.bus.wire import Address, Push, Wire, connect
from tradeagent.clock import SECOND, monotonic
from tradeagent.errors import BusUnavailable
from tradeagent.log import log

BACKOFF = (0.05, 1.0)
"""Seconds between attempts to connect, from the first to the longest."""
PATIENCE = 2.0
"""Seconds in which what waits may leave at the end."""
AWAY = (BusUnavailable, ReplyError, OSError)


class Bridge:
    """Keeps the sessions with the server going, one after the other, until it is stopped."""

    def __init__(self, options: BusOptions, traffic: Traffic, outgoing: Outgoing) -> None:
        self._options = options
        self._traffic = traffic
        self._outgoing = outgoing
        self._address = Address.parse(options.url)
        self._jitter = random.Random(options.identity)  # noqa: S311
        self._agreed: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._wires: Wires | None = None

    async def start(self) -> None:
        """Connect and keep connected; raises BusUnavailable with what to do."""
        assert self._options.spawn is not None, "a Redis bus needs somebody who owns its tasks"
        try:
            wires = await self._open(self._check_memory)
        except AWAY as error:
            remedy = "start it or correct bus.url; --bus memory:// runs without"
            raise BusUnavailable(f"bus: {error}; {remedy}") from error
        self._wires = wires
        self._task = self._options.spawn(self._keep(wires), "bus")

    async def stop(self) -> None:
        """Let out what waits, give up the shards and disconnect."""
        if self._task is None or self._wires is None:
            return
        there = self._outgoing.connected
        if there:
            await pause(PATIENCE, self._outgoing.idle)
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._wires.close()  # a task cancelled before its first step has closed nothing
        self._task = self._wires = None
        self._outgoing.connected = False
        if there:
            await self._release()

    async def _release(self) -> None:
        """Give up our shards, so that others need not wait for the leases to run out."""
        with suppress(*AWAY):
            wire = await self._connect()
            try:
                await self._traffic.leases.release(wire)
            finally:
                await wire.close()

    async def agree(self, key: str, value: str) -> str:
        """Return the value of `key` that was there first; raises BusUnavailable."""
        try:
            wire = await self._connect()
            try:
                agreed = await self._first(wire, key, value)
            finally:
                await wire.close()
        except AWAY as error:
            raise BusUnavailable(f"bus: cannot agree on {key}: {error}") from error
        self._agreed[key] = agreed
        return agreed

    async def _first(self, wire: Wire, key: str, value: str) -> str:
        name = f"{self._options.namespace}:agreed:{key}"
        await wire.call("SET", name, value, "NX")
        first: bytes = await wire.call("GET", name)
        return first.decode()

    async def _connect(self, push: Push | None = None) -> Wire:
        return await connect(self._address, f"tradeagent.{self._options.identity}", push)

    async def _open(self, check: Callable[[Wire], Awaitable[None]] | None = None) -> Wires:
        opened: list[Wire] = []
        try:
            for push in (None, self._traffic.hear, None, None):
                wire = await self._connect(push)
                opened.append(wire)
            if check is not None:
                await check(opened[0])
            for key, value in self._agreed.items():
                await self._first(opened[0], key, value)
            wires = Wires(*opened)
            await self._traffic.establish(wires)
        except BaseException:
            for wire in opened:
                await wire.close()
            raise
        return wires

    async def _check_memory(self, wire: Wire) -> None:
        """Refuse a server that would evict streams; raises BusUnavailable."""
        with suppress(ReplyError):  # not everybody may ask
            found: Sequence[bytes] = await wire.call("CONFIG", "GET", "maxmemory-policy")
            if found and found[1].startswith(b"allkeys"):
                raise BusUnavailable(
                    f"Redis at {self._address} would evict streams: set its maxmemory-policy, "
                    f"now {found[1].decode()}, to noeviction"
                )

    async def _keep(self, wires: Wires) -> None:
        """Run sessions one after the other until cancelled."""
        while True:
            reason: BaseException | None = None
            try:
                await self._traffic.run(wires)
            except* (OSError, ReplyError) as lost:
                reason = lost.exceptions[0]
            finally:
                await wires.close()
            since = monotonic()
            log.warning(
                "Redis at {} is away ({}); messages for it wait",
                self._address,
                str(reason) or type(reason).__name__,
            )
            wires = await self._reopen()
            away = (monotonic() - since) / SECOND
            log.info("Redis at {} is back after {:.1f} s", self._address, away)

    async def _reopen(self) -> Wires:
        wait, longest = BACKOFF
        while True:
            await pause(wait * self._jitter.uniform(0.5, 1.0))
            wait = min(wait * 2, longest)
            with suppress(*AWAY):
                return await self._open()
