"""What of a plan a screening knows; all else only the whole backtest can tell."""

from __future__ import annotations

from collections.abc import Iterator

from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import TOLERANCE
from tradeagent.errors import OperatorError
from tradeagent.plan import BUILT_IN, Plan, StrategyPlan
from tradeagent.simulation.settings import ExchangeSettings


class NotScreened(OperatorError):
    """A screening cannot tell the trades; the whole backtest can."""


def checked(plan: Plan) -> tuple[StrategyPlan, RiskSettings, ExchangeSettings]:
    """Return what a screening rests on; raises NotScreened where there is more to a plan."""
    reasons = list(_obstacles(plan))
    if reasons:
        raise NotScreened(reasons[0])
    (strategy,) = plan.strategies
    risk = next(one.settings for one in plan.agents if isinstance(one.settings, RiskSettings))
    assert isinstance(plan.exchange, ExchangeSettings)
    return strategy, risk, plan.exchange


def _obstacles(plan: Plan) -> Iterator[str]:
    """Yield what of a plan a screening does not know."""
    if len(plan.strategies) != 1 or len(plan.strategies[0].symbols) != 1:
        yield "it is of several strategies or symbols, which share one account"
    elif not hasattr(plan.strategies[0].kind, "screen"):
        yield f"{plan.strategies[0].name} does not tell its signals over columns"
    if [one.name for one in plan.agents] != list(BUILT_IN):
        yield "other agents take part"
    for one in plan.agents:
        settings = one.settings
        if isinstance(settings, TradingSettings):
            if settings.entry != "market":
                yield f"entries are made by {settings.entry}"
            if plan.strategies[0].weight <= TOLERANCE:
                yield f"a weight of {plan.strategies[0].weight:g} is too small to be traded"
        if isinstance(settings, RiskSettings):
            yield from _sizing(settings)
        if one.name == "compliance" and settings != type(settings)():
            yield "compliance restricts what may be traded"
    exchange = plan.exchange
    if not isinstance(exchange, ExchangeSettings) or exchange.order_delay_ms:
        yield "orders take time to arrive"
    elif exchange.funding_rate or exchange.isolated:
        yield "funding is paid, or margin is isolated"


def _sizing(risk: RiskSettings) -> Iterator[str]:
    if risk.sizing in ("volatility_target", "capped_kelly"):
        yield f"sizes follow {risk.sizing}"
    if risk.limits.groups:
        yield "symbols are grouped"
