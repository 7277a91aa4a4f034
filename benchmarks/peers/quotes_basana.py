"""basana: one event for each quote; its exchange fills on bars alone, so it is given some to fill.

Orders wait for the next of those bars, one after 600 quotes: they are as many as with a fill at
each quote, their prices are not comparable.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import basana
from basana.backtesting.exchange import Exchange, OrderEvent
from basana.backtesting.liquidity import InfiniteLiquidity
from basana.core.event import Event, FifoQueueEventSource
from work import FAST, SLOW, Fills, Stopwatch, asked, rows, symbol_of, tell

EVERY = 600
ONE = Decimal(1)


class Quote(Event):
    """The best bid and ask."""

    def __init__(self, when: datetime, bid: Decimal, ask: Decimal) -> None:
        super().__init__(when)
        self.bid, self.ask = bid, ask


class Cross:
    """Long while the fast average is above the slow one."""

    def __init__(self, exchange: Exchange, pair: basana.Pair) -> None:
        self.exchange, self.pair = exchange, pair
        self.fast = self.slow = 0.0
        self.seen = 0
        self.long = False

    async def on_quote(self, event: Quote) -> None:
        """Trade where the averages have crossed."""
        price = float(event.bid + event.ask) / 2
        if not self.seen:
            self.fast = self.slow = price
        self.seen += 1
        self.fast += (price - self.fast) * 2 / (FAST + 1)
        self.slow += (price - self.slow) * 2 / (SLOW + 1)
        if self.seen < SLOW:
            return
        above = self.fast > self.slow
        if above != self.long:
            self.long = above
            side = basana.OrderOperation.BUY if above else basana.OrderOperation.SELL
            await self.exchange.create_market_order(side, self.pair, ONE)


def bar(when: datetime, pair: basana.Pair, price: Decimal) -> basana.BarEvent:
    """Return a bar that stood still at a price."""
    flat = basana.Bar(when, pair, *[price] * 4, Decimal(1000), timedelta(minutes=1))
    return basana.BarEvent(when, flat)


def read(path: Path, pair: basana.Pair) -> tuple[list[Event], list[Event]]:
    """Return the quotes of a file, and the bars to fill orders on."""
    quotes: list[Event] = []
    bars: list[Event] = []
    when, ask = datetime.fromtimestamp(0, UTC), ONE
    for number, (time, columns) in enumerate(rows(path)):
        when = datetime.fromtimestamp(time / 1000, UTC)
        ask = Decimal(columns[1])
        quotes.append(Quote(when, Decimal(columns[0]), ask))
        if number % EVERY == 0:
            bars.append(bar(when, pair, ask))
    bars.append(bar(when + timedelta(seconds=1), pair, ask))
    return quotes, bars


async def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    (path,) = given.files
    dispatcher = basana.backtesting_dispatcher()
    exchange = Exchange(
        dispatcher,
        {"USD": Decimal(10**9), symbol_of(path): Decimal(10**5)},
        liquidity_strategy_factory=InfiniteLiquidity,
        default_pair_info=basana.PairInfo(8, 2),
    )
    pair = basana.Pair(symbol_of(path), "USD")
    quotes, bars = read(path, pair)
    count = len(quotes)
    exchange.add_bar_source(FifoQueueEventSource(events=bars))
    dispatcher.subscribe(FifoQueueEventSource(events=quotes), Cross(exchange, pair).on_quote)
    fills: Fills = []

    async def on_order(event: OrderEvent) -> None:
        order = event.order
        if order.amount_filled == order.amount:
            side = "buy" if order.operation is basana.OrderOperation.BUY else "sell"
            fills.append((side, float(order.fills[-1].price)))

    exchange.subscribe_to_order_events(on_order)
    load = watch.lap()
    await dispatcher.run()
    run = watch.lap()
    tell(given, ["basana"], count, (load, run), {symbol_of(path): fills})


asyncio.run(main())
