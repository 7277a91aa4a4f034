"""From market data to an order at the exchange port, through every agent, at 1,000 ticks/s.

Usage: python benchmarks/latency.py [--uvloop]      (prints one JSON line)
No disk and no network: the journal takes messages as it always does on the loop's thread, but its
own thread, which encodes and writes them, does not run. A strategy that signals on every tick
trades through Analysis, Trading, Risk with all its rules, and Execution, to a port that notes the
time and fills nothing, as the peer's does; so each order is an entry, which all rules judge.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from tradeagent.agents.analysis import Analysis
from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import Mandate
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.monitor import Monitor, MonitorSettings
from tradeagent.agents.risk import Risk
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import WallClock
from tradeagent.integrations.base import Unsubscribe, VenueEvent
from tradeagent.messages import (
    AccountUpdate,
    Envelope,
    ExecutionReport,
    InstrumentUpdate,
    Message,
    Order,
    OrderStatus,
    PositionUpdate,
    Submission,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.quant.rules import Limits
from tradeagent.storage.base import Settled
from tradeagent.storage.memory import MemoryStore
from tradeagent.strategies import Event, Inputs, Strategy, View
from tradeagent.supervisor import Supervisor

TICKS = 2_200
WARM = 200
RUNS = 3
BTC = InstrumentUpdate(symbol="BTC", tick=Decimal("0.1"), lot=Decimal("0.001"))


class Fickle(Strategy):
    """Want to be long, or short, on every ticker."""

    def prepare(self) -> None:
        """Begin long."""
        self.long = False

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Turn around."""
        assert isinstance(event, TickerUpdate)
        self.long = not self.long
        if self.long:
            return self.signal(event, "long", stop=event.last * 0.99)
        return self.signal(event, "short", stop=event.last * 1.01)


class Port:
    """An exchange that notes when an order came."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.taken = asyncio.Event()

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:
        """Deliver nothing: there is nothing to tell."""
        del deliver
        return lambda: None

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return the one instrument."""
        return (BTC,)

    remote = False

    def prepare(self, order: Order) -> Submission | None:
        """Prepare nothing."""
        del order

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Note the time; nobody is on the other side."""
        del submission
        self.arrived.append(time.perf_counter_ns())
        self.taken.set()
        return ExecutionReport(
            cloid=order.cloid,
            symbol=order.symbol,
            status=OrderStatus.CANCELED,
            time=time.time_ns(),
        )

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel."""
        return ExecutionReport(
            cloid=cloid, symbol=symbol, status=OrderStatus.CANCELED, time=time.time_ns()
        )

    async def modify_order(
        self, cloid: str, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Place the new order."""
        del cloid, submission
        return await self.place_order(order)

    async def schedule_cancel(self, time: int | None) -> bool:
        """Schedule nothing."""
        del time
        return False

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Know nothing."""
        del symbol, cloid
        return None

    async def get_open_orders(self) -> Sequence[Order]:
        """Return nothing."""
        return ()

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Return nothing."""
        del since
        return ()

    async def get_account_info(self) -> AccountUpdate:
        """Return an account that is large enough."""
        return AccountUpdate(
            balance=Decimal(1_000_000), equity=Decimal(1_000_000), time=time.time_ns()
        )

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return nothing."""
        return ()


class Queue:
    """The loop's side of a journal: it takes messages, and reports all of them as durable."""

    def __init__(self) -> None:
        self._rows: deque[Envelope[Message]] = deque(maxlen=10_000)

    def append(self, envelope: Envelope[Message]) -> None:
        """Take a message."""
        self._rows.append(envelope)

    def settle(self) -> None:
        """Do nothing."""

    def committed(self, seq: int) -> Settled:
        """Return what is done."""
        del seq
        return Settled()


async def measure() -> list[int]:
    """Return the latencies of one run, ns."""
    clock, store, journal = WallClock(), MemoryStore(), Queue()
    supervisor = Supervisor(clock, store.past, journal.committed)
    bus = MemoryBus(clock, supervisor, journal)
    supervisor.connect(bus)
    port, key = Port(), b"k" * 32
    # A thousand entries a second are more than any account allows.
    limits = Limits(
        max_order_notional=Decimal(10**6),
        max_position_notional=Decimal(10**6),
        max_orders_per_second=10**6,
        max_orders_per_minute=10**6,
        max_strategy_orders_per_minute=10**6,
        duplicate_window_s=0,
        max_repeated_entries=10**6,
    )
    for build in (
        lambda: Execution(
            ExecutionSettings(max_notional_per_minute=Decimal(10**12)), port, "bench", key
        ),
        lambda: Risk(RiskSettings(limits=limits), key),
        lambda: Trading(TradingSettings(), {"fickle": Mandate(1.0)}, "bench"),
        lambda: Analysis(AgentSettings(), [Fickle("fickle", "BTC")]),
        lambda: Monitor(MonitorSettings()),
    ):
        supervisor.add(build)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0.2)
    gc.collect()
    gc.freeze()
    latencies = [latency async for latency in _ticks(bus, port)]
    supervisor.stop()
    await running
    return latencies[WARM:]


async def _ticks(bus: MemoryBus, port: Port):  # type: ignore[no-untyped-def]
    due = time.perf_counter_ns()
    for number in range(TICKS):
        due += 1_000_000
        while (left := due - time.perf_counter_ns()) > 0:
            await asyncio.sleep(max(0.0, (left - 100_000) / 1e9))
        price = 100 + number % 7 * 0.1
        now = time.time_ns()
        tick = TickerUpdate(symbol="BTC", time=now, bid=price, ask=price + 0.1, last=price)
        port.taken.clear()
        sent = time.perf_counter_ns()
        bus.publish(tick, "data")
        await asyncio.wait_for(port.taken.wait(), 2)
        yield port.arrived[-1] - sent


def percentile(values: list[int], part: float) -> float:
    """Return a percentile in microseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))] / 1e3, 1)


def main(*, fast: bool) -> None:
    """Measure a few runs and print the middle one."""
    factory: Iterator[object] | None = None
    if fast:
        import uvloop

        factory = uvloop.new_event_loop
    found = []
    for _ in range(RUNS):
        with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
            values = runner.run(measure())
        found.append((percentile(values, 0.5), percentile(values, 0.99)))
    middle = sorted(found)[len(found) // 2]
    print(
        json.dumps(
            {
                "bench": "tick_to_order",
                "loop": "uvloop" if fast else "asyncio",
                "p50_us": middle[0],
                "p99_us": middle[1],
                "runs": found,
                "median_p99_us": statistics.median(p99 for _, p99 in found),
            }
        )
    )


if __name__ == "__main__":
    main(fast="--uvloop" in sys.argv)
