"""Indicators agree with slow, obvious references and with TA-Lib's definitions."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import fsum, isnan, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.indicators import (
    ATR,
    EMA,
    MACD,
    RSI,
    SMA,
    BollingerBands,
    Donchian,
    Highest,
    Indicator,
    Lowest,
    RollingStd,
    Wilder,
    ZScore,
)

PRICES = st.lists(st.floats(0.01, 100_000), min_size=1, max_size=120)
PERIODS = st.integers(1, 30)
SERIES = (10.0, 11.0, 13.0, 12.0, 15.0, 14.0, 16.0, 18.0)


def mean(values: list[float]) -> float:
    return fsum(values) / len(values)


def deviation(values: list[float]) -> float:
    middle = mean(values)
    return sqrt(fsum((x - middle) ** 2 for x in values) / len(values))


def windows(values: list[float], period: int, of: Callable[[list[float]], float]) -> list[float]:
    """Return `of` over each trailing window, NaN where the window is not full."""
    return [
        nan if end < period else of(values[end - period : end]) for end in range(1, len(values) + 1)
    ]


def smoothed(values: list[float], period: int, alpha: float) -> list[float]:
    """Return the exponential average that starts from the mean of the first `period`."""
    out = [nan] * min(period - 1, len(values))
    if len(values) >= period:
        out.append(mean(values[:period]))
        for x in values[period:]:
            out.append(out[-1] * (1 - alpha) + x * alpha)
    return out


def same(actual: list[float], expected: list[float], scale: float = 1.0) -> bool:
    return actual == pytest.approx(expected, rel=1e-9, abs=1e-7 * scale, nan_ok=True)


@given(PRICES, PERIODS)
def test_sma_is_the_mean_of_the_window(values: list[float], period: int) -> None:
    """SMA equals the mean of the last values, NaN before the window is full."""
    sma = SMA(period)

    assert same([sma.update(x) for x in values], windows(values, period, mean))


@given(PRICES, PERIODS)
def test_extremes_are_those_of_the_window(values: list[float], period: int) -> None:
    """Highest and Lowest equal max and min over the window, exactly."""
    highest, lowest = Highest(period), Lowest(period)

    assert same([highest.update(x) for x in values], windows(values, period, max), 0)
    assert same([lowest.update(x) for x in values], windows(values, period, min), 0)


@given(PRICES, PERIODS)
def test_std_is_the_population_deviation(values: list[float], period: int) -> None:
    """RollingStd equals the population deviation of the window."""
    std = RollingStd(period)
    actual = [std.update(x) for x in values]

    # The sliding sum of squares loses half the digits to the largest value it ever held.
    assert same(actual, windows(values, period, deviation), scale=max(values))


@given(PRICES, PERIODS)
def test_exponential_averages_start_from_a_mean(values: list[float], period: int) -> None:
    """EMA and Wilder smooth by their alpha from the mean of the first values on."""
    ema, wilder = EMA(period), Wilder(period)

    assert same([ema.update(x) for x in values], smoothed(values, period, 2 / (period + 1)))
    assert same([wilder.update(x) for x in values], smoothed(values, period, 1 / period))


@given(PRICES, PERIODS)
def test_rsi_is_the_share_of_gains(values: list[float], period: int) -> None:
    """RSI equals 100 x smoothed gains over smoothed moves, by the two averages written out."""
    moves = [b - a for a, b in pairwise(values)]
    gains = smoothed([max(move, 0.0) for move in moves], period, 1 / period)
    losses = smoothed([max(-move, 0.0) for move in moves], period, 1 / period)
    expected = [nan] + [
        nan if isnan(up) else 50.0 if up + down == 0 else 100 * up / (up + down)
        for up, down in zip(gains, losses, strict=True)
    ]
    rsi = RSI(period)
    actual = [rsi.update(x) for x in values]

    assert same(actual, expected)
    assert all(isnan(x) or 0 <= x <= 100 for x in actual)


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(0, 1)), min_size=1, max_size=60), PERIODS)
def test_atr_smooths_the_true_range(bars: list[tuple[float, float]], period: int) -> None:
    """ATR equals Wilder's average of the largest of the three ranges, from the second bar on."""
    highs = [low + height for low, height in bars]
    lows = [low for low, _ in bars]
    closes = [low + height / 2 for low, height in bars]
    ranges = [
        max(high - low, abs(high - before), abs(low - before))
        for high, low, before in zip(highs[1:], lows[1:], closes, strict=False)
    ]
    atr = ATR(period)
    actual = [atr.update(*bar) for bar in zip(highs, lows, closes, strict=True)]

    assert same(actual, [nan, *smoothed(ranges, period, 1 / period)])


@given(PRICES)
def test_macd_starts_both_averages_at_one_bar(values: list[float]) -> None:
    """MACD's fast average starts so late that both have their first value at the slow one's."""
    fast, slow, signal = 3, 7, 4
    line = [
        f - s
        for f, s in zip(
            [nan] * (slow - fast) + smoothed(values[slow - fast :], fast, 2 / (fast + 1)),
            smoothed(values, slow, 2 / (slow + 1)),
            strict=False,
        )
    ][slow - 1 :]
    signals = smoothed(line, signal, 2 / (signal + 1))
    macd = MACD(fast, slow, signal)
    rows = [(macd.update(x), macd.signal, macd.histogram) for x in values][slow - 1 :]

    scale = max(values) / 1e4
    shown = [nan if isnan(s) else x for x, s in zip(line, signals, strict=True)]
    assert same([row[0] for row in rows], shown, scale)
    assert same([row[1] for row in rows], signals, scale)
    histogram = [x - s for x, s in zip(line, signals, strict=True)]
    assert same([row[2] for row in rows], histogram, scale)


