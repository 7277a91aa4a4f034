"""Overrides: the rules that operators lifted or loosened for a while, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tradeagent.messages import RiskOverride, RuleVerdict
from tradeagent.quant.rules import FIXED, LIMITLESS, RULES

LIFTABLE = tuple(rule.code for rule in RULES if not rule.fixed)


def objection(change: RiskOverride) -> str:
    """Return why an override of a rule means nothing, or nothing."""
    rule, limit = change.rule, change.limit
    if rule in FIXED:
        return f"{rule} cannot be lifted; can be: {', '.join(LIFTABLE)}"
    if rule not in LIFTABLE:
        return f"there is no rule {rule}; rules: {', '.join(LIFTABLE)}"
    if limit is not None and rule in LIMITLESS:
        return f"{rule} has no limit that another could replace; lift it whole, without one"
    if limit is not None and not (limit.is_finite() and limit >= 0):
        return f"{limit} is no limit of {rule}; it must be a number from 0 on"
    return ""


class Overrides:
    """The last override of each rule and scope; what ended by the clock holds no more."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], RiskOverride] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any, ended ones included."""
        return bool(self._known)

    def restore(self, overrides: Iterable[RiskOverride]) -> None:
        """Take up what operators said before."""
        for change in overrides:
            if not objection(change):
                self.take(change)

    def take(self, change: RiskOverride) -> None:
        """Take an operator's word in the place of an earlier one."""
        self._known[change.rule, change.scope] = change

    def lets(self, rule: str, value: float, limit: float, now: int) -> bool:
        """Tell whether an override for the whole account lets a rule pass at `value`."""
        verdict = RuleVerdict(rule, False, Decimal(repr(value)), Decimal(repr(limit)))
        return self.lift(verdict, ("*",), now).passed

    def lift(self, verdict: RuleVerdict, scopes: Sequence[str], now: int) -> RuleVerdict:
        """Return the verdict, passed where an override in one of `scopes` lets it at `now`."""
        if verdict.passed or verdict.rule in FIXED:
            return verdict
        for scope in scopes:
            change = self._known.get((verdict.rule, scope))
            if change is not None and now <= change.valid_until and _lets(change, verdict):
                text = f"{verdict.text}; lifted by {change.actor}: {change.reason}"
                return verdict._replace(passed=True, text=text)
        return verdict


def _lets(change: RiskOverride, verdict: RuleVerdict) -> bool:
    """Tell whether an override covers a value: any, or one within the limit it sets instead.

    A value below its limit failed a least, so it is held to a least again.
    """
    if change.limit is None:
        return True
    value, limit = verdict.value, verdict.limit
    if value is None:
        return False
    if limit is not None and value < limit:
        return value >= change.limit
    return value <= change.limit
