"""Killed at any moment and opened again, the exchange goes on as one that was not."""

from __future__ import annotations

import asyncio
import shutil
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import (
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    OrderStatus,
    TickerUpdate,
)
from tradeagent.messages.orders import TimeInForce
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange

from .desk import FREE, INSTRUMENT, SYMBOL, Desk
from .reference_books import DAY, HOUR, MINUTE, SECOND
from .test_reference import CHEAP, INSTRUMENTS, LIVES, MAKER, SYMBOLS, TAKER, action

SEEN = (
    *("bid", "ask", "mark", "_stated", "_depth", "_tick"),
    *("_hears_trades", "_before", "_bar", "_bar_end"),
)
"""What a book has seen of the market, which shows it again: no ledger keeps it."""
QUICK = Path("/dev/shm")
"""Where files cost no wait for a disk."""


def order(cloid: str, limit: int, tif: TimeInForce) -> Order:
    """Return a limit order to buy one."""
    return Order(
        cloid=cloid,
        intent_id=cloid,
        symbol=SYMBOL,
        side="buy",
        size=Decimal(1),
        type="limit",
        limit=Decimal(limit),
        tif=tif,
    )


class Life:
    """An exchange on a ledger's file, lived through one action at a time."""

    def __init__(self, rules: ExchangeSettings, folder: Path | None) -> None:
        self.now = 0
        self.rules = rules
        self.folder = folder
        self.told: list[VenueEvent] = []
        self.placed: list[Order] = []
        self.touches: dict[str, tuple[int, int]] = {}
        self.exchange = self.open()

    def open(self) -> SimulatedExchange:
        """Return the exchange that stands where its file does."""
        ledger = Ledger(self.folder and self.folder / "ledger.db")
        exchange = SimulatedExchange(self.rules, INSTRUMENTS, ledger, lambda: self.now)
        exchange.subscribe(self.told.append)
        return exchange

    def die(self) -> None:
        """Open the files as they lie there, without a word to who has them open.

        What the market has shown is handed over, with what stood before an order in the queue.
        """
        assert self.folder is not None
        dead = self.exchange
        self.folder = Path(shutil.copytree(self.folder, f"{self.folder}x"))
        self.exchange = self.open()
        dead._ledger._db.close()
        for old, new in zip(dead._books.values(), self.exchange._books.values(), strict=True):
            for name in SEEN:
                setattr(new, name, deepcopy(getattr(old, name)))
            for one, again in zip(old.orders.values(), new.orders.values(), strict=True):
                again.ahead = one.ahead

    async def live(self, kind: str, *values: Any) -> object:
        """Carry out one action; return its answer and all that can be asked afterwards."""
        answer = await getattr(self, kind)(*values)
        ask = self.exchange
        return (
            answer,
            await ask.get_open_orders(),
            await ask.get_positions(),
            await ask.get_account_info(),
            [await ask.get_order_status(one.symbol, one.cloid) for one in self.placed],
            ask._ledger.seq,
            ask._clearing.margin.used(),
            [(due, cloid) for due, _, _, cloid, _ in sorted(ask._pit._landings)],
            [list(book.orders.values()) for book in map(self.plain, SYMBOLS)],
        )

    def plain(self, symbol: str) -> Any:
        """Return a book whose orders compare by what they are."""
        book = self.exchange._books[symbol]
        found = type("Plain", (), {})()
        names = ("order", "oid", "placed", "filled", "shrunk", "triggered", "rank", "live")
        found.orders = {
            cloid: [getattr(one, name) for name in names] for cloid, one in book.orders.items()
        }
        return found

    async def place(self, wish: tuple[Any, ...]) -> object:
        """Place one order."""
        return await self.exchange.place_order(self.made(wish))

    async def modify(self, back: int, shrink: bool, wish: tuple[Any, ...]) -> object:
        """Replace one of the last orders, by a smaller one of its kind or by any other."""
        if not self.placed:
            return None
        old = self.placed[max(len(self.placed) - 1 - back, 0)]
        order = self.made(wish)
        if shrink:
            changes = {"cloid": order.cloid, "intent_id": order.cloid}
            size = max(old.size - wish[2] % 3, Decimal(1))
            order = self.placed[-1] = old.model_copy(update={**changes, "size": size})
        return await self.exchange.modify_order(old.cloid, order)

    async def cancel(self, back: int) -> object:
        """Cancel one of the last orders."""
        if not self.placed:
            return None
        old = self.placed[max(len(self.placed) - 1 - back, 0)]
        return await self.exchange.cancel_order(old.symbol, old.cloid)

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
        self.touches[symbol] = (bid, bid + spread)
        self.exchange.on_market(
            TickerUpdate(
                symbol=symbol,
                time=self.now,
                bid=bid,
                ask=bid + spread,
                last=bid,
                mark=None if off is None else bid + off,
                bid_size=size,
                ask_size=size,
                funding=rate,
            )
        )

    async def book(self, symbol: str, move: int, bids: list[int], asks: list[int]) -> None:
        """Show a book at the last touch or beside it."""
        if symbol in self.touches:
            bid, ask = (price + move for price in self.touches[symbol])
            self.touches[symbol] = (bid, ask)
            below = tuple((bid - 2 * n, size) for n, size in enumerate(bids))
            above = tuple((ask + 2 * n, size) for n, size in enumerate(asks))
            self.exchange.on_market(
                OrderBookUpdate(symbol=symbol, time=self.now, bids=below, asks=above)
            )

    async def trade(self, symbol: str, off: int, size: int, aggressor: int) -> None:
        """Show a public trade near the last touch."""
        price = self.touches.get(symbol, (100, 101))[0] + off
        side = "buy" if aggressor > 0 else "sell"
        self.exchange.on_market(
            MarketTrade(symbol=symbol, time=self.now, price=price, size=size, side=side)
        )

    async def bar(self, symbol: str, prices: tuple[int, int, int, int]) -> None:
        """Show the minute that runs now."""
        time = self.now - self.now % MINUTE
        self.now = time + MINUTE
        self.exchange.on_market(
            MarketData(
                symbol=symbol,
                timeframe="1m",
                time=time,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[3],
                volume=1,
            )
        )

    def made(self, wish: tuple[Any, ...]) -> Order:
        """Return the order that is wished for."""
        symbol, sign, size, kind, price, worst, tif, flag, group = wish
        trigger = kind in ("stop", "take_profit")
        limit = price if kind == "limit" else worst
        order = Order(
            cloid=f"c{len(self.placed)}",
            intent_id=f"c{len(self.placed)}",
            symbol=symbol,
            side="buy" if sign > 0 else "sell",
            size=Decimal(size),
            type=kind,
            limit=None if limit is None else Decimal(limit),
            trigger=Decimal(price) if trigger else None,
            tif=tif,
            reduce_only=flag or trigger,
            group=group,
        )
        self.placed.append(order)
        return order


