"""The optimiser: Optuna chooses, processes try, every try is kept, and the best is judged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tradeagent.config.layers import Option
from tradeagent.errors import ConfigError
from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.plan import Plan
from tradeagent.quant.luck import Trials
from tradeagent.research.asking import Asked, Asker
from tradeagent.research.backtest import prepare
from tradeagent.research.cautions import cautions
from tradeagent.research.folder import save
from tradeagent.research.result import Result
from tradeagent.research.search import Onlooker, Optimization, Search, Told, front_of
from tradeagent.research.space import Choice, Params, key_of
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.research.trial import Job, cores, run_trial, workers
from tradeagent.research.tries import Tries, Try, same_search, save_table
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
    signs, jobs = search.signs, jobs or cores()
    spec, feed = resolved(search)
    same_search(out, search.identity({one.name: one.sha256 for one in feed.references()}))
    walk = Walk.of(spec, feed, search.folds) if search.folds else None
    with closing(Tries(out)) as tries, workers(executor, jobs) as pool:
        hunt = Hunt(search, spec, out, tries, pool, jobs, onlooker, stopped)
        if walk is not None:
            walk.go(hunt)
        hunt.go(spec, 0)
        found = tuple(tries.all)
    save_table(found, search.objectives, out / "trials.csv")
    whole = [one for one in found if not one.fold]
    front = front_of(whole, signs)
    best = front[0] if front else None
    verdict, tried = judge(whole, len(found), best, search.objectives[0])
    done = Optimization(search, found, best, front, verdict, interrupted=stopped())
    if walk is not None:
        done = replace(done, forward=walk.folds, outside=walk.outside())
    if best is not None:
        done = replace(done, result=_played(spec, best, tried, done.told(), out / "best"))
    (out / "optimization.json").write_text(done.summary() + "\n", encoding="utf-8")
    return done


def resolved(search: Search) -> tuple[Backtest, RecordedFeed]:
    """Return the backtest with its data found, and that data; raises an OperatorError.

    The data is that for the largest parameters, whose warm-up reaches back the farthest.
    """
    spec = search.fixed
    plan = _sensible(spec, search)
    assert isinstance(plan.feed, RecordedSettings)
    feed = plan.feed.model_dump(mode="json", exclude_none=True, exclude={"start", "end"})
    settings = {**spec.settings, "feeds": Option([{"type": "recorded", **feed}], "the data")}
    found = spec.model_copy(update={"settings": settings, "data": (), "catalogue": None})
    return found, RecordedFeed(plan.feed)


def _sensible(spec: Backtest, search: Search) -> Plan:
    """Return a plan with the largest parameters that make sense."""
    dimensions = search.space.dimensions
    largest: Params = {
        name: one.options[-1] if isinstance(one, Choice) else _number(one.high, whole=one.whole)
        for name, one in dimensions.items()
    }
    try:
        return plan_of(with_params(spec, largest)).plan
    except ConfigError:
        smallest: Params = {
            name: one.options[0] if isinstance(one, Choice) else _number(one.low, whole=one.whole)
            for name, one in dimensions.items()
        }
        return plan_of(with_params(spec, smallest)).plan


def _number(value: float, *, whole: bool) -> int | float:
    return int(value) if whole else value


def with_params(spec: Backtest, params: Params) -> Backtest:
    """Return a backtest with further parameters."""
    return spec.model_copy(update={"params": {**spec.params, **params}})


@dataclass
class Hunt:
    """The tries of a search, those under way and those done."""

    search: Search
    spec: Backtest
    out: Path
    tries: Tries
    pool: Executor
    jobs: int
    onlooker: Onlooker | None
    stopped: Callable[[], bool]

    def go(self, spec: Backtest, fold: int) -> None:
        """Try until enough were tried, or all there is; `fold` is a training range, 0 the whole."""
        search = self.search
        asker = Asker(
            self.out / "optuna.log",
            search.study(fold),
            search.space,
            search.sampler,
            search.signs,
            search.seed + fold,
        )
        under_way: dict[Future[Try], Asked] = {}
        known = {key_of(one.params) for one in self.done(fold)}
        wanted = self._wanted()
        self._tell(fold, wanted, under_way)
        while True:
            while len(under_way) <= self.jobs and self._wants_more(fold, wanted, under_way):
                asked = asker.ask(known.__contains__, lambda params: _check(spec, params))
                if asked is None:
                    wanted = len(self.done(fold)) + len(under_way)
                    break
                known.add(key_of(asked.params))
                number = len(self.tries.all) + len(under_way) + 1
                job = self._job(spec, asked.params, fold, number)
                under_way[self.pool.submit(run_trial, job)] = asked
            if not under_way:
                return
            ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in [one for one in under_way if one in ended]:  # in the order they began
                one = future.result()
                self.tries.add(one)
                asker.tell(under_way.pop(future), one)
            self._tell(fold, wanted, under_way)

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
        self, fold: int, wanted: int | None, under_way: dict[Future[Try], Asked]
    ) -> bool:
        enough = wanted is not None and len(self.done(fold)) + len(under_way) >= wanted
        return not enough and not self.stopped()

    def _job(self, spec: Backtest, params: Params, fold: int, number: int) -> Job:
        search = self.search
        prunes = search.prune and len(search.objectives) == 1
        return Job(
            number=number,
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

    def _tell(self, fold: int, wanted: int | None, under_way: dict[Future[Try], Asked]) -> None:
        if self.onlooker is not None:
            done = len(self.done(fold))
            self.onlooker(Told(done, wanted, len(under_way), self.best(fold), fold))


def _check(spec: Backtest, params: Params) -> None:
    plan_of(with_params(spec, params))


def _played(
    spec: Backtest, best: Try, tried: Trials, told: tuple[str, ...], folder: Path
) -> Result:
    """Play the best again, whole, and save it with what is said of it."""
    result = prepare(with_params(spec, best.params)).run(folder / "state")
    known = set(cautions(result.metrics, result.origin))
    others = [one for one in result.warnings if one not in known]
    words = (*told, *others, *cautions(result.metrics, result.origin, tried))
    result = replace(result, warnings=words, trials=tried)
    save(result, folder)
    return result
