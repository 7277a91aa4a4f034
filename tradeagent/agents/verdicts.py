"""Risk's answers: the sealed approval of an exact order, or a refusal with its reasons."""

from __future__ import annotations

from tradeagent.agents.desk import whole
from tradeagent.agents.gate import Sized
from tradeagent.agents.identity import cloid, seal
from tradeagent.messages import InstrumentUpdate, Order, OrderRequest, RiskAssessment, RuleVerdict
from tradeagent.messages.build import trusted, typed

_new_order = typed(Order)
_new_risk_assessment = trusted(RiskAssessment)
"""What an assessment is made of is typed already: validating 30 verdicts costs twice the rules."""


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
        reasons=(),
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
        order=None,
        price=None,
        stop_plan=None,
        strategy=request.strategy,
        shares=request.shares,
        expires_at=now,
        seal="",
    )


def unknown(symbol: str) -> RuleVerdict:
    """Return the verdict on a symbol of which too little is known to judge."""
    text = f"no instrument or no price is known for {symbol}"
    return RuleVerdict("FRESH", passed=False, text=text)


def absurd(error: ArithmeticError) -> RuleVerdict:
    """Return the verdict on numbers that cannot be reckoned with."""
    return RuleVerdict("FINITE", passed=False, text=f"the numbers lead to nothing: {error!r}")


def too_small(request: OrderRequest, instrument: InstrumentUpdate) -> RuleVerdict:
    """Return the verdict on a size below the lot."""
    text = f"the size of {request.symbol} rounds to nothing on lot {instrument.lot}"
    return RuleVerdict("MIN_NOTIONAL", False, 0, instrument.min_notional, text)
