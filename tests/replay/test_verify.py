"""A journal that follows from its inputs is proven; one that does not is told where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from tests.replay.house import LIVE, a_while, plan, probe, query, record, until, verified
from tests.replay.planted import Forgetful, Stumbling
from tradeagent.agents.risk import Risk
from tradeagent.app import Daemon
from tradeagent.clock import breathe
from tradeagent.messages import Message, PositionUpdate, RiskOverride, TrackRecord, TradingMode
from tradeagent.storage.records import SqlRecords


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of a simulated demo."""
    return record(plan(), tmp_path_factory.mktemp("replay") / "state", 2)


def test_an_honest_run_is_proven(run: Path) -> None:
    """Every derived message of a run comes again, and all entries were looked at."""
    report = verified(run)

    assert report.proven, report
    (only,) = report.runs
    assert only.inputs + only.derived == report.entries
    derived = query(run, "SELECT count(*) FROM journal WHERE derived = 1")
    assert [(only.derived,)] == derived
    assert only.derived > 100


async def troubled(daemon: Daemon) -> None:
    """Halt, resume, lift a rule and flatten while a live clock runs."""
    for bars, rule, mode in (
        (30, "STATE", TradingMode.HALTED),
        (60, "STATE", TradingMode.ACTIVE),
        (90, "GROSS", None),
        (150, "STATE", TradingMode.FLATTENING),
        (180, "STATE", TradingMode.ACTIVE),
        (260, "STATE", TradingMode.REDUCE_ONLY),
        (300, "STATE", TradingMode.ACTIVE),
        (400, "STATE", TradingMode.HALTED),
    ):
        await until(daemon, bars)
        wish = RiskOverride(
            rule=rule, mode=mode, reason="test", actor="test", valid_until=daemon.clock.now() * 2
        )
        daemon.bus.publish(wish, "operator")


def test_live_runs_with_halts_overrides_and_a_restart_are_proven(tmp_path: Path) -> None:
    """What operators do, real time and a second start change nothing."""
    for _ in range(2):
        record(plan(**LIVE), tmp_path / "state", meanwhile=troubled)

    report = verified(tmp_path / "state")

    assert report.proven, report
    assert len(report.runs) == 2


def test_an_agent_that_fails_and_is_made_anew_is_followed(tmp_path: Path) -> None:
    """A failure that does not come again, and all that followed from it, come out as they did."""
    made = plan(**LIVE, **probe("Stumbling"))
    Stumbling.stumbles = 0
    record(made, tmp_path / "state", meanwhile=a_while)
    assert Stumbling.stumbles == 1
    fallen = query(
        tmp_path / "state",
        "SELECT payload FROM journal WHERE type = 'ATTENDANCE' AND source = 'supervisor'",
    )
    assert fallen

    report = verified(tmp_path / "state")

    assert report.proven, report


def test_an_agent_that_always_fails_is_followed_until_it_is_given_up(tmp_path: Path) -> None:
    """What waits for an agent that is down, dead letters and its end come out as they did."""
    patient = plan(**LIVE, **probe("Hopeless"))
    record(patient, tmp_path / "state", meanwhile=a_while)

    report = verified(tmp_path / "state")

    assert report.proven, report
    dead = "SELECT 1 FROM incidents WHERE code = 'DEAD_LETTER'"
    assert query(tmp_path / "state", dead)


def test_an_agent_that_answers_with_what_is_no_message_is_followed(tmp_path: Path) -> None:
    """What it returns is found wrong only once it has returned: that is a failure of its own, which
    comes again, as does that a message is put aside for it."""
    record(plan(**LIVE, **probe("Mumbling")), tmp_path / "state", meanwhile=a_while)

    report = verified(tmp_path / "state")

    assert report.proven, report
    assert not [one for run in report.runs for one in run.trusted]
    dead = "SELECT 1 FROM incidents WHERE code = 'DEAD_LETTER'"
    assert query(tmp_path / "state", dead)


def test_what_a_slow_handler_says_and_when_is_an_input(tmp_path: Path) -> None:
    """An agent that thinks for a while is followed through what waited for it."""
    record(plan(**LIVE, **probe("Thinking")), tmp_path / "state", meanwhile=a_while)

    report = verified(tmp_path / "state")

    assert report.proven, report


RECORD = """
import sys
from pathlib import Path
from tests.replay.house import plan, probe, record
for _ in range(int(sys.argv[3])):
    record(plan(**probe(sys.argv[2])), Path(sys.argv[1]), 1)
"""


