"""A daemon in memory whose strategies signal by a script of seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.harness import START, Rig, tick
from tradeagent.agents.base import BaseAgent
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.tickets import TradingSettings
from tradeagent.clock import SECOND
from tradeagent.messages import (
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.quant.rules import Limits
from tradeagent.strategies.base import Event, Inputs, Strategy, View

S = OrderStatus
LIMITS = Limits(max_order_notional=Decimal(10**6), max_position_notional=Decimal(10**6))
RISK = RiskSettings(sizing="fixed_fraction", fraction=Decimal(1), limits=LIMITS)
Script = Mapping[int, Mapping[str, Any]]


def scripted(script: Script) -> type[Strategy]:
    """Return a strategy that signals at the seconds of a script."""

    class Scripted(Strategy):
        """Do as written."""

        def inputs(self) -> Inputs:
            """Ask for quotes."""
            return Inputs(quotes=True)

        def decide(self, event: Event, _: View) -> TradeSignal | None:
            """Return what stands at this second, if anything does."""
            assert isinstance(event, TickerUpdate)
            wish = script.get((event.time - START) // SECOND)
            return self.signal(event, **wish) if wish is not None else None

    return Scripted


def rig(
    prices: Mapping[int, float],
    script: Script,
    extra: tuple[Callable[[], BaseAgent[Any]], ...] = (),
    **trading: Any,
) -> Rig:
    """Return a daemon that sees `prices` at their seconds and trades by the script."""
    kind = scripted(script)
    return Rig(
        strategies=lambda: [kind("one", "BTC")],
        weights={"one": 1.0},
        events=[(START + at * SECOND, tick(price, at)) for at, price in prices.items()],
        risk=RISK,
        trading=TradingSettings(**trading),
        extra=extra,
    )


def stops(found: Rig) -> list[Decimal]:
    """Return the triggers of the stops that rested, in their order."""
    rested = {}
    for update in found.heard(OrderUpdate):
        if update.order.type == "stop" and update.status is S.OPEN:
            rested[update.order.cloid] = update.order.trigger
    return list(rested.values())


def size(found: Rig) -> Decimal:
    """Return the last position."""
    return found.heard(PositionUpdate)[-1].size
