"""One try of an optimiser, played in a process that has loaded the data once."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context

from tradeagent.app import Daemon
from tradeagent.clock import SECOND, monotonic
from tradeagent.errors import OperatorError
from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.log import log
from tradeagent.plan import Plan
from tradeagent.quant.curve import DAY
from tradeagent.quant.days import days
from tradeagent.research.operator import mornings
from tradeagent.research.outcome import Measured, measured
from tradeagent.research.play import Call, Listening, play, wait_for
from tradeagent.research.prices import span_of
from tradeagent.research.screenable import NotScreened
from tradeagent.research.screening import screen
from tradeagent.research.space import Params
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.research.tries import State, Try
from tradeagent.research.witness import Witness
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.supervisor.operations import attempt

WORST = -1e300
"""What an undefined value of a stage counts as."""


@dataclass(frozen=True)
class Job:
    """A combination to try. A run whose first objective lies below `hurdles[i]` after part
    `stages[i]` of the range is given up there; the value of an objective to be minimised is
    negative.
    """

    number: int
    backtest: Backtest
    params: Params
    objectives: tuple[str, ...]
    signs: tuple[int, ...]
    fold: int = 0
    stages: tuple[float, ...] = ()
    hurdles: tuple[float, ...] = ()
    screen: bool = False


@dataclass
class Stages:
    """Looks at a run on its way, and gives it up where it is too far behind."""

    job: Job
    look: Callable[[int], Measured]
    values: list[float] = field(default_factory=list)
    given_up: bool = False

    def calls(self, first: int, last: int) -> list[Call]:
        """Return when it looks."""
        job = self.job
        moments = [first + int((last - first) * part) for part in job.stages]
        return [(moment, self._looking(moment, stage)) for stage, moment in enumerate(moments)]

    def _looking(self, moment: int, stage: int) -> Callable[[Daemon], None]:
        def look(daemon: Daemon) -> None:
            job = self.job
            value = getattr(self.look(moment).metrics, job.objectives[0])
            self.values.append(WORST if value is None else job.signs[0] * value)
            if stage < len(job.hurdles) and self.values[-1] < job.hurdles[stage]:
                self.given_up = True
                daemon.stop()

        return look


_LOADED: dict[str, RecordedFeed] = {}
"""The data of this process, by what was loaded: all tries of a search play the same."""


def loaded(settings: RecordedSettings) -> RecordedFeed:
    """Return the data that `settings` name, loaded at the first call, played in their range."""
    stats = [os.stat(one.path) for one in settings.files]
    told = [f"{one.st_size} {one.st_mtime_ns}" for one in stats]
    key = settings.model_copy(update={"start": None, "end": None}).model_dump_json() + str(told)
    whole = _LOADED.get(key)
    if whole is None:
        _LOADED.clear()  # of another search, if anything
        whole = _LOADED[key] = RecordedFeed(settings)
    ranged = copy.copy(whole)  # the columns stay shared
    ranged.settings = settings
    return ranged


def run_trial(job: Job) -> Try:
    """Try one combination; what the strategy raises makes it a failed try.

    Raises OperatorError for what is wrong with every combination, such as missing data.
    """
    began = monotonic()
    spec = job.backtest.model_copy(update={"params": {**job.backtest.params, **job.params}})
    plan = plan_of(spec).plan
    assert isinstance(plan.feed, RecordedSettings)
    feed = loaded(plan.feed)
    one = Try(number=job.number, fold=job.fold, params=job.params, state="failed")
    if job.screen:
        try:
            found = screen(plan, feed)
        except NotScreened as refusal:
            one = one.model_copy(update={"refusal": str(refusal)})
        else:
            seconds = (monotonic() - began) / SECOND
            told = _told(one, job, found, Stages(job, lambda _: found))
            return told.model_copy(update={"seconds": seconds, "screened": True})
    played, error = wait_for(attempt(_play(job, plan, feed)))
    if isinstance(error, OperatorError):
        raise error
    seconds = (monotonic() - began) / SECOND
    if played is None:
        said = f"{type(error).__name__}: {error}"
        return one.model_copy(update={"error": said, "seconds": seconds})
    return _told(one, job, *played).model_copy(update={"seconds": seconds})


async def _play(job: Job, plan: Plan, feed: RecordedFeed) -> tuple[Measured, Stages]:
    witness = Witness()
    first, last = span_of(feed)
    assert isinstance(plan.exchange, ExchangeSettings)
    start = (first - 1, plan.exchange.balance)

    def look(until: int | None) -> Measured:
        return measured(plan, feed, witness, start, until)

    stages = Stages(job, look)
    calls = stages.calls(first, last)
    if job.backtest.resume_daily:
        calls += mornings(first, last)
    listening = Listening([witness.subscriber], calls)
    await play(plan, None, feed, listening)
    given_up_at = None
    if stages.given_up:
        part = job.stages[len(stages.values) - 1]
        given_up_at = first + int((last - first) * part)
    return look(given_up_at), stages


def _told(one: Try, job: Job, found: Measured, stages: Stages) -> Try:
    state: State = "pruned" if stages.given_up else "complete"
    daily = days(found.curve)
    return one.model_copy(
        update={
            "state": state,
            "values": tuple(getattr(found.metrics, name) for name in job.objectives),
            "stages": tuple(stages.values),
            "metrics": found.metrics,
            "first_day": int(daily.ends[0]) // DAY - 1 if len(daily) else 0,
            "returns": tuple(daily.returns.tolist()),
        }
    )


# -- where it runs --------------------------------------------------------------------------------


def workers(executor: Executor | None, jobs: int) -> Executor | nullcontext[Executor]:
    """Return an executor as a context: the one given, or one of `jobs` fresh processes."""
    if executor is not None:
        return nullcontext(executor)
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Leave interrupts to the process that asked, and logs to nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.remove()


def cores() -> int:
    """Return how many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
