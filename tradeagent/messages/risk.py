"""Risk's verdicts, alerts, overrides and trading states."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from tradeagent.messages.base import Delivery, Finite, Message, Name, Time
from tradeagent.messages.orders import ZERO, Amount, Order, Part, Positive, Share, StopPlan


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


Measure = Annotated[Decimal, Field(allow_inf_nan=True)] | int | float | None
"""A number a rule measured or its limit, as it is; None where there is none worth telling."""


class RuleVerdict(NamedTuple):
    """What one rule found: the value it measured against its limit, both in the limit's unit.

    Words are made only for what failed or was lifted. It is an array in JSON, in this order.
    """

    rule: str
    passed: bool
    value: Measure = None
    limit: Measure = None
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
    """A risk event seen by any agent.

    With `until` (UTC ns) above 0 it is a lock: till then `scope`, which is a symbol, a strategy or
    `*`, opens nothing new.
    """

    code: Name
    severity: Severity
    symbol: str | None = None
    scope: Name = "*"
    until: Time = 0
    evidence: str = ""
    value: Finite | None = None
    limit: Finite | None = None


class RiskOverride(Message, delivery=Delivery.URGENT):
    """An operator's change of a rule or of the trading state, with reason, expiry and actor.

    `rule` names the rule to lift, or is STATE together with `mode`. `scope` is a symbol, a
    strategy, or `*`. With `limit`, in the unit of the rule's setting, the rule is not lifted but
    its limit replaced. A rule override ends at `valid_until` (UTC ns), one that ended already takes
    an earlier one back.
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


class Release(Message, delivery=Delivery.URGENT):
    """A start lets trading out of the state `ends`, LOCKED or SAFE_MODE; said by starts alone."""

    ends: Literal[TradingMode.LOCKED, TradingMode.SAFE_MODE]
    to: TradingMode
    reason: Name
    actor: Name


class Closed(Part):
    """One round trip of a strategy in a symbol, flat to flat: its result after fees and funding."""

    time: Time
    pnl: Amount
    stopped: bool = False
    """Whether a protective stop ended it."""


class TrackRecord(Message):
    """What a strategy's round trips in a symbol came to, after fees and funding.

    `won` and `lost` are sums above 0, `net` is the books' result when it was last flat, and
    `recent` are the last round trips, oldest first.
    """

    strategy: Name
    symbol: Name
    time: Time
    trades: int = 0
    wins: int = 0
    won: Amount = ZERO
    lost: Amount = ZERO
    net: Amount = ZERO
    recent: tuple[Closed, ...] = ()


class TradingHours(Part):
    """When new risk may be taken on one day of the week: minutes since 00:00 UTC, Monday is 0."""

    weekday: int = Field(ge=0, le=6)
    opens: int = Field(ge=0, le=1440)
    closes: int = Field(ge=0, le=1440)


class Restriction(Message, delivery=Delivery.URGENT):
    """What Compliance allows from now on; it holds until the next one, also without Compliance.

    An empty `allowed` allows every symbol, empty `hours` every hour. Exits are never restricted.
    """

    restricted: tuple[Name, ...] = ()
    allowed: tuple[Name, ...] = ()
    hours: tuple[TradingHours, ...] = ()
    max_orders_per_hour: int | None = None
    max_notional_per_day: Positive | None = None


class AuditReport(Message):
    """What went through the gate in one period, counted by Compliance from the messages alone.

    `since` and `until` are UTC ns, money is in quote currency, `refusals` are by rule, and
    `breaches` tell of approvals that the restrictions forbid; there should be none.
    """

    since: Time
    until: Time
    entries: int = 0
    exits: int = 0
    notional: Amount = ZERO
    fills: int = 0
    traded: Amount = ZERO
    fees: Amount = ZERO
    rejected: int = 0
    refusals: dict[str, int] = {}
    overrides: int = 0
    breaches: tuple[str, ...] = ()
    reason: str = ""
