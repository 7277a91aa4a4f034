"""The exchange against a slow venue that shares nothing with it, over random lives of both."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import (
    FundingPayment,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    TickerUpdate,
)
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange

from .actions import CHEAP, INSTRUMENTS, LIVES, MAKER, SYMBOLS, TAKER, action
from .reference import SlowVenue
from .reference_books import MINUTE, SECOND, Bar, Quote, Rules, Told, Wish


class Pair:
    """Both venues, living through the same actions."""

    def __init__(self, order_delay: int, cancel_delay: int, isolated: bool) -> None:
        self.now = 0
        apart = ("A",) if isolated else ()
        fast = ExchangeSettings(
            balance=Decimal(300),
            maker_fee=MAKER,
            taker_fee=TAKER,
            slippage_bp=Decimal(100),
            fee_tiers=(CHEAP,),
            leverage=8,
            leverages={"B": 5},
            isolated=apart,
            order_delay_ms=order_delay,
            cancel_delay_ms=cancel_delay,
        )
        self.slow = SlowVenue(
            Rules(
                deposit=300,
                slippage=Fraction(1, 100),
                cap=Fraction(5, 100),
                maker=Fraction(MAKER),
                taker=Fraction(TAKER),
                tiers=[(500, Fraction(CHEAP.maker), Fraction(CHEAP.taker))],
                leverage={"A": 8, "B": 5},
                most=10,
                isolated=set(apart),
                order_delay=order_delay * 1_000_000,
                cancel_delay=cancel_delay * 1_000_000,
            ),
            list(SYMBOLS),
        )
        self.fast = SimulatedExchange(fast, INSTRUMENTS, Ledger(None), lambda: self.now)
        self.told: list[Told] = []
        self.fast.subscribe(self._hear)
        self.placed: list[Order] = []

    def _hear(self, event: VenueEvent) -> None:
        if isinstance(event, FundingPayment):
            self.told.append((event.tid, Fraction(event.payment), event.time))
            return
        name = "liquidation" if event.cloid.startswith("liquidation") else event.cloid
        fill = event.execution
        if fill is None:
            self.told.append((name, event.status.value, event.time))
            return
        assert fill.liquidation is (name == "liquidation")
        numbers = (int(fill.price), int(fill.size), Fraction(fill.fee))
        self.told.append((name, event.status.value, *numbers, fill.liquidity, event.time))

    async def live(self, kind: str, *values: Any) -> None:
        """Carry out one action on both, and compare all that can be asked."""
        self.slow.now = self.now
        await getattr(self, kind)(*values)
        self.slow.now = self.now
        assert self.told == self.slow.told
        info = await self.fast.get_account_info()
        assert Fraction(info.balance) == self.slow.balance()
        assert Fraction(info.equity) == self.slow.equity()
        assert Fraction(info.maintenance_margin) == self.slow.maintenance()
        held = {one.symbol: int(one.size) for one in await self.fast.get_positions()}
        assert held == {s: size for s in SYMBOLS if (size := self.slow.held(s).size)}
        opened = [one.cloid for one in await self.fast.get_open_orders()]
        assert sorted(opened) == sorted(wish.cloid for wish in self.slow.open)

    def made(self, wish: tuple[Any, ...]) -> tuple[Order, Wish]:
        """Return one order in the words of both venues."""
        symbol, sign, size, kind, price, worst, tif, flag, group = wish
        cloid = f"c{len(self.placed)}"
        trigger = kind in ("stop", "take_profit")
        limit = price if kind == "limit" else worst
        flag = flag or trigger
        order = Order(
            cloid=cloid,
            intent_id=cloid,
            symbol=symbol,
            side="buy" if sign > 0 else "sell",
            size=Decimal(size),
            type=kind,
            limit=None if limit is None else Decimal(limit),
            trigger=Decimal(price) if trigger else None,
            tif=tif,
            reduce_only=flag,
            group=group,
        )
        self.placed.append(order)
        priced = None if kind == "market" else price
        far = None if kind == "limit" else worst
        return order, Wish(cloid, symbol, sign, size, kind, priced, far, tif, flag, group)

    async def place(self, wish: tuple[Any, ...]) -> None:
        """Place one order on both; they must agree on the acknowledgement."""
        order, slow = self.made(wish)
        ack = await self.fast.place_order(order)
        assert ack.status.value == self.slow.place(slow)

    async def modify(self, back: int, shrink: bool, wish: tuple[Any, ...]) -> None:
        """Replace one of the last orders, by a smaller one of its kind or by any other."""
        if not self.placed:
            return
        old = self.placed[max(len(self.placed) - 1 - back, 0)]
        if shrink:
            price = old.limit if old.type == "limit" else old.trigger
            worst = None if old.type == "limit" or old.limit is None else int(old.limit)
            wish = (
                old.symbol,
                1 if old.side == "buy" else -1,
                max(int(old.size) - wish[2] % 3, 1),
                old.type,
                None if price is None else int(price),
                worst,
                old.tif,
                old.reduce_only,
                old.group,
            )
        order, slow = self.made(wish)
        ack = await self.fast.modify_order(old.cloid, order)
        assert ack.status.value == self.slow.modify(old.cloid, slow)

    async def cancel(self, back: int) -> None:
        """Cancel one of the last orders on both."""
        if not self.placed:
            return
        old = self.placed[max(len(self.placed) - 1 - back, 0)]
        answer = await self.fast.cancel_order(old.symbol, old.cloid)
        expected = self.slow.cancel(old.symbol, old.cloid)
        assert answer.cancel_refused is (expected is None)
        assert expected is None or answer.status.value == expected

    async def wait(self, time: int) -> None:
        """Let time pass without a price."""
        self.now += time

    async def quote(
        self,
        symbol: str,
        bid: int,
        spread: int,
        off: int | None,
        size: int | None,
        rate: float | None,
    ) -> None:
        """Show a touch; without `off` no mark is told."""
        self.now += SECOND
        self.slow.now = self.now
        mark = None if off is None else bid + off
        told = None if rate is None else Fraction(str(rate))
        self.slow.quote(symbol, Quote(bid, bid + spread, size, size), mark, told)
        tick = TickerUpdate(
            symbol=symbol,
            time=self.now,
            bid=bid,
            ask=bid + spread,
            last=bid,
            mark=mark,
            bid_size=size,
            ask_size=size,
            funding=rate,
        )
        self.fast.on_market(tick)

    async def book(self, symbol: str, move: int, bids: list[int], asks: list[int]) -> None:
        """Show a book at the last touch or beside it, with a gap between its levels."""
        last = self.slow.quotes.get(symbol)
        if last is None:
            return
        below = [(last.bid + move - 2 * n, size) for n, size in enumerate(bids)]
        above = [(last.ask + move + 2 * n, size) for n, size in enumerate(asks)]
        self.slow.book(symbol, below, above)
        self.fast.on_market(
            OrderBookUpdate(symbol=symbol, time=self.now, bids=tuple(below), asks=tuple(above))
        )

    async def trade(self, symbol: str, off: int, size: int, aggressor: int) -> None:
        """Show a public trade near the last touch."""
        last = self.slow.quotes.get(symbol)
        price = 100 if last is None else last.bid + off
        self.slow.trade(symbol, price, size, aggressor)
        side = "buy" if aggressor > 0 else "sell"
        self.fast.on_market(
            MarketTrade(symbol=symbol, time=self.now, price=price, size=size, side=side)
        )

    async def bar(self, symbol: str, prices: tuple[int, int, int, int]) -> None:
        """Show the minute that runs now; its extremes are those of the four prices."""
        time = self.now - self.now % MINUTE
        self.now = self.slow.now = time + MINUTE
        bar = Bar(time, prices[0], max(prices), min(prices), prices[3])
        self.slow.bar(symbol, bar)
        self.fast.on_market(
            MarketData(
                symbol=symbol,
                timeframe="1m",
                time=time,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=1,
            )
        )


@pytest.mark.parametrize(
    ("order_delay", "cancel_delay", "isolated"),
    [(0, 0, False), (0, 0, True), (700, 0, False), (1500, 2500, True)],
)
def test_both_venues_tell_and_own_the_same(
    order_delay: int, cancel_delay: int, isolated: bool
) -> None:
    """Every report, fee, funding, liquidation, position and balance is that of the slow venue."""

    async def live(seeds: list[int], on_bars: int) -> None:
        pair = Pair(order_delay, cancel_delay, isolated)
        for number, seed in enumerate(seeds):
            kind, *values = action(seed, bars=number < on_bars)
            await pair.live(kind, *values)

    @settings(max_examples=300, deadline=None)
    @given(LIVES)
    def compare(life: tuple[list[int], int]) -> None:
        asyncio.run(live(*life))

    compare()
