"""The continuous checks: how the account stands against its limits, whether it trades or not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf, isfinite
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.messages import RiskAlert, Severity
from tradeagent.quant.rules.limits import Limits

RELIEF = 0.05
"""How far within its limit a number must be again before its alert can come again."""
FAR = 1e9
"""The distance to a liquidation that cannot happen."""


class WatchSettings(BaseModel):
    """When the continuous checks speak up, besides the limits; seconds are of the clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flatten_distance_ratio: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="How near a liquidation may be before every position is closed, as a ratio of "
        "price; 0 switches it off.",
    )
    flatten_within_s: float = Field(
        default=300.0,
        gt=0,
        allow_inf_nan=False,
        description="How long FLATTENING may take before it is given up and trading is HALTED; "
        "longer by its speed where the clock is accelerated.",
    )
    max_blind_s: float = Field(
        default=300.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a symbol with a position may be silent beyond its shortest candle.",
    )
    max_unprotected_s: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a position may lack a stop where `require_stop` asks for one; longer "
        "by its speed where the clock is accelerated.",
    )
    max_unknown_orders: int = Field(
        default=3, ge=0, description="How many orders may be without proof of their outcome."
    )
    max_unknown_age_s: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="How long an order may be without proof of its outcome; longer by its speed "
        "where the clock is accelerated.",
    )
    max_venue_reject_ratio: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Which part of the last 20 orders the venue may reject.",
    )


class Vitals(NamedTuple):
    """How the account stands; ratios of equity, times in seconds."""

    day_loss: float = 0.0
    drawdown: float = 0.0
    gross: float = 0.0
    margin: float = 0.0
    liquidation_distance: float = FAR
    account_age: float = 0.0
    blind: float = 0.0
    unprotected: float = 0.0
    unknown_orders: int = 0
    unknown_age: float = 0.0
    venue_rejects: float = 0.0


class Check(NamedTuple):
    """One continuous check: what its breach is called, how bad it is, and what bounds what."""

    code: str
    severity: Severity
    measure: str
    bound: Callable[[Limits, WatchSettings], float]
    words: str
    rule: str = ""
    """The rule of the gate whose override also quiets this check."""
    at_least: bool = False
    waits: bool = False
    """Whether it waits for a venue, which takes wall time however fast the clock runs."""


CHECKS = (
    Check(
        "DAILY_LOSS", Severity.ERROR, "day_loss",
        lambda limits, _: float(limits.max_daily_loss_ratio),
        "the day lost {0:.2%} of its opening equity, the limit is {1:.2%}", "DAILY_LOSS",
    ),
    Check(
        "DRAWDOWN", Severity.ERROR, "drawdown", lambda limits, _: float(limits.max_drawdown_ratio),
        "equity is {0:.2%} below its highest, the limit is {1:.2%}", "DRAWDOWN",
    ),
    Check(
        "GROSS", Severity.WARNING, "gross", lambda limits, _: float(limits.max_gross_ratio),
        "positions are worth {0:.3f} of equity, the limit is {1:g}", "GROSS",
    ),
    Check(
        "MARGIN", Severity.WARNING, "margin", lambda limits, _: float(limits.max_margin_ratio),
        "positions bind {0:.3f} of equity as margin, the limit is {1:g}", "MARGIN",
    ),
    Check(
        "LIQUIDATION", Severity.ERROR, "liquidation_distance",
        lambda limits, _: float(limits.min_liquidation_distance_ratio),
        "a move of {0:.2%} against us liquidates the account, {1:.2%} is the least", "LIQUIDATION",
        at_least=True,
    ),
    Check(
        "LIQUIDATION_NEAR", Severity.EMERGENCY, "liquidation_distance",
        lambda _, watch: watch.flatten_distance_ratio,
        "a move of {0:.2%} against us liquidates the account, at {1:.2%} it is flattened",
        at_least=True,
    ),
    Check(
        "ACCOUNT_STALE", Severity.WARNING, "account_age",
        lambda limits, _: limits.max_account_age_s,
        "the venue last told of the account {0:.0f} s ago, the limit is {1:g} s",
    ),
    Check(
        "HOLDING_BLIND", Severity.WARNING, "blind", lambda _, watch: watch.max_blind_s,
        "a symbol we hold is silent for {0:.0f} s, the limit is {1:g} s",
    ),
    Check(
        "UNPROTECTED", Severity.ERROR, "unprotected", lambda _, watch: watch.max_unprotected_s,
        "a position is without a stop for its size for {0:.0f} s, the limit is {1:g} s",
        waits=True,
    ),
    Check(
        "UNKNOWN_ORDERS", Severity.ERROR, "unknown_orders",
        lambda _, watch: float(watch.max_unknown_orders),
        "of {0:.0f} orders the outcome is unknown, the limit is {1:g}",
    ),
    Check(
        "UNKNOWN_LONG", Severity.ERROR, "unknown_age", lambda _, watch: watch.max_unknown_age_s,
        "the outcome of an order is unknown for {0:.0f} s, the limit is {1:g} s",
        waits=True,
    ),
    Check(
        "VENUE_REJECTS", Severity.ERROR, "venue_rejects",
        lambda _, watch: watch.max_venue_reject_ratio,
        "the venue rejected {0:.0%} of our last orders, the limit is {1:.0%}",
    ),
)  # fmt: skip
"""Every check with its consequence; CONSEQUENCES says which state a severity leads to."""


