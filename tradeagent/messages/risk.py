"""Risk's verdicts, alerts, overrides and trading states."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from tradeagent.messages.base import Delivery, Finite, Message, Name, Time
from tradeagent.messages.orders import Order, Part, Positive, Share, StopPlan


class TradingMode(StrEnum):
    """What may leave for the venue; see docs/operating.md."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"
    FLATTENING = "FLATTENING"
    LOCKED = "LOCKED"
    SAFE_MODE = "SAFE_MODE"


class Severity(StrEnum):
    """How bad it is; CONSEQUENCES says what follows."""

    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"
    EMERGENCY = "EMERGENCY"


CONSEQUENCES: dict[Severity, TradingMode | None] = {
    Severity.WARNING: None,
    Severity.ERROR: TradingMode.REDUCE_ONLY,
    Severity.CRITICAL: TradingMode.HALTED,
    Severity.EMERGENCY: TradingMode.FLATTENING,
}
"""The trading state an incident or alert of each severity leads to; None warns only."""


class RuleVerdict(Part):
    """What one rule found: the value it measured against its limit."""

    rule: str
    passed: bool
    value: str = ""
    limit: str = ""
    text: str = ""


class RiskAssessment(Message):
    """Risk's answer to one request: approved, resized or rejected, and the exact order.

    `seal` is a keyed digest over the order, its plan and `expires_at` (UTC ns); Execution computes
    it again and acts on nothing else. `price` is what a unit of the order was valued at.
    """

    intent_id: Name
    symbol: Name
    verdict: Literal["approved", "resized", "rejected"]
    reasons: tuple[str, ...] = ()
    rules: tuple[RuleVerdict, ...] = ()
    sizing: str = ""
    order: Order | None = None
    price: Positive | None = None
    stop_plan: StopPlan | None = None
    strategy: Name
    shares: tuple[Share, ...] = ()
    expires_at: Time
    seal: str = ""

    @property
    def approved(self) -> bool:
        """Tell whether an order may go out."""
        return self.verdict != "rejected"


class RiskAlert(Message, delivery=Delivery.URGENT):
    """A risk event seen by any agent."""

    code: Name
    severity: Severity
    symbol: str | None = None
    evidence: str = ""
    value: Finite | None = None
    limit: Finite | None = None


class RiskOverride(Message, delivery=Delivery.URGENT):
    """An operator's change of a rule or of the trading state, with reason, expiry and actor.

    `rule` names the rule to lift, or is STATE together with `mode`. `scope` is a symbol, a
    strategy, or `*`. A rule override ends at `valid_until`.
    """

    rule: Name
    mode: TradingMode | None = None
    scope: Name = "*"
    limit: Decimal | None = None
    reason: Name
    actor: Name
    valid_until: Time = 0


class TradingState(Message, delivery=Delivery.URGENT):
    """The trading state from now on, and why."""

    mode: TradingMode
    previous: TradingMode
    reason: str
    actor: str
    since: Time
