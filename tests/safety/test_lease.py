"""Two daemons on one account: only the later one trades, whatever was done to the lock."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.daemon import Process
from tests.safety.pair import Pair
from tradeagent.agents.identity import epoch_of

pytestmark = pytest.mark.timeout(300)
SUPERSEDED = 73
SOON = 15.0
"""Seconds of the wall within which a daemon that was superseded has ended."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue and a daemon that trades on it."""
    made = Pair(tmp_path)
    try:
        made.start().until_said("fill ")
        yield made
    finally:
        made.close()


def take_over(pair: Pair) -> int | None:
    """Freeze the daemon, remove its lock, start another, and wake it.

    Returns the status it ends with, None where it does not.
    """
    first = pair.daemon
    assert first is not None
    freeze(first, pair.state / "journal.db")
    (pair.state / "lock").unlink()
    pair.start().until_said("fill ")
    first.process.send_signal(signal.SIGCONT)
    with suppress(subprocess.TimeoutExpired):
        return first.process.wait(SOON)
    first.kill()
    return None


def freeze(daemon: Process, journal: Path) -> None:
    """Stop a process in its tracks, but not in the middle of a commit.

    The signal is only on its way when it was sent: another thread may begin a commit until the
    whole process stands.
    """
    while True:
        daemon.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)
        other = sqlite3.connect(journal, timeout=0.1, isolation_level=None)
        with closing(other), suppress(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            return
        daemon.process.send_signal(signal.SIGCONT)


def test_a_second_daemon_is_kept_out(pair: Pair) -> None:
    """While one runs, even frozen, another on the same state ends at once and says why."""
    assert pair.daemon is not None
    pair.daemon.process.send_signal(signal.SIGSTOP)
    first, second = pair.daemon, pair.start()

    status, said = second.ended()

    assert status == SUPERSEDED
    assert "is in use by process" in said
    first.process.send_signal(signal.SIGCONT)
    pair.daemon = first
    assert pair.settle() == []


def test_a_frozen_daemon_sends_nothing_once_another_has_taken_over(pair: Pair) -> None:
    """Its lock removed by hand, it learns at its next commit that it was superseded, and ends."""
    assert take_over(pair) == SUPERSEDED

    assert pair.settle() == []
    venue, ours = pair.books
    entries = [name for name in venue.orders if not ours.orders[name].order.reduce_only]
    epochs = [epoch_of(name) for name in entries]
    assert epochs == sorted(epochs), "the first one has sent after the second"
