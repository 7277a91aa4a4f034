"""The backtest: a daemon like any other, on recorded data, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import tradeagent
from tradeagent.app import code_digest
from tradeagent.errors import IntegrityError
from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.messages import TIMEFRAMES
from tradeagent.messages.market import MINUTE
from tradeagent.plan import Plan
from tradeagent.quant.curve import Curve, Prices
from tradeagent.quant.holding import hold
from tradeagent.quant.performance import measure
from tradeagent.research.account import Marks, curve_of, trades_of
from tradeagent.research.cautions import cautions
from tradeagent.research.decisions import Decision, Ear
from tradeagent.research.lookahead import look_ahead
from tradeagent.research.play import Listening, play, scratch, wait_for
from tradeagent.research.prices import (
    both,
    candles_of,
    closes_of,
    minutes_of,
    moments_of,
    ticks_of,
)
from tradeagent.research.result import Origin, Result
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.research.terms import fills_of, terms_of
from tradeagent.research.warmup import warm_up
from tradeagent.research.witness import Witness
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.tally import Summary

CENT = Decimal("0.01")
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
    catalogue: str | Path | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    checks: Sequence[Check] = (),
) -> Result:
    """Play strategies over recorded data; returns what it came to, see `Backtest` for the names.

    With `out` the journal stays in its folder `state`; `checks` are made afterwards. Works in a
    notebook too, whose event loop runs already. Raises an OperatorError with one line for each
    mistake.
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
        catalogue=None if catalogue is None else Path(catalogue),
    )
    state = None if out is None else Path(out) / "state"
    return prepare(spec).run(state, progress, checks)


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
        return f"{'-'.join(words)[:60]}-{self.plan.digest[:8]}"

    @property
    def files(self) -> list[Path]:
        """Return the files that are played."""
        return [one.path for one in self.feed.settings.files]

    def run(
        self,
        state: Path | None = None,
        progress: Progress | None = None,
        checks: Sequence[Check] = (),
    ) -> Result:
        """Play it; its journal stays in the folder `state`, if there is one.

        `progress` hears how much is done, from 0 to 1. What `checks` find stands first among the
        warnings. Raises an OperatorError.
        """
        ear = Ear() if checks else None
        with scratch() if state is None else nullcontext(state) as place:
            result = wait_for(_play(self, place, progress, ear))
        found = [*self._found(ear.decisions, checks)] if ear is not None else []
        return replace(result, warnings=(*found, *self.warnings, *result.warnings))

    def _found(self, decisions: Sequence[Decision], checks: Sequence[Check]) -> Iterator[str]:
        span = span_of(self.feed)
        if "lookahead" in checks:
            yield from look_ahead(self.spec, self.files, span, decisions).told()
        if "warmup" in checks:
            yield from warm_up(self.spec, span, decisions, step_of(self.feed)).told()


def prepare(spec: Backtest) -> Prepared:
    """Return a backtest ready to play; raises an OperatorError with a line for each mistake."""
    plan, warnings = plan_of(spec)
    return Prepared(spec, plan, load_feed(plan), warnings)


def load_feed(plan: Plan) -> RecordedFeed:
    """Return the data of a plan, loaded; raises DataError for what cannot be played."""
    assert isinstance(plan.feed, RecordedSettings)
    return RecordedFeed(plan.feed)


async def _play(
    prepared: Prepared, state: Path, progress: Progress | None, ear: Ear | None
) -> Result:
    witness, feed = Witness(), prepared.feed
    ears = [witness.subscriber] if ear is None else [witness.subscriber, ear.subscriber]
    listening = Listening(ears, _milestones(feed, progress))
    started, summary = await play(prepared.plan, state, feed, listening)
    if progress is not None:
        progress(1.0)
    return result_of(prepared.plan, feed, witness, started, summary)


