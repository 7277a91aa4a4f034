"""How long an order takes from its approval to the venue, over the real adapter and a real socket.

Usage: python benchmarks/orders.py [--orders 1000]

A venue (`tradeagent exchange`) runs as a process of its own on the loopback; this process is an
Execution agent with the adapter and a durable journal. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from eth_account import Account
from pydantic import SecretStr

from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.identity import cloid, intent_id, seal
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, WallClock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid import rest, signing
from tradeagent.integrations.hyperliquid.budget import WINDOW
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.integrations.hyperliquid.settings import Credentials, HyperliquidSettings
from tradeagent.messages import Order, OrderUpdate, RiskAssessment, Share
from tradeagent.storage.sql import SqlStore
from tradeagent.supervisor import Supervisor

SEAL = b"s" * 32
KEY = "0x" + "5b" * 32
APART = 0.02
"""Seconds between two approvals."""


def approval(number: int, price: Decimal, now: int) -> RiskAssessment:
    """Return the sealed approval of a limit that rests below the price."""
    intent = intent_id("bench", "a", "BTC", str(number), "open")
    order = Order(
        cloid=cloid(intent, 0, 1),
        intent_id=intent,
        symbol="BTC",
        side="buy",
        size=Decimal("0.001"),
        type="limit",
        limit=price,
    )
    expires = now + 60 * SECOND
    return RiskAssessment(
        intent_id=intent,
        symbol="BTC",
        verdict="approved",
        order=order,
        price=price,
        strategy="a",
        shares=(Share(strategy="a", part=Decimal(1)),),
        expires_at=expires,
        seal=seal(SEAL, order, None, expires),
    )


class Stopwatch:
    """Notes when each order was approved, written to the socket and acknowledged."""

    def __init__(self) -> None:
        self.approved: dict[str, int] = {}
        self.posted: dict[str, int] = {}
        self.answered: dict[str, int] = {}
        self.signing: list[int] = []

    def watch(self) -> None:
        """Listen in on signing and posting."""
        act, body = rest.Rest.act, signing.Signer.body

        async def timed_act(one: rest.Rest, text: str) -> bytes:
            name = json.loads(text)["action"].get("orders", [{}])[0].get("c", "")
            self.posted[name] = time.perf_counter_ns()
            answer = await act(one, text)
            self.answered[name] = time.perf_counter_ns()
            return answer

        def timed_body(one: signing.Signer, *arguments: object) -> str:
            start = time.perf_counter_ns()
            text = body(one, *arguments)  # type: ignore[arg-type]
            self.signing.append(time.perf_counter_ns() - start)
            return text

        rest.Rest.act = timed_act  # type: ignore[method-assign]
        signing.Signer.body = timed_body  # type: ignore[method-assign]


async def measure(url: str, orders: int, state: Path) -> dict[str, tuple[float, float]]:
    """Send the orders; returns (p50, p99) of each stretch in ms."""
    clock, store = WallClock(), SqlStore.open(state / "journal.db")
    supervisor = Supervisor(clock, store.past, store.journal.committed)
    bus = MemoryBus(clock, supervisor, store.journal)
    supervisor.connect(bus)
    settings = HyperliquidSettings(network="local", url=url, weight_share=1.0)
    credentials = Credentials(account=Account.from_key(KEY).address, key=SecretStr(KEY))
    exchange = HyperliquidExchange(settings, credentials, clock, supervisor.spawn, state)
    supervisor.disconnect = exchange.close
    limits = ExecutionSettings(max_notional_per_minute=Decimal(10**9), on_stop="keep")
    supervisor.add(lambda: Execution(limits, exchange, "bench", SEAL))
    watch = Stopwatch()
    watch.watch()
    done = asyncio.Event()
    seen = 0

    def count(update: OrderUpdate) -> None:
        nonlocal seen
        seen += update.status == "OPEN"
        if seen == orders:
            done.set()

    bus.subscribe(Subscriber("count", {OrderUpdate: count}, observer=True))
    running = asyncio.ensure_future(supervisor.run())
    probe = approval(orders, Decimal(30_000), clock.now()).order
    assert probe is not None
    while not _ready(exchange, probe):
        await asyncio.sleep(0.05)
    await asyncio.sleep(WINDOW)  # until what the start weighed counts no more
    gc.freeze()
    for number in range(orders):
        message = approval(number, Decimal(30_000 + number), clock.now())
        assert message.order is not None
        watch.approved[message.order.cloid] = time.perf_counter_ns()
        bus.publish(message, "risk")
        await asyncio.sleep(APART)
    async with asyncio.timeout(60):
        await done.wait()
    supervisor.stop()
    await running
    store.close()
    to_wire = [watch.posted[name] - at for name, at in watch.approved.items()]
    to_answer = [watch.answered[name] - at for name, at in watch.posted.items() if name]
    return {
        "approval to the wire": _percentiles(to_wire),
        "request to acknowledgement": _percentiles(to_answer),
        "signing": _percentiles(watch.signing),
    }


def _ready(exchange: HyperliquidExchange, order: Order) -> bool:
    try:
        exchange.prepare(order)
    except VenueUnavailable:
        return False
    return True


def _percentiles(values: list[int]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100)
    return round(cuts[49] / 1e6, 3), round(cuts[98] / 1e6, 3)


def main() -> None:
    """Start a venue, measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=1000)
    orders = parser.parse_args().orders
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        command = (sys.executable, "-m", "tradeagent", "exchange", "--port", "0", "--no-limits")
        venue = subprocess.Popen(
            (*command, "--balance", "100000000", "--state", str(place / "venue")),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert venue.stdout is not None
        try:
            url = json.loads(venue.stdout.readline())["url"]
            (place / "daemon").mkdir()
            found = asyncio.run(measure(url, orders, place / "daemon"))
        finally:
            venue.terminate()
            venue.wait()
    for name, (half, most) in found.items():
        sys.stdout.write(f"{name:<28} p50 {half:7.3f} ms  p99 {most:7.3f} ms\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
