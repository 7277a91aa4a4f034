"""Luck is told from skill as the papers tell it."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.quant.curves import curve, walk
from tradeagent.quant.curve import DAY
from tradeagent.quant.luck import (
    Shape,
    Trials,
    best_by_luck,
    deflated,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    trials,
)
from tradeagent.quant.performance import measure

MONTHLY = 0.458
"""The ratio a month of the example in "The Sharpe Ratio Efficient Frontier"."""
SKEWED = Shape(-2.448, 10.164)
DAILY = 2.5 / sqrt(250)
"""The ratio a day of the example in "The Deflated Sharpe Ratio", 2.5 a year."""
SPREAD = sqrt(0.5 / 250)
FAT = Shape(-3, 10)


def test_the_example_of_the_probabilistic_sharpe() -> None:
    """Two years of months at 0.458: 98.2 % if they were normal, 91.3 % as skewed as they are."""
    assert probabilistic_sharpe(MONTHLY, 24) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(MONTHLY, 24, SKEWED) == pytest.approx(0.913, abs=5e-4)


def test_the_example_of_the_minimum_track_record() -> None:
    """An annual Sharpe of 2 over one of 1 takes 2.73 years of normal days to be 95 % sure."""
    needed = minimum_track_record(2 / sqrt(252), against=1 / sqrt(252))

    assert needed is not None
    assert needed / 252 == pytest.approx(2.73, abs=0.01)


def test_the_example_of_the_deflated_sharpe() -> None:
    """2.5 a year over five years is 90 % after 100 tries, 95 % after 46, or 88 if normal."""
    assert best_by_luck(Trials(100, SPREAD)) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(DAILY, 1250, Trials(100, SPREAD), FAT) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(DAILY, 1250, Trials(46, SPREAD), FAT) == pytest.approx(0.9505, abs=5e-5)
    assert deflated_sharpe(DAILY, 1250, Trials(88, SPREAD)) == pytest.approx(0.9505, abs=5e-5)


def test_the_best_by_luck_is_about_the_highest_of_normal_draws() -> None:
    """The formula is near the mean of the highest of 50 draws."""
    drawn = np.random.default_rng(1).normal(0, 2, (20_000, 50)).max(axis=1).mean()

    assert best_by_luck(Trials(50, 2.0)) == pytest.approx(drawn, rel=0.02)


@given(st.floats(0.01, 0.5), st.floats(-2, 2), st.floats(0, 20))
def test_the_minimum_track_record_is_where_the_probability_is_reached(
    sharpe: float, skew: float, extra: float
) -> None:
    """With so many periods the probability is 95 %, with one less it is not."""
    shape = Shape(skew, skew * skew + 1 + extra)
    needed = minimum_track_record(sharpe, shape)
    assert needed is not None

    reached = probabilistic_sharpe(sharpe, needed, shape)
    if reached is not None:
        assert reached >= 0.95 - 1e-9
    before = probabilistic_sharpe(sharpe, needed - 1, shape)
    assert before is None or before < 0.95 + 1e-9


@given(st.floats(-1, 1), st.integers(2, 5_000), st.integers(2, 5_000), st.floats(0.001, 1))
def test_every_further_try_makes_a_ratio_more_like_luck(
    sharpe: float, periods: int, count: int, spread: float
) -> None:
    """The deflated ratio never rises with the tries and is never above the probabilistic one."""
    one = deflated_sharpe(sharpe, periods, Trials(count, spread))
    more = deflated_sharpe(sharpe, periods, Trials(count + 1, spread))
    plain = probabilistic_sharpe(sharpe, periods)

    assert one is not None
    assert more is not None
    assert plain is not None
    assert more <= one <= plain


def test_one_try_is_no_choice() -> None:
    """A single try is deflated by nothing, and a ratio of nothing needs for ever."""
    assert best_by_luck(Trials(1, 5.0)) == best_by_luck(trials([])) == 0.0
    assert deflated_sharpe(0.1, 100, Trials(1, 5.0)) == probabilistic_sharpe(0.1, 100)
    assert minimum_track_record(0.0) is None
    assert probabilistic_sharpe(0.1, 1) is None


def test_the_best_of_noise_is_called_luck_and_a_planted_edge_is_not() -> None:
    """Of 200 walks the best has a fine Sharpe and a low deflated one; an edge has both high."""
    walks = [measure(walk(365, seed, DAY), []) for seed in range(200)]
    sharpes = [one.sharpe for one in walks if one.sharpe is not None]
    tried = trials([one / sqrt(365) for one in sharpes])
    best = max(walks, key=lambda one: one.sharpe or 0.0)
    edge = measure(walk(365, 1, DAY, drift=2.5e-3), [])

    assert tried.count == 200
    assert best.sharpe is not None
    assert best.sharpe > 2
    assert best.psr is not None
    assert best.psr > 0.95
    assert (deflated(best, tried) or 0) < 0.8
    assert (deflated(edge, tried) or 0) > 0.95


def test_a_few_ratios_of_many_tries_do_not_tell_how_far_apart_they_are() -> None:
    """Seven of a hundred say nothing, eight do, and so do all of a few."""
    some = [0.01 * place for place in range(100)]
    nothing = [float("nan")] * 100
    seven = trials([*some[:7], *nothing[:93]])

    assert seven == Trials(100, None)
    assert best_by_luck(seven) is None
    assert deflated_sharpe(0.1, 365, seven) is None
    assert trials([*some[:8], *nothing[:92]]).spread
    assert trials(some[:3]).spread
    assert trials([0.1, float("nan")]).spread is None


def test_a_run_without_a_ratio_has_no_deflated_one() -> None:
    """None rather than a number nobody may rest on."""
    assert deflated(measure(curve([1.0, 1.0, 1.0]), []), Trials(10, 0.1)) is None
