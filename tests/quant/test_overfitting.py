"""Choosing the best of noise is worth nothing outside, choosing an edge is."""

from __future__ import annotations

from itertools import combinations
from math import log

import numpy as np
import pytest

from tradeagent.quant.curve import Floats
from tradeagent.quant.overfitting import overfitting


def noise(seed: int, periods: int = 360, trials: int = 20) -> Floats:
    """Return returns of trials that are worth nothing."""
    return np.random.default_rng(seed).normal(0, 0.01, (periods, trials))


def _plainly(returns: Floats, blocks: int) -> tuple[list[float], list[float]]:
    """Return logits and Sharpe ratios outside, split by split, from the definition."""
    parts = np.array_split(np.arange(len(returns)), blocks)
    logits, outside = [], []
    for half in combinations(range(blocks), blocks // 2):
        rows = np.concatenate([parts[one] for one in half])
        rest = np.setdiff1d(np.arange(len(returns)), rows)
        inner = returns[rows].mean(axis=0) / returns[rows].std(axis=0)
        outer = returns[rest].mean(axis=0) / returns[rest].std(axis=0)
        best = int(inner.argmax())
        rank = sum(outer <= outer[best]) / (returns.shape[1] + 1)
        logits.append(log(rank / (1 - rank)))
        outside.append(float(outer[best]))
    return logits, outside


def test_it_is_what_going_through_all_splits_gives() -> None:
    """Every logit equals that of the definition, computed split by split."""
    returns = noise(3, 120, 7)
    logits, outside = _plainly(returns, 6)
    found = overfitting(returns, 6)

    assert found.splits == 20
    assert found.logits == pytest.approx(logits)
    assert found.probability == sum(one <= 0 for one in logits) / 20
    assert found.loss == sum(one < 0 for one in outside) / 20


def test_a_choice_among_noise_is_a_coin_toss() -> None:
    """Over many sets of noise the probability is near one half."""
    found = [overfitting(noise(seed), 10).probability for seed in range(120)]

    assert np.mean(found) == pytest.approx(0.5, abs=0.07)


def test_a_planted_edge_is_found_outside_too() -> None:
    """One trial with a real drift is chosen and stays good."""
    returns = noise(1)
    returns[:, 4] += 0.004
    found = overfitting(returns)

    assert found.splits == 12_870
    assert found.probability < 0.01
    assert found.loss < 0.01


def test_trials_that_only_fit_their_half_are_caught() -> None:
    """Where each trial is good in one block and bad in all others, the choice is always wrong."""
    returns = noise(2, 160, 8) - 0.002
    for trial in range(8):
        returns[trial * 20 : trial * 20 + 20, trial] += 0.03
    found = overfitting(returns, 8)

    assert found.probability > 0.95
    assert found.slope is not None
    assert found.slope < 0


def test_trials_that_never_move_or_are_the_same_are_no_error() -> None:
    """A flat trial has a ratio of 0; among equals the choice is worth the median."""
    flat = overfitting(np.zeros((40, 3)), 4)
    same = overfitting(np.repeat(noise(1, 40, 1), 4, axis=1), 4)
    steady = overfitting(np.full((40, 2), 0.01), 4)

    assert flat.logits == pytest.approx([0.0] * 6)
    assert same.logits == pytest.approx([0.0] * 6)
    assert flat.slope is None
    assert steady.loss == 0.0


@pytest.mark.parametrize(
    ("shape", "blocks"), [((40, 1), 4), ((40, 3), 5), ((40, 3), 0), ((40, 3), 22), ((7, 3), 4)]
)
def test_what_cannot_be_split_is_refused(shape: tuple[int, int], blocks: int) -> None:
    """Too few trials or periods, an odd number of blocks, too many of them."""
    with pytest.raises(ValueError, match=r"block|trials"):
        overfitting(np.zeros(shape), blocks)
