"""Every bus keeps the claims of `tests.conformance.bus` and `bus_faults`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bus.desk import Notes, Record, SetClock
from tests.bus.server import Server
from tests.conformance.bus import DeliveryClaims
from tests.conformance.bus_faults import FaultClaims
from tradeagent.bus import BusOptions, open_bus
from tradeagent.bus.base import Bus


class TestMemory(DeliveryClaims, FaultClaims):
    """The bus in memory."""

    @pytest.fixture
    async def bus(self, clock: SetClock, host: Notes, record: Record) -> AsyncIterator[Bus]:
        host.bus = bus = open_bus("memory://", clock, host, record)
        await bus.start()
        yield bus
        await bus.close()


class TestRedis(DeliveryClaims, FaultClaims):
    """The bus over a real Redis server, where every message also comes back to who sent it."""

    own_tasks = 1

    @pytest.fixture
    async def bus(
        self, clock: SetClock, host: Notes, record: Record, server: Server
    ) -> AsyncIterator[Bus]:
        options = BusOptions(server.url, spawn=host.spawn)
        host.bus = bus = open_bus(options, clock, host, record)
        await bus.start()
        yield bus
        await bus.close()
