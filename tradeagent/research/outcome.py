"""What a run came to, made of what was heard of it and of the candles it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

import tradeagent
from tradeagent.app import code_digest
from tradeagent.errors import IntegrityError
from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.messages import ZERO
from tradeagent.plan import Plan
from tradeagent.quant.curve import Curve, Prices
from tradeagent.quant.holding import hold
from tradeagent.quant.metrics import Metrics, Orders
from tradeagent.quant.performance import measure
from tradeagent.quant.trades import Trade
from tradeagent.research.account import Marks, curve_of, trades_of
from tradeagent.research.cautions import cautions
from tradeagent.research.prices import (
    both,
    candles_of,
    closes_of,
    minutes_of,
    moments_of,
    ticks_of,
)
from tradeagent.research.result import Origin, Result
from tradeagent.research.terms import fills_of, terms_of
from tradeagent.research.witness import Witness
from tradeagent.research.wording import counted
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.tally import Summary

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Measured:
    """The figures of a run, and the rows they rest on."""

    metrics: Metrics
    curve: Curve
    trades: tuple[Trade, ...]
    prices: dict[str, Prices]


def measured(
    plan: Plan, feed: RecordedFeed, witness: Witness, start: tuple[int, Decimal], until: int | None
) -> Measured:
    """Return what a run came to that began at `start` (UTC ns, balance), or by `until` (UTC ns)."""
    prices, marks = _market(plan, feed, witness)
    ticks = [one for symbol, one in marks.items() if symbol in witness.marks]
    moments = moments_of(list(prices.values()), ticks)
    if until is not None:
        moments = moments[: int(np.searchsorted(moments, until, side="right"))]
    curve = curve_of(start, witness.booked, witness.payments, marks, moments)
    end = int(curve.time[-1])
    trades = trades_of(witness.booked, _last(marks, end))
    metrics = measure(
        curve,
        trades,
        hold(prices, start[0], end),
        traded=sum((one.size * one.price for one in witness.fills), ZERO),
        slippage=witness.slippage,
        orders=Orders(witness.rejected, len(witness.ended), witness.unfilled),
    )
    return Measured(metrics, curve, trades, prices)


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


def _last(marks: Mapping[str, Marks], end: int) -> dict[str, Decimal]:
    """Return what each symbol was marked at last, at `end` (UTC ns)."""
    moment = np.array([end], np.int64)
    return {name: Decimal(repr(float(one.at(moment)[0]))) for name, one in marks.items()}


def result_of(
    plan: Plan, feed: RecordedFeed, witness: Witness, started: int, summary: Summary
) -> Result:
    """Return what a whole run came to.

    Raises IntegrityError where that is not what the exchange's own account shows.
    """
    found = measured(plan, feed, witness, (started, summary.start_equity), None)
    _agree(found.curve, summary)
    origin = _origin(plan, feed, found.prices, summary)
    return Result(
        origin=origin,
        metrics=found.metrics,
        curve=found.curve,
        trades=found.trades,
        orders=tuple(witness.orders.values()),
        fills=tuple(witness.fills),
        prices=found.prices,
        warnings=(*witness.told(), *cautions(found.metrics, origin), *_warnings(feed)),
    )


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
            verb = "is" if one.missing == 1 else "are"
            missing, gaps = counted(one.missing, "candle"), counted(one.gaps, "gap")
            yield f"{one.name}: {missing} {verb} missing in {gaps}."
        if one.malformed:
            verb = "was" if one.malformed == 1 else "were"
            yield f"{one.name}: {counted(one.malformed, 'malformed row')} {verb} left out."
