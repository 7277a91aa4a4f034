"""One backtest through the whole daemon: what it came to, and how long it took.

Usage: python -m benchmarks.backtest [--quiet] [--fills FILE] FILE...    (prints one JSON line)

The files are of `walks.py`, one for each symbol, bars or quotes. It is the daemon that is always
opened: a simulated clock, the bus in memory, every agent, every rule, the journal on disk; only the
interfaces for operators are left out. With `--quiet` the strategy never trades.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import NamedTuple

from benchmarks.peers.work import Fills, Lap, Stopwatch, asked, symbol_of, tell
from tradeagent.app import open_daemon
from tradeagent.bus.base import Handler, Subscriber
from tradeagent.config.load import load
from tradeagent.errors import IntegrityError
from tradeagent.log import setup
from tradeagent.messages import Fill, Message, OrderRequest, RiskAssessment
from tradeagent.plan import Plan, make_plan
from tradeagent.quant.rules import RULES
from tradeagent.tally import Summary, Tally

OPEN = Path(__file__).with_name("open.yaml")
FOR_EXITS = sum(rule.judges == "all" for rule in RULES)
ONE = Decimal(1)
ENOUGH = 10
"""Fills that a tenth of a run must have to tell what one costs."""


@dataclass
class Witness:
    """Listens to a run: its fills, and how many verdicts each request was given and is due."""

    tally: Tally
    fills: dict[str, Fills]
    laps: list[tuple[float, int]] = field(default_factory=list)
    """At each fill: CPU time (s), and how many bars or quotes had been played."""
    sizes: set[Decimal] = field(default_factory=set)
    entries: int = 0
    exits: int = 0
    rule_evaluations: int = 0

    def subscriber(self) -> Subscriber:
        """Return the listener to subscribe."""
        heard: dict[type[Message], Handler] = {
            Fill: self._filled,
            OrderRequest: self._requested,
            RiskAssessment: self._judged,
        }
        return Subscriber("witness", heard, observer=True)

    def _filled(self, fill: Fill) -> None:
        self.laps.append((process_time(), self.tally.bars + self.tally.ticks))
        self.sizes.add(fill.size)
        self.fills[fill.symbol].append((fill.side, float(fill.price)))

    def _requested(self, request: OrderRequest) -> None:
        self.exits += request.reduce_only
        self.entries += not request.reduce_only

    def _judged(self, verdict: RiskAssessment) -> None:
        self.rule_evaluations += len(verdict.rules)

    @property
    def rules_due(self) -> int:
        """Return how many verdicts the requests are due: of all rules, or those for exits."""
        return self.entries * len(RULES) + self.exits * FOR_EXITS

    def check(self, summary: Summary) -> None:
        """Raise IntegrityError where a rule was not evaluated, an order refused or not of 1."""
        if summary.requests != self.entries + self.exits:
            raise IntegrityError(f"{summary.requests} requests, and not all were heard")
        if self.rule_evaluations != self.rules_due:
            given, due = self.rule_evaluations, self.rules_due
            raise IntegrityError(f"{given} verdicts of rules where {due} are due")
        if summary.rejections or summary.approvals != summary.requests:
            raise IntegrityError(f"orders were refused: {summary.rejections}")
        if self.sizes - {ONE}:
            raise IntegrityError(f"not all fills are of 1: {sorted(self.sizes)}")

    def tenth(self, *, last: bool) -> tuple[float, int, int] | None:
        """Return CPU time (s), bars and fills of the run's first or last tenth.

        It is reckoned from fill to fill; None where there are too few.
        """
        whole = self.laps[-1][1] if self.laps else 0
        first, until = (whole - whole // 10, whole) if last else (0, whole // 10)
        within = [lap for lap in self.laps if first <= lap[1] <= until]
        if len(within) < ENOUGH:
            return None
        (begun, before), (ended, after) = within[0], within[-1]
        return ended - begun, after - before, len(within) - 1


class Played(NamedTuple):
    """What was witnessed, what it came to, and what loading and the run took."""

    witness: Witness
    summary: Summary
    laps: tuple[Lap, Lap]


def plan_of(files: Sequence[Path], *, quiet: bool = False) -> Plan:
    """Return the plan of a benchmark's run over files of one kind."""
    overrides: dict[str, object] = {
        "feeds": [{"type": "recorded", "files": [{"path": str(one.absolute())} for one in files]}]
    }
    if quiet:
        overrides["strategies.cross.type"] = "benchmarks.crosses:Onlooker"
    elif holds_quotes(files[0]):
        overrides["strategies.cross.type"] = "benchmarks.crosses:EmaCross"
    return make_plan(load("replay", [OPEN], overrides, {}, None, None))


def holds_quotes(path: Path) -> bool:
    """Tell what a file holds, by its header."""
    with path.open(encoding="ascii") as file:
        return "bid" in file.readline()


async def play(plan: Plan, state: Path, symbols: Sequence[str]) -> Played:
    """Play a plan in the folder `state`.

    Raises IntegrityError where a rule was not evaluated, an order refused or not of size 1.
    """
    watch = Stopwatch()
    async with open_daemon(plan, state, serve=()) as daemon:
        witness = Witness(daemon.tally, {symbol: [] for symbol in symbols})
        daemon.bus.subscribe(witness.subscriber())
        gc.collect()
        gc.freeze()
        load = watch.lap()
        try:
            summary = await daemon.run()
        finally:
            gc.unfreeze()
        laps = (load, watch.lap())
    witness.check(summary)
    return Played(witness, summary, laps)


def main() -> None:
    """Load, run and tell."""
    given = asked("--quiet")
    setup("console", "WARNING")
    symbols = [symbol_of(path) for path in given.files]
    plan = plan_of(given.files, quiet=given.quiet)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        witness, summary, laps = asyncio.run(play(plan, state, symbols))
        written = sum(one.stat().st_size for one in state.glob("journal.db*"))
    tell(
        given,
        ["tradeagent"],
        summary.bars + summary.ticks,
        laps,
        witness.fills,
        requests=summary.requests,
        entries=witness.entries,
        exits=witness.exits,
        rules=(len(RULES), FOR_EXITS),
        rule_evaluations=witness.rule_evaluations,
        refused=sum(summary.rejections.values()),
        journal_bytes=written,
        journal_entries=summary.journal_entries,
        first_tenth=witness.tenth(last=False),
        last_tenth=witness.tenth(last=True),
    )


if __name__ == "__main__":
    main()
