"""The same trades in another order, or drawn anew: how much of a result is their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tradeagent.quant.curve import Floats, Times

Method = Literal["shuffle", "bootstrap"]
PERCENTILES = (5, 25, 50, 75, 95)
CELLS = 5_000_000
"""Trades drawn at most over all runs; many trades are drawn in fewer runs."""
FEWEST = 100
"""Runs at least, however many trades."""
_BLOCK = 250_000
_STEPS = 200


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """What `runs` runs over the same trade returns came to, by `PERCENTILES`.

    `end` is their end equity, `drawdown` their max drawdown from closed trade to closed trade,
    `observed` that of the trades as they came. `loss` is the part of the runs that ended below the
    start. `band` has the equity after each of `steps` trades by percentile, one row each.
    """

    method: Method
    runs: int
    end: tuple[float, ...]
    drawdown: tuple[float, ...]
    observed: float
    deeper: float
    """The part of the runs with a drawdown deeper than `observed`."""
    loss: float
    steps: Times
    band: Floats


def factors(pnl: Floats, start: float) -> Floats:
    """Return what each trade multiplied equity by, in the order they closed, until ruin.

    A loss of all there was, or more, is a factor of 0.
    """
    equity = start + np.concatenate((np.zeros(1), np.cumsum(pnl)))
    ruined = np.flatnonzero(equity <= 0)
    last = int(ruined[0]) if len(ruined) else len(pnl)
    return np.maximum(equity[1 : last + 1] / equity[:last], 0.0) if last else np.empty(0)


def monte_carlo(
    pnl: Floats, start: float, method: Method = "bootstrap", *, runs: int = 1_000, seed: int = 0
) -> MonteCarlo | None:
    """Play the trades again `runs` times: in another order, or drawn with replacement.

    `pnl` is the profit of each trade in money, in the order they closed; each is taken as the same
    part of equity wherever it comes to stand. The same seed gives the same result. None for fewer
    than two trades.
    """
    by = factors(pnl, start)
    if len(by) < 2:
        return None
    runs = min(runs, max(FEWEST, CELLS // len(by)))
    count = min(_STEPS, len(by))
    steps = np.unique(np.linspace(0, len(by), count + 1).astype(np.int64))
    ends, depths = np.empty(runs), np.empty(runs)
    paths = np.empty((runs, len(steps)))
    row = 0
    for equity in _played(by, method, runs, np.random.default_rng(seed)):
        rows = slice(row, row + len(equity))
        ends[rows], depths[rows] = equity[:, -1], _deepest(equity)
        paths[rows] = equity[:, steps]
        row += len(equity)
    observed = float(_deepest(np.concatenate((np.ones(1), np.cumprod(by)))[None, :])[0])
    return MonteCarlo(
        method=method,
        runs=runs,
        end=_percentiles(ends * start),
        drawdown=_percentiles(depths),
        observed=observed,
        deeper=float((depths > observed * (1 + 1e-12)).mean()),
        # In another order the same factors give the same end, but for rounding.
        loss=float((ends < 1 - 1e-12).mean()),
        steps=steps,
        band=np.percentile(paths, PERCENTILES, axis=0) * start,
    )


def _played(by: Floats, method: Method, runs: int, source: np.random.Generator) -> Iterator[Floats]:
    """Yield the relative equity of some runs at a time, one row a run, the start first."""
    some = max(1, _BLOCK // len(by))
    for first in range(0, runs, some):
        shape = (min(some, runs - first), len(by))
        if method == "shuffle":
            drawn = source.permuted(np.broadcast_to(by, shape), axis=1)
        else:
            drawn = by[source.integers(0, len(by), shape)]
        yield np.concatenate((np.ones((shape[0], 1)), np.cumprod(drawn, axis=1)), axis=1)


def _deepest(equity: Floats) -> Floats:
    deepest: Floats = (1 - equity / np.maximum.accumulate(equity, axis=1)).max(axis=1)
    return deepest


def _percentiles(values: Floats) -> tuple[float, ...]:
    return tuple(float(one) for one in np.percentile(values, PERCENTILES))
