"""Trade on a ledger file and die by SIGKILL; print what was answered, one line each.

Usage: victim.py PATH STEPS DELIVERY - dies after STEPS orders, inside a delivery if DELIVERY is 1.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import ExecutionReport, InstrumentUpdate, Order, TickerUpdate
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange


def tell(kind: str, report: ExecutionReport) -> None:
    """Print a report at once, as the last thing known of it if the process dies now."""
    os.write(1, f"{kind} {report.model_dump_json()}\n".encode())


async def trade(path: Path, steps: int, inside: bool) -> None:
    """Place orders until the end of the given steps, then die."""
    instrument = InstrumentUpdate(symbol="BTC", tick=Decimal(1), lot=Decimal(1))
    venue = SimulatedExchange(ExchangeSettings(), [instrument], Ledger(path), lambda: 7)
    count = 0

    def hear(report: VenueEvent) -> None:
        assert isinstance(report, ExecutionReport)
        tell("heard", report)
        if inside and count == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    venue.subscribe(hear)
    venue.on_market(TickerUpdate(symbol="BTC", time=7, bid=99.0, ask=101.0, last=100.0))
    while True:
        count += 1
        kind = "market" if count % 2 else "limit"
        order = Order.model_validate(
            {
                "cloid": f"c{count}",
                "intent_id": "i",
                "symbol": "BTC",
                "side": "buy" if count % 4 < 2 else "sell",
                "size": 1,
                "type": kind,
                "limit": None if kind == "market" else 90 if count % 4 < 2 else 110,
            }
        )
        tell("acked", await venue.place_order(order))
        if count == steps:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(trade(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"))
