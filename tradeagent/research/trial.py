"""One try of an optimiser, played in a process that has loaded the data once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Self

from tradeagent.app import Daemon
from tradeagent.clock import SECOND, monotonic
from tradeagent.errors import CommandError, DataError, OperatorError
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.integrations.recorded.feed import Recording
from tradeagent.log import log
from tradeagent.messages.market import TIMEFRAMES
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


def loaded(settings: RecordedSettings) -> RecordedFeed:
    """Return the data that `settings` name, played in their range; a file is loaded once."""

    def load(file: RecordedFile) -> Recording:
        stat = file.path.stat() if file.path.exists() else None
        told = None if stat is None else (stat.st_size, stat.st_mtime_ns)
        return _recording(file.model_dump_json(), told)

    return RecordedFeed(settings, load)


@lru_cache(1_000)
def _recording(file: str, _: tuple[int, int] | None) -> Recording:
    """Return a file, loaded: of each size and time of change once in this process."""
    return Recording(RecordedFile.model_validate_json(file))


def run_trial(job: Job) -> Try:
    """Try one combination; what the strategy raises, or data it lacks, makes it a failed try.

    Raises OperatorError for what is wrong with every combination.
    """
    began = monotonic()
    spec = job.backtest.model_copy(update={"params": {**job.backtest.params, **job.params}})
    try:
        plan = plan_of(spec).plan
    except DataError as lacking:
        return _failed(job, str(lacking))
    assert isinstance(plan.feed, RecordedSettings)
    feed = loaded(plan.feed)
    if missing := _missing(plan, feed):
        return _failed(job, missing)
    one = _failed(job)
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


def _failed(job: Job, error: str = "") -> Try:
    return Try(number=job.number, fold=job.fold, params=job.params, state="failed", error=error)


def _missing(plan: Plan, feed: RecordedFeed) -> str:
    """Return in words which candles the strategies ask for and can never see, if any."""
    for symbol, timeframe in plan.needed():
        shortest = feed.shortest(symbol)
        if shortest is not None and TIMEFRAMES[timeframe] % TIMEFRAMES[shortest]:
            return f"no {timeframe} candles of {symbol} can be made of those of {shortest}"
    return ""


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


class Workers:
    """What tries: an executor of somebody else's, or processes that are replaced where one dies."""

    def __init__(self, executor: Executor | None, jobs: int) -> None:
        """Try in `executor`, without one in `jobs` fresh processes."""
        self._given, self._jobs = executor, jobs
        self._pool = executor or _processes(jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._given is None:
            self._pool.shutdown()

    def submit(self, job: Job) -> Future[Try]:
        """Begin a try."""
        try:
            return self._pool.submit(run_trial, job)
        except BrokenExecutor:
            if self._given is not None:
                raise
        self._pool = _processes(self._jobs)
        return self._pool.submit(run_trial, job)

    def result(self, future: Future[Try], job: Job) -> Try:
        """Return what came of a try.

        Where its process died, or one beside it, it is tried again by itself; if it dies there,
        too, it has failed. Raises CommandError where no process can live.
        """
        try:
            return future.result()
        except BrokenExecutor:
            if self._given is not None:
                raise
        with _processes(1) as pool:
            try:
                pool.submit(cores).result()
            except BrokenExecutor as error:
                raise CommandError(
                    "no process can be started to try in; call optimize in a script below "
                    "if __name__ == '__main__'"
                ) from error
            try:
                return pool.submit(run_trial, job).result()
            except BrokenExecutor:
                died = "its process died twice, as where memory does not suffice"
                return _failed(job, died)


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Leave interrupts to the process that asked, logs to nobody, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.remove()
    parent = parent_process()
    assert parent is not None
    Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def cores() -> int:
    """Return how many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