class Watch:
    """Speaks up once when a number crosses its limit, and again only after it was well within."""

    def __init__(self, limits: Limits, settings: WatchSettings, speed: float = 1.0) -> None:
        """Bound every check; `speed` is how many times faster than the wall's the clock runs."""
        self.told: set[str] = set()
        self._checks = []
        for check in CHECKS:
            bound = check.bound(limits, settings)
            bound *= max(1.0, speed) if check.waits and isfinite(speed) else 1.0
            place = Vitals._fields.index(check.measure)
            self._checks.append((check, place, bound))

    def time_left(self, vitals: Vitals, counting: Collection[str]) -> float:
        """Return after how long (s) the first of some measures passes its limit by time alone.

        Those beyond it already count no more; infinite where there is none.
        """
        left = (
            bound - vitals[place]
            for check, place, bound in self._checks
            if check.measure in counting
        )
        return min((one for one in left if one >= 0), default=inf)

    def is_quiet(self, vitals: Vitals) -> bool:
        """Tell whether no number is beyond its limit, and no alert is to be taken back."""
        if self.told:
            return False
        for check, place, bound in self._checks:
            value = vitals[place]
            if value < bound if check.at_least else value > bound:
                return False
        return True

    def look(
        self, vitals: Vitals, lifted: Callable[[str, float, float], bool] | None = None
    ) -> list[RiskAlert]:
        """Return an alert for each limit newly crossed.

        `lifted` tells whether an override lets a rule pass at a value beyond a limit.
        """
        alerts = []
        for check, place, bound in self._checks:
            value = vitals[place]
            if value >= bound if check.at_least else value <= bound:
                if check.code in self.told and _well_within(value, bound, check):
                    self.told.discard(check.code)
                continue
            if check.code in self.told:
                continue
            if check.rule and lifted is not None and lifted(check.rule, value, bound):
                continue
            self.told.add(check.code)
            alerts.append(_alert(check, value, bound))
        return alerts


def _well_within(value: float, bound: float, check: Check) -> bool:
    return value >= bound * (1 + RELIEF) if check.at_least else value <= bound * (1 - RELIEF)


def _alert(check: Check, value: float, bound: float) -> RiskAlert:
    return RiskAlert(
        code=check.code,
        severity=check.severity,
        evidence=check.words.format(value, bound),
        value=value,
        limit=bound,
    )
