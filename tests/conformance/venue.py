"""An exchange as its claims use it: a market that moves at a word, and all that was told."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from itertools import count

from tests.conformance.stage import SYMBOL, Shown
from tradeagent.errors import NotSent, OrderRefused
from tradeagent.integrations.base import Exchange, VenueEvent
from tradeagent.messages import TERMINAL, ZERO, ExecutionReport, Order, OrderStatus

ENOUGH = 10.0
"""How long an exchange may take to tell something, in seconds."""


class Venue(ABC):
    """An exchange on a market that the test moves, and all the exchange has told."""

    exchange: Exchange

    def __init__(self) -> None:
        self.told: list[VenueEvent] = []
        self._news = asyncio.Event()
        self._names = count(1)

    @abstractmethod
    async def show(self, shown: Shown) -> None:
        """Let the market be so; return when the exchange has seen it."""

    def hear(self, event: VenueEvent) -> None:
        """Note what the exchange tells."""
        self.told.append(event)
        self._news.set()

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Return when what was told is as wanted."""
        async with asyncio.timeout(ENOUGH):
            while not wanted():
                self._news.clear()
                await self._news.wait()

    def order(self, side: str, size: str, **changes: object) -> Order:
        """Return a market order under a name of its own, or what `changes` make of it."""
        name = f"0x{next(self._names):032x}"
        values = {"cloid": name, "intent_id": name, "symbol": SYMBOL, "type": "market"}
        return Order.model_validate({**values, "side": side, "size": Decimal(size), **changes})

    def limit(self, side: str, size: str, price: float, **changes: object) -> Order:
        """Return a limit order."""
        values = {"type": "limit", "limit": Decimal(repr(price)), **changes}
        return self.order(side, size, **values)

    async def place(self, order: Order) -> ExecutionReport:
        """Place an order as Execution does: prepared first, and a refusal is a report."""
        try:
            return await self.exchange.place_order(order, self.exchange.prepare(order))
        except (OrderRefused, NotSent) as refusal:
            return ExecutionReport(
                cloid=order.cloid,
                symbol=SYMBOL,
                status=OrderStatus.REJECTED,
                time=0,
                reason=str(refusal),
            )

    async def trade(self, side: str, size: str, **changes: object) -> Order:
        """Trade at the market; returns the order once all of it is told as filled."""
        order = self.order(side, size, **changes)
        await self.place(order)
        await self.until(lambda: self.filled(order) == order.size)
        return order

    def reports(self, order: Order) -> list[ExecutionReport]:
        """Return what was told of an order."""
        return [
            one
            for one in self.told
            if isinstance(one, ExecutionReport) and one.cloid == order.cloid
        ]

    def filled(self, order: Order) -> Decimal:
        """Return how much of an order was told as filled."""
        return sum((one.execution.size for one in self.reports(order) if one.execution), ZERO)

    async def ended(self, order: Order) -> OrderStatus:
        """Return how an order has ended, once the exchange says that it has."""
        async with asyncio.timeout(ENOUGH):
            while True:
                report = await self.exchange.get_order_status(SYMBOL, order.cloid)
                if report is not None and report.status in TERMINAL:
                    return report.status
                await asyncio.sleep(0.005)

    async def position(self) -> Decimal:
        """Return the netted size of the position."""
        held = {one.symbol: one.size for one in await self.exchange.get_positions()}
        return held.get(SYMBOL, ZERO)

    async def open(self) -> set[str]:
        """Return the names of the orders that rest."""
        return {one.cloid for one in await self.exchange.get_open_orders()}

    async def fills(self, order: Order, since: int = 0) -> list[tuple[str, Decimal, Decimal]]:
        """Return an order's fills as the exchange remembers them: id, price and size."""
        return [
            (one.execution.tid, one.execution.price, one.execution.size)
            for one in await self.exchange.get_fills(since)
            if one.cloid == order.cloid and one.execution is not None
        ]