THE_END = (
    *(("wait", HOUR), ("quote", "A", 96, 2, -3, None, None), ("book", "A", 0, [9, 9], [9, 9])),
    *(("quote", "B", 104, 2, 3, 5, None), ("wait", DAY), ("quote", "A", 104, 1, 0, None, 0.001)),
    *(("quote", "B", 95, 2, None, None, None), ("quote", "A", 93, 1, None, 5, None)),
)
"""What lets all that is on its way arrive, and much of what rests fill."""


@pytest.mark.parametrize(
    ("order_delay", "cancel_delay", "isolated"),
    [(0, 0, False), (0, 2500, True), (700, 0, False), (1500, 2500, True), (2500, 1500, False)],
)
def test_a_killed_exchange_goes_on_as_one_that_lives(
    order_delay: int, cancel_delay: int, isolated: bool
) -> None:
    """Every answer and report, the account and what rests or is on its way stay the same."""
    rules = ExchangeSettings(
        balance=Decimal(300),
        maker_fee=MAKER,
        taker_fee=TAKER,
        slippage_bp=Decimal(100),
        fee_tiers=(CHEAP,),
        leverage=8,
        leverages={"B": 5},
        isolated=("A",) if isolated else (),
        funding_rate=Decimal("0.0007"),
        order_delay_ms=order_delay,
        cancel_delay_ms=cancel_delay,
    )

    async def both(seeds: list[int], on_bars: int, folder: Path) -> None:
        steady, mortal = Life(rules, None), Life(rules, folder)
        actions = [action(seed, bars=number < on_bars) for number, seed in enumerate(seeds)]
        deaths = {number for number, seed in enumerate(seeds) if Random(seed + 1).random() < 0.3}
        for number, (kind, *values) in enumerate([*actions, *THE_END]):
            if number in deaths or number == len(actions):
                mortal.die()
            assert await mortal.live(kind, *values) == await steady.live(kind, *values)
            assert mortal.told == steady.told
        assert mortal.exchange._ledger.reports() == steady.exchange._ledger.reports()
        for one in (steady, mortal):
            await one.exchange.close()

    @settings(max_examples=60, deadline=None)
    @given(LIVES)
    def compare(life: tuple[list[int], int]) -> None:
        with TemporaryDirectory(dir=QUICK if QUICK.is_dir() else None) as folder:
            (Path(folder) / "x").mkdir()
            asyncio.run(both(*life, Path(folder) / "x"))

    compare()


