"""Whoever rewrites a run and mends its chain is found out by what the agents decide again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replay.forger import Row, forgeries, read, renumbered, write
from tests.replay.house import LIVE, a_while, plan, probe, record, verified
from tests.replay.planted import Stumbling
from tradeagent.messages import Attendance

MARKET: dict[str, object] = {
    "feeds": [{"type": "generated", "seed": 5, "timeframes": ["1m"], "tick_seconds": 60}],
    "watchlist": ["BTC", "ETH"],
}
CLOSE = 12
"""Entries between a lie and the entry that is named, at most."""


@dataclass
class Run:
    """A run in a state directory that may be spoilt, and its rows as they were."""

    state: Path
    rows: list[Row]
    exact: bool


@pytest.fixture(scope="module", params=["simulated", "live"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run of two symbols and three strategies that trade."""
    state = tmp_path_factory.mktemp("forged") / "state"
    exact = request.param == "simulated"
    if exact:
        record(plan(seed=5, **MARKET), state, 2)
    else:
        record(plan(seed=5, **LIVE, **MARKET), state, meanwhile=a_while)
    assert verified(state).proven
    return Run(state, read(state), exact)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(way=st.integers(0, 6), seed=st.integers(0, 1 << 32))
def test_no_forgery_of_a_decision_goes_unnoticed(run: Run, way: int, seed: int) -> None:
    """One decision dropped, moved, changed, put in or doubled, or an agent's absence put in:
    verification names an entry close by."""
    forged = forgeries(exact=run.exact)[way](run.rows, Random(seed))
    write(run.state, forged.rows)

    report = verified(run.state)

    assert report.broken is None
    assert report.refuted, forged.what
    nearest = min(abs(one.seq - forged.seq) for one in report.differences)
    assert nearest <= CLOSE, (forged.what, forged.seq, report.differences[:3])


def test_a_rewritten_but_equal_journal_is_proven(run: Run) -> None:
    """The forger's own hand leaves no trace: what it reports comes from the lie."""
    write(run.state, renumbered(run.rows))

    assert verified(run.state).proven


def told(state: Path, rows: list[Row]) -> list[tuple[int, str]]:
    """Return what a verification names."""
    write(state, rows)
    return [(one.seq, one.what) for one in verified(state).differences]


def failing(rows: list[Row], at: int, agent: str, **words: int) -> list[Row]:
    """Return rows with one put in that says that an agent went down."""
    body = Attendance(agent=agent, state="down", **words).model_dump_json().encode()
    before = rows[at]
    row = Row(0, before.ts, Attendance.wire, "supervisor", before.epoch, 0, 0, 0, body)
    return renumbered([*rows[: at + 1], row, *rows[at + 1 :]])


def test_a_failure_does_not_excuse_a_missing_decision(run: Run) -> None:
    """A verdict cannot be left out by saying that Risk failed on the request."""
    at = next(index for index, row in enumerate(run.rows) if row.type == "ORDER_REQUEST")
    verdict = next(row for row in run.rows if row.cause == run.rows[at].seq)
    without = [row for row in run.rows if row is not verdict]
    seq = run.rows[at].seq

    aside = told(run.state, failing(without, at, "risk", failed=seq))

    assert aside
    assert aside[0][0] in (seq, seq + 1)
    expected = "risk cannot go down here" if run.exact else f"{seq} waits for risk, not none"
    assert expected in [what for _, what in aside]


@pytest.mark.parametrize("run", ["simulated"], indirect=True)
def test_a_failure_of_a_simulation_is_refuted_at_its_number(run: Run) -> None:
    """Under a simulated clock a failure ends the run, so no agent goes down and comes back."""
    at = len(run.rows) // 2
    for agent in ("data", "risk", "compliance"):
        assert told(run.state, failing(run.rows, at, agent)) == [
            (run.rows[at].seq + 1, f"{agent} cannot go down here")
        ]


def test_a_failure_that_does_not_come_again_is_said(tmp_path: Path) -> None:
    """It proves nothing against a live run, but nobody is left to believe that it was seen."""
    Stumbling.stumbles = 0
    state = record(plan(**LIVE, **probe("Stumbling")), tmp_path / "state", meanwhile=a_while)

    report = verified(state)

    assert report.proven, report
    (one,) = report.runs[0].trusted
    fallen = next(row for row in read(state) if row.type == Attendance.wire and row.told["failed"])
    assert one.seq == fallen.seq
    assert one.what == f"probe failed on {fallen.told['failed']} and does not now"
    assert Stumbling.stumbles == 1


def test_a_second_failure_must_come_again(tmp_path: Path) -> None:
    """A message is put aside for good only if its agent cannot handle it now, either."""
    Stumbling.stumbles = 0
    state = record(plan(**LIVE, **probe("Stumbling")), tmp_path / "state", meanwhile=a_while)
    rows = read(state)
    down = next(
        at for at, row in enumerate(rows) if row.type == "ATTENDANCE" and row.told["failed"]
    )
    up = next(
        at for at, row in enumerate(rows[down:], down) if row.told.get("restored") and at > down
    )
    again = rows[down].telling(waiting=0)
    back = rows[up].telling(restored=rows[up].seq - 1)
    twice = [*rows[: up + 1], *(row for row in (again, back)), *rows[up + 1 :]]
    made = [
        row if at not in (up + 1, up + 2) else Row(**{**vars(row), "ts": rows[up].ts, "was": 0})
        for at, row in enumerate(twice)
    ]

    found = told(state, renumbered(made))

    words = f"probe does not fail on {rows[down].told['failed']}, so that is not put aside"
    assert (rows[up].seq + 1, words) in found


def test_rows_of_another_run_or_hour_are_told(run: Run, tmp_path: Path) -> None:
    """Time and epoch of a decision are compared like its content."""
    at = next(index for index, row in enumerate(run.rows) if row.type == "RISK_ASSESSMENT")
    row = run.rows[at]

    def with_row(**changes: int) -> list[Row]:
        return [*run.rows[:at], Row(**{**vars(row), **changes}), *run.rows[at + 1 :]]

    assert told(run.state, with_row(epoch=7)) == [(row.seq, "another run's epoch")]
    early = told(run.state, with_row(ts=run.rows[at - 1].ts - 1))
    assert early[0][0] == row.seq
    if run.exact:
        assert told(run.state, with_row(ts=row.ts + 1))[0] == (row.seq, "another time")
