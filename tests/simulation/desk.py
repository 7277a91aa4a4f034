"""A desk for the tests: an exchange on a settable clock, and short ways to order and to quote."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from pathlib import Path

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import (
    ExecutionReport,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    OrderStatus,
    TickerUpdate,
)
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
SYMBOL = "BTC"
INSTRUMENT = InstrumentUpdate(
    symbol=SYMBOL, tick=Decimal(1), lot=Decimal(1), min_notional=Decimal(0), max_leverage=10
)
ETH = INSTRUMENT.model_copy(update={"symbol": "ETH"})
FREE = ExchangeSettings(
    balance=Decimal(10**9), maker_fee=Decimal(0), taker_fee=Decimal(0), slippage_bp=Decimal(0)
)
Levels = tuple[tuple[float, float], ...]


class Desk:
    """An exchange, its clock and every report it has delivered."""

    def __init__(
        self,
        settings: ExchangeSettings = FREE,
        instruments: tuple[InstrumentUpdate, ...] = (INSTRUMENT,),
        path: Path | None = None,
        now: int = 0,
    ) -> None:
        self.now = now
        self.reports: list[ExecutionReport] = []
        self.ledger = Ledger(path)
        self.exchange = SimulatedExchange(settings, instruments, self.ledger, lambda: self.now)
        self.exchange.subscribe(self._hear)
        self._cloids = count(1)

    def _hear(self, report: VenueEvent) -> None:
        assert isinstance(report, ExecutionReport)
        self.reports.append(report)

    async def place(
        self,
        side: str,
        size: int | str,
        type: str = "market",  # noqa: A002
        price: int | str | None = None,
        **more: object,
    ) -> ExecutionReport:
        """Order; `price` is the limit of a limit order and the trigger of any other."""
        cloid = more.pop("cloid", None) or f"c{next(self._cloids)}"
        key = "limit" if type == "limit" else "trigger"
        values = {"cloid": cloid, "intent_id": cloid, "symbol": SYMBOL, "side": side, **more}
        if type in ("stop", "take_profit"):
            values.setdefault("reduce_only", True)
        if price is not None:
            values[key] = Decimal(price)
        order = Order.model_validate({"size": Decimal(size), "type": type, **values})
        return await self.exchange.place_order(order)

    def bar(
        self, open_: float, high: float, low: float, close: float, symbol: str = SYMBOL
    ) -> None:
        """Let the minute that begins now pass, and show its candle at its end."""
        time = self.now - self.now % MINUTE
        self.now = time + MINUTE
        self.exchange.on_market(
            MarketData(
                symbol=SYMBOL,
                timeframe="1m",
                time=time,
                open=open_,
                high=high,
                low=low,
                close=close,
                volume=1.0,
            )
        )

    def tick(self, bid: float, ask: float, mark: float | None = None, symbol: str = SYMBOL) -> None:
        """Let a second pass and show a quote."""
        self.now += SECOND
        self.exchange.on_market(
            TickerUpdate(symbol=symbol, time=self.now, bid=bid, ask=ask, last=bid, mark=mark)
        )

    def heard(self) -> list[tuple[str, OrderStatus]]:
        """Return and forget the delivered reports as (cloid, status)."""
        heard = [(report.cloid, report.status) for report in self.reports]
        self.reports.clear()
        return heard

    def fills(self) -> list[tuple[str, Decimal, Decimal]]:
        """Return and forget the delivered fills as (cloid, price, size)."""
        fills = [
            (report.cloid, report.execution.price, report.execution.size)
            for report in self.reports
            if report.execution is not None
        ]
        self.reports.clear()
        return fills

    async def position(self, symbol: str = SYMBOL) -> Decimal:
        """Return the netted size."""
        held = {one.symbol: one.size for one in await self.exchange.get_positions()}
        return held.get(symbol, Decimal(0))


def book(desk: Desk, bids: Levels, asks: Levels) -> None:
    """Show a book now."""
    desk.exchange.on_market(OrderBookUpdate(symbol=SYMBOL, time=desk.now, bids=bids, asks=asks))


def trade(desk: Desk, price: float, size: float, side: str) -> None:
    """Show a public trade now, by its aggressor."""
    desk.exchange.on_market(
        MarketTrade(symbol=SYMBOL, time=desk.now, price=price, size=size, side=side)
    )


def deep() -> Desk:
    """Return a desk that shows 2 at 100, 3 at 101 and 5 at 103 to buy, and as much below 99."""
    desk = Desk(FREE.model_copy(update={"slippage_bp": Decimal(100)}))
    desk.tick(99, 100)
    book(desk, ((99, 2), (98, 3), (96, 5)), ((100, 2), (101, 3), (103, 5)))
    return desk


def modified(cloid: str, side: str, size: int, limit: int, **more: object) -> Order:
    """Return a limit order that may take the place of another."""
    values = {"cloid": cloid, "intent_id": cloid, "symbol": SYMBOL, "side": side, "size": size}
    return Order.model_validate({**values, "type": "limit", "limit": limit, **more})