# -- one by one -----------------------------------------------------------------------------------


def slow(order: int = 0, cancel: int = 0) -> ExchangeSettings:
    """Return rules by which orders and cancels take that many milliseconds."""
    return FREE.model_copy(update={"order_delay_ms": order, "cancel_delay_ms": cancel})


def book(desk: Desk, bids: tuple[tuple[float, float], ...], ask: float) -> None:
    """Show a book now."""
    update = OrderBookUpdate(symbol=SYMBOL, time=desk.now, bids=bids, asks=((ask, 9.0),))
    desk.exchange.on_market(update)


async def test_a_stop_that_found_nothing_stays_triggered(tmp_path: Path) -> None:
    """Its trigger counts once: it takes from the next price, also where the mark is back above."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(99, 100)
    await desk.place("buy", 3)
    await desk.place("sell", 3, "stop", 95)
    desk.tick(94, 95, mark=97)
    book(desk, ((94, 0.5),), 95)
    desk.exchange.on_market(
        TickerUpdate(symbol=SYMBOL, time=desk.now, bid=94, ask=95, last=94, mark=94)
    )
    assert [one.order.cloid for one in desk.ledger.open_orders()] == ["c2"]
    assert await desk.position() == 3
    await desk.exchange.close()

    again = Desk(path=path, now=desk.now)
    again.tick(98, 99, mark=98)

    assert again.fills() == [("c2", Decimal(98), Decimal(3))]
    await again.exchange.close()


async def test_a_cancel_on_its_way_lands_after_a_restart(tmp_path: Path) -> None:
    """The client was told that it is on its way: it lands when it is due, no sooner."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(slow(cancel=2500), path=path)
    desk.tick(99, 100)
    for price in (95, 90):
        await desk.place("buy", 1, "limit", price)
        await desk.exchange.cancel_order(SYMBOL, f"c{len(desk.ledger.open_orders())}")
    await desk.exchange.close()

    again = Desk(slow(cancel=2500), path=path, now=desk.now)
    again.tick(94, 95)
    assert again.heard() == [("c1", OrderStatus.FILLED)]
    for _ in range(2):
        again.tick(99, 100)

    assert again.heard() == [("c2", OrderStatus.CANCELED)]
    assert again.ledger.landings() == []
    await again.exchange.close()


