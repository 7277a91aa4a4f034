"""Trading stops by a signal, or by a file, whatever the daemon does, and stays stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.daemon import Process, run

pytestmark = pytest.mark.timeout(120)


def mode(state: Path) -> tuple[str, str]:
    """Return the trading state that a running daemon tells, and why."""
    told = json.loads(run("status", "--json", "--state", str(state)).stdout)
    return told["mode"], told["reason"]


def test_a_signal_stops_trading(tmp_path: Path) -> None:
    """SIGUSR1 halts at once; an operator's word resumes."""
    daemon = Process(tmp_path / "state", "--speed", "60")
    daemon.until_said("running from")

    daemon.process.send_signal(signal.SIGUSR1)
    daemon.until_said("asked for HALTED: SIGUSR1")

    assert mode(daemon.state) == ("HALTED", "SIGUSR1")
    again = run("resume", "--reason", "it was a test", "--state", str(daemon.state))
    assert "mode: ACTIVE" in again.stdout, again.stderr
    assert daemon.interrupt() == 0


def test_a_file_stops_trading_as_long_as_it_is_there(tmp_path: Path) -> None:
    """The file KILL halts a daemon that runs and one that starts; only without it is resumed."""
    state = tmp_path / "state"
    daemon = Process(state, "--speed", "60")
    daemon.until_said("running from")
    (state / "KILL").write_text("smoke in\nthe room\n")
    daemon.until_said("KILL asked for HALTED: smoke in the room")
    refused = run("resume", "--reason", "no smoke here", "--state", str(state))
    assert refused.returncode == 1
    assert f"remove {state / 'KILL'}" in refused.stderr
    assert daemon.interrupt() == 0

    (state / "KILL").unlink()
    (state / "KILL").touch()
    again = Process(state, "--speed", "60")
    again.until_said("running from")
    assert mode(state) == ("HALTED", "smoke in the room")
    (state / "KILL").unlink()
    assert "mode: ACTIVE" in run("resume", "--reason", "all is well", "--state", str(state)).stdout
    (state / "KILL").touch()
    again.until_said("KILL asked for HALTED: the file KILL")
    assert again.interrupt() == 0


def test_a_daemon_leaves_a_sign_of_life(tmp_path: Path) -> None:
    """The file `heartbeat` is touched again and again while the daemon runs."""
    daemon = Process(tmp_path / "state", "--speed", "60")
    daemon.until_said("running from")
    pulse = daemon.state / "heartbeat"
    first = pulse.stat().st_mtime_ns

    daemon.until(lambda: pulse.stat().st_mtime_ns > first)
    assert daemon.interrupt() == 0
