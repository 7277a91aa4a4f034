"""A journal that follows from its inputs is proven; one that does not is told where."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.replay.house import plan, probe, query, record, verified
from tests.replay.planted import Forgetful, Stumbling
from tradeagent.app import Daemon
from tradeagent.clock import breathe
from tradeagent.messages import RiskOverride, TradingMode
from tradeagent.storage.chain import holds
from tradeagent.storage.records import SqlRecords


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of a simulated demo."""
    return record(plan(), tmp_path_factory.mktemp("replay") / "state", 2)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some minutes of one."""
    return record(plan(), tmp_path_factory.mktemp("replay") / "state", 0.3)


def copy(state: Path, place: Path) -> Path:
    """Return a copy of a state directory."""
    subprocess.run(["cp", "-r", str(state), str(place)], check=True)
    return place


def test_an_honest_run_is_proven(run: Path) -> None:
    """Every derived message of a run comes again, and all entries were looked at."""
    report = verified(run)

    assert report.proven, report
    (only,) = report.runs
    assert only.inputs + only.derived == report.entries
    derived = query(run, "SELECT count(*) FROM journal WHERE derived = 1")
    assert [(only.derived,)] == derived
    assert only.derived > 100


def until(daemon: Daemon, bars: int) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        while daemon.tally.bars < bars:
            await breathe()

    return wait


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
        await until(daemon, bars)()
        wish = RiskOverride(
            rule=rule, mode=mode, reason="test", actor="test", valid_until=daemon.clock.now() * 2
        )
        daemon.bus.publish(wish, "operator")


LIVE = {"clock__mode": "accelerated", "clock__speed": 4000.0}


def test_live_runs_with_halts_overrides_and_a_restart_are_proven(tmp_path: Path) -> None:
    """What operators do, real time and a second start change nothing."""
    for _ in range(2):
        record(plan(**LIVE), tmp_path / "state", meanwhile=troubled)

    report = verified(tmp_path / "state")

    assert report.proven, report
    assert len(report.runs) == 2


async def a_while(daemon: Daemon) -> None:
    await until(daemon, 300)()


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


# -- tampering ------------------------------------------------------------------------------------

CELLS = (
    *("ts", "type", "source", "epoch", "cause", "trace", "derived"),
    *("payload", "prev_hash", "hash"),
)


@pytest.mark.parametrize("number", range(50))
def test_one_flipped_byte_is_told_by_its_number(short: Path, tmp_path: Path, number: int) -> None:
    """A byte changed in any cell of any entry is reported by the entry's number."""
    chosen = random.Random(number)
    state = copy(short, tmp_path / "state")
    seqs = [row[0] for row in query(state, "SELECT seq FROM journal")]
    seq, cell = chosen.choice(seqs), CELLS[number % len(CELLS)]
    value = query(state, f"SELECT {cell} FROM journal WHERE seq = ?", seq)[0][0]
    if isinstance(value, int):
        query(
            state,
            f"UPDATE journal SET {cell} = ? WHERE seq = ?",
            value ^ 1 << chosen.randrange(8),
            seq,
        )
    else:
        raw = bytearray(value.encode() if isinstance(value, str) else value)  # type: ignore[arg-type]
        raw[chosen.randrange(len(raw))] ^= 1 << chosen.randrange(8)
        kind = "TEXT" if isinstance(value, str) else "BLOB"
        query(
            state, f"UPDATE journal SET {cell} = CAST(? AS {kind}) WHERE seq = ?", bytes(raw), seq
        )

    report = verified(state)

    assert (report.broken, report.proven, report.refuted) == (seq, False, True)


