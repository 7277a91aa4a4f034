"""The suites of order safety catch the bugs they are for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.safety.judge import differences
from tests.safety.pair import Pair, within
from tests.safety.test_faults import Switch, turn, weather
from tests.safety.test_kills import kill_at_random, live, prove
from tests.safety.test_lease import SUPERSEDED, take_over

pytestmark = pytest.mark.timeout(600)
Scenario = Callable[[Pair], None]


def kills(pair: Pair) -> None:
    """Kill it a few times, and prove that nothing came of it."""
    kill_at_random(pair, 5, seed=4)
    prove(pair, 0, SOON)


def storms(*switches: Switch) -> Scenario:
    """Return a scenario of a few storms of one kind."""

    def blow(pair: Pair) -> None:
        pair.start().until_said("fill ")
        for _ in range(4):
            assert weather(pair, list(switches), SOON) == []

    return blow


def takeover(pair: Pair) -> None:
    """Let another daemon take over."""
    pair.start().until_said("fill ")
    assert take_over(pair) == SUPERSEDED
    assert pair.settle(SOON) == []


def deafness(pair: Pair) -> None:
    """Let the venue not answer what is held, while something is."""
    daemon = pair.start()
    daemon.until_said("fill ")
    daemon.until(lambda: bool(pair.books[1].positions))
    pair.call("halt", reason="to keep what is held")
    live(pair, 1.5)
    turn(pair, {"switch": "lose", "type": "clearinghouseState", "seconds": 1})
    live(pair, 4.0)
    pair.venue.clear()
    assert within(SOON, lambda: differences(*pair.books)) == []


UNANSWERED: Switch = {"switch": "bad_gateway", "path": "exchange", "p": 0.7}
SOON = 12.0


@pytest.mark.parametrize(
    ("bug", "scenario"),
    [
        ("timeout_is_rejection", storms(UNANSWERED)),
        ("sent_before_it_is_recorded", kills),
        ("fills_not_told_apart", kills),
        ("tried_again_under_another_name", storms(UNANSWERED)),
        ("failed_query_is_flat", deafness),
        ("epoch_not_checked", takeover),
    ],
)
def test_a_planted_bug_makes_a_suite_fail(tmp_path: Path, bug: str, scenario: Scenario) -> None:
    """With the bug the very scenario fails that passes without it."""
    pair = Pair(tmp_path, planted=bug)
    try:
        with pytest.raises(AssertionError):
            scenario(pair)
    finally:
        pair.close()


def test_deafness_alone_makes_no_suite_fail(tmp_path: Path) -> None:
    """A position that cannot be asked for stays what it was."""
    pair = Pair(tmp_path)
    try:
        deafness(pair)
    finally:
        pair.close()


def test_a_slow_disk_alone_makes_no_suite_fail(tmp_path: Path) -> None:
    """What shows one of the bugs is no fault of its own."""
    pair = Pair(tmp_path, planted="slow_disk")
    try:
        kills(pair)
    finally:
        pair.close()