async def test_the_rate_that_was_told_last_is_kept(tmp_path: Path) -> None:
    """A position that has paid nothing yet pays at the rate told before the restart."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    desk.exchange.on_market(
        TickerUpdate(
            symbol=SYMBOL, time=desk.now, bid=100, ask=100, last=100, mark=100, funding=0.001
        )
    )
    await desk.place("buy", 10)
    await desk.exchange.close()

    again = Desk(path=path, now=HOUR)
    again.exchange._listeners.clear()
    book(again, ((100, 9.0),), 100)

    assert [one.payment for one in await again.exchange.get_funding(0)] == [1]
    await again.exchange.close()


async def test_what_has_arrived_does_not_arrive_again(tmp_path: Path) -> None:
    """A post-only order that rests is not judged anew where the clock begins before its arrival."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(slow(order=1500), path=path)
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 95)
    desk.tick(99, 100)
    desk.tick(99, 100)
    await desk.exchange.modify_order("c1", order("c9", 94, "ALO"))
    desk.tick(99, 100)
    desk.tick(99, 100)
    assert desk.heard() == [("c1", OrderStatus.CANCELED)]
    await desk.exchange.close()

    again = Desk(slow(order=1500), path=path, now=0)
    again.tick(92, 93)

    assert again.fills() == [("c9", Decimal(94), Decimal(1))]
    await again.exchange.close()


async def test_a_first_stop_meets_the_candle_of_its_entry_after_a_restart(tmp_path: Path) -> None:
    """A restart between an entry and its stop hides nothing of the price's way to the stop."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1)
    desk.bar(100, 105, 90, 104)
    await desk.exchange.close()

    again = Desk(path=path, now=desk.now)
    await again.place("sell", 1, "stop", 95, cloid="c2")

    assert again.fills() == [("c2", Decimal(95), Decimal(1))]
    await again.exchange.close()


async def test_nobody_is_liquidated_before_all_marks_are_known(tmp_path: Path) -> None:
    """What one position has gained counts for another, also before its first price comes again."""
    path = tmp_path / "ledger.sqlite"
    tight = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})
    eth = INSTRUMENT.model_copy(update={"symbol": "ETH"})
    desk = Desk(tight, (INSTRUMENT, eth), path=path)
    for symbol in (SYMBOL, "ETH"):
        desk.tick(100, 100, symbol=symbol)
        await desk.place("buy", 40, symbol=symbol)
    desk.tick(140, 140, symbol="ETH")
    desk.tick(75, 75)
    assert len(desk.fills()) == 2
    await desk.exchange.close()

    again = Desk(tight, (INSTRUMENT, eth), path=path, now=desk.now)
    again.tick(75, 75)
    again.tick(140, 140, symbol="ETH")
    again.tick(75, 75)
    assert again.reports == []
    again.tick(100, 100, symbol="ETH")
    again.tick(74, 74)
    assert [one[0].partition("-")[0] for one in again.fills()] == ["liquidation"] * 2
    await again.exchange.close()


@pytest.mark.parametrize("killed", [False, True])
async def test_a_waiting_market_order_keeps_its_cap_over_a_restart(
    tmp_path: Path, killed: bool
) -> None:
    """With candles it is measured from the price before the stop: one that jumped too far ends it,
    as if there had been no restart, and one within the cap fills it."""
    for price, ends in ((150, OrderStatus.CANCELED), (104, OrderStatus.FILLED)):
        path = tmp_path / f"{price}.sqlite"
        desk = Desk(path=path)
        desk.bar(100, 101, 99, 100)
        await desk.place("buy", 1)
        if killed:
            desk.ledger.close()
        else:
            await desk.exchange.close()

        desk = Desk(path=path, now=desk.now)
        desk.bar(price, price, price, price)

        assert desk.heard() == [("c1", ends)]
