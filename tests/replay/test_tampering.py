"""What was changed behind the journal's back is found; what is not at hand is not passed."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.replay.house import LIVE, a_while, copy, plan, probe, query, record, until, verified
from tradeagent.app import Daemon
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
        await until(daemon, 200)
        await daemon.store.journal.committed(daemon.bus.seq)
        reports.append(await asyncio.to_thread(verified, state))

    record(plan(**LIVE), state, meanwhile=look)

    assert reports[0].proven, reports[0]
    assert reports[0].entries > 500
