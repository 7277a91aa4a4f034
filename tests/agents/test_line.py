"""Nothing new is opened while the venue cannot be relied on."""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from tests.agents.risk_desk import FREE, desk, judge, request
from tests.harness import START
from tradeagent.messages import ZERO, AccountUpdate, VenueBudget, VenueStatement, VenueStatus

Word = Literal["up", "down", "degraded", "statement"]


def statement() -> VenueStatement:
    """Return the statement of an empty account."""
    account = AccountUpdate(balance=ZERO, equity=ZERO, time=START)
    return VenueStatement(asked=START, time=START, account=account)


@given(st.lists(st.sampled_from(["up", "down", "degraded", "statement"]), min_size=1))
def test_entries_wait_for_a_statement_after_the_venue_is_back(words: list[Word]) -> None:
    """An entry passes only if nothing was ever wrong, or a statement came since the last `up`."""
    risk = desk(limits=FREE)
    for word in words:
        if word == "statement":
            risk.stated(statement())
        else:
            risk.reached(VenueStatus(state=word, reason="why", time=START))
    told = [word for word in words if word != "statement"]
    last = len(words) - 1 - words[::-1].index(told[-1]) if told else -1
    sound = not told or (words[last] == "up" and "statement" in words[last:])

    verdict = judge(risk, request())

    assert verdict.approved == sound
    assert ("FRESH" in verdict.reasons) == (not sound)


def test_an_exit_passes_while_the_venue_is_away_and_out_of_actions() -> None:
    """What makes the account smaller waits for neither line nor budget."""
    risk = desk(limits=FREE)
    held = judge(risk, request())
    assert held.approved
    risk.reached(VenueStatus(state="down", reason="why", time=START))
    risk.allowed(VenueBudget(used=10_000, allowed=10_000, time=START))

    entry = judge(risk, request(intent_id="another"))

    assert {"FRESH", "VENUE_BUDGET"} <= set(entry.reasons)
    assert not {"FRESH", "VENUE_BUDGET"} & set(
        judge(risk, request(intent_id="exit", reduce_only=True)).reasons
    )
