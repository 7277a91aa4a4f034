"""A daemon as a process of its own, started and ended by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import ClassVar

from tradeagent.simulation.ledger import Ledger
from tradeagent.storage.records import SqlRecords

ENOUGH = 60.0
PAUSE = 0.02
QUIET = {"TRADEAGENT__API__ENABLED": "false", "XDG_RUNTIME_DIR": ""}


def command(*arguments: str, module: str = "tradeagent") -> list[str]:
    """Return the command line of a daemon."""
    return [sys.executable, "-m", module, *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which nothing listens on a fixed port."""
    return {**os.environ, **QUIET, **extra}


def run(*arguments: str, typed: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `typed` is what it reads."""
    return subprocess.run(
        command(*arguments),
        input=typed,
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        env=environment(**extra),
        check=False,
    )


class Process:
    """A daemon that runs beside the test; its output goes to a file of its own."""

    started: ClassVar[Iterator[int]] = count()
    running: ClassVar[list[Process]] = []
    module: ClassVar[str] = "tradeagent"

    def __init__(self, state: Path, *arguments: str, **extra: str) -> None:
        self.state = state
        self.log = state.parent / f"{state.name}-{next(self.started)}.log"
        self._file = self.log.open("a", encoding="utf-8")
        self.process = subprocess.Popen(
            command(*arguments, "--state", str(state), module=self.module),
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env=environment(**extra),
        )
        self.running.append(self)

    @classmethod
    def end_all(cls) -> None:
        """End what a test that failed left behind."""
        while cls.running:
            cls.running.pop().kill()

    def until_said(self, text: str, times: int = 1) -> None:
        """Wait until the log holds `text`; fails when the process ends first."""
        self.until(lambda: self.log.read_text(encoding="utf-8").count(text) >= times, text)

    def until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Wait until `holds` does; fails when the process ends first."""
        deadline = time.monotonic() + ENOUGH
        while not holds():
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < deadline, f"{what!r} did not come"
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PAUSE)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(ENOUGH)
        self._file.close()

    def ended(self, seconds: float = ENOUGH) -> tuple[int, str]:
        """Wait until it ends by itself; returns its exit status and all it said."""
        status = self.process.wait(seconds)
        self._file.close()
        return status, self.log.read_text(encoding="utf-8")

    def interrupt(self) -> int:
        """Stop it in order; returns its exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(ENOUGH)
        self._file.close()
        return status


def books(state: Path) -> tuple[dict[str, object], dict[str, object]]:
    """Return what the exchange's ledger and what the store say: fills, positions, open orders."""
    ledger = Ledger(state / "exchange.db")
    venue: dict[str, object] = {
        "fills": sorted(
            (one.cloid, one.execution.tid, one.execution.size, one.execution.price)
            for one in ledger.fills(0)
            if one.execution is not None
        ),
        "positions": {name: held.size for name, held in ledger.positions().items() if held.size},
        "open": sorted(one.order.cloid for one in ledger.open_orders()),
    }
    ledger.close()
    records = SqlRecords.read(state / "journal.db")
    ours: dict[str, object] = {
        "fills": sorted(
            (one.message.cloid, one.message.tid, one.message.size, one.message.price)
            for one in records.fills(1_000_000)
        ),
        "positions": {one.symbol: one.size for one in records.positions() if one.size},
        "open": sorted(
            one.message.order.cloid for one in records.orders(open_only=True, limit=100_000)
        ),
    }
    for held in records.positions():
        assert sum(part.size for part in held.parts) == held.size, held.symbol
    records.close()
    return venue, ours


def summary(path: Path) -> dict[str, object]:
    """Return a summary file."""
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found