def test_a_decision_that_was_changed_together_with_the_chain_is_found(
    run: Path, tmp_path: Path
) -> None:
    """Who forges a decision and mends every hash after it is found out by the decision itself."""
    from hashlib import sha256

    state = copy(run, tmp_path / "state")
    records = SqlRecords.read(state / "journal.db")
    rows = [list(row) for row in records.rows()]
    records.close()
    forged = next(row for row in rows if row[2] == "RISK_ASSESSMENT" and b'"approved"' in row[9])
    forged[9] = forged[9].replace(b'"approved"', b'"resized"')
    previous = bytes(32)
    for row in rows:
        seq, ts, wire, source, epoch, cause, trace, derived, _, body, *_ = row
        head = f"{seq}|{ts}|{epoch}|{cause}|{trace}|{derived}|{wire}|{len(source)}|{source}|"
        row[10], row[11] = previous, sha256(previous + head.encode() + body).digest()
        assert holds(row, previous)
        previous = row[11]
    query(state, "DELETE FROM journal")
    with closing(sqlite3.connect(state / "journal.db")) as writer:
        writer.executemany(f"INSERT INTO journal VALUES ({', '.join('?' * 12)})", rows)
        writer.commit()
    (noted,) = query(
        state, "SELECT value FROM runtime_state WHERE type = 'STORE' AND name = 'head'"
    )
    head_note = json.loads(str(noted[0]))
    head_note[2] = previous.hex()
    query(
        state,
        "UPDATE runtime_state SET value = ? WHERE type = 'STORE' AND name = 'head'",
        json.dumps(head_note),
    )

    report = verified(state)

    assert report.broken is None
    assert [one.seq for one in report.differences] == [forged[0]]


# -- what is not at hand --------------------------------------------------------------------------


def _no_settings(state: Path) -> None:
    for path in (state / "settings").iterdir():
        path.unlink()


def _other_settings(state: Path) -> None:
    (path,) = (state / "settings").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"BTC"', b'"ETH"', 1))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(_no_settings, "is not there"), (_other_settings, "was changed")],
    ids=["lost", "changed"],
)
def test_a_run_whose_settings_are_not_at_hand_is_not_passed(
    run: Path, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    """Settings that are gone or are not those of the run: the run is not verifiable, and why."""
    state = copy(run, tmp_path / "state")
    spoil(state)

    report = verified(state)

    assert (report.proven, report.refuted) == (False, False)
    assert why in report.runs[0].unproven


def test_a_live_run_without_its_key_is_not_passed(tmp_path: Path) -> None:
    """Seals cannot be computed again without the key; no new one is made."""
    state = record(plan(**LIVE), tmp_path / "state", meanwhile=a_while)
    (state / "seal.key").unlink()

    report = verified(state)

    assert "key of its seals" in report.runs[0].unproven
    assert not (state / "seal.key").exists()


def test_no_secret_is_kept_with_the_settings(tmp_path: Path) -> None:
    """A password in a URL and a value under a telling name are not in the state directory."""
    made = plan(
        bus__url="memory://me:hunter2@here",
        **probe("Keyed"),
        agents__probe__api_key="hunter3",
        agents__probe__source="https://me:hunter4@here/",
    )
    record(made, tmp_path / "state", 0.1)

    kept = b"".join(path.read_bytes() for path in (tmp_path / "state" / "settings").iterdir())
    assert b"hunter" not in kept
    assert verified(tmp_path / "state").proven


def test_verification_writes_nothing(run: Path, tmp_path: Path) -> None:
    """Every file of the state directory is byte for byte what it was."""
    state = copy(run, tmp_path / "state")

    def content() -> dict[str, bytes]:
        return {
            path.relative_to(state).as_posix(): path.read_bytes()
            for path in state.rglob("*")
            if path.is_file()
        }

    before = content()
    assert verified(state).proven
    after = {name: body for name, body in content().items() if not name.endswith(("-shm", "-wal"))}

    assert after == before


def test_a_running_daemon_can_be_verified(tmp_path: Path) -> None:
    """Beside a run that goes on, what it has written so far is proven."""
    state = tmp_path / "state"
    reports = []

    async def look(daemon: Daemon) -> None:
        await until(daemon, 200)()
        await daemon.store.journal.committed(daemon.bus.seq)
        reports.append(await asyncio.to_thread(verified, state))

    record(plan(**LIVE), state, meanwhile=look)

    assert reports[0].proven, reports[0]
    assert reports[0].entries > 500
