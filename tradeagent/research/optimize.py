"""The optimiser: Optuna chooses, processes try, every try is kept, and the best is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tradeagent.errors import DataError
from tradeagent.quant.luck import Trials
from tradeagent.research.asking import Asked, Asker
from tradeagent.research.backtest import load_feed, prepare
from tradeagent.research.cautions import cautions
from tradeagent.research.data.commit import alone
from tradeagent.research.folder import save
from tradeagent.research.identity import Kept, identity_of
from tradeagent.research.result import Result
from tradeagent.research.search import Onlooker, Optimization, Search, Told, front_of
from tradeagent.research.space import Params, key_of
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.research.supply import Supply
from tradeagent.research.trial import Job, Workers, cores
from tradeagent.research.tries import Tries, Try, save_table
from tradeagent.research.verdict import judge
from tradeagent.research.walkforward import Walk

STAGES = (0.25, 0.5)
"""After which parts of the range a run that is behind is given up."""
LEARN = 8
"""Tries before any is given up."""
USUAL = 100
"""Tries where none are asked for and there is no grid to exhaust."""


def optimize(
    search: Search,
    out: Path,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    onlooker: Onlooker | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Optimization:
    """Search, keep every try in `out`, and play the best again with a report of its own.

    A folder that holds tries of the same search goes on with them, and all of them count. Tries
    run in `executor`, by default in `jobs` processes, one for each core. Once `stopped` says so,
    nothing new is begun. Raises an OperatorError with one line for each mistake.
    """
    jobs = jobs or cores()
    search.check()
    plan = plan_of(Supply(search.fixed).sample(search.space)).plan
    feed = load_feed(plan)
    walk = Walk.of(search.fixed, feed, search.folds) if search.folds else None
    identity = identity_of(search, plan, () if walk is None else walk.ranges)
    with alone(out, "--out"), closing(Tries(out)) as tries, Workers(executor, jobs) as pool:
        kept = Kept(out, identity, begun=bool(tries.all))
        kept.plays(feed.settings.files)
        hunt = Hunt(search, kept, tries, pool, jobs, onlooker, stopped)
        if walk is not None:
            walk.go(hunt)
        hunt.go(search.fixed, 0)
        return _judged(hunt, walk, out)


def _judged(hunt: Hunt, walk: Walk | None, out: Path) -> Optimization:
    """Return what a search came to, and keep it in `out`."""
    search, found = hunt.search, tuple(hunt.tries.all)
    save_table(found, search.objectives, out / "trials.csv")
    whole = [one for one in found if not one.fold]
    front = front_of(whole, search.signs)
    best = front[0] if front else None
    verdict, tried = judge(whole, len(found), best, search.objectives[0])
    done = Optimization(search, found, best, front, verdict, interrupted=hunt.stopped())
    if walk is not None:
        done = replace(done, forward=walk.folds, outside=walk.outside())
    if best is not None:
        spec = Supply(search.fixed, hunt.kept.plays).of(best.params)
        done = replace(done, result=_played(spec, best, tried, done.told(), out / "best"))
    (out / "optimization.json").write_text(done.summary() + "\n", encoding="utf-8")
    return done


class Running(NamedTuple):
    """A try under way."""

    asked: Asked
    job: Job


@dataclass
class Hunt:
    """The tries of a search, those under way and those done."""

    search: Search
    kept: Kept
    tries: Tries
    pool: Workers
    jobs: int
    onlooker: Onlooker | None
    stopped: Callable[[], bool]

    def __post_init__(self) -> None:
        self._last = max((one.number for one in self.tries.all), default=0)

    def go(self, spec: Backtest, fold: int) -> None:
        """Try until enough were tried, or all there is; `fold` is a training range, 0 the whole."""
        search, supply = self.search, Supply(spec, self.kept.plays)
        supply.sample(search.space)  # some data are there, so what has none is one failed try
        before = self.done(fold)
        known = {key_of(one.params) for one in before}
        asker = Asker(search.space, search.sampler, search.signs, search.seed + fold, before)
        under_way: dict[Future[Try], Running] = {}
        wanted = self._wanted()
        self._tell(fold, wanted, under_way)
        while True:
            while len(under_way) <= self.jobs and self._wants_more(fold, wanted, under_way):
                asked = asker.ask(known.__contains__, supply.of)
                if asked is None:
                    wanted = len(self.done(fold)) + len(under_way)
                    break
                known.add(key_of(asked.params))
                job = self._job(supply.of(asked.params), asked.params, fold)
                under_way[self.pool.submit(job)] = Running(asked, job)
            if not under_way:
                return
            for running, one in self._ended(under_way):
                self.tries.add(one)
                asker.tell(running.asked, one)
            self._tell(fold, wanted, under_way)

    def _ended(self, under_way: dict[Future[Try], Running]) -> Iterator[tuple[Running, Try]]:
        """Wait, and yield what ended, in the order it began; what a stop killed is left out."""
        ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
        if any(map(_broken, ended)):
            ended, _ = wait(under_way)  # all that ran beside it died with it
        for future in [one for one in under_way if one in ended]:
            running = under_way.pop(future)
            if not (self.stopped() and _broken(future)):
                yield running, self.pool.result(future, running.job)

    def done(self, fold: int) -> list[Try]:
        """Return the tries of one range."""
        return [one for one in self.tries.all if one.fold == fold]

    def best(self, fold: int) -> Try | None:
        """Return the best try of one range so far."""
        return next(iter(front_of(self.done(fold), self.search.signs)), None)

    def _wanted(self) -> int | None:
        if self.search.trials is not None or self.search.sampler == "grid":
            return self.search.trials
        return USUAL

    def _wants_more(
        self, fold: int, wanted: int | None, under_way: dict[Future[Try], Running]
    ) -> bool:
        enough = wanted is not None and len(self.done(fold)) + len(under_way) >= wanted
        return not enough and not self.stopped()

    def _job(self, spec: Backtest, params: Params, fold: int) -> Job:
        search = self.search
        self._last += 1
        prunes = search.prune and len(search.objectives) == 1
        return Job(
            number=self._last,
            backtest=spec,
            params=params,
            objectives=search.objectives,
            signs=search.signs,
            fold=fold,
            stages=STAGES if prunes else (),
            hurdles=self._hurdles(fold) if prunes else (),
            screen=search.screen,
        )

    def _hurdles(self, fold: int) -> tuple[float, ...]:
        """Return what a quarter of the tries were below, after each stage that enough saw."""
        hurdles = []
        for stage in range(len(STAGES)):
            seen = [one.stages[stage] for one in self.done(fold) if len(one.stages) > stage]
            if len(seen) < LEARN:
                break
            hurdles.append(sorted(seen)[len(seen) // 4])
        return tuple(hurdles)

    def _tell(self, fold: int, wanted: int | None, under_way: dict[Future[Try], Running]) -> None:
        if self.onlooker is not None:
            done = len(self.done(fold))
            self.onlooker(Told(done, wanted, len(under_way), self.best(fold), fold))


def _broken(future: Future[Try]) -> bool:
    return isinstance(future.exception(), BrokenExecutor)


def _played(
    spec: Backtest, best: Try, tried: Trials, told: tuple[str, ...], folder: Path
) -> Result:
    """Play the best again, whole, and save it with what is said of it.

    Raises DataError where it comes to something else than when it was tried.
    """
    result = prepare(spec).run(folder / "state")
    if result.metrics.model_dump_json() != best.metrics.model_dump_json():
        raise DataError(
            f"{folder}: try {best.number} ({key_of(best.params)}) comes to other figures "
            "now than when it was tried; what it is made of has changed: name another --out"
        )
    known = set(cautions(result.metrics, result.origin))
    others = [one for one in result.warnings if one not in known]
    words = (*told, *others, *cautions(result.metrics, result.origin, tried))
    result = replace(result, warnings=words, trials=tried)
    save(result, folder)
    return result
