"""A process that answers each candle with a signal until it is killed.

Usage: python -m tests.bus.consumer URL IDENTITY EPOCH
"""

from __future__ import annotations

import asyncio
import sys

from tests.bus.desk import signal
from tests.bus.station import Station
from tradeagent.bus.base import Subscriber
from tradeagent.messages import MarketData


async def main(url: str, identity: str, epoch: str) -> None:
    """Answer for ever."""
    station = Station(url, identity, "analysis", int(epoch))
    station.bus.subscribe(Subscriber("analysis", {MarketData: lambda m: signal(m.time, m.symbol)}))
    await station.bus.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
