"""Ask Optuna what to try next, each combination once, and tell it what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tradeagent.errors import CommandError, ConfigError
from tradeagent.research.space import Choice, Params, Range, Space, key_of
from tradeagent.research.tries import Try

Sampler = Literal["grid", "random", "tpe"]
VAIN = 200
"""Combinations in a row that are known or make no sense, after which a space counts as tried."""
HOPELESS = 25
"""Combinations that make no sense, after which the first of them is told as a mistake."""


class Asked(NamedTuple):
    """A combination to try, and Optuna's word for it."""

    trial: Any
    params: Params


class Asker:
    """One study of Optuna, kept in a file that later calls go on with.

    `check` raises ConfigError for a combination that makes no sense, such as a fast average that is
    slower than the slow one: it is passed over, and is no try.
    """

    def __init__(
        self,
        place: Path,
        name: str,
        space: Space,
        sampler: Sampler,
        signs: tuple[int, ...],
        seed: int,
    ) -> None:
        """Open or make the study `name` in the file `place`; raises CommandError without Optuna."""
        optuna = _optuna()
        self._states = optuna.trial.TrialState
        self._distributions = {
            one: _distribution(optuna, dimension) for one, dimension in space.dimensions.items()
        }
        storage = optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(place))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental there is no news here
            chosen = (
                optuna.samplers.TPESampler(seed=seed, constant_liar=True)
                if sampler == "tpe"
                else optuna.samplers.RandomSampler(seed=seed)
            )
            self._study = optuna.create_study(
                storage=storage,
                study_name=name,
                load_if_exists=True,
                sampler=chosen,
                directions=["maximize" if sign > 0 else "minimize" for sign in signs],
            )
        self._left = self._interrupted()
        self._points: Iterator[Params] | None = space.grid() if sampler == "grid" else None

    def _interrupted(self) -> list[Params]:
        """Return what an earlier call was trying when it ended, and end it in the study."""
        states = self._states
        left = self._study.get_trials(deepcopy=False, states=(states.RUNNING, states.WAITING))
        for one in left:
            if one.state == states.RUNNING:
                self._study.tell(one.number, state=states.FAIL)
        return [dict(one.params) for one in left if one.params]

    def ask(self, known: Callable[[str], bool], check: Callable[[Params], None]) -> Asked | None:
        """Return a combination that is not `known` yet, None once there is hardly any left."""
        vain = 0
        mistake: ConfigError | None = None
        while vain < VAIN:
            params = self._left.pop() if self._left else None
            if params is None and self._points is not None:
                params = next(self._points, None)
                if params is None:
                    break
            if params is not None and known(key_of(params)):
                continue
            if params is not None:
                self._study.enqueue_trial(params)
            trial = self._study.ask(self._distributions)
            params = dict(trial.params)
            try:
                if not known(key_of(params)):
                    check(params)
                    return Asked(trial, params)
            except ConfigError as error:
                mistake = mistake or error
                if vain >= HOPELESS and not self._study.get_trials(
                    deepcopy=False, states=(self._states.COMPLETE,)
                ):
                    raise
            self._study.tell(trial, state=self._states.FAIL)
            vain += self._points is None or mistake is not None
        if mistake is not None and vain >= VAIN:
            raise mistake
        return None

    def tell(self, asked: Asked, one: Try) -> None:
        """Tell what came of a combination."""
        if one.complete:
            self._study.tell(asked.trial, [value for value in one.values if value is not None])
            return
        if one.state == "pruned" and one.values and one.values[0] is not None:
            for stage, value in enumerate(one.stages):
                asked.trial.report(value, stage)
            self._study.tell(asked.trial, state=self._states.PRUNED)
            return
        self._study.tell(asked.trial, state=self._states.FAIL)


def _optuna() -> Any:
    try:
        import optuna
        import optuna.storages.journal
    except ImportError as error:
        raise CommandError("optimising needs optuna: pip install 'tradeagent[research]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(optuna: Any, dimension: Range | Choice) -> Any:
    made = optuna.distributions
    if isinstance(dimension, Choice):
        return made.CategoricalDistribution(dimension.options)
    values = dimension.values() if dimension.step is not None else (dimension.low, dimension.high)
    low, high = values[0], values[-1]
    if dimension.whole:
        return made.IntDistribution(int(low), int(high), step=int(dimension.step or 1))
    return made.FloatDistribution(float(low), float(high), step=dimension.step)