def _milestones(
    feed: RecordedFeed, progress: Progress | None
) -> list[tuple[int, Callable[[Callable[[], None]], None]]]:
    """Return the moments at which progress is told."""
    if progress is None:
        return []
    told = progress
    first, last = span_of(feed)
    return [
        (first + (last - first) * step // STEPS, lambda _, part=step / STEPS: told(part))  # type: ignore[misc]
        for step in range(1, STEPS)
    ]


def span_of(feed: RecordedFeed) -> tuple[int, int]:
    """Return the times of the first event played and of the last (UTC ns)."""
    first = next(feed.events(0))[0]
    last = max(one.last_time for one in feed.status())
    return first, min(last, feed.settings.end_ns)


def step_of(feed: RecordedFeed) -> int:
    """Return the length of the longest candles that are played, ns; a minute without any."""
    played = (feed.shortest(one.symbol) for one in feed.instruments())
    return max((TIMEFRAMES[one] for one in played if one is not None), default=MINUTE)


def result_of(
    plan: Plan, feed: RecordedFeed, witness: Witness, started: int, summary: Summary
) -> Result:
    """Return what a run came to, from what was heard of it.

    Raises IntegrityError where that is not what the exchange's own account shows.
    """
    prices, marks = _market(plan, feed, witness)
    ticks = [one for symbol, one in marks.items() if symbol in witness.marks]
    curve = curve_of(
        (started, summary.start_equity),
        witness.booked,
        witness.payments,
        marks,
        moments_of(list(prices.values()), ticks),
    )
    _agree(curve, summary)
    last = {name: Decimal(repr(float(one.price[-1]))) for name, one in marks.items()}
    trades = trades_of(witness.booked, last)
    fills = tuple(witness.fills)
    traded = sum((one.size * one.price for one in fills), Decimal(0))
    origin = _origin(plan, feed, prices, summary)
    metrics = measure(
        curve,
        trades,
        hold(prices, started, int(curve.time[-1])),
        traded=traded,
        slippage=witness.slippage,
        rejected=witness.rejected,
    )
    return Result(
        origin=origin,
        metrics=metrics,
        curve=curve,
        trades=trades,
        orders=tuple(witness.orders.values()),
        fills=fills,
        prices=prices,
        warnings=(*witness.told(), *cautions(metrics, origin), *_warnings(feed)),
    )


def _market(
    plan: Plan, feed: RecordedFeed, witness: Witness
) -> tuple[dict[str, Prices], dict[str, Marks]]:
    """Return the candles and the marks of every symbol that was traded or watched."""
    prices: dict[str, Prices] = {}
    marks: dict[str, Marks] = {}
    for symbol in plan.watched or [one.symbol for one in feed.instruments()]:
        candles = candles_of(feed, symbol)
        seen = ticks_of(witness.marks.get(symbol, ([], [])))
        if candles is not None:
            prices[symbol], marks[symbol] = candles, both(closes_of(candles), seen)
        elif len(seen.time):
            prices[symbol], marks[symbol] = minutes_of(symbol, seen), seen
    return prices, marks


def _agree(curve: Curve, summary: Summary) -> None:
    told, found = summary.end_equity, Decimal(repr(float(curve.equity[-1])))
    if abs(told - found) >= CENT:
        raise IntegrityError(
            f"the equity curve ends at {found:f} and the exchange's account at {told:f}"
        )


def _origin(
    plan: Plan, feed: RecordedFeed, prices: Mapping[str, Prices], summary: Summary
) -> Origin:
    timeframes = dict.fromkeys(timeframe for _, timeframe in plan.needed())
    assert isinstance(plan.exchange, ExchangeSettings)
    return Origin(
        strategies={one.name: one.params.model_dump(mode="json") for one in plan.strategies},
        symbols=tuple(prices),
        timeframes=tuple(timeframes),
        start=summary.started,
        end=summary.ended,
        data={one.name: one.sha256 for one in feed.references()},
        configuration=plan.digest,
        code=code_digest(),
        seed=plan.seed,
        journal=summary.journal_hash,
        version=tradeagent.__version__,
        terms=terms_of(plan.exchange),
        fills=fills_of(feed),
    )


def _warnings(feed: RecordedFeed) -> Iterator[str]:
    """Yield what the reader must know of the data."""
    for one in feed.status():
        if one.missing:
            yield f"{one.name}: {one.missing:,} candles are missing in {one.gaps:,} gaps."
        if one.malformed:
            yield f"{one.name}: {one.malformed:,} malformed rows were left out."