def elsewhere(state: Path, name: str, times: int = 1, seed: str = "1") -> None:
    """Record runs with a planted agent in a process of its own."""
    subprocess.run(
        [sys.executable, "-c", RECORD, str(state), name, str(times)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
        timeout=60,
    )


VERIFY = """
import sys, json
from pathlib import Path
from tests.replay.house import verified
report = verified(Path(sys.argv[1]))
print(json.dumps([report.proven, [list(one) for one in report.differences]]))
"""


def verified_elsewhere(state: Path, seed: str = "2") -> tuple[bool, list[list[object]]]:
    """Verify in a process of its own; returns whether it is proven, and the differences."""
    said = subprocess.run(
        [sys.executable, "-c", VERIFY, str(state)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    proven, differences = json.loads(said.stdout)
    return proven, differences


@pytest.mark.parametrize("name", ["Unordered", "Watchful"])
def test_nondeterminism_is_found_where_it_shows_first(tmp_path: Path, name: str) -> None:
    """The order of a set and the clock on the wall are named at the first entry they made."""
    state = tmp_path / "state"
    elsewhere(state, name)
    first = query(state, "SELECT min(seq) FROM journal WHERE source = 'probe' AND derived = 1")[0][
        0
    ]

    proven, differences = verified_elsewhere(state)

    assert not proven
    assert differences[0][0] == first


def test_a_counter_that_outlives_a_restart_is_found(tmp_path: Path) -> None:
    """State that no journal tells is found in the first run that it reached."""
    state = tmp_path / "state"
    elsewhere(state, "Counter", times=1)
    elsewhere(state, "Counter", times=1)
    second = query(
        state,
        "SELECT min(seq) FROM journal WHERE source = 'probe' AND derived = 1 AND epoch = 2",
    )[0][0]

    proven, differences = verified_elsewhere(state)

    assert not proven
    assert differences[0][0] == second


def test_the_daemons_clock_is_no_clock_for_a_decision(tmp_path: Path) -> None:
    """An agent that asks for the time, and not for that of its message, is found out."""
    record(plan(**LIVE, **probe("Impatient")), tmp_path / "state", meanwhile=a_while)

    report = verified(tmp_path / "state")

    assert report.refuted
    assert "probe ANALYSIS" in report.differences[0].journal


def test_messages_too_many_and_too_few_are_told_with_their_cause(tmp_path: Path) -> None:
    """What comes now and did not then is told at the entry that led to it, and the reverse."""
    Forgetful.made = 1
    state = record(plan(**probe("Forgetful")), tmp_path / "state", 1)

    Forgetful.made = 2
    more = verified(state).differences[0]
    Forgetful.made = 0
    fewer = verified(state).differences[0]

    bar = query(state, "SELECT min(seq) FROM journal WHERE type = 'MARKET_DATA'")[0][0]
    assert (more.seq, more.what) == (bar, "a message came that is not in the journal")
    assert fewer.what == "no such message came"
    assert query(state, "SELECT cause FROM journal WHERE seq = ?", fewer.seq) == [(bar,)]


def test_a_trip_that_ends_in_a_failing_risk_is_found_and_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Risk fails on the very message that closes a position: the trip is told once it is back, by
    an input, every closing has its record, and the run follows from its inputs."""
    position, failed = Risk.position, list[PositionUpdate]()

    def stumble(self: Risk, update: PositionUpdate) -> list[Message]:
        if not failed and not update.size and self.trips.edge("breakout").trades >= 1:
            failed.append(update)
            raise ValueError("stumbled")
        return position(self, update)

    stumble.__dict__.update(position.__dict__)
    monkeypatch.setattr(Risk, "position", stumble)

    async def enough(daemon: Daemon) -> None:
        while not failed or "risk" in _down(daemon):
            await breathe()
        await until(daemon, daemon.tally.bars + 300)

    state = record(plan(**LIVE), tmp_path / "state", meanwhile=enough)
    report = verified(state)
    assert report.proven, report
    told = _said(state, TrackRecord)
    late = [one for derived, one in told if not derived and isinstance(one, TrackRecord)]
    assert failed[0].symbol in {one.symbol for one in late}
    held: dict[tuple[str, str], Decimal] = {}
    closed = 0
    for _, update in _said(state, PositionUpdate):
        assert isinstance(update, PositionUpdate)
        for part in update.parts:
            before = held.get((part.strategy, update.symbol), Decimal(0))
            closed += bool(before) and before * part.size <= 0
            held[part.strategy, update.symbol] = part.size
    assert len(told) == closed


def _said(state: Path, kind: type[Message]) -> list[tuple[bool, Message]]:
    """Return (derived, message) of every message of a class in a journal."""
    records = SqlRecords.read(state / "journal.db")
    found = [(one.derived, one.message) for one in records.entries() if one.type == kind.wire]
    records.close()
    return found


def _down(daemon: Daemon) -> list[str]:
    return [name for name, life in daemon.supervisor.lives.items() if not life.inlet.up]


def test_a_live_run_over_midnight_is_proven(tmp_path: Path) -> None:
    """What an agent reports of its day begins with a message, not with the clock of its start."""
    fast = {**LIVE, "clock__speed": 60_000.0}
    origin = {"clock__origin": "2026-01-01T22:00:00Z"}
    record(plan(**fast, **origin), tmp_path / "state", meanwhile=partial(until, bars=600))
    told = "SELECT 1 FROM journal WHERE type = 'AUDIT_REPORT'"
    assert query(tmp_path / "state", told)

    report = verified(tmp_path / "state")

    assert report.proven, report
