"""Fifty kills of the demo at random moments: nothing is lost, doubled or left half done."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.daemon import ENOUGH, Process, books, run, summary
from tests.oracle import account
from tradeagent.simulation.ledger import Ledger
from tradeagent.storage.proof import rebuild, verify
from tradeagent.storage.records import SqlRecords

pytestmark = pytest.mark.timeout(300)
KILLS = 25
DEPOSIT = Decimal(10_000)
Books = tuple[dict[str, object], dict[str, object]]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Process]:
    """Start the demo, again and again from one state."""
    return lambda *more: Process(tmp_path / "state", "--speed", "900", "--seed", "3", *more)


def live(daemon: Process, seconds: float) -> None:
    """Let it run for a while."""
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(seconds)


def look(state: Path) -> Books:
    """Return both books from a copy, for a ledger has one reader; the journal must be whole.

    Its chain holds, every table is what it says, and no fill stands in a book twice.
    """
    copy = state.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in state.glob("*.db*"):
        shutil.copy(file, copy)
    records = SqlRecords.read(copy / "journal.db")
    assert verify(records) is None
    assert rebuild(records) == []
    records.close()
    found = books(copy)
    for book in found:
        assert len(set(fills(book))) == len(fills(book))
    return found


def fills(book: dict[str, object]) -> list[object]:
    """Return the fills in a book."""
    found = book["fills"]
    assert isinstance(found, list)
    return found


def agreed(daemon: Process, what: str) -> None:
    """Hold the running daemon still, again and again, until both books say the same."""
    deadline = time.monotonic() + ENOUGH / 3
    pid = daemon.process.pid
    while True:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        venue, ours = look(daemon.state)
        os.kill(pid, signal.SIGCONT)
        if venue == ours:
            return
        if time.monotonic() > deadline:
            assert venue == ours, what
        live(daemon, 0.05)
        assert daemon.process.poll() is None, daemon.log.read_text(encoding="utf-8")[-3000:]


def protected(state: Path) -> None:
    """Check that what is held is covered by resting stops, by the venue's own ledger."""
    ledger = Ledger(state / "exchange.db")
    stops: dict[tuple[str, str], Decimal] = {}
    for one in ledger.open_orders():
        if one.order.type == "stop":
            name = (one.order.symbol, one.order.side)
            stops[name] = stops.get(name, Decimal(0)) + one.order.size - one.filled
    held = {name: position.size for name, position in ledger.positions().items() if position.size}
    ledger.close()
    for symbol, size in held.items():
        assert stops.get((symbol, "sell" if size > 0 else "buy"), 0) >= abs(size), symbol


@pytest.mark.parametrize("seed", [7, 8])
def test_a_demo_killed_at_any_moment_goes_on(
    start: Callable[..., Process], tmp_path: Path, seed: int
) -> None:
    """After each kill -9 and restart store, ledger and journal agree to the last order and fill.

    Some kills hit a start, some the moment of a fill, the others any moment. In the end every
    position has its stop, and the account is worth what an independent count makes it.
    """
    chance = random.Random(seed)
    known: set[object] = set()
    for number in range(KILLS):
        moment = chance.random()
        kind = ("any moment", "a fill", "a start")[number % 3]
        what = f"kill {number} of seed {seed}: {kind}, {moment:.3f}"
        daemon = start()
        if kind == "a start":
            live(daemon, 0.3 + moment)
        else:
            daemon.until_said("running from")
            agreed(daemon, what)
            if kind == "a fill":
                daemon.until_said("fill ")
            live(daemon, moment / (50 if kind == "a fill" else 1))
        daemon.kill()
        venue, ours = look(daemon.state)
        assert set(fills(ours)) <= set(fills(venue)), what
        assert known <= set(fills(ours)), what
        known = set(fills(ours))

    told = tmp_path / "summary.json"
    last = start("--summary", str(told))
    last.until_said("fill ")
    assert last.interrupt() == 0
    venue, ours = look(last.state)
    assert venue == ours
    protected(last.state)
    worth = account(last.state / "journal.db", DEPOSIT).equity()
    assert abs(worth - Decimal(str(summary(told)["end_equity"]))) < Decimal("0.01")
    assert known < set(fills(ours))
    assert len(known) >= KILLS / 4
    checked = run("doctor", "--rebuild", "--state", str(last.state))
    assert checked.returncode == 0, checked.stdout
