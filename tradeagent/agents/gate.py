"""The gate's arithmetic: from a request and the account to an exact order, approved or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import whole
from tradeagent.agents.exposure import Exposure, Standing
from tradeagent.agents.identity import cloid, seal
from tradeagent.messages import (
    InstrumentUpdate,
    Order,
    OrderRequest,
    RiskAssessment,
    RuleVerdict,
    TradingMode,
)
from tradeagent.messages.build import checked
from tradeagent.quant.rules import Limits, OrderContext
from tradeagent.quant.sizing import Sizing, fixed_fraction, risk_per_trade

_new_order = checked(Order)
_new_risk_assessment = checked(RiskAssessment)


class RiskSettings(AgentSettings):
    """How orders are sized, what is allowed, and how long an approval holds.

    `fraction` of equity makes a full position with `fixed_fraction`; with `risk_per_trade` a full
    position loses `risk` of equity at its stop.
    """

    sizing: Literal["fixed_fraction", "risk_per_trade"] = Field(
        default="risk_per_trade",
        description="How a full position is sized: by `fraction`, or by `risk` and the stop.",
    )
    fraction: Decimal = Field(
        default=Decimal("0.2"),
        gt=0,
        le=10,
        description="What a full position is worth with fixed_fraction, and whenever an entry has "
        "no stop, as a ratio of equity.",
    )
    risk: Decimal = Field(
        default=Decimal("0.005"),
        gt=0,
        le=1,
        description="What a full position loses at its stop with risk_per_trade, as a ratio of "
        "equity.",
    )
    approval_ttl_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="How long an approval holds, in seconds of the clock; raise it where the clock "
        "is accelerated.",
    )
    limits: Limits = Field(default=Limits(), description="What the account allows.")


class Sized(NamedTuple):
    """The size of an order, how it came about, and whether a limit made it smaller."""

    size: Decimal
    text: str
    cut: bool


def order_size(
    request: OrderRequest,
    instrument: InstrumentUpdate,
    standing: Standing,
    equity: Decimal,
    settings: RiskSettings,
) -> Sized:
    """Return the size a request asks for, or what the sizing rule and the limits make of it."""
    if request.size is not None:
        return Sized(request.size, "size as requested", cut=False)
    if request.reduce_only:
        return Sized(abs(standing.size), "the whole position", cut=False)
    price, limits = request.limit or request.price, settings.limits
    wanted = _full_position(request, price, equity, settings)
    quantity = wanted.quantity * Decimal(repr(request.weight))
    most = limits.max_order_notional / price
    most = min(most, limits.max_order_qty.get(request.symbol, most))
    size = instrument.fit_size(min(quantity, most))
    text = f"{wanted.explanation}; x weight {request.weight:g} = {size:f}"
    return Sized(size, text, cut=quantity > most)


def _full_position(
    request: OrderRequest, price: Decimal, equity: Decimal, settings: RiskSettings
) -> Sizing:
    plan = request.stop_plan
    if settings.sizing == "fixed_fraction" or plan is None or plan.stop == price:
        return fixed_fraction(equity, settings.fraction, price)
    return risk_per_trade(equity, settings.risk, price, plan.stop)


def order_context(
    request: OrderRequest,
    instrument: InstrumentUpdate,
    size: Decimal,
    exposure: Exposure,
    equity: Decimal,
    mode: TradingMode,
    now: int,
) -> OrderContext:
    """Return the order and all that its judgement rests on."""
    plan, standing = request.stop_plan, exposure[request.symbol]
    return OrderContext(
        instrument=instrument,
        side=request.side,
        size=size,
        price=request.price,
        limit=request.limit,
        reduce_only=request.reduce_only,
        protective=request.type == "stop",
        stop=plan.stop if plan is not None else None,
        target=plan.target if plan is not None else None,
        mode=mode,
        position=standing.size,
        open_buys=standing.buys,
        open_sells=standing.sells,
        pending_reduces=standing.exits,
        other_exposure=exposure.others(request.symbol),
        equity=equity,
        day_pnl=exposure.day_pnl(equity),
        mark=standing.price,
        now=now,
        price_time=request.price_time,
        valid_until=request.valid_until,
        bar_length=0 if standing.quoted else standing.bar,
    )


def approval(
    request: OrderRequest,
    sized: Sized,
    verdicts: tuple[RuleVerdict, ...],
    expires: int,
    key: bytes,
    epoch: int,
) -> RiskAssessment:
    """Return the sealed approval of an order, good until `expires` (UTC ns)."""
    order = _new_order(
        cloid=cloid(request.intent_id, 0, epoch),
        intent_id=request.intent_id,
        symbol=request.symbol,
        side=request.side,
        size=sized.size,
        type=request.type,
        limit=request.limit,
        trigger=request.trigger,
        tif=request.tif,
        reduce_only=request.reduce_only,
        group=request.group,
        replaces=request.replaces,
    )
    return _new_risk_assessment(
        intent_id=request.intent_id,
        symbol=request.symbol,
        verdict="resized" if sized.cut else "approved",
        rules=verdicts,
        sizing=sized.text,
        order=order,
        price=request.price,
        stop_plan=request.stop_plan,
        strategy=request.strategy,
        shares=request.shares or whole(request.strategy),
        expires_at=expires,
        seal=seal(key, order, request.stop_plan, expires),
    )


def rejection(
    request: OrderRequest, now: int, verdicts: tuple[RuleVerdict, ...], sizing: str = ""
) -> RiskAssessment:
    """Return the refusal of a request, with every rule's verdict."""
    return _new_risk_assessment(
        intent_id=request.intent_id,
        symbol=request.symbol,
        verdict="rejected",
        reasons=tuple(verdict.rule for verdict in verdicts if not verdict.passed),
        rules=verdicts,
        sizing=sizing,
        strategy=request.strategy,
        shares=request.shares,
        expires_at=now,
    )


def unknown(symbol: str) -> RuleVerdict:
    """Return the verdict on a symbol of which too little is known to judge."""
    return RuleVerdict(
        rule="FRESH", passed=False, text=f"no instrument or no price is known for {symbol}"
    )


def too_small(request: OrderRequest, instrument: InstrumentUpdate) -> RuleVerdict:
    """Return the verdict on a size below the lot."""
    text = f"the size of {request.symbol} rounds to nothing on lot {instrument.lot}"
    return RuleVerdict(
        rule="MIN_NOTIONAL",
        passed=False,
        value="0",
        limit=str(instrument.min_notional),
        text=text,
    )
