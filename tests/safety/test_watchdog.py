"""A daemon that hangs leaves no entry at the venue, for somebody else cancels it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemon import command, environment, run
from tests.safety.judge import our_book, venue_book
from tests.safety.pair import PATIENCE, USER, Pair
from tradeagent.messages import OrderStatus

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue and a daemon that enters by limits."""
    made = Pair(tmp_path, entry="limit")
    try:
        made.start().until_said("fill ")
        yield made
    finally:
        made.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds` does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def resting_entries(pair: Pair) -> set[str]:
    """Return the entries that rest at the venue by its own ledger."""
    resting = venue_book(pair.venue_state, USER).open  # first: what is there is in our book before
    known = our_book(pair.state).orders
    return {name for name in resting if not known[name].order.reduce_only}


def test_entries_of_a_frozen_daemon_are_cancelled(pair: Pair) -> None:
    """The watchdog cancels them, leaves stops alone, and the daemon halts when it wakes."""
    daemon = pair.daemon
    assert daemon is not None
    until(lambda: bool(resting_entries(pair)))
    daemon.process.send_signal(signal.SIGSTOP)
    stops = venue_book(pair.venue_state, USER).open - resting_entries(pair)
    where = ("-c", str(pair.folder / "daemon.yaml"), "--state", str(pair.state))
    dog = subprocess.Popen(
        command("watchdog", *where, "--after", "1", "--every", "0.2"),
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: not resting_entries(pair))
        assert venue_book(pair.venue_state, USER).open == stops
        assert "no sign of life" in (pair.state / "KILL").read_text()

        daemon.process.send_signal(signal.SIGCONT)
        daemon.until_said("trading is HALTED")
    finally:
        dog.kill()
        dog.communicate()
    assert pair.settle() == []
    assert all(
        one.status is not OrderStatus.OPEN or one.order.reduce_only
        for one in our_book(pair.state).orders.values()
    )


def test_a_watchdog_without_a_venue_says_so(tmp_path: Path) -> None:
    """There is nothing to watch where the exchange is in the daemon, or ends with it."""
    for profile, text in (("demo", "in the daemon itself"), ("local", "ends with it")):
        done = run("watchdog", "--profile", profile, "--state", str(tmp_path / profile))
        assert done.returncode == 1
        assert text in done.stderr


def test_a_venue_that_is_away_is_asked_again(tmp_path: Path) -> None:
    """The watchdog outlives a venue that gives no answer: that is when it is needed most."""
    line = {"network": "local", "url": "http://127.0.0.1:9"}
    settings = {
        "profile": "local",
        "exchange": {"type": "hyperliquid", **line},
        "feeds": [{"type": "hyperliquid", **line}],
    }
    (tmp_path / "daemon.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "local.key").write_text("22" * 32)
    (tmp_path / "heartbeat").touch()
    os.utime(tmp_path / "heartbeat", (0, 0))
    where = ("-c", str(tmp_path / "daemon.yaml"), "--state", str(tmp_path))
    dog = subprocess.Popen(
        command("watchdog", *where, "--every", "0.1"),
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert dog.stderr is not None
        asked = (line for line in dog.stderr if "it is asked again" in line)
        assert next(asked, "")
        assert next(asked, "")
    finally:
        dog.kill()
        dog.communicate()
