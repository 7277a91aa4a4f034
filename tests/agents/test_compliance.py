"""Compliance says what is allowed, Risk holds entries to it, and the audit counts for itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from tests.agents.risk_desk import FREE, at, desk, hold, judge, leave, request
from tests.harness import START, Rig, bar
from tradeagent.agents.compliance import Compliance, ComplianceSettings
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AuditReport,
    Envelope,
    Fill,
    Message,
    Restriction,
    RiskAlert,
    RiskOverride,
    Severity,
    TaskRequest,
    TaskResult,
    TradingHours,
)

DAY = 86_400 * SECOND
D = Decimal


def officer(now: int = START, **settings: object) -> Compliance:
    """Return a Compliance agent with a message of that time in hand."""
    agent = Compliance(ComplianceSettings.model_validate(settings))
    inlet = Subscriber("compliance", {})
    inlet.hand = Envelope(bar(100))
    inlet.hand.ts = now
    agent.attach(None, inlet)  # type: ignore[arg-type]
    agent.told(agent.restriction)
    return agent


def test_settings_become_one_restriction() -> None:
    """Hours are minutes of the day by weekday, in order; the rest is as it was written."""
    settings = ComplianceSettings.model_validate(
        {
            "restricted": ["XRP"],
            "allowed": ["BTC"],
            "hours": {"fri": ["13:00-24:00", "00:00-12:30"], "mon": ["09:30-16:00"]},
            "max_orders_per_hour": 5,
            "max_notional_per_day": "1000.5",
        }
    )

    assert settings.restriction() == Restriction(
        restricted=("XRP",),
        allowed=("BTC",),
        hours=(
            TradingHours(weekday=0, opens=570, closes=960),
            TradingHours(weekday=4, opens=0, closes=750),
            TradingHours(weekday=4, opens=780, closes=1440),
        ),
        max_orders_per_hour=5,
        max_notional_per_day=D("1000.5"),
    )


@pytest.mark.parametrize(
    "hours", ["9:30-16:00", "09:30", "16:00-09:30", "09:60-10:00", "00:00-24:01", "a-b", "09:00-"]
)
def test_senseless_hours_are_refused(hours: str) -> None:
    """A span is HH:MM-HH:MM and ends after it begins."""
    with pytest.raises(ValidationError):
        ComplianceSettings.model_validate({"hours": {"mon": [hours]}})


@pytest.mark.parametrize(
    ("restriction", "words"),
    [
        ({"restricted": ("BTC",)}, "BTC is restricted"),
        ({"allowed": ("ETH",)}, "BTC is not among the symbols allowed"),
        ({"hours": (TradingHours(weekday=0, opens=0, closes=1440),)}, "outside the trading hours"),
        ({"max_notional_per_day": D(100)}, "entries of the day would be worth 1000"),
    ],
)
def test_risk_refuses_what_is_not_allowed_and_no_exit(
    restriction: dict[str, Any], words: str
) -> None:
    """Entries are refused by COMPLIANCE with the reason, which no override lifts; exits pass."""
    risk = desk(limits=FREE)
    risk.restricted(Restriction(**restriction))
    risk.override(RiskOverride(rule="COMPLIANCE", reason="r", actor="op", valid_until=START + DAY))
    hold(risk, "3")

    verdict = judge(risk, request())
    assert verdict.reasons == ("COMPLIANCE",)
    assert words in next(one.text for one in verdict.rules if not one.passed)
    assert judge(risk, leave("3")).approved

    risk.restricted(Restriction())
    assert judge(risk, request(intent_id="x")).approved


def test_orders_an_hour_and_notional_a_day_begin_anew() -> None:
    """Two entries an hour: the third passes once the first is an hour old; notional at midnight."""
    risk = desk(limits=FREE)
    risk.restricted(Restriction(max_orders_per_hour=2, max_notional_per_day=D(3000)))

    def entry(second: int) -> bool:
        at(risk, second)
        now = {"price_time": START + second * SECOND, "valid_until": START + (second + 1) * SECOND}
        return judge(risk, request(intent_id=f"{second}", size=D(10), **now)).approved

    assert [entry(0), entry(10), entry(20)] == [True, True, False]
    assert [entry(3599), entry(3600)] == [False, True]
    assert [entry(8000), entry(86_399)] == [False, False]
    assert entry(86_400)


def test_the_audit_counts_what_it_sees() -> None:
    """Entries, exits, refusals by rule, fills, fees and overrides of a day; then all is new."""
    agent, risk = officer(), desk(limits=FREE)
    hold(risk, "5")
    for wish in (
        request(),
        leave("2"),
        request(intent_id="x", size=D("0.00001")),
        request(intent_id="y", stop_plan=None, size=D(1)),
    ):
        assert agent.judged(judge(risk, wish)) == []
    fill = Fill(
        cloid="c", intent_id="i", tid="t", symbol="BTC", side="buy", size=D(2), price=D(100),
        fee=D("0.1"), liquidity="taker", time=START, strategy="a",
    )  # fmt: skip
    assert agent.filled(fill) == []
    agent.overridden(RiskOverride(rule="GROSS", reason="r", actor="op"))
    assert agent.look() == []

    report, result = agent.asked(TaskRequest(task_id="1", task="audit"))
    assert isinstance(report, AuditReport)
    assert (report.entries, report.exits, report.notional) == (1, 1, D(1000))
    assert (report.rejected, report.overrides) == (2, 1)
    assert report.refusals == {"GRID": 1, "MIN_NOTIONAL": 1, "STOP_PLAN": 1}
    assert (report.fills, report.traded, report.fees) == (1, D(200), D("0.1"))
    assert report.breaches == ()
    assert isinstance(result, TaskResult)
    assert result.results["entries"] == "1"
    assert agent.asked(TaskRequest(task_id="2", task="backtest")) == []

    assert agent.hand is not None
    agent.hand.ts = START + DAY
    (daily,) = agent.look()
    assert isinstance(daily, AuditReport)
    assert (daily.entries, daily.since, daily.until) == (1, START, START + DAY)
    again, _ = agent.asked(TaskRequest(task_id="3", task="audit"))
    assert isinstance(again, AuditReport)
    assert (again.entries, again.since) == (0, START + DAY)


@pytest.mark.parametrize(
    "settings",
    [
        {"restricted": ["BTC"]},
        {"allowed": ["ETH"]},
        {"hours": {"mon": ["00:00-24:00"]}},
        {"max_notional_per_day": 999},
    ],
)
def test_an_approval_that_breaks_the_restrictions_is_a_breach(settings: dict[str, object]) -> None:
    """Were Risk's rule gone, the audit would say so, critically, and keep it in the report."""
    agent, risk = officer(**settings), desk(limits=FREE)

    (alert,) = agent.judged(judge(risk, request()))

    assert isinstance(alert, RiskAlert)
    assert (alert.code, alert.severity) == ("COMPLIANCE_BREACH", Severity.CRITICAL)
    report, _ = agent.asked(TaskRequest(task_id="1", task="audit"))
    assert isinstance(report, AuditReport)
    assert len(report.breaches) == 1


def test_a_third_entry_within_the_hour_is_a_breach_of_two() -> None:
    """The audit has its own count of the last hour."""
    agent, risk = officer(max_orders_per_hour=2), desk(limits=FREE)
    found: list[Message] = []
    for number in range(3):
        found += agent.judged(judge(risk, request(intent_id=f"{number}")))

    (alert,) = found
    assert isinstance(alert, RiskAlert)
    assert "entry 3 within an hour, at most 2" in alert.evidence


async def test_what_is_allowed_is_told_at_the_start_where_it_is_news() -> None:
    """A daemon with restrictions says them once before it trades, and without any says nothing."""
    strict = ComplianceSettings(restricted=("BTC",))
    rig = Rig(extra=(lambda: Compliance(strict),))
    assert await rig.run()
    assert rig.heard(Restriction) == [strict.restriction()]

    free = Rig(extra=(lambda: Compliance(ComplianceSettings()),))
    await free.run()
    assert free.heard(Restriction) == []
