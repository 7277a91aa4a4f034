"""Figures of a run equal what others compute, and are never a number that means nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from math import isclose, isfinite, sqrt
from statistics import fmean, pstdev, stdev

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats.stats as quantstats
from hypothesis import given
from hypothesis import strategies as st

from tests.quant.curves import HOUR, START, curve, trades, walk
from tradeagent.quant.curve import DAY, Curve, Prices
from tradeagent.quant.days import days, rolling
from tradeagent.quant.meanings import GROUPS, MEANINGS, Unit
from tradeagent.quant.metrics import Metrics, Orders
from tradeagent.quant.performance import measure

SEEDS = (1, 2, 3)
EXACT = 1e-9


def daily(seed: int) -> tuple[Metrics, pd.Series]:
    """Return the figures of an hourly walk over 150 days, and its daily returns for the others."""
    found = walk(150 * 24, seed)
    equity = pd.Series(found.equity, pd.to_datetime(found.time))
    returns = equity[::24].pct_change().dropna()
    return measure(found, []), returns


@pytest.mark.parametrize("seed", SEEDS)
def test_ratios_of_daily_returns_equal_those_of_quantstats(seed: int) -> None:
    """Sharpe, Sortino, volatility, CAGR, tail ratio and best and worst day, to 1e-9."""
    found, returns = daily(seed)

    assert found.sharpe == pytest.approx(quantstats.sharpe(returns, periods=365), rel=EXACT)
    assert found.sortino == pytest.approx(quantstats.sortino(returns, periods=365), rel=EXACT)
    assert found.volatility == pytest.approx(quantstats.volatility(returns, periods=365), rel=EXACT)
    assert found.cagr == pytest.approx(quantstats.cagr(returns, periods=365), rel=EXACT)
    assert found.tail_ratio == pytest.approx(quantstats.tail_ratio(returns), rel=EXACT)
    assert found.best_day == pytest.approx(quantstats.best(returns), rel=EXACT)
    assert found.worst_day == pytest.approx(quantstats.worst(returns), rel=EXACT)
    assert found.total_return == pytest.approx(quantstats.comp(returns), rel=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
def test_risk_of_daily_returns_equals_that_of_empyrical(seed: int) -> None:
    """Sharpe, volatility, value at risk, shortfall, tail ratio and CAGR, to 1e-9."""
    found, returns = daily(seed)
    year = {"annualization": 365}

    assert found.sharpe == pytest.approx(empyrical.sharpe_ratio(returns, **year), rel=EXACT)
    assert found.sortino == pytest.approx(empyrical.sortino_ratio(returns, **year), rel=EXACT)
    assert found.volatility == pytest.approx(
        empyrical.annual_volatility(returns, **year), rel=EXACT
    )
    assert found.var_95 == pytest.approx(-empyrical.value_at_risk(returns), rel=EXACT)
    assert found.cvar_95 == pytest.approx(-empyrical.conditional_value_at_risk(returns), rel=EXACT)
    assert found.tail_ratio == pytest.approx(empyrical.tail_ratio(returns), rel=EXACT)
    assert found.cagr == pytest.approx(empyrical.cagr(returns, **year), rel=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawdown_and_calmar_equal_those_of_others_on_daily_rows(seed: int) -> None:
    """Where there is one row a day, marks between rows cannot differ."""
    found = walk(200, seed, DAY)
    returns = pd.Series(found.equity, pd.to_datetime(found.time)).pct_change().dropna()
    metrics = measure(found, [])

    assert metrics.max_drawdown == pytest.approx(-empyrical.max_drawdown(returns), rel=EXACT)
    assert metrics.max_drawdown == pytest.approx(-quantstats.max_drawdown(returns), rel=EXACT)
    assert metrics.calmar == pytest.approx(
        empyrical.calmar_ratio(returns, annualization=365), rel=EXACT
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_beta_and_correlation_equal_those_of_others(seed: int) -> None:
    """Against a market of daily rows."""
    own, other = walk(90, seed, DAY), walk(90, seed + 100, DAY)
    mine, theirs = (
        pd.Series(one.equity, pd.to_datetime(one.time)).pct_change().dropna()
        for one in (own, other)
    )
    metrics = measure(own, [], other)

    assert metrics.beta == pytest.approx(empyrical.beta(mine, theirs), rel=EXACT)
    assert metrics.correlation == pytest.approx(mine.corr(theirs), rel=EXACT)
    assert metrics.market_change == pytest.approx(quantstats.comp(theirs), rel=EXACT)
    assert metrics.excess_return == pytest.approx(
        quantstats.comp(mine) - quantstats.comp(theirs), rel=1e-7
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_ulcer_and_moments_follow_their_own_definitions(seed: int) -> None:
    """quantstats divides squared drawdowns by a day less, pandas corrects moments for bias."""
    found, returns = daily(seed)
    count = len(returns)
    grown = [1.0]
    for one in returns:
        grown.append(grown[-1] * (1 + one))
    depths = [1 - one / max(grown[: place + 1]) for place, one in enumerate(grown)]
    centred = [one - fmean(returns) for one in returns]
    spread = pstdev(returns)

    assert found.ulcer == pytest.approx(sqrt(fmean(one**2 for one in depths[1:])), rel=EXACT)
    assert found.ulcer == pytest.approx(
        quantstats.ulcer_index(returns) * sqrt((count - 1) / count), rel=EXACT
    )
    assert found.skew == pytest.approx(fmean(one**3 for one in centred) / spread**3, rel=EXACT)
    assert found.kurtosis == pytest.approx(fmean(one**4 for one in centred) / spread**4, rel=EXACT)
    assert found.skew == pytest.approx(
        returns.skew() * (count - 2) / sqrt(count * (count - 1)), rel=EXACT
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_of_trades_follow_their_formulas(seed: int) -> None:
    """Each is computed again from its definition in plain Python."""
    source = np.random.default_rng(seed)
    pnl = [round(float(one), 2) for one in source.normal(1, 20, 80)]
    found = measure(walk(40 * 24, seed), trades(pnl))
    won, lost = [one for one in pnl if one > 0], [-one for one in pnl if one < 0]
    rate, average_win, average_loss = len(won) / 80, fmean(won), fmean(lost)

    assert found.win_rate == pytest.approx(rate)
    assert found.profit_factor == pytest.approx(sum(won) / sum(lost))
    assert found.expectancy == pytest.approx(rate * average_win - (len(lost) / 80) * average_loss)
    assert found.expectancy_ratio == pytest.approx((1 + average_win / average_loss) * rate - 1)
    assert found.sqn == pytest.approx(sqrt(80) * fmean(pnl) / stdev(pnl))
    assert found.kelly == pytest.approx(rate - (1 - rate) / (average_win / average_loss))
    ratios = [one / 10_000 for one in pnl]
    assert found.sharpe_freqtrade == pytest.approx(
        sum(ratios) / 40 / float(np.std(ratios)) * sqrt(365)
    )
    assert (found.best_trade, found.worst_trade) == (max(pnl), min(pnl))
    assert found.average_trade == pytest.approx(fmean(one / 100 for one in pnl))
    assert (found.fees, found.funding) == (40.0, -20.0)
    assert found.traded == pytest.approx(sum(200 + one for one in pnl))
    assert found.average_holding == HOUR / 2e9


def test_a_midnight_ends_the_day_before_and_days_without_rows_count_as_nothing() -> None:
    """From noon of the 1st to noon of the 5th there are five days, whatever rows there are."""
    moments = START + HOUR * np.array([12, 24, 30, 108], np.int64)
    found = days(Curve(moments, np.array([100.0, 110.0, 99.0, 198.0]), np.zeros(4)))

    assert found.equity.tolist() == [100.0, 110.0, 99.0, 99.0, 99.0, 198.0]
    assert found.returns == pytest.approx([0.1, -0.1, 0.0, 0.0, 1.0])
    assert found.ends[0] == START + DAY


def test_drawdown_is_marked_to_market_and_its_lengths_run_to_the_row_that_ends_them() -> None:
    """The deepest and the longest spell are told apart; the last one runs to the end."""
    equity = [100, 120, 90, 120, 119, 119, 119, 121, 120, 115]
    found = measure(curve(equity, HOUR), [])

    assert found.max_drawdown == pytest.approx(0.25)
    assert found.max_drawdown_length == 2 * 3_600
    assert found.longest_underwater == 4 * 3_600
    assert found.underwater == pytest.approx((1 + 3 + 1) / 9)


def test_a_drawdown_that_never_ends_runs_to_the_end() -> None:
    """The first row below a peak counts from the peak, also where it is the last row."""
    falling = measure(curve([100, 90, 80, 85], HOUR), [])
    late = measure(curve([100, 101, 100], HOUR), [])

    assert falling.max_drawdown_length == falling.longest_underwater == 3 * 3_600
    assert late.max_drawdown_length == late.longest_underwater == 3_600


def test_exposure_and_turnover_are_weighed_by_time() -> None:
    """A position held an hour of four, at twice the equity, is a quarter of the time."""
    time_ = START + HOUR * np.array([0, 1, 2, 4], np.int64)
    held = Curve(time_, np.full(4, 100.0), np.array([0.0, 200.0, 0.0, 0.0]))
    found = measure(held, [], traded=Decimal(400))

    assert found.exposure == pytest.approx(0.25)
    assert found.average_exposure == pytest.approx(0.5)
    assert found.highest_exposure == pytest.approx(2)
    assert found.turnover == pytest.approx(4)


def test_long_and_short_are_split_and_open_trades_are_not_closed_ones() -> None:
    """A position that stands counts with its fees and profit, and in no rate."""
    closed = [*trades([5, -1]), *trades([-3], "short")]
    standing = replace(closed[0], exit_time=None, exit_price=None, pnl=Decimal(7))
    found = measure(curve([100, 108]), [*closed, standing], orders=Orders(4, 3, 0), slippage=1.5)

    assert (found.trades, found.open_trades, found.open_profit) == (3, 1, 7.0)
    assert (found.long_trades, found.long_profit, found.long_win_rate) == (2, 4.0, 0.5)
    assert (found.short_trades, found.short_profit, found.short_profit_factor) == (1, -3.0, 0.0)
    assert (found.rejected, found.slippage, found.fees) == (4, 1.5, 2.0)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 3.0]), min_size=1, max_size=40))
def test_streaks_and_what_carries_the_profit(pnl: list[float]) -> None:
    """Both equal what counting one by one gives, a trade of nothing ending either streak."""
    found = measure(curve([100, 100 + sum(pnl)]), trades(pnl))
    text = "".join("w" if one > 0 else "l" if one < 0 else "-" for one in pnl)
    ranked = sorted(pnl, reverse=True)
    without = [sum(ranked[count:]) for count in range(len(pnl) + 1)]

    assert found.win_streak == max(map(len, text.replace("-", "l").split("l")))
    assert found.loss_streak == max(map(len, text.replace("-", "w").split("w")))
    if sum(pnl) > 0:
        assert found.carried_by == next(n for n, left in enumerate(without) if left <= 0)
    else:
        assert found.carried_by is None


def test_the_order_of_trades_is_that_of_their_ends() -> None:
    """However they are given, streaks follow the exits."""
    rows = trades([1, 1, -1, 1])

    assert measure(curve([1, 2]), rows[::-1]).win_streak == 2
    assert measure(curve([1, 2]), [rows[2], rows[0], rows[3], rows[1]]).win_streak == 2


def test_buying_and_holding_starts_at_the_start_of_the_run() -> None:
    """Candles of the warm-up count for the first price only, later ones not at all."""
    time_ = START + HOUR * np.arange(-3, 7, dtype=np.int64)
    close = np.array([50, 60, 100, 110, 120, 80, 150, 999, 999, 999], np.float64)
    market = Prices("BTC", HOUR, time_, close, close, close, close, close)
    found = measure(curve([1_000, 1_000, 1_000, 1_000, 1_000], HOUR), [], market)

    assert found.market_change == pytest.approx(0.5)
    assert found.buy_and_hold == pytest.approx(500)
    assert found.market_drawdown == pytest.approx(1 - 80 / 120)


def test_rolling_figures_are_those_of_each_window() -> None:
    """Over 30 days, or half of a shorter run."""
    found = days(walk(100, 5, DAY))
    windows = rolling(found)
    assert windows is not None

    assert windows.window == 30
    for row in (0, 35, 70):
        part = found.returns[row : row + 30]
        assert windows.returns[row] == pytest.approx(np.prod(1 + part) - 1)
        assert windows.sharpe[row] == pytest.approx(part.mean() / part.std(ddof=1) * sqrt(365))
        assert windows.ends[row] == found.ends[row + 29]
    short = rolling(days(walk(21, 5, DAY)))
    assert short is not None
    assert short.window == 10
    assert rolling(days(walk(3, 5, DAY))) is None


FLAT = curve([10_000] * 50)


@pytest.mark.parametrize(
    ("given_curve", "pnl"),
    [
        (FLAT, []),
        (FLAT, [0.0, 0.0]),
        (curve([10_000]), []),
        (curve([]), []),
        (curve([10_000, 9_000], HOUR), [-1_000.0]),
        (curve([10_000 * 1.01**day for day in range(60)]), [5.0] * 30),
        (curve([100, 0, 0, 0, 0, 0]), [-100.0]),
        (curve([100, -50, 20, -10, 30, 40]), [-150.0, 70.0]),
        (curve([0, 10, 20, 30, 40]), [10.0]),
        (curve([1e-3, 1e12, 1e-3, 1e12], HOUR), [1e12, -1e12]),
    ],
    ids=[
        *("flat", "zero trades", "one row", "nothing", "one day", "no deviation", "ruin"),
        *("debt", "from nothing", "absurd"),
    ],
)
def test_what_is_undefined_is_none(given_curve: Curve, pnl: list[float]) -> None:
    """No figure of an odd run is a warning, a crash, NaN or infinite."""
    found = measure(given_curve, trades(pnl), given_curve)

    assert all(one is None or isfinite(one) for one in found.model_dump().values())
    assert Metrics.model_validate_json(found.model_dump_json()) == found


def test_without_deviation_there_is_no_ratio() -> None:
    """Steady growth has rounding in it, which is no risk to divide by."""
    steady = measure(curve([10_000 * 1.01**day for day in range(60)]), trades([5.0] * 30))

    assert steady.sharpe is steady.sortino is steady.psr is steady.sqn is None
    assert steady.sharpe_freqtrade is steady.profit_factor is steady.calmar is None
    assert steady.cagr == pytest.approx(1.01**365 - 1)


equities = st.lists(
    st.one_of(st.floats(0, 1e9, allow_subnormal=False), st.floats(-1e3, 1e3), st.just(100.0)),
    max_size=30,
)
profits = st.lists(st.floats(-1e6, 1e6), max_size=12)


@given(equities, profits, st.sampled_from([1, HOUR, DAY, 40 * DAY]), st.integers(0, 2 * DAY))
def test_every_figure_of_any_run_is_finite_or_none(
    equity: list[float], pnl: list[float], step: int, offset: int
) -> None:
    """Whatever equity and trades, nothing warns and everything survives JSON."""
    found_curve = curve(equity, step, START + offset)
    market = curve(equity[::-1], step, START + offset)
    found = measure(found_curve, trades(pnl), market)

    assert all(one is None or isfinite(one) for one in found.model_dump().values())
    assert Metrics.model_validate_json(found.model_dump_json()) == found
    if found.max_drawdown is not None:
        assert found.max_drawdown >= 0
    if found.psr is not None:
        assert 0 <= found.psr <= 1


@given(st.integers(0, 2**32), st.floats(0.01, 1e4))
def test_ratios_do_not_depend_on_the_size_of_the_account(seed: int, times: float) -> None:
    """A thousand times the money has the same Sharpe, drawdown and leverage."""
    small = walk(20 * 24, seed)
    large = Curve(small.time, small.equity * times, small.exposure * times)
    one, other = measure(small, []), measure(large, [])

    for field, meaning in MEANINGS.items():
        if meaning.unit is not Unit.MONEY:
            a, b = getattr(one, field), getattr(other, field)
            assert a == b or isclose(a, b, rel_tol=1e-6, abs_tol=1e-9), field


def test_every_figure_has_a_meaning_and_a_rich_run_has_every_figure() -> None:
    """The table and the model list the same fields; none is always undefined."""
    source = np.random.default_rng(3)
    pnl = [float(one) for one in source.normal(5, 20, 60)]
    mixed = [*trades(pnl[:30]), *trades(pnl[30:], "short")]
    found = measure(
        walk(90 * 24, 3, drift=2e-4), mixed, walk(90 * 24, 4), orders=Orders(1, 2, 1), slippage=2.0
    )

    assert list(MEANINGS) == list(Metrics.model_fields)
    assert sum(map(len, GROUPS.values())) == len(MEANINGS)
    assert [field for field, value in found.model_dump().items() if value is None] == []
    assert all(one.definition.endswith(".") and one.title for one in MEANINGS.values())
    assert len({one.title for one in MEANINGS.values()}) == len(MEANINGS)


def test_half_a_million_rows_are_measured_at_once() -> None:
    """Under 0.3 s with a market, the best of three."""
    found = walk(500_000, 1, DAY // 1_440)
    price = found.equity[1:]
    market = Prices("BTC", DAY // 1_440, found.time[:-1], price, price, price, price, price)
    measure(walk(1_000, 1), [])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        measure(found, [], market)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.3