@given(PRICES, st.integers(2, 20))
def test_bands_and_scores_follow_the_deviation(values: list[float], period: int) -> None:
    """Bands stand two deviations from the mean, and a z-score is the way to it in deviations."""
    bands, score, std = BollingerBands(period, 2.0), ZScore(period), RollingStd(period)
    for x in values:
        middle, z, deviated = bands.update(x), score.update(x), std.update(x)
        assert bands.ready == score.ready == std.ready
        if not std.ready:
            continue
        assert bands.upper - middle == pytest.approx(2 * deviated)
        assert middle - bands.lower == pytest.approx(2 * deviated)
        assert z * deviated == pytest.approx(x - middle, abs=1e-6 * max(values))


def test_golden_values() -> None:
    """Values derived by hand, which TA-Lib gives for the same series, come out."""
    ema, rsi, atr, std, macd = EMA(3), RSI(3), ATR(3), RollingStd(3), MACD(2, 4, 2)
    rows = [
        (
            ema.update(x),
            rsi.update(x),
            atr.update(x + 1, x - 1, x),
            std.update(x),
            macd.update(x),
            macd.signal,
        )
        for x in SERIES
    ]

    assert rows[2][0] == pytest.approx(34 / 3)
    assert rows[3][:2] == pytest.approx((35 / 3, 75.0))
    assert rows[4][1:5] == pytest.approx((88.2352941176, 26 / 9, 1.24721912892, 1.26666666667))
    assert rows[7] == pytest.approx(
        (16.4166666667, 88.2352941176, 2.81893004115, 1.63299316186, 1.27488395062, 1.15553580247)
    )


def test_rsi_of_the_textbook() -> None:
    """Wilder's well-known series of 15 closes has the RSI 70.464."""
    closes = (
        *(44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42),
        *(45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28),
    )
    rsi = RSI(14)
    values = [rsi.update(x) for x in closes]

    assert all(isnan(x) for x in values[:14])
    assert values[14] == pytest.approx(70.46413502)


@pytest.mark.parametrize(
    ("indicator", "first"),
    [
        (SMA(5), 5),
        (EMA(5), 5),
        (RSI(14), 15),
        (MACD(), 34),
        (BollingerBands(), 20),
        (RollingStd(7), 7),
        (ZScore(7), 7),
        (Highest(9), 9),
        (Lowest(9), 9),
    ],
)
def test_warm_up_is_talibs(indicator: Indicator, first: int) -> None:
    """An indicator is NaN and not ready until the very value at which TA-Lib has its first."""
    for count in range(1, 60):
        value = indicator.update(100 + count % 7)  # type: ignore[attr-defined]
        assert indicator.ready == (count >= first) == (not isnan(value))


def test_a_price_that_never_moved_is_neither_oversold_nor_overbought() -> None:
    """RSI of a constant price is 50, its z-score 0."""
    rsi, score = RSI(3), ZScore(3)
    for _ in range(10):
        rsi.update(7.0)
        score.update(7.0)

    assert rsi.value == 50.0
    assert score.value == 0.0


def test_sma_and_std_do_not_drift() -> None:
    """After a million updates with huge values on the way, both are those of the last window."""
    rng = random.Random(7)
    sma, std = SMA(50), RollingStd(50)
    values = [rng.uniform(0.1, 1e9) for _ in range(1_000_000)]
    values[-200:] = [rng.uniform(1, 2) for _ in range(200)]
    for x in values:
        sma.update(x)
        std.update(x)

    assert sma.value == pytest.approx(mean(values[-50:]), rel=1e-12)
    assert std.value == pytest.approx(deviation(values[-50:]), rel=1e-9)


def test_one_indicator_feeds_another_from_its_first_value() -> None:
    """NaN is passed over, so an average of an RSI starts with the RSI's first values."""
    rsi, average = RSI(3), SMA(2)
    values = [average.update(rsi.update(x)) for x in SERIES]

    assert all(isnan(x) for x in values[:4])
    assert values[4] == pytest.approx((75 + 88.2352941176) / 2)


def test_donchian_is_the_span_of_highs_and_lows() -> None:
    """The channel reaches from the lowest low to the highest high, its value the middle."""
    channel = Donchian(2)
    channel.update(10, 8)
    assert not channel.ready
    channel.update(9, 5)
    assert (channel.upper, channel.lower, channel.value) == (10, 5, 7.5)
    channel.update(8, 6)
    assert (channel.upper, channel.lower, channel.value) == (9, 5, 7)


def test_periods_must_make_sense() -> None:
    """A period below 1 and a fast average that is not faster are refused at once."""
    for kind in (SMA, EMA, Wilder, RSI, ATR, RollingStd, Highest, Donchian):
        with pytest.raises(ValueError, match="period"):
            kind(0)
    with pytest.raises(ValueError, match="fast"):
        MACD(26, 12)
