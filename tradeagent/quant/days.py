"""Equity by UTC day, and the figures that rest on daily returns."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tradeagent.quant.curve import DAY, YEAR, Curve, Floats, Times
from tradeagent.quant.luck import Shape, minimum_track_record, probabilistic_sharpe

STILL = 1e-14
"""A standard deviation of daily returns that is nothing but rounding."""
WINDOW = 30
"""Days of the rolling figures, where the run is long enough."""


@dataclass(frozen=True, slots=True)
class Days:
    """The UTC days of a run: when each ended (ns), its equity then, and its return.

    `equity` has one value more than the others: the start comes first. The last day, and the first,
    may be parts of a day.
    """

    ends: Times
    equity: Floats
    returns: Floats

    def __len__(self) -> int:
        return len(self.returns)


def at(curve: Curve, moments: Times) -> Floats:
    """Return the equity at each moment: that of the last row then or before, at first the first."""
    rows = np.searchsorted(curve.time, moments, side="right") - 1
    return curve.equity[np.maximum(rows, 0)]


def days(curve: Curve) -> Days:
    """Return the days of a curve; a midnight's equity is the end of the day before it."""
    if len(curve) < 2:
        return Days(np.empty(0, np.int64), curve.equity[:1], np.empty(0))
    first, last = int(curve.time[0]), int(curve.time[-1])
    midnight = first - first % DAY
    count = -((midnight - last) // DAY)
    ends = midnight + DAY * np.arange(1, count + 1, dtype=np.int64)
    equity = np.concatenate((curve.equity[:1], at(curve, ends)))
    return Days(ends, equity, changes(equity))


def changes(equity: Floats) -> Floats:
    """Return each value over the one before, less 1; 0 where that was not above 0."""
    before, after = equity[:-1], equity[1:]
    result = np.zeros(len(before))
    np.divide(after - before, before, out=result, where=before > 0)
    return result


def deviation(values: Floats) -> float | None:
    """Return the standard deviation with ddof 1, None where there is none."""
    if len(values) < 2:
        return None
    found = float(values.std(ddof=1))
    return found if found > STILL else None


def sharpe(returns: Floats) -> float | None:
    """Return the Sharpe ratio a year."""
    spread = deviation(returns)
    return None if spread is None else float(returns.mean()) / spread * sqrt(YEAR)


def sortino(returns: Floats) -> float | None:
    """Return the Sortino ratio a year, over the downside of all days."""
    if not len(returns):
        return None
    downside = sqrt(float((np.minimum(returns, 0.0) ** 2).mean()))
    return float(returns.mean()) / downside * sqrt(YEAR) if downside > STILL else None


def shape(returns: Floats) -> Shape | None:
    """Return skewness and raw kurtosis, of the days as they are (no correction for bias)."""
    if deviation(returns) is None:
        return None
    standard = (returns - returns.mean()) / returns.std()
    return Shape(float((standard**3).mean()), float((standard**4).mean()))


def tails(returns: Floats) -> dict[str, float | None]:
    """Return value at risk, expected shortfall and tail ratio."""
    if len(returns) < 2:
        return {"var_95": None, "cvar_95": None, "tail_ratio": None}
    low, high = (float(one) for one in np.quantile(returns, (0.05, 0.95)))
    worst = int((len(returns) - 1) * 0.05) + 1
    shortfall = float(np.partition(returns, worst - 1)[:worst].mean())
    return {
        "var_95": 0.0 - low,
        "cvar_95": 0.0 - shortfall,
        "tail_ratio": abs(high) / abs(low) if abs(low) > STILL else None,
    }


def luck(returns: Floats) -> dict[str, float | None]:
    """Return the shape of the returns and what it says of their Sharpe ratio."""
    form, spread = shape(returns), deviation(returns)
    if form is None or spread is None:
        return dict.fromkeys(("skew", "kurtosis", "psr", "minimum_track_record"))
    daily = float(returns.mean()) / spread
    needed = minimum_track_record(daily, form)
    return {
        "skew": form.skew,
        "kurtosis": form.kurtosis,
        "psr": probabilistic_sharpe(daily, len(returns), form),
        "minimum_track_record": None if needed is None else needed * (DAY / 1e9),
    }


def growth(start: float, end: float, years: float) -> float | None:
    """Return the yearly growth, None where it has no meaning or no finite number."""
    if start <= 0 or end < 0 or years <= 0:
        return None
    if end == 0:
        return -1.0
    power = np.log(end / start) / years
    found = float(np.expm1(power)) if power < 700 else float("inf")
    return found if isfinite(found) else None


@dataclass(frozen=True, slots=True)
class Rolling:
    """Figures of each window of `window` days by its last day's end; Sharpe may be NaN."""

    window: int
    ends: Times
    returns: Floats
    volatility: Floats
    sharpe: Floats


def rolling(found: Days, window: int = WINDOW) -> Rolling | None:
    """Return the rolling figures, over half the days where they are few; None for under four."""
    window = min(window, len(found) // 2)
    if window < 2:
        return None
    views = sliding_window_view(found.returns, window)
    spread, mean = views.std(axis=1, ddof=1), views.mean(axis=1)
    ratio = np.full(len(mean), np.nan)
    np.divide(mean, spread, out=ratio, where=spread > STILL)
    before, after = found.equity[:-window], found.equity[window:]
    total = np.zeros(len(before))
    np.divide(after - before, before, out=total, where=before > 0)
    return Rolling(window, found.ends[window - 1 :], total, spread * sqrt(YEAR), ratio * sqrt(YEAR))
