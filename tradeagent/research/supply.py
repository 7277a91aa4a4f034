"""The data of each try: what its plain backtest would play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tradeagent.config.layers import Option
from tradeagent.errors import ConfigError, DataError, OperatorError
from tradeagent.integrations.recorded import RecordedFile, RecordedSettings
from tradeagent.plan import Plan
from tradeagent.research.space import Params, Space
from tradeagent.research.spec import Backtest, plan_of

HOPELESS = 200
"""Combinations that make no sense, after which the first of them is told as a mistake."""


class Supply:
    """Finds the data of each combination; what asks for the same candles gets the same files.

    `note` hears of the files when they are found.
    """

    def __init__(
        self, spec: Backtest, note: Callable[[Sequence[RecordedFile]], None] = lambda _: None
    ) -> None:
        """Find data for `spec` with further parameters."""
        self._spec, self._note = spec, note
        self._found: dict[str, RecordedSettings] = {}

    def of(self, params: Params) -> Backtest:
        """Return the backtest of a combination, its files named where it has any.

        Raises ConfigError for parameters that make no sense, and DataError while there are no files
        of any combination.
        """
        spec = with_params(self._spec, params)
        if self._found:
            known = next(iter(self._found.values()))  # any will do to ask what strategies want
            found = self._found.get(_wanted(plan_of(_playing(spec, known)).plan))
            if found is not None:
                return _playing(spec, found)
        try:
            plan = plan_of(spec).plan
        except DataError:
            if not self._found:
                raise
            return spec  # it alone lacks data, and is a failed try
        assert isinstance(plan.feed, RecordedSettings)
        self._note(plan.feed.files)
        self._found[_wanted(plan)] = plan.feed
        return _playing(spec, plan.feed)

    def sample(self, space: Space) -> Backtest:
        """Return the backtest of some combination that makes sense, the same at every call.

        Raises an OperatorError where hardly any does.
        """
        chance = Random(0)  # noqa: S311 - no secret
        refusal: OperatorError | None = None
        for _ in range(HOPELESS):
            try:
                return self.of(space.any(chance))
            except (ConfigError, DataError) as error:
                refusal = refusal or error
        assert refusal is not None
        raise refusal


def with_params(spec: Backtest, params: Params) -> Backtest:
    """Return a backtest with further parameters."""
    return spec.model_copy(update={"params": {**spec.params, **params}})


def _playing(spec: Backtest, feed: RecordedSettings) -> Backtest:
    """Return a backtest that plays these files and no others."""
    files = {"type": "recorded", **feed.model_dump(mode="json", exclude_none=True)}
    settings = {**spec.settings, "feeds": Option([files], "the data")}
    return spec.model_copy(update={"settings": settings, "data": (), "catalogue": None})


def _wanted(plan: Plan) -> str:
    """Return what decides which files are played: what every strategy asks for."""
    return repr([(one.symbol, one.inputs()) for each in plan.strategies for one in each.make()])
