"""A Risk agent on its own, with a market and an account, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.harness import BTC, KEY, START, bar, tick
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.risk import Risk
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    Envelope,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionPart,
    PositionUpdate,
    RiskAssessment,
    StopPlan,
)

ETH = BTC.model_copy(update={"symbol": "ETH"})
FREE: dict[str, Any] = {
    "max_order_notional": 10**9,
    "max_position_notional": 10**9,
    "max_gross_ratio": 1000,
    "max_net_ratio": 1000,
    "max_group_ratio": 1000,
    "max_leverage": 1000,
    "max_margin_ratio": 1,
    "min_liquidation_distance_ratio": "1e-9",
    "funds_reserve_ratio": 0,
    "max_orders_per_second": 10**6,
    "max_orders_per_minute": 10**6,
    "max_strategy_orders_per_minute": 10**6,
    "duplicate_window_s": 0,
    "max_repeated_entries": 10**6,
    "max_daily_loss_ratio": 1,
    "max_drawdown_ratio": 1,
    "max_account_age_s": 10**9,
}
"""Limits that an ordinary order never meets."""


def request(**changes: object) -> OrderRequest:
    """Return a buy at 100 with a stop at 95, for Risk to size."""
    return OrderRequest.model_validate(
        {
            "intent_id": "intent",
            "symbol": "BTC",
            "side": "buy",
            "strategy": "a",
            "price": Decimal(100),
            "price_time": START,
            "valid_until": START + 600 * SECOND,
            "stop_plan": StopPlan(stop=Decimal(95)),
            **changes,
        }
    )


def leave(size: str = "1", **changes: object) -> OrderRequest:
    """Return a sell that closes a long."""
    plain = {"side": "sell", "size": Decimal(size), "reduce_only": True, "stop_plan": None}
    return request(**{**plain, "intent_id": f"exit-{size}", **changes})


def desk(
    *, now: int = START, sources: tuple[str, ...] | None = None, told: bool = True, **settings: Any
) -> Risk:
    """Return a Risk agent that knows BTC and ETH at 100 and, if `told`, an account of 10,000."""
    risk = Risk(RiskSettings.model_validate(settings), KEY, sources=sources)
    inlet = Subscriber("risk", {})
    inlet.hand = Envelope(bar(100))
    inlet.hand.ts = now
    risk.attach(None, inlet)  # type: ignore[arg-type]
    for instrument in (BTC, ETH):
        risk.listed(instrument)
        risk.quoted(tick(100, symbol=instrument.symbol))
    if told:
        fund(risk)
    return risk


def at(risk: Risk, seconds: float) -> None:
    """Let a message that comes so many seconds after the start be in hand."""
    assert risk.hand is not None
    risk.hand.ts = START + int(seconds * SECOND)


def fund(risk: Risk, equity: str = "10000") -> None:
    """Let the venue tell of the account."""
    money = Decimal(equity)
    risk.account(AccountUpdate(balance=money, equity=money, time=risk.now()))


def hold(
    risk: Risk, size: str, entry: str = "100", *, symbol: str = "BTC", pnl: str = "0"
) -> list[Any]:
    """Give the account a position, all of it strategy a's; returns what Risk says."""
    numbers = {"size": Decimal(size), "entry_price": Decimal(entry), "realised_pnl": Decimal(pnl)}
    part = PositionPart.model_validate({"strategy": "a", **numbers})
    return risk.position(
        PositionUpdate.model_validate(
            {"symbol": symbol, "time": risk.now(), "parts": (part,), **numbers}
        )
    )


def judge(risk: Risk, wish: OrderRequest) -> RiskAssessment:
    """Return the verdict on a request, without the alerts that may come with it."""
    found = risk.assess_risk(wish)
    if isinstance(found, RiskAssessment):
        return found
    verdict = found[0]
    assert isinstance(verdict, RiskAssessment)
    return verdict


def update(
    verdict: RiskAssessment, status: OrderStatus, filled: str | Decimal = "0"
) -> OrderUpdate:
    """Return a step in the life of an approved order."""
    assert verdict.order is not None
    return OrderUpdate(
        order=verdict.order,
        status=status,
        filled=Decimal(filled),
        strategy=verdict.strategy,
        expires_at=verdict.expires_at,
    )
