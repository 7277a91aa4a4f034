"""A simulated exchange that a judge watches, and whose answers can be lost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.adversary.judge import Judge
from tests.harness import BTC
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import ExecutionReport, FundingPayment, Order, Submission
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.settings import ExchangeSettings

DEPOSIT = Decimal(10_000)
FUNDING = 0.001
"""What longs pay each hour, as a ratio of the position."""


class Watched(SimulatedExchange):
    """A simulated exchange that shows the judge everything, and loses answers when told to."""

    def __init__(self, judge: Judge, now: Callable[[], int]) -> None:
        super().__init__(ExchangeSettings(balance=DEPOSIT), (BTC,), Ledger(None), now)
        self.judge = judge
        self.clock = now
        self.trouble: list[str] = []
        self.subscribe(self._seen)

    def _seen(self, event: Any) -> None:
        if isinstance(event, ExecutionReport):
            self.judge.reported(event)
        elif isinstance(event, FundingPayment):
            self.judge.funded(event, FUNDING)

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Place an order unless the way there or back is cut."""
        self.judge.placed(order, self.clock())
        return await self._through(super().place_order(order), order)

    async def modify_order(
        self, cloid: str, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Replace an order unless the way there or back is cut."""
        self.judge.placed(order, self.clock())
        return await self._through(super().modify_order(cloid, order), order)

    async def _through(self, call: Any, order: Order) -> ExecutionReport:
        trouble = self.trouble.pop() if self.trouble else ""
        if trouble == "lost":
            call.close()
            self.judge.sent[order.cloid].ended = True
            raise VenueUnavailable("no way there")
        report: ExecutionReport = await call
        self.judge.reported(report)
        if trouble == "unanswered":
            raise VenueUnavailable("no way back")
        return report

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel an order."""
        report = await super().cancel_order(symbol, cloid)
        self.judge.reported(report)
        return report
