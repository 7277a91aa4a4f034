"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

D. H. Bailey, J. M. Borwein, M. Lopez de Prado and Q. J. Zhu, "The Probability of Backtest
Overfitting", Journal of Computational Finance, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tradeagent.quant.curve import Floats

BLOCKS = 16
"""Blocks of time by default: 12,870 ways to split them in halves."""
MOST = 20
"""Blocks at most: 184,756 ways."""
_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What choosing the best trial of one half of the time was worth in the other half.

    `probability` is the part of all splits in which the trial chosen did no better than the median
    of the trials in the half it was not chosen on. `logits` has one value a split, ln(w / (1 - w))
    of its relative rank w there: below 0 for the worse half. `slope` is that of its Sharpe ratio
    outside over the one inside (None where they do not differ), `loss` the part of the splits in
    which it lost outside.
    """

    probability: float
    logits: Floats
    slope: float | None
    loss: float

    @property
    def splits(self) -> int:
        """Return how many splits were looked at."""
        return len(self.logits)


def overfitting(returns: Floats, blocks: int = BLOCKS) -> Overfitting:
    """Judge a choice among trials by its returns: one row a period, one column a trial.

    A trial that never moved has a Sharpe ratio of 0; the ratio is the measure of the choice. Raises
    ValueError for fewer than two trials, an odd number of blocks, or fewer than two periods a
    block.
    """
    periods, trials = returns.shape
    if trials < 2:
        raise ValueError("a choice needs two trials at least")
    if blocks < 2 or blocks % 2 or blocks > MOST:
        raise ValueError(f"the number of blocks is even, from 2 to {MOST}")
    if periods < 2 * blocks:
        raise ValueError(f"{periods} periods are too few for {blocks} blocks of two each")
    sums = _Sums.of(returns, blocks)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    step = max(1, _CELLS // trials)
    parts = [_split(sums, chosen[row : row + step]) for row in range(0, len(chosen), step)]
    logits, inside, outside = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Overfitting(
        probability=float((logits <= 0).mean()),
        logits=logits,
        slope=_slope(inside, outside),
        loss=float((outside < 0).mean()),
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Number, sum and sum of squares of the returns of each block, by trial."""

    count: Floats
    total: Floats
    squares: Floats

    @classmethod
    def of(cls, returns: Floats, blocks: int) -> _Sums:
        edges = np.linspace(0, len(returns), blocks + 1).astype(np.int64)
        return cls(
            np.diff(edges).astype(np.float64),
            np.add.reduceat(returns, edges[:-1], axis=0),
            np.add.reduceat(returns**2, edges[:-1], axis=0),
        )

    def sharpe(self, chosen: Floats) -> Floats:
        """Return the Sharpe ratio of each trial over the blocks that each row of `chosen` has."""
        count = (chosen @ self.count)[:, None]
        mean = chosen @ self.total / count
        variance = np.maximum(chosen @ self.squares / count - mean**2, 0.0)
        ratio = np.zeros(mean.shape)
        moved = variance > 1e-24 + 1e-12 * mean**2
        np.divide(mean, np.sqrt(variance), out=ratio, where=moved)
        return ratio


def _split(sums: _Sums, chosen: Floats) -> tuple[Floats, Floats, Floats]:
    """Return logit, Sharpe ratio inside and outside of the best trial of each split."""
    inside, outside = sums.sharpe(chosen), sums.sharpe(1 - chosen)
    rows = np.arange(len(chosen))
    best = inside.argmax(axis=1)
    own = outside[rows, best]
    lower = (outside < own[:, None]).sum(axis=1)
    equal = (outside == own[:, None]).sum(axis=1)
    rank = (lower + (equal + 1) / 2) / (outside.shape[1] + 1)
    return np.log(rank / (1 - rank)), inside[rows, best], own


def _slope(inside: Floats, outside: Floats) -> float | None:
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return float(centred @ outside) / spread if spread > 1e-24 else None
