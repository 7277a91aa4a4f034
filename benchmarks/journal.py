"""Measure the journal: entries a second with full sync, what a caller pays, and commit latency.

Run `python benchmarks/journal.py`; it prints one line of JSON. The mix is nine ticks in ten, some
candles, and orders from request to fill. Goal: 50,000 entries a second, chain, state tables and
fsync included.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from decimal import Decimal
from pathlib import Path

from tradeagent.clock import SECOND, monotonic
from tradeagent.messages import (
    TIMEFRAMES,
    Envelope,
    Fill,
    MarketData,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    TickerUpdate,
)
from tradeagent.storage.sql import SqlStore

ENTRIES = 200_000
COMMITS = 500
START = 1_700_000_000 * SECOND


def message(number: int) -> Message:
    """Return one of the mix."""
    place, now = number % 40, START + number * SECOND // 4
    if place == 0:
        time = START + number * TIMEFRAMES["1m"]
        price = 100.0 + number % 7
        return MarketData(
            symbol="BTC",
            timeframe="1m",
            time=time,
            open=price,
            high=price + 1,
            low=price - 1,
            close=price,
            volume=12.5,
        )
    cloid = f"{number // 40:032x}"
    order = Order(
        cloid=cloid, intent_id=cloid, symbol="BTC", side="buy", size=Decimal("0.5"), type="market"
    )
    if place in (1, 2):
        status = OrderStatus.PREPARED if place == 1 else OrderStatus.FILLED
        return OrderUpdate(order=order, status=status, strategy="sma_cross", expires_at=now)
    if place == 3:
        return Fill(
            cloid=cloid,
            intent_id=cloid,
            tid=str(number),
            symbol="BTC",
            side="buy" if number % 80 < 40 else "sell",
            size=Decimal("0.5"),
            price=Decimal("101.5"),
            fee=Decimal("0.02"),
            liquidity="taker",
            time=now,
            strategy="sma_cross",
        )
    bid = 100.0 + number % 13 / 10
    return TickerUpdate(symbol="BTC", time=now, bid=bid, ask=bid + 0.1, last=bid, volume=1e6)


def envelopes(first: int, count: int) -> list[Envelope[Message]]:
    """Return the mix as the run queue would hand it over."""
    made = []
    for seq in range(first, first + count):
        envelope: Envelope[Message] = Envelope(message(seq), "data", 1)
        envelope.seq, envelope.ts = seq, START + seq * SECOND // 4
        made.append(envelope)
    return made


async def measure(path: Path) -> dict[str, float]:
    """Return the figures of one run."""
    store = SqlStore.open(path)
    mixed = envelopes(1, ENTRIES)
    started = monotonic()
    for envelope in mixed:
        store.journal.append(envelope)
    queued = monotonic()
    store.journal.settle()
    await store.journal.committed(ENTRIES)
    done = monotonic()
    waits = []
    for envelope in envelopes(ENTRIES + 1, COMMITS):
        before = monotonic()
        store.journal.append(envelope)
        store.journal.settle()
        await store.journal.committed(envelope.seq)
        waits.append(monotonic() - before)
    store.close()
    waits.sort()
    return {
        "entries": ENTRIES,
        "entries_per_second": round(ENTRIES * SECOND / (done - started)),
        "append_us": round((queued - started) / ENTRIES / 1000, 3),
        "commit_p50_us": round(waits[COMMITS // 2] / 1000),
        "commit_p99_us": round(waits[COMMITS * 99 // 100] / 1000),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Path(folder) / "journal.db"))))
