"""A sound entry and a sound exit that tests of the rules change one thing of."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from tradeagent.messages import InstrumentUpdate, RuleVerdict, TradingMode
from tradeagent.quant.rules import Limits, OrderContext, check_all

D = Decimal
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = 1_700_000_000 * SECOND
"""A Tuesday, 22:13:20 UTC."""
LOT = D("0.001")

BTC = InstrumentUpdate(symbol="BTC", tick=D("0.1"), lot=LOT, significant=6, max_leverage=10)
LIMITS = Limits(
    max_order_qty={"BTC": D(1)},
    max_order_notional=D(20_000),
    max_position_notional=D(50_000),
    max_gross_ratio=D(2),
    max_net_ratio=D("1.5"),
)


def replace(order: OrderContext, **changes: Any) -> OrderContext:
    """Return an order that differs in `changes`."""
    return dataclasses.replace(order, **changes)


BUY = OrderContext(
    instrument=BTC,
    side="buy",
    size=D("0.1"),
    price=D(10_000),
    limit=None,
    reduce_only=False,
    mode=TradingMode.ACTIVE,
    position=D(0),
    pending_reduces=D(0),
    mark=D(10_000),
    now=NOW,
    stop=D(9_700),
    target=D(10_600),
    equity=D(100_000),
    price_time=NOW - SECOND,
    valid_until=NOW + SECOND,
    account_time=NOW,
    known_source=True,
    mid=D(10_000),
    touch=D(10_000),
    margin_rate=D("0.2"),
    maintenance_rate=D("0.05"),
    high_water=D(100_000),
)
SELL = replace(BUY, side="sell", stop=D(10_300), target=D(9_400))
EXIT = OrderContext(
    instrument=BTC,
    side="sell",
    size=D("0.1"),
    price=D(10_000),
    limit=None,
    reduce_only=True,
    mode=TradingMode.ACTIVE,
    position=D(1),
    pending_reduces=D(0),
    mark=D(10_000),
    now=NOW,
)


def verdict(rule: str, order: OrderContext, limits: Limits = LIMITS) -> RuleVerdict:
    """Return the verdict of one rule."""
    (found,) = [verdict for verdict in check_all(order, limits) if verdict.rule == rule]
    return found


def failed(order: OrderContext, limits: Limits = LIMITS) -> set[str]:
    """Return the codes of the rules that refuse an order."""
    return {verdict.rule for verdict in check_all(order, limits) if not verdict.passed}
