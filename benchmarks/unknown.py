"""How soon orders without an answer are settled once the venue answers freshly, in real time.

Usage: python -m benchmarks.unknown [--orders 10] [--spread 0] [--away 45]

A venue (`tradeagent exchange`, its limits in force) runs as a process of its own on the loopback.
This process is an Execution agent with the adapter; but for the breaker, which would let no more
than five orders out, all settings are as they come. For `--away` seconds the venue answers orders
with 502 and questions from an hour ago; then it is itself again. Orders are sent
`--spread` seconds apart. Prints a line of JSON: seconds from the recovery until the first and the
last order was settled, and what the questions of the minute after it weighed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import aiohttp
from eth_account import Account
from pydantic import SecretStr, TypeAdapter

from benchmarks.orders import KEY, SEAL, approval
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import WallClock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid import rest
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.integrations.hyperliquid.settings import Credentials, HyperliquidSettings
from tradeagent.messages import TERMINAL, OrderStatus, OrderUpdate
from tradeagent.storage.sql import SqlStore
from tradeagent.supervisor import Supervisor

HOUR = 3600.0
PATIENCE = 300.0
SETTLED = TERMINAL | {OrderStatus.OPEN}


class Ear:
    """Notes when each order was first unknown and when it was settled, by the wall, in seconds."""

    def __init__(self, orders: int) -> None:
        self.unknown: dict[str, float] = {}
        self.settled: dict[str, float] = {}
        self.fates: Counter[str] = Counter()
        self.done = asyncio.Event()
        self._orders = orders

    def hear(self, update: OrderUpdate) -> None:
        """Take in a step of an order."""
        name = update.order.cloid
        if update.status is OrderStatus.UNKNOWN:
            self.unknown.setdefault(name, time.perf_counter())
        elif name in self.unknown and name not in self.settled and update.status in SETTLED:
            self.settled[name] = time.perf_counter()
            self.fates[update.status.value] += 1
            if len(self.settled) == self._orders:
                self.done.set()


class Count:
    """Counts what is really sent, by kind."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        answer, kinds = rest.Rest._ask, self.kinds

        async def counted(
            one: rest.Rest, kind: str, body: bytes, shape: TypeAdapter[object]
        ) -> object:
            kinds[kind] += 1
            return await answer(one, kind, body, shape)

        rest.Rest._ask = counted  # type: ignore[method-assign, assignment]

    def weight(self) -> int:
        """Return what they weighed, without what long answers add."""
        return sum(rest.WEIGHTS.get(kind, rest.USUAL) * n for kind, n in self.kinds.items())


async def measure(
    where: Mapping[str, str], orders: int, spread: float, away: float, state: Path
) -> dict[str, object]:
    """Refuse to answer orders, let the venue recover, and return what it took."""
    clock, store = WallClock(), SqlStore.open(state / "journal.db")
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    settings = HyperliquidSettings(network="local", url=where["url"], breaker_failures=1_000)
    credentials = Credentials(account=Account.from_key(KEY).address, key=SecretStr(KEY))
    exchange = HyperliquidExchange(settings, credentials, clock, supervisor.spawn, state)
    supervisor.disconnect = exchange.close
    limits = ExecutionSettings(max_notional_per_minute=Decimal(10**9), on_stop="keep")
    supervisor.add(lambda: Execution(limits, exchange, "bench", SEAL))
    ear, count = Ear(orders), Count()
    bus.subscribe(Subscriber("ear", {OrderUpdate: ear.hear}, observer=True))
    running = asyncio.ensure_future(supervisor.run())
    await _listed(exchange, clock.now())
    async with aiohttp.ClientSession() as http:
        down = {"switch": "maintenance", "path": "exchange"}
        await _switch(http, where["admin"], down)
        for number in range(orders):
            bus.publish(approval(number, Decimal(30_000 + number), clock.now()), "risk")
            await asyncio.sleep(spread)
        await _switch(http, where["admin"], {"switch": "lag_info", "seconds": HOUR})
        await asyncio.sleep(away)
        async with http.delete(where["admin"]) as answer:
            answer.raise_for_status()
    healed = time.perf_counter()
    count.kinds.clear()
    async with asyncio.timeout(PATIENCE):
        await ear.done.wait()
    took = sorted(at - healed for at in ear.settled.values())
    supervisor.stop()
    await running
    store.close()
    return {
        "orders": orders,
        "spread_s": spread,
        "first_s": round(took[0], 1),
        "last_s": round(took[-1], 1),
        "fates": dict(ear.fates),
        "questions": dict(count.kinds),
        "weight": count.weight(),
    }


async def _switch(http: aiohttp.ClientSession, admin: str, fault: Mapping[str, object]) -> None:
    async with http.post(admin, json=fault) as answer:
        if answer.status != 200:
            raise SystemExit(await answer.text())


async def _listed(exchange: HyperliquidExchange, now: int) -> None:
    """Return when orders can be worded."""
    probe = approval(1_000_000, Decimal(30_000), now).order
    assert probe is not None
    while True:
        try:
            exchange.prepare(probe)
        except VenueUnavailable:
            await asyncio.sleep(0.05)
        else:
            return


def main() -> None:
    """Start a venue, measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--spread", type=float, default=0.0)
    parser.add_argument("--away", type=float, default=45.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        command = (sys.executable, "-m", "tradeagent", "exchange", "--port", "0")
        venue = subprocess.Popen(
            (*command, "--balance", "100000000", "--state", str(place / "venue")),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert venue.stdout is not None
        try:
            where = json.loads(venue.stdout.readline())
            (place / "daemon").mkdir()
            found = asyncio.run(
                measure(where, asked.orders, asked.spread, asked.away, place / "daemon")
            )
        finally:
            venue.terminate()
            venue.wait()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
