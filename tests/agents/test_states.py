"""The trading state goes down by itself, and up only by an operator with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.agents.risk_desk import FREE, at, desk, judge, request
from tests.harness import START
from tradeagent.agents.states import AUTOMATIC, BY_OPERATOR
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CONSEQUENCES,
    Incident,
    Message,
    Release,
    RiskAlert,
    RiskOverride,
    Severity,
    Share,
    TradingMode,
    TradingState,
)
from tradeagent.quant.vitals import CHECKS

D = Decimal
M = TradingMode
DEPTH = [M.ACTIVE, M.REDUCE_ONLY, M.FLATTENING, M.HALTED, M.SAFE_MODE, M.LOCKED]
"""From the freest state down."""


def test_every_state_has_its_row_and_none_leads_up_by_itself() -> None:
    """The table is whole; by themselves states lead only further down, and an operator's reach
    is never less."""
    assert set(AUTOMATIC) == set(BY_OPERATOR) == set(M)
    for state, further in AUTOMATIC.items():
        assert all(DEPTH.index(one) > DEPTH.index(state) for one in further)
        assert further <= BY_OPERATOR[state]
        assert state not in BY_OPERATOR[state]
    assert BY_OPERATOR[M.LOCKED] == frozenset()
    assert all(M.HALTED in AUTOMATIC[one] for one in DEPTH[:3])


WORDS = st.one_of(
    st.builds(Incident, code=st.just("X"), severity=st.sampled_from(Severity)),
    st.builds(RiskAlert, code=st.just("X"), severity=st.sampled_from(Severity)),
    st.builds(
        TradingState,
        mode=st.sampled_from(M),
        previous=st.just(M.ACTIVE),
        reason=st.just("r"),
        actor=st.just("supervisor"),
        since=st.just(START),
    ),
    st.builds(
        RiskOverride,
        rule=st.just("STATE"),
        mode=st.none() | st.sampled_from(M),
        reason=st.just("looked"),
        actor=st.just("operator"),
    ),
    st.builds(
        RiskOverride,
        rule=st.just("GROSS"),
        mode=st.none() | st.sampled_from(M),
        reason=st.just("looked"),
        actor=st.just("operator"),
    ),
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_only_an_operators_word_leads_up(words: list[Message]) -> None:
    """Whatever comes in whatever order, every step up was an operator's, as the table allows; each
    step of our own is told with the state before and after."""
    risk = desk()
    answers: dict[type[Message], Any] = {
        Incident: risk.incident,
        RiskAlert: risk.alerted,
        TradingState: risk.obey,
        RiskOverride: risk.override,
    }
    for word in words:
        before = risk.brake.mode
        said = answers[type(word)](word)
        after = risk.brake.mode
        if after is before:
            assert [one for one in said if isinstance(one, TradingState)] == []
            continue
        if DEPTH.index(after) < DEPTH.index(before):
            assert isinstance(word, RiskOverride)
            assert word.rule == "STATE"
            assert after is word.mode
            assert after in BY_OPERATOR[before]
        if not isinstance(word, TradingState):
            (told,) = said
            assert (told.previous, told.mode) == (before, after)
            assert told.reason


@pytest.mark.parametrize("missing", ["reason", "actor"])
def test_an_operator_gives_name_and_reason(missing: str) -> None:
    """An override with an empty reason or actor is no message."""
    with pytest.raises(ValidationError):
        RiskOverride.model_validate(
            {"rule": "STATE", "mode": "ACTIVE", "reason": "r", "actor": "a", missing: ""}
        )


def test_what_is_not_allowed_is_told() -> None:
    """LOCKED stays, and says how it ends."""
    risk = desk()
    risk.brake.mode = M.LOCKED
    (alert,) = risk.override(
        RiskOverride(rule="STATE", mode=M.ACTIVE, reason="please", actor="operator")
    )

    assert isinstance(alert, RiskAlert)
    assert alert.code == "STATE_KEPT"
    assert "--unlock" in alert.evidence
    assert risk.brake.mode is M.LOCKED


@pytest.mark.parametrize("scope", ["*", "BTC", "a", "b"])
def test_a_lock_acts_whoever_tells_it(scope: str) -> None:
    """An alert with an end locks its scope, be its author who it may; an old one locks nothing."""
    risk = desk(limits=FREE)
    both = (Share(strategy="a", part=D("0.5")), Share(strategy="b", part=D("0.5")))
    said = risk.alerted(
        RiskAlert(code="NEWS", severity=Severity.WARNING, scope=scope, until=START + SECOND)
    )
    assert said == []
    risk.alerted(RiskAlert(code="OLD", severity=Severity.WARNING, scope="ETH", until=START))

    assert judge(risk, request(shares=both)).reasons == ("COOLDOWN",)
    other = judge(risk, request(intent_id="x", symbol="ETH", strategy="c"))
    assert other.approved is (scope != "*")
    at(risk, 1)
    assert judge(risk, request(intent_id="y", price_time=START + SECOND)).approved


@pytest.mark.parametrize("code", [*(check.code for check in CHECKS), "ANY"])
@pytest.mark.parametrize("severity", Severity)
def test_an_alert_has_its_consequence_whoever_tells_it(severity: Severity, code: str) -> None:
    """Told from outside, each alert leads to the state its severity stands for, as our own does."""
    risk = desk()
    said = risk.alerted(RiskAlert(code=code, severity=severity, evidence="told by another"))

    mode = CONSEQUENCES[severity]
    assert risk.brake.mode is (mode or M.ACTIVE)
    assert [one.mode for one in said if isinstance(one, TradingState)] == ([mode] if mode else [])


@pytest.mark.parametrize("ends", [M.LOCKED, M.SAFE_MODE])
@pytest.mark.parametrize("mode", M)
def test_a_start_releases_only_what_it_names(mode: TradingMode, ends: TradingMode) -> None:
    """LOCKED and SAFE_MODE end by a start that says so, and no other state does."""
    risk = desk()
    risk.brake.mode = mode
    said = risk.released(Release(ends=ends, to=M.HALTED, reason="looked", actor="ann"))

    assert risk.brake.mode is (M.HALTED if mode is ends else mode)
    if mode is ends:
        (told,) = said
        assert isinstance(told, TradingState)
        assert (told.previous, told.actor, told.reason) == (ends, "ann", "looked")
    else:
        assert said == []
