"""Overrides lift one rule in one scope, up to one limit, until one moment."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.agents.risk_desk import FREE, at, desk, fund, hold, judge, request
from tests.harness import START
from tradeagent.agents.overrides import Overrides
from tradeagent.clock import SECOND
from tradeagent.messages import RiskAlert, RiskOverride
from tradeagent.quant.protections import Lock
from tradeagent.quant.rules import FIXED, LIMITLESS, RULES

LATER = START + 100 * SECOND


def lift(rule: str, scope: str = "*", limit: str | None = None, until: int = LATER) -> RiskOverride:
    return RiskOverride(
        rule=rule,
        scope=scope,
        limit=None if limit is None else Decimal(limit),
        reason="once",
        actor="op",
        valid_until=until,
    )


@pytest.mark.parametrize(
    ("scope", "lifted"), [("*", True), ("BTC", True), ("a", True), ("ETH", False), ("b", False)]
)
def test_an_override_reaches_its_scope_alone(scope: str, lifted: bool) -> None:
    """A symbol, a strategy or everything; nothing else is touched."""
    risk = desk(limits={"max_gross_ratio": "0.01"})
    risk.override(lift("GROSS", scope))

    verdict = judge(risk, request())

    assert verdict.approved is lifted
    (gross,) = [one for one in verdict.rules if one.rule == "GROSS"]
    assert ("lifted by op: once" in gross.text) is lifted
    assert gross.value == Decimal("0.1")


def test_an_override_ends_by_the_clock() -> None:
    """It holds to its last nanosecond and not one longer."""
    risk = desk(limits={**FREE, "max_gross_ratio": "0.01"})
    risk.override(lift("GROSS"))
    at(risk, 100)
    fresh = {"price_time": LATER, "valid_until": LATER + SECOND}
    assert judge(risk, request(**fresh)).approved

    assert risk.hand is not None
    risk.hand.ts += 1
    assert judge(risk, request(intent_id="late", **fresh)).reasons == ("GROSS",)


@pytest.mark.parametrize(("size", "approved"), [("19.9", True), ("20", True), ("20.1", False)])
def test_an_override_with_a_limit_replaces_the_limit(size: str, approved: bool) -> None:
    """0.2 of equity instead of 0.01: at the new limit passes, above it does not."""
    risk = desk(limits={**FREE, "max_gross_ratio": "0.01"})
    risk.override(lift("GROSS", limit="0.2"))

    assert judge(risk, request(size=Decimal(size))).approved is approved


@pytest.mark.parametrize(("limit", "approved"), [("0.01", True), ("0.5", False)])
def test_a_least_is_replaced_by_a_least(limit: str, approved: bool) -> None:
    """Where a rule asks for at least so much, the override's limit is one as well."""
    risk = desk(limits={**FREE, "min_liquidation_distance_ratio": 1})
    risk.override(lift("LIQUIDATION", limit=limit))
    # 300 x 100 against 10,000: a distance of a third, less maintenance

    assert judge(risk, request(size=Decimal(300))).approved is approved


def test_fixed_rules_stay() -> None:
    """No override lifts what is fixed, whatever its scope."""
    risk = desk(sources=("b",))
    for code in FIXED:
        risk.override(lift(code))

    verdict = judge(risk, request(size=Decimal("0.00001"), stop_plan=None))

    assert {"SOURCE", "GRID"} <= set(verdict.reasons)
    assert {rule.code for rule in RULES} >= FIXED


def test_a_lock_can_be_lifted() -> None:
    """COOLDOWN lifts what protections locked."""
    risk = desk(limits=FREE)
    risk.protections.add(Lock("STOP_GUARD", "BTC", LATER, "4 stops"))
    assert judge(risk, request()).reasons == ("COOLDOWN",)

    risk.override(lift("COOLDOWN", "BTC"))
    assert judge(risk, request(intent_id="x")).approved


def test_a_lifted_day_is_not_told_until_it_is_no_more() -> None:
    """The continuous check keeps quiet up to the override's limit, and speaks above it."""
    risk = desk()
    hold(risk, "10", "160")
    risk.override(lift("DAILY_LOSS", limit="0.07"))
    assert risk.monitor_risk() == []

    hold(risk, "10", "180")
    (alert,) = risk.monitor_risk()
    assert isinstance(alert, RiskAlert)
    assert alert.code == "DAILY_LOSS"
    assert risk.monitor_risk() == []


def test_drawdown_is_measured_from_the_highest_equity() -> None:
    """Below three quarters of the most the venue ever told, entries are refused."""
    risk = desk(limits={"max_daily_loss_ratio": 1})
    fund(risk, "20000")
    fund(risk, "15000")
    assert judge(risk, request()).approved

    fund(risk, "14999")
    assert judge(risk, request(intent_id="x", size=Decimal(1))).reasons == ("DRAWDOWN",)


def test_every_rule_is_lifted_whole_replaced_or_fixed() -> None:
    """Of each rule it stands which overrides mean something, and Risk says what does not."""
    whole = {"RATE", "SELF_TRADE", "COOLDOWN"}
    assert whole == LIMITLESS
    for rule in RULES:
        for limit in (None, "0", "1.5", "-1", "NaN"):
            risk = desk()
            change = lift(rule.code).model_copy(
                update={"limit": None if limit is None else Decimal(limit)}
            )
            said = risk.override(change)
            good = not rule.fixed and (
                limit is None or (rule.code not in whole and limit not in ("-1", "NaN"))
            )
            assert bool(risk.overrides) is good, (rule.code, limit)
            assert [one.code for one in said] == ([] if good else ["OVERRIDE_REFUSED"])


def test_what_means_nothing_is_not_taken_up_after_a_restart_either() -> None:
    """An old override of SELF_TRADE with a limit, as an earlier version took it, lifts nothing."""
    overrides = Overrides()
    overrides.restore([lift("SELF_TRADE", limit="1000"), lift("NO_SUCH_RULE"), lift("STATE")])
    assert not overrides
