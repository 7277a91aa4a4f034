"""An exchange on a ledger's file that lives through actions, and may be killed between them."""

from __future__ import annotations

import shutil
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import MarketData, MarketTrade, Order, OrderBookUpdate, TickerUpdate
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange

from .actions import INSTRUMENTS, SYMBOLS
from .reference_books import MINUTE, SECOND

SEEN = (
    *("bid", "ask", "mark", "_stated", "_depth", "_tick"),
    *("_hears_trades", "_before", "_bar", "ended"),
)
"""What a book has seen of the market, which shows it again: no ledger keeps it."""


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
