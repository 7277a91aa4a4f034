"""Ask Optuna what to try next, each combination once, and tell it what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from tradeagent.errors import CommandError, ConfigError
from tradeagent.research.space import MOST, Choice, Params, Range, Space, key_of
from tradeagent.research.tries import Try

Sampler = Literal["grid", "random", "tpe"]
VAIN = 200
"""Combinations in a row that are known or make no sense, after which an endless space counts as
tried.
"""
PATIENCE = 5
"""Such combinations in a row that a sampler may ask for before one of the others is taken."""


class Asked(NamedTuple):
    """A combination to try, and Optuna's word for it."""

    trial: Any
    params: Params


class Asker:
    """A study of Optuna, in memory: what it knows of earlier calls are their tries.

    Which combinations it asks for follows from `seed`, the number of those tries, and what came of
    them: a later call does not draw again what an earlier one drew.
    """

    def __init__(
        self,
        space: Space,
        sampler: Sampler,
        signs: tuple[int, ...],
        seed: int,
        tries: Sequence[Try] = (),
    ) -> None:
        """Make a study that knows `tries`; raises CommandError without Optuna."""
        self._optuna = optuna = _optuna()
        self._space, self._signs = space, signs
        self._distributions = {
            name: _distribution(optuna, one) for name, one in space.dimensions.items()
        }
        chance = Random(f"{seed} {len(tries)}")  # noqa: S311 - no secret
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental there is no news here
            first = chance.randrange(1 << 32)
            self._study = optuna.create_study(
                sampler=optuna.samplers.TPESampler(seed=first, constant_liar=True)
                if sampler == "tpe"
                else optuna.samplers.RandomSampler(seed=first),
                directions=["maximize" if sign > 0 else "minimize" for sign in signs],
            )
        self._refused: set[str] = set()
        self._patience = {"grid": 0}.get(sampler, PATIENCE if self._finite else VAIN)
        self._rest = space.grid() if sampler == "grid" else self._shuffled(chance)
        for one in tries:
            self._recall(one)

    @property
    def _finite(self) -> bool:
        return self._space.size is not None and self._space.size <= MOST

    def _shuffled(self, chance: Random) -> Iterator[Params]:
        """Yield every combination, where there is an end of them, in any order."""
        if self._finite:
            found = list(self._space.grid())
            chance.shuffle(found)
            yield from found

    def ask(self, known: Callable[[str], bool], check: Callable[[Params], object]) -> Asked | None:
        """Return a combination that is not `known` yet, None once there is hardly any left.

        `check` raises ConfigError for one that makes no sense, such as a fast average that is
        slower than the slow one: it is passed over, and is no try. Where the sampler keeps asking
        for such ones, one of the others is taken.
        """
        for _ in range(self._patience):
            trial = self._study.ask(self._distributions)
            params = self._tidied(trial.params)
            if self._fits(params, known, check):
                return Asked(trial, params)
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        for params in self._rest:
            if self._fits(params, known, check):
                self._study.enqueue_trial(params)
                return Asked(self._study.ask(self._distributions), params)
        return None

    def _tidied(self, params: Params) -> Params:
        dimensions = self._space.dimensions
        return {name: dimensions[name].tidy(value) for name, value in params.items()}

    def _fits(
        self, params: Params, known: Callable[[str], bool], check: Callable[[Params], object]
    ) -> bool:
        key = key_of(params)
        if known(key) or key in self._refused:
            return False
        try:
            check(params)
        except ConfigError:
            self._refused.add(key)
            return False
        return True

    def tell(self, asked: Asked, one: Try) -> None:
        """Tell what came of a combination."""
        state, values, reported = self._outcome(one)
        for stage, value in reported.items():
            asked.trial.report(value, stage)
        self._study.tell(asked.trial, values, state=state)

    def _recall(self, one: Try) -> None:
        """Tell of a try of an earlier call, where it lies in the space."""
        state, values, reported = self._outcome(one)
        try:
            trial = self._optuna.trial.create_trial(
                state=state,
                values=values,
                params=one.params,
                distributions=self._distributions,
                intermediate_values=reported,
            )
        except ValueError:
            return
        self._study.add_trial(trial)

    def _outcome(self, one: Try) -> tuple[Any, list[float] | None, dict[int, float]]:
        """Return a try's state, values and stages in Optuna's words; of stages more is better."""
        states = self._optuna.trial.TrialState
        if one.complete:
            return states.COMPLETE, [value for value in one.values if value is not None], {}
        if one.state == "pruned":
            sign = self._signs[0]
            return states.PRUNED, None, {at: sign * value for at, value in enumerate(one.stages)}
        return states.FAIL, None, {}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise CommandError("optimising needs optuna: pip install 'tradeagent[research]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(optuna: Any, dimension: Range | Choice) -> Any:
    made = optuna.distributions
    if isinstance(dimension, Choice):
        return made.CategoricalDistribution(dimension.options)
    count = dimension.count
    low, high = dimension.low, dimension.high if count is None else dimension.at(count - 1)
    if dimension.whole:
        return made.IntDistribution(int(low), int(high), step=int(dimension.step or 1))
    return made.FloatDistribution(float(low), float(high), step=dimension.step)
