"""The backtest: a daemon like any other, on recorded data, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.plan import Plan
from tradeagent.research.decisions import Decision, Ear
from tradeagent.research.folder import clear
from tradeagent.research.lookahead import LookAhead, look_ahead
from tradeagent.research.operator import mornings
from tradeagent.research.outcome import result_of
from tradeagent.research.place import Same, claim
from tradeagent.research.play import Call, Listening, play, wait_for
from tradeagent.research.prices import span_of, step_of
from tradeagent.research.result import Result
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.research.terms import RESUMED
from tradeagent.research.warmup import WarmUp, warm_up
from tradeagent.research.witness import Witness

STEPS = 100
"""How often progress is told."""
Progress = Callable[[float], None]
Check = Literal["lookahead", "warmup"]
Texts = str | Sequence[str]


def backtest(
    strategy: Texts = (),
    *,
    symbol: Texts = (),
    timeframe: Texts = (),
    timerange: str = "",
    params: Mapping[str, object] | None = None,
    data: str | Path | Sequence[str | Path] = (),
    config: str | Path | Sequence[str | Path] = (),
    settings: Mapping[str, object] | None = None,
    resume_daily: bool = False,
    catalogue: str | Path | None = None,
    out: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    checks: Sequence[Check] = (),
) -> Result:
    """Play strategies over recorded data; returns what it came to, see `Backtest` for the names.

    With `out` the journal stays in its folder `state`, where with `force` any result may have been;
    `checks` are made afterwards. Works in a notebook too, whose event loop runs already. Raises an
    OperatorError with one line for each mistake.
    """
    spec = Backtest(
        strategies=_several(strategy),
        symbols=_several(symbol),
        timeframes=_several(timeframe),
        timerange=timerange,
        params=dict(params or {}),
        data=_several(data),
        config=tuple(map(Path, _several(config))),
        settings=dict(settings or {}),
        resume_daily=resume_daily,
        catalogue=None if catalogue is None else Path(catalogue),
    )
    prepared = prepare(spec)
    state = None if out is None else prepared.claim(Path(out), force=force)
    return prepared.run(state, progress, checks)


def _several(given: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    return (str(given),) if isinstance(given, str | Path) else tuple(map(str, given))


@dataclass(frozen=True)
class Prepared:
    """A backtest that is ready to play: everything is resolved, checked and loaded."""

    spec: Backtest
    plan: Plan
    feed: RecordedFeed
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return a folder's name for it: what is played, and the digest of all settings."""
        words = [*(one.name for one in self.plan.strategies), *self.plan.watched]
        resumed = "-resumed" if self.spec.resume_daily else ""
        return f"{'-'.join(words)[:60]}-{self.plan.digest[:8]}{resumed}"

    @property
    def files(self) -> list[Path]:
        """Return the files that are played."""
        return [one.path for one in self.feed.settings.files]

    def claim(self, folder: Path, *, force: bool = False) -> Path:
        """Return where in a result's folder the journal goes; raises CommandError.

        The folder is empty or holds the same backtest; with `force` it may hold anything.
        """
        data = {one.name: one.sha256 for one in self.feed.references()}
        return claim(folder, Same(self.plan.digest, data, self.spec.resume_daily), force=force)

    def run(
        self,
        state: Path | None = None,
        progress: Progress | None = None,
        checks: Sequence[Check] = (),
        executor: Executor | None = None,
    ) -> Result:
        """Play it; its journal stays in the folder `state`, if there is one.

        A result beside that folder is taken away first: the journal would no longer be its own.
        `progress` hears how much is done, from 0 to 1. What `checks` find, in fresh processes or
        those of `executor`, stands first among the warnings. Raises an OperatorError.
        """
        if state is not None:
            clear(state.parent)
        ear = Ear() if checks else None
        result = wait_for(_play(self, state, progress, ear))
        made = [*self._made(ear.decisions, checks, executor)] if ear is not None else []
        found = [text for one in made for text in one.told()]
        return replace(
            result,
            warnings=(*found, *self.warnings, *result.warnings),
            checks=tuple(one.line for one in made),
        )

    def _made(
        self, decisions: Sequence[Decision], checks: Sequence[Check], executor: Executor | None
    ) -> Iterator[LookAhead | WarmUp]:
        span = span_of(self.feed)
        if "lookahead" in checks:
            yield look_ahead(self.spec, self.files, span, decisions, executor)
        if "warmup" in checks:
            yield warm_up(self.spec, span, decisions, step_of(self.feed), executor)


def prepare(spec: Backtest) -> Prepared:
    """Return a backtest ready to play; raises an OperatorError with a line for each mistake."""
    plan, warnings = plan_of(spec)
    return Prepared(spec, plan, load_feed(plan), warnings)


def load_feed(plan: Plan) -> RecordedFeed:
    """Return the data of a plan, loaded; raises DataError for what cannot be played."""
    assert isinstance(plan.feed, RecordedSettings)
    return RecordedFeed(plan.feed)


async def _play(
    prepared: Prepared, state: Path | None, progress: Progress | None, ear: Ear | None
) -> Result:
    witness, feed = Witness(), prepared.feed
    ears = [witness.subscriber] if ear is None else [witness.subscriber, ear.subscriber]
    calls = _milestones(feed, progress)
    if prepared.spec.resume_daily:
        calls += mornings(*span_of(feed))
    listening = Listening(ears, calls)
    started, summary = await play(prepared.plan, state, feed, listening)
    if progress is not None:
        progress(1.0)
    result = result_of(prepared.plan, feed, witness, started, summary)
    return _resumed(result) if prepared.spec.resume_daily else result


def _resumed(result: Result) -> Result:
    """Return a result with the term that somebody resumed its trading."""
    origin = result.origin
    terms = {**origin.terms, **RESUMED}
    return replace(result, origin=origin.model_copy(update={"terms": terms}))


def _milestones(feed: RecordedFeed, progress: Progress | None) -> list[Call]:
    """Return the moments at which progress is told."""
    if progress is None:
        return []
    first, last = span_of(feed)
    parts = [step / STEPS for step in range(1, STEPS)]
    return [(first + int((last - first) * part), partial(_note, progress, part)) for part in parts]


def _note(progress: Progress, part: float, _: object) -> None:
    progress(part)
