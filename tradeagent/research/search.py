"""What to optimise, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.errors import CommandError
from tradeagent.quant.meanings import MEANINGS, Better
from tradeagent.research.asking import Sampler
from tradeagent.research.result import Result
from tradeagent.research.space import Space, read_space
from tradeagent.research.spec import Backtest
from tradeagent.research.tries import Try
from tradeagent.research.verdict import Verdict

if TYPE_CHECKING:
    from pandas import DataFrame


class Search(BaseModel):
    """What to optimise: a backtest, what of its parameters varies, and by what measure.

    In `backtest.params`, `5:30:5` is a range and `a,b,c` are choices. `objectives` are figures of
    `Metrics`; which way is better is known. `prune` gives up runs that are among the worst
    quarter part of the way, where there is one objective. With `folds` above 0 each of so many
    stretches of time is traded with what was best before it. With `screen` a try is worked out over
    columns where that gives the trades of the whole backtest, and played where it would not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backtest: Backtest
    sampler: Sampler = "tpe"
    trials: int | None = Field(default=None, ge=1)
    objectives: tuple[str, ...] = ("sharpe",)
    prune: bool = True
    screen: bool = False
    seed: int = 0
    folds: int = Field(default=0, ge=0)

    @property
    def space(self) -> Space:
        """Return what varies; raises CommandError where nothing does."""
        space, _ = read_space(self.backtest.params)
        if not space.dimensions:
            raise CommandError("-p: nothing varies; write a range, as in -p fast=5:30:5")
        return space

    @property
    def fixed(self) -> Backtest:
        """Return the backtest with the parameters that do not vary."""
        _, fixed = read_space(self.backtest.params)
        return self.backtest.model_copy(update={"params": fixed})

    @property
    def signs(self) -> tuple[int, ...]:
        """Return 1 for each objective that is better higher, else -1; raises CommandError."""
        if not self.objectives:
            raise CommandError("--objective: name one, such as sharpe")
        return tuple(map(_sign, self.objectives))

    def check(self) -> None:
        """Raise CommandError for what cannot be searched: a measure, or the space."""
        assert self.signs
        if self.sampler == "grid":
            self.space.grid()


def _sign(name: str) -> int:
    meaning = MEANINGS.get(name)
    if meaning is None or meaning.better is Better.NEITHER:
        known = [one for one, of in MEANINGS.items() if of.better is not Better.NEITHER]
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)} can"
        raise CommandError(f"--objective: {name!r} cannot be optimised; {hint}")
    return 1 if meaning.better is Better.HIGHER else -1


@dataclass(frozen=True)
class Told:
    """How far a search is; `wanted` is None where nobody knows."""

    done: int
    wanted: int | None
    running: int
    best: Try | None
    fold: int = 0


Onlooker = Callable[[Told], None]


class Fold(BaseModel):
    """One step of a walk forward: what was best in training, and what it made of the time after."""

    model_config = ConfigDict(frozen=True)

    number: int
    train: str
    test: str
    best: Try | None
    tested: Try | None


@dataclass(frozen=True)
class Optimization:
    """What a search came to: every try, the best of them, and whether that is luck.

    Of several objectives `front` holds the tries that no other beats in all of them, and `best` is
    the first of those by the first objective. `result` is the backtest of the best. `forward` are
    the tests of a walk forward, `outside` their Sharpe ratio a year, all days together.
    """

    search: Search
    tries: tuple[Try, ...]
    best: Try | None
    front: tuple[Try, ...]
    verdict: Verdict
    result: Result | None = None
    forward: tuple[Fold, ...] = ()
    outside: float | None = None
    interrupted: bool = False

    def told(self) -> tuple[str, ...]:
        """Return in words what the best is worth."""
        said = list(self.verdict.told())
        if self.forward:
            tested = [one.tested for one in self.forward if one.tested is not None]
            won = sum((one.metrics.profit or 0) > 0 for one in tested)
            sharpe = "no" if self.outside is None else f"a {self.outside:.2f}"
            said.append(
                f"Walked forward, what was best before made money in {won} of {len(tested)} "
                f"stretches of time it had not seen, with {sharpe} Sharpe ratio over all of them."
            )
        return tuple(said)

    def summary(self) -> str:
        """Return it as JSON, without the single tries."""
        return json.dumps(
            {
                "objectives": self.search.objectives,
                "sampler": self.search.sampler,
                "best": None if self.best is None else self.best.model_dump(exclude={"returns"}),
                "front": [one.number for one in self.front],
                "verdict": {**self.verdict.model_dump(), "survives": self.verdict.survives},
                "forward": [_without_returns(one) for one in self.forward],
                "outside": self.outside,
                "told": self.told(),
                "interrupted": self.interrupted,
            },
            indent=2,
        )

    def to_frame(self) -> DataFrame:
        """Return every try as a row of a pandas DataFrame; raises CommandError without pandas."""
        from tradeagent.research.frames import tries

        return tries(self.tries, self.search.objectives)


def _without_returns(fold: Fold) -> object:
    kept = {"best": {"returns"}, "tested": {"returns"}}
    return fold.model_dump(exclude=kept)


def front_of(tries: Sequence[Try], signs: Sequence[int]) -> tuple[Try, ...]:
    """Return the complete tries that no other beats in all objectives, the best of the first first.

    Of equal ones the first tried stands.
    """
    scored = [
        (one, tuple(sign * (value or 0.0) for sign, value in zip(signs, one.values, strict=True)))
        for one in tries
        if one.complete
    ]
    scored.sort(key=lambda pair: (*(-value for value in pair[1]), pair[0].number))
    front: list[tuple[Try, tuple[float, ...]]] = []
    for one, values in scored:
        if not any(all(a >= b for a, b in zip(other, values, strict=True)) for _, other in front):
            front.append((one, values))
    return tuple(one for one, _ in front)
