"""The continuous checks: each has its consequence, speaks once, and again after it was well."""

from __future__ import annotations

import pytest

from tradeagent.messages import CONSEQUENCES, Severity, TradingMode
from tradeagent.quant.rules import RULES, Limits
from tradeagent.quant.vitals import CHECKS, Check, Vitals, Watch, WatchSettings

LIMITS, SETTINGS = Limits(), WatchSettings()
CONSEQUENCE = {
    "DAILY_LOSS": TradingMode.REDUCE_ONLY,
    "DRAWDOWN": TradingMode.REDUCE_ONLY,
    "GROSS": None,
    "MARGIN": None,
    "LIQUIDATION": TradingMode.REDUCE_ONLY,
    "LIQUIDATION_NEAR": TradingMode.FLATTENING,
    "ACCOUNT_STALE": None,
    "HOLDING_BLIND": None,
    "UNPROTECTED": TradingMode.REDUCE_ONLY,
    "UNKNOWN_ORDERS": TradingMode.REDUCE_ONLY,
    "UNKNOWN_LONG": TradingMode.REDUCE_ONLY,
    "VENUE_REJECTS": TradingMode.REDUCE_ONLY,
}


def at(check: Check, part: float) -> Vitals:
    """Return vitals whose number for `check` is so much of its bound, on the side of breach."""
    bound = check.bound(LIMITS, SETTINGS)
    value = bound / part if check.at_least else bound * part
    return Vitals()._replace(**{check.measure: value})


def codes(watch: Watch, vitals: Vitals) -> list[str]:
    return [alert.code for alert in watch.look(vitals)]


def test_every_check_has_its_consequence() -> None:
    """The table of checks and severities leads to exactly these states."""
    assert {check.code: CONSEQUENCES[check.severity] for check in CHECKS} == CONSEQUENCE
    assert all(check.severity in Severity for check in CHECKS)
    assert {check.rule for check in CHECKS if check.rule} <= {rule.code for rule in RULES}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_speaks_once_from_beyond_its_limit(check: Check) -> None:
    """At the limit it is silent, beyond it speaks once, and again only after it was well within."""
    watch = Watch(LIMITS, SETTINGS)
    assert codes(watch, Vitals()) == []
    assert check.code not in codes(watch, at(check, 1.0))

    assert check.code in codes(watch, at(check, 1.001))
    assert check.code not in codes(watch, at(check, 1.002))
    assert check.code not in codes(watch, at(check, 0.99))
    assert check.code not in codes(watch, at(check, 1.001))

    codes(watch, at(check, 0.5))
    (alert,) = [one for one in watch.look(at(check, 1.001)) if one.code == check.code]
    assert alert.severity is check.severity
    assert alert.limit == check.bound(LIMITS, SETTINGS)
    assert alert.evidence


def test_an_override_quiets_the_check_of_its_rule() -> None:
    """What is lifted says nothing, and is told as soon as it is lifted no more."""
    watch, lost = Watch(LIMITS, SETTINGS), Vitals(day_loss=0.07)

    assert watch.look(lost, lambda rule, value, limit: rule == "DAILY_LOSS") == []
    assert [one.code for one in watch.look(lost, lambda rule, value, limit: False)] == [
        "DAILY_LOSS"
    ]


def test_a_fast_clock_gives_stops_more_of_its_time() -> None:
    """Orders take wall time: at 240 times its speed a position may be bare 240 times as long."""
    bare = Vitals(unprotected=100.0)

    assert codes(Watch(LIMITS, SETTINGS), bare) == ["UNPROTECTED"]
    assert codes(Watch(LIMITS, SETTINGS, 240.0), bare) == []


def test_a_simulated_clock_does_not_put_off_what_waits_for_the_venue() -> None:
    """There the venue answers in the clock's own time; only an accelerated one is given longer."""
    naked = Vitals(unprotected=61.0)

    def told(speed: float) -> list[str]:
        return [one.code for one in Watch(Limits(), WatchSettings(), speed).look(naked)]

    assert told(1.0) == told(float("inf")) == ["UNPROTECTED"]
    assert told(2.0) == []
