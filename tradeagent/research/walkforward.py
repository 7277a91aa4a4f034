"""Walk forward: each stretch of time is traded with what was best before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tradeagent.errors import CommandError
from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.quant.curve import Floats
from tradeagent.quant.days import sharpe
from tradeagent.quant.splits import Split, walk_forward
from tradeagent.research.data.span import moment
from tradeagent.research.prices import span_of
from tradeagent.research.search import Fold
from tradeagent.research.spec import Backtest
from tradeagent.research.supply import Supply
from tradeagent.research.trial import Job
from tradeagent.research.tries import Try

if TYPE_CHECKING:
    from tradeagent.research.optimize import Hunt

HOUR = 3_600 * 1_000_000_000
TRAIN = 3
"""How many times as long training is as a test."""
GAP = 0.05
"""The part of a training range that is left out before its test: what was open there ends in it."""


@dataclass
class Walk:
    """The steps over a range, in hours from `start` (UTC ns), and what came of them."""

    spec: Backtest
    start: int
    splits: tuple[Split, ...]
    found: list[Fold] = field(default_factory=list)

    @classmethod
    def of(cls, spec: Backtest, feed: RecordedFeed, folds: int) -> Walk:
        """Divide what is played into `folds` tests, each after its training; raises CommandError.

        Training is three times as long as a test, the first where the range begins, and ends a
        while before it (purged): a trade entered at its end cannot reach into the test.
        """
        first, last = span_of(feed)
        start = first // HOUR * HOUR
        hours = (last - start) // HOUR
        test = hours // (folds + TRAIN)
        train = hours - folds * test
        if test < 1:
            raise CommandError(
                f"--walk-forward: {hours} hours are too few for {folds} tests; take fewer"
            )
        gap = max(1, int(train * GAP))
        try:
            splits = tuple(walk_forward(hours, train, test, gap))
        except ValueError as error:
            raise CommandError(f"--walk-forward: {error}; take fewer") from error
        return cls(spec, start, splits[:folds])

    @property
    def ranges(self) -> tuple[str, ...]:
        """Return each test, as a range that a backtest understands."""
        return tuple(self._range(one.test, one.test_end) for one in self.splits)

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Return the steps that were made."""
        return tuple(self.found)

    def go(self, hunt: Hunt) -> None:
        """Search each training range and test what was best there."""
        for number, split in enumerate(self.splits, start=1):
            train = self._range(split.train, split.train_end)
            test = self._range(split.test, split.test_end)
            hunt.go(self.spec.model_copy(update={"timerange": train}), number)
            best = hunt.best(number)
            if hunt.stopped():
                return
            tested = None if best is None else self._tested(hunt, test, best)
            self.found.append(Fold(number=number, train=train, test=test, best=best, tested=tested))

    def _tested(self, hunt: Hunt, test: str, best: Try) -> Try:
        search = hunt.search
        ranged = self.spec.model_copy(update={"timerange": test})
        spec = Supply(ranged, hunt.kept.plays).of(best.params)
        job = Job(best.number, spec, best.params, search.objectives, search.signs, best.fold)
        return hunt.pool.result(hunt.pool.submit(job), job)

    def _range(self, first: int, last: int) -> str:
        """Return rows as a range that a backtest understands."""
        ends = (moment(self.start + hour * HOUR) for hour in (first, last))
        return "-".join(f"{one:%Y%m%dT%H%M%S}" for one in ends)

    def outside(self) -> float | None:
        """Return the Sharpe ratio a year of all tests together, by their days."""
        return sharpe(chained([one.tested for one in self.found if one.tested is not None]))


def chained(tested: Sequence[Try]) -> Floats:
    """Return the daily returns of tests that follow one another, as of one account.

    A day on which one ends and the next begins is one day, whose parts multiply.
    """
    grown: dict[int, float] = {}
    for one in tested:
        for day, gained in enumerate(one.returns, one.first_day):
            grown[day] = grown.get(day, 1.0) * (1 + gained)
    return np.array([grown[day] for day in sorted(grown)], np.float64) - 1
