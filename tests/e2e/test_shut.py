"""A daemon that was locked, or crashed repeatedly, trades no more until an operator says so."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import Process, run
from tradeagent.messages import Incident, Release, TradingMode, TradingState
from tradeagent.storage.records import SqlRecords

pytestmark = pytest.mark.timeout(150)
AFTER = {"TRADEAGENT__SUPERVISOR__SAFE_MODE_AFTER": "2"}
Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start the demo, again and again from one state."""

    def begin(*more: str, **extra: str) -> Process:
        return Process(tmp_path / "state", "--speed", "900", "--seed", "3", *more, **extra)

    return begin


def told(daemon: Process) -> str:
    """Return what it has said so far."""
    return daemon.log.read_text(encoding="utf-8")


def idle(daemon: Process) -> None:
    """Wait for signals and see that none leads to an approval, but of a stop that moves."""
    daemon.until_said("signal ", told(daemon).count("signal ") + 3)
    assert "approved " not in told(daemon).replace("approved stop ", "")


def proven(state: Path) -> None:
    """See that every run follows from its inputs and the store is whole."""
    for words in (("replay", "--verify"), ("doctor", "--rebuild")):
        done = run(*words, "--state", str(state))
        assert done.returncode == 0, done.stdout + done.stderr


def states(state: Path) -> list[tuple[str, str]]:
    """Return (state, who set it) of every change, oldest first."""
    records = SqlRecords.read(state / "journal.db")
    found = [entry.message for entry in records.entries() if entry.type == TradingState.wire]
    records.close()
    return [(one.mode, one.actor) for one in found if isinstance(one, TradingState)]


def test_locked_ends_with_a_restart_and_unlock_alone(tmp_path: Path, start: Start) -> None:
    """It outlasts resume, flatten, restart and a kill; the run that ends it goes on record with who
    and why, and an unlock of what is not locked changes nothing."""
    state = tmp_path / "state"
    where = ("--state", str(state))
    daemon = start()
    daemon.until_said("approved ")
    assert "mode: LOCKED" in run("halt", "--lock", "--reason", "a thief", *where).stdout
    daemon.until_said("trading is LOCKED (was ACTIVE): a thief")
    refused = run("resume", "--reason", "please", *where)
    assert "LOCKED ends only with a restart and --unlock" in refused.stderr
    kept = run("flatten", "--reason", "all of it", *where)
    assert (kept.returncode, "LOCKED ends only with" in kept.stderr) == (1, True)
    daemon.kill()

    daemon = start()
    daemon.until_said("trading stays LOCKED (a thief, by ")
    assert "; a run with --unlock --reason TEXT ends that" in told(daemon)
    idle(daemon)
    assert daemon.interrupt() == 0

    bare = run("--unlock", *where)
    assert (bare.returncode, "--reason TEXT" in bare.stderr) == (2, True)
    assert run("--reason", "for what", *where).returncode == 2
    eyes = run("--unlock", "--reason", "look", "--agents", "data", *where)
    assert (eyes.returncode, "no Risk agent" in eyes.stderr) == (1, True)

    daemon = start("--unlock", "--reason", "he is caught")
    daemon.until_said("trading is ACTIVE (was LOCKED): he is caught")
    daemon.until_said("approved ")
    assert daemon.interrupt() == 0
    daemon = start("--unlock", "--reason", "once more")
    daemon.until_said("there was nothing to unlock: trading is ACTIVE")
    daemon.until_said("approved ")
    assert daemon.interrupt() == 0

    records = SqlRecords.read(state / "journal.db")
    words = [one for one in records.entries() if one.type == Release.wire]
    records.close()
    assert [(one.source, one.derived) for one in words] == [("operator", False)]
    assert isinstance(word := words[0].message, Release)
    assert (word.ends, word.actor, word.reason) == ("LOCKED", getpass.getuser(), "he is caught")
    proven(state)


def test_repeated_crashes_end_in_safe_mode(tmp_path: Path, start: Start) -> None:
    """Killed twice, the third start trades nothing, and the fourth does not either; a resume lets
    it trade. The next time an orderly stop does, and the state is what it was before."""
    state = tmp_path / "state"
    where = ("--state", str(state))
    for _ in range(2):
        daemon = start(**AFTER)
        daemon.until_said("approved ")
        daemon.kill()
    for crash in (True, False):
        daemon = start(**AFTER)
        daemon.until_said("incident SAFE_MODE CRITICAL: ")
        assert "then 'tradeagent resume --reason TEXT'" in told(daemon)
        idle(daemon)
        assert "SAFE_MODE" in run("status", *where).stdout
        if crash:
            daemon.kill()
    assert "mode: ACTIVE" in run("resume", "--reason", "mended", *where).stdout
    daemon.until_said("approved ")
    daemon.kill()

    daemon = start(**AFTER)
    daemon.until_said("trading is SAFE_MODE (was ACTIVE)")
    assert daemon.interrupt() == 0
    daemon = start(**AFTER)
    daemon.until_said("trading is ACTIVE (was SAFE_MODE): the run before ended in order")
    daemon.until_said("approved ")
    assert daemon.interrupt() == 0
    assert not (state / "starts").exists()
    mode = TradingMode
    assert [one for one, _ in states(state)] == [
        mode.SAFE_MODE, mode.ACTIVE, mode.SAFE_MODE, mode.ACTIVE,
    ]  # fmt: skip
    records = SqlRecords.read(state / "journal.db")
    told_of = [one.message for one in records.incidents(1000)]
    records.close()
    codes = [one.code for one in told_of if isinstance(one, Incident)]
    assert codes.count("SAFE_MODE") == 3
    proven(state)


def test_an_end_that_is_told_in_a_line_is_no_crash(tmp_path: Path, start: Start) -> None:
    """A start that its operator must put right counts for nothing, however often it is tried."""
    wrong = {**AFTER, "TRADEAGENT__API__ENABLED": "true", "TRADEAGENT__API__HOST": "192.0.2.1"}
    for _ in range(3):
        status, said = start(**wrong).ended()
        assert (status, said.startswith("error: api.port")) == (2, True), said
    daemon = start(**AFTER)
    daemon.until_said("approved ")
    assert daemon.interrupt() == 0
