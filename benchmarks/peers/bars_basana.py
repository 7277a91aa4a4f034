"""basana: one event for each bar, fills at the next open; no fees and endless liquidity."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import basana
from basana.backtesting.exchange import Exchange, OrderEvent
from basana.backtesting.liquidity import InfiniteLiquidity
from basana.core.event import FifoQueueEventSource
from work import FAST, SLOW, Fills, Stopwatch, asked, rows, symbol_of, tell

MINUTE = timedelta(minutes=1)
ONE = Decimal(1)


class Cross:
    """Long while the fast average is above the slow one."""

    def __init__(self, exchange: Exchange, pair: basana.Pair) -> None:
        self.exchange, self.pair = exchange, pair
        self.closes: deque[float] = deque([0.0] * SLOW, maxlen=SLOW)
        self.fast = self.slow = 0.0
        self.seen = 0
        self.long = False

    async def on_bar(self, event: basana.BarEvent) -> None:
        """Trade where the averages have crossed."""
        close, closes = float(event.bar.close), self.closes
        self.fast += close - closes[-FAST]
        self.slow += close - closes[0]
        closes.append(close)
        self.seen += 1
        if self.seen < SLOW:
            return
        above = self.fast / FAST > self.slow / SLOW
        if above != self.long:
            self.long = above
            side = basana.OrderOperation.BUY if above else basana.OrderOperation.SELL
            await self.exchange.create_market_order(side, self.pair, ONE)


def bars(path: Path, pair: basana.Pair) -> Iterator[basana.BarEvent]:
    """Yield the bars of a file, each at its close."""
    for time, columns in rows(path):
        begin = datetime.fromtimestamp(time / 1000, UTC)
        bar = basana.Bar(begin, pair, *map(Decimal, columns), MINUTE)
        yield basana.BarEvent(begin + MINUTE, bar)


async def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    dispatcher = basana.backtesting_dispatcher()
    exchange = Exchange(
        dispatcher,
        {"USD": Decimal(10**9)},
        liquidity_strategy_factory=InfiniteLiquidity,
        default_pair_info=basana.PairInfo(8, 2),
    )
    fills: dict[str, Fills] = {symbol_of(path): [] for path in given.files}
    count = 0
    for path in given.files:
        pair = basana.Pair(symbol_of(path), "USD")
        events = list(bars(path, pair))
        count += len(events)
        exchange.add_bar_source(FifoQueueEventSource(events=events))
        exchange.subscribe_to_bar_events(pair, Cross(exchange, pair).on_bar)

    async def on_order(event: OrderEvent) -> None:
        order = event.order
        if order.amount_filled == order.amount:
            side = "buy" if order.operation is basana.OrderOperation.BUY else "sell"
            fills[order.pair.base_symbol].append((side, float(order.fills[-1].price)))

    exchange.subscribe_to_order_events(on_order)
    load = watch.lap()
    await dispatcher.run()
    run = watch.lap()
    tell(given, ["basana"], count, (load, run), fills)


asyncio.run(main())
