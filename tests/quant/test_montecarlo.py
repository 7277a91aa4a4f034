"""The same trades in another order have the same end and another drawdown."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.montecarlo import PERCENTILES, factors, monte_carlo

PNL = np.array([100.0, -50.0, 30.0, -80.0])


def _deepest(path: list[float]) -> float:
    return max(1 - one / max(path[: place + 1]) for place, one in enumerate(path))


def _path(factors_: tuple[float, ...]) -> list[float]:
    path = [1.0]
    for one in factors_:
        path.append(path[-1] * one)
    return path


def test_shuffles_come_to_what_all_orders_come_to() -> None:
    """Percentiles of many shuffles are those over every order, and the end is always the same."""
    by = tuple(float(one) for one in factors(PNL, 1_000.0))
    exact = [_deepest(_path(order)) for order in permutations(by)]
    found = monte_carlo(PNL, 1_000.0, "shuffle", runs=20_000)
    assert found is not None

    assert found.end == pytest.approx([1_000.0] * 5)
    assert found.loss == 0.0
    for level, one in zip(PERCENTILES, found.drawdown, strict=True):
        assert np.percentile(exact, max(level - 3, 0), method="lower") - 1e-12 <= one
        assert one <= np.percentile(exact, min(level + 3, 100), method="higher") + 1e-12
    assert found.observed == pytest.approx(_deepest(_path(by)))
    deeper = sum(one > found.observed * (1 + 1e-12) for one in exact) / len(exact)
    assert found.deeper == pytest.approx(deeper, abs=0.02)


def test_draws_come_to_what_all_draws_come_to() -> None:
    """Mean loss and percentiles of many runs are those over every draw with replacement."""
    by = tuple(float(one) for one in factors(PNL, 1_000.0))
    ends = [1_000 * _path(draw)[-1] for draw in product(by, repeat=4)]
    found = monte_carlo(PNL, 1_000.0, "bootstrap", runs=40_000)
    assert found is not None

    assert found.loss == pytest.approx(sum(one < 1_000 - 1e-9 for one in ends) / 256, abs=0.01)
    assert found.end[0] == pytest.approx(np.percentile(ends, 5), rel=0.01)
    assert found.end[4] == pytest.approx(np.percentile(ends, 95), rel=0.01)


def test_the_same_seed_gives_the_same_result() -> None:
    """Another seed gives another."""
    one, same, other = (monte_carlo(PNL, 1_000.0, runs=500, seed=seed) for seed in (1, 1, 2))
    assert one is not None
    assert same is not None
    assert other is not None

    assert one.end == same.end
    assert (one.band == same.band).all()
    assert one.end != other.end


def test_the_band_starts_at_the_start_and_ends_at_the_percentiles() -> None:
    """Its steps are at most 201, its last column the end, whatever the number of trades."""
    pnl = np.random.default_rng(1).normal(0, 10, 1_234)
    found = monte_carlo(pnl, 10_000.0)
    assert found is not None

    assert found.band.shape == (len(PERCENTILES), len(found.steps))
    assert len(found.steps) <= 201
    assert (found.steps[0], found.steps[-1]) == (0, 1_234)
    assert found.band[:, 0] == pytest.approx([10_000.0] * 5)
    assert found.band[:, -1] == pytest.approx(found.end)


def test_many_trades_are_drawn_in_fewer_runs() -> None:
    """The work is bounded; a hundred runs there always are."""
    many = monte_carlo(np.ones(20_000), 1e6)
    more = monte_carlo(np.ones(60_000), 1e6, runs=150)
    assert many is not None
    assert more is not None

    assert (many.runs, more.runs) == (250, 100)


def test_who_lost_everything_does_not_trade_on() -> None:
    """What came after ruin is not drawn, and a loss of more than all is all."""
    by = factors(np.array([-50.0, -80.0, 1e6]), 100.0)
    found = monte_carlo(np.array([-50.0, -80.0, 1e6]), 100.0, runs=200)
    assert found is not None

    assert by.tolist() == [0.5, 0.0]
    assert found.end[2] == found.end[0] == 0.0


@given(st.lists(st.floats(-1e5, 1e5), max_size=20), st.floats(1, 1e5))
def test_it_bears_any_trades(pnl: list[float], start: float) -> None:
    """Drawdowns are parts of all there was, and the percentiles rise."""
    found = monte_carlo(np.array(pnl), start, runs=120)

    if found is not None:
        assert list(found.drawdown) == sorted(found.drawdown)
        assert list(found.end) == sorted(found.end)
        assert 0 <= found.drawdown[0] <= found.drawdown[-1] <= 1


def test_a_single_trade_has_no_order() -> None:
    """None for fewer than two trades."""
    assert monte_carlo(np.array([5.0]), 100.0) is None
    assert monte_carlo(np.empty(0), 100.0) is None
