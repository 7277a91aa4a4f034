"""What goes wrong while the daemon runs, and what its operator does about it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit, setrlimit

import pytest

from tests.e2e.daemon import Process, books, run
from tradeagent.storage.records import SqlRecords

ROOM = 2_000_000
"""Bytes a file may have on the full disk: enough to open the books and trade a little."""
Start = Callable[..., Process]
TIGHT = """\
risk: {limits: {max_gross_ratio: 0.001, max_price_age_s: 600}}
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start daemons in one state directory."""

    def begin(*arguments: str, room: int = RLIM_INFINITY) -> Process:
        soft, hard = getrlimit(RLIMIT_FSIZE)
        setrlimit(RLIMIT_FSIZE, (room, hard))  # a child has it from here
        daemon = Process(tmp_path / "state", *arguments, "--seed", "3")
        setrlimit(RLIMIT_FSIZE, (soft, hard))
        return daemon

    return begin


def told(daemon: Process) -> str:
    """Return what it has said so far."""
    return daemon.log.read_text(encoding="utf-8")


def filled(daemon: Process) -> None:
    """Wait for one more fill."""
    daemon.until_said(" fill ", times=told(daemon).count(" fill ") + 1)


def test_a_full_disk_halts_and_loses_nothing(tmp_path: Path, start: Start) -> None:
    """No order leaves unrecorded; with room again the books agree and trading goes on."""
    state = tmp_path / "state"
    daemon = start("--speed", "3000", room=ROOM)
    daemon.until_said("the journal cannot be written (disk I/O error)")
    daemon.until_said("trading is HALTED")
    daemon.until_said("signal ", times=told(daemon).count("signal ") + 3)

    before, _, after = told(daemon).partition("trading is HALTED")
    assert "approved " in before
    assert "approved " not in after.replace("approved stop ", "")  # a stop may follow the price
    shown = run("status", "--state", str(state)).stdout
    assert "HALTED" in shown
    assert "journal: the journal cannot be written" in shown
    halted = run("halt", "--reason", "as it is", "--state", str(state))
    assert "mode: HALTED" in halted.stdout
    assert "not on record" in halted.stderr
    resumed = run("resume", "--reason", "as it is", "--state", str(state))
    assert "trading stays HALTED: the journal cannot be written" in resumed.stderr
    assert run("orders", "--state", str(state)).returncode == 0
    assert "whole" in run("doctor", "--state", str(state)).stdout
    daemon.kill()

    again = start("--speed", "600")
    again.until_said("approved ")
    filled(again)
    assert again.interrupt() == 0
    venue, ours = books(state)
    assert venue == ours
    assert ours["fills"]
    rebuilt = run("doctor", "--rebuild", "--state", str(state))
    assert rebuilt.returncode == 0, rebuilt.stdout


def test_a_daemon_without_its_journal_still_ends_when_asked(start: Start) -> None:
    """One interrupt ends it with status 1, and its last line says what to put right."""
    daemon = start("--speed", "3000", room=ROOM)
    daemon.until_said("trading is HALTED")
    run("flatten", "--reason", "while we can", "--state", str(daemon.state))

    daemon.process.send_signal(signal.SIGINT)

    assert daemon.process.wait(10) == 1
    last = told(daemon).strip().splitlines()[-1]
    assert last.startswith("error: the journal cannot be written (disk I/O error)")


def test_a_simulation_ends_where_the_disk_is_full(start: Start) -> None:
    """A run at --speed max says in its last line what ended it."""
    daemon = start("--speed", "max", "--for", "1d", room=ROOM)

    assert daemon.process.wait(30) == 1
    last = told(daemon).strip().splitlines()[-1]
    assert last.startswith("error: the journal cannot be written (disk I/O error)")


def test_an_override_lets_through_and_flatten_leaves_nothing(tmp_path: Path, start: Start) -> None:
    """A lifted rule refuses no more; flatten ends flat and HALTED; resume trades again."""
    state, tight = tmp_path / "state", tmp_path / "tight.yaml"
    tight.write_text(TIGHT)
    daemon = start("--speed", "600", "-c", str(tight))

    def ask(line: str, reason: str = "as tested") -> str:
        ended = run(*line.split(), "--reason", reason, "--state", str(state))
        assert "Traceback" not in ended.stderr
        assert len((ended.stdout + ended.stderr).strip().splitlines()) == 1
        return ended.stdout + ended.stderr

    daemon.until_said("GROSS all exposure could be")
    assert " fill " not in told(daemon)
    assert "GRID cannot be lifted" in ask("override GRID")
    assert "there is no rule gross" in ask("override gross")
    assert "SELF_TRADE has no limit that" in ask("override SELF_TRADE --limit 100")
    assert "-1 is no limit of FUNDS" in ask("override FUNDS --limit=-1")
    assert "nothing is called PEPE" in ask("override GROSS --scope PEPE")
    assert "minutes" in ask("override GROSS --minutes 0")
    assert "reason" in ask("override GROSS", reason="x")
    assert "rule: GROSS" in ask("override GROSS --minutes 600")
    filled(daemon)

    assert "no working order is meant" in ask("cancel --order 0x0")
    while "canceled on request" not in told(daemon):
        assert "asked: " in ask("cancel --protective")

    assert "mode: FLATTENING" in ask("flatten", "enough for today")
    daemon.until_said("trading is HALTED (was FLATTENING)")
    records = SqlRecords.read(state / "journal.db")
    assert records.orders(open_only=True) == []
    assert {held.size for held in records.positions()} == {0}
    records.close()

    assert "mode: ACTIVE" in ask("resume", "a new day")
    filled(daemon)
    assert daemon.interrupt() == 0
    venue, ours = books(state)
    assert venue == ours
