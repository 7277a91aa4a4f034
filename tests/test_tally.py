"""What operators read of a run is counted from the messages themselves."""

from __future__ import annotations

import pytest

from tradeagent.messages import Envelope, RiskAssessment, RuleVerdict
from tradeagent.quant.rules import RULES
from tradeagent.tally import Tally


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_a_refusal_is_counted_by_each_rule_that_refused(code: str) -> None:
    """tradeagent_risk_rejections_total has a count for every rule, and none for what passed."""
    tally = Tally()
    inlet = tally.subscriber()
    refusal = RiskAssessment(
        intent_id="i",
        symbol="BTC",
        verdict="rejected",
        reasons=(code, "X"),
        rules=(RuleVerdict(code, passed=False, text="no"), RuleVerdict("FREE", passed=True)),
        strategy="a",
        expires_at=0,
    )
    inlet.hand = Envelope(refusal)
    for _ in range(2):
        inlet.handlers[RiskAssessment](refusal)

    assert dict(tally.rejections) == {code: 2, "X": 2}
    assert tally.approvals == 0
