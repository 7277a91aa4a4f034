"""One backtest of ours: what it came to, and how long it took.

Usage: python -m benchmarks.backtest [--quiet] [--fills FILE] FILE...    (prints one JSON line)

The files are of `walks.py`, one for each symbol, bars or quotes. It is the backtest a user runs,
the whole daemon under a simulated clock: the bus in memory, every agent, every rule, the journal on
disk, and what listens to it for the report. With `--quiet` the strategy never trades.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import NamedTuple

from benchmarks.peers.work import Fills, Lap, Stopwatch, asked, peak_mb, symbol_of, tell
from tradeagent.bus.base import Handler, Subscriber
from tradeagent.errors import IntegrityError
from tradeagent.log import setup
from tradeagent.messages import Fill, Message, OrderRequest, RiskAssessment
from tradeagent.quant.rules import RULES
from tradeagent.research.backtest import Prepared, prepare, span_of
from tradeagent.research.outcome import result_of
from tradeagent.research.play import Listening, play, wait_for
from tradeagent.research.spec import Backtest
from tradeagent.research.witness import Witness
from tradeagent.tally import Summary

OPEN = Path(__file__).with_name("open.yaml")
FOR_EXITS = sum(rule.judges == "all" for rule in RULES)
ONE = Decimal(1)
ENOUGH = 10
"""Fills that a tenth of a run must have to tell what one costs."""


class Referee:
    """Listens to a run: its fills, and how many verdicts each request was given and is due."""

    def __init__(self) -> None:
        self.fills: dict[str, Fills] = {}
        self.laps: list[tuple[float, int]] = []
        """CPU time (s) and the moment (UTC ns) of each fill."""
        self.sizes: set[Decimal] = set()
        self.entries = self.exits = self.rule_evaluations = 0
        heard: dict[type[Message], Handler] = {
            Fill: self._filled,
            OrderRequest: self._requested,
            RiskAssessment: self._judged,
        }
        self.subscriber = Subscriber("referee", heard, observer=True)

    def _filled(self, fill: Fill) -> None:
        hand = self.subscriber.hand
        assert hand is not None
        self.laps.append((process_time(), hand.ts))
        self.sizes.add(fill.size)
        self.fills.setdefault(fill.symbol, []).append((fill.side, float(fill.price)))

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


class Played(NamedTuple):
    """What was heard, what it came to, and what the run and its statistics took.

    `peak_mb` is memory at the end of the run, before the statistics; `span` are the moments of the
    first bar or quote and of the last (UTC ns).
    """

    referee: Referee
    summary: Summary
    run: Lap
    statistics: Lap
    peak_mb: float
    span: tuple[int, int]

    @property
    def rows(self) -> int:
        """Return how many bars and quotes were played."""
        return self.summary.bars + self.summary.ticks

    def tenth(self, *, last: bool) -> tuple[float, float, int] | None:
        """Return CPU time (s), bars and fills of the run's first or last tenth.

        It is reckoned from fill to fill; None where there are too few.
        """
        begin, end = self.span
        part = (end - begin) // 10
        first, until = (end - part, end) if last else (begin, begin + part)
        within = [lap for lap in self.referee.laps if first <= lap[1] <= until]
        if len(within) < ENOUGH:
            return None
        (begun, before), (ended, after) = within[0], within[-1]
        bars = self.rows * (after - before) / (end - begin)
        return ended - begun, bars, len(within) - 1


def prepared(files: Sequence[Path], *, quiet: bool = False) -> Prepared:
    """Return the benchmark's backtest over files of one kind, loaded."""
    strategy = "EmaCross" if holds_quotes(files[0]) else "SmaCross"
    kind = f"benchmarks.crosses:{'Onlooker' if quiet else strategy}"
    spec = Backtest(
        data=tuple(f"{symbol_of(path)}={path}" for path in files),
        config=(OPEN,),
        settings={"strategies.cross.type": kind},
    )
    return prepare(spec)


def holds_quotes(path: Path) -> bool:
    """Tell what a file holds, by its header."""
    with path.open(encoding="ascii") as file:
        return "bid" in file.readline()


def played(test: Prepared, state: Path) -> Played:
    """Run a backtest in the folder `state`.

    Raises IntegrityError where a rule was not evaluated, an order refused or not of size 1.
    """
    referee, witness = Referee(), Witness()
    ears = Listening((witness.subscriber, referee.subscriber))
    watch = Stopwatch()
    started, summary = wait_for(play(test.plan, state, test.feed, ears))
    run = watch.lap()
    peak = peak_mb()
    referee.check(summary)
    watch.lap()
    result_of(test.plan, test.feed, witness, started, summary)
    return Played(referee, summary, run, watch.lap(), peak, span_of(test.feed))


def main() -> None:
    """Load, run and tell."""
    given = asked("--quiet")
    setup("console", "WARNING")
    watch = Stopwatch()
    test = prepared(given.files, quiet=given.quiet)
    load = watch.lap()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        done = played(test, state)
        written = sum(one.stat().st_size for one in state.glob("journal.db*"))
    referee, summary = done.referee, done.summary
    tell(
        given,
        ["tradeagent"],
        done.rows,
        (load, done.run),
        {symbol_of(path): referee.fills.get(symbol_of(path), []) for path in given.files},
        peak_mb=round(done.peak_mb, 1),
        report_mb=round(peak_mb(), 1),
        report_s=round(done.statistics.wall, 3),
        requests=summary.requests,
        entries=referee.entries,
        exits=referee.exits,
        rules=(len(RULES), FOR_EXITS),
        rule_evaluations=referee.rule_evaluations,
        refused=sum(summary.rejections.values()),
        journal_bytes=written,
        journal_entries=summary.journal_entries,
        first_tenth=done.tenth(last=False),
        last_tenth=done.tenth(last=True),
    )


if __name__ == "__main__":
    main()
