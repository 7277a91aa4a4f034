"""Measure a run: every figure of `Metrics`, from its equity, its trades and its market."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from tradeagent.messages import ZERO
from tradeagent.quant.curve import DAY, YEAR, Curve, Floats, Prices
from tradeagent.quant.days import (
    Days,
    days,
    deviation,
    growth,
    luck,
    rolling,
    sharpe,
    sortino,
    tails,
)
from tradeagent.quant.drawdown import drawdown, ulcer
from tradeagent.quant.holding import hold, versus
from tradeagent.quant.metrics import Metrics, Orders
from tradeagent.quant.outcomes import extremes, outcomes, quality, sharpe_freqtrade, sides
from tradeagent.quant.trades import Trade

__all__ = ["Metrics", "measure"]

Figures = dict[str, float | int | None]


def measure(
    curve: Curve,
    trades: Sequence[Trade],
    market: Prices | Curve | None = None,
    *,
    traded: Decimal | float | None = None,
    slippage: Decimal | float | None = None,
    orders: Orders | None = None,
) -> Metrics:
    """Return every figure of a run; O(rows + trades), and never a warning or a number like NaN.

    `market` is what the run is compared with: the candles of its symbol, or what holding several
    came to (`hold`). `traded` is the value of all fills (without it that of the trades' entries and
    exits), `slippage` what the fills cost against the prices decided on, both in money. What is
    undefined, or beyond all numbers, is None; `MEANINGS` says how each is defined.
    """
    with np.errstate(all="ignore"):
        figures = _figures(curve, trades, market)
        figures |= _costs(figures, curve, _traded(trades) if traded is None else float(traded))
    figures["slippage"] = None if slippage is None else float(slippage)
    if orders is not None:
        figures |= orders._asdict()
    return Metrics.model_validate({name: _finite(value) for name, value in figures.items()})


def _figures(curve: Curve, trades: Sequence[Trade], market: Prices | Curve | None) -> Figures:
    found = days(curve)
    closed = outcomes(trades)
    figures: Figures = {
        **_result(curve, trades),
        **drawdown(curve),
        "ulcer": ulcer(found),
        **_daily(found),
        "trades": len(closed),
        "open_trades": len(trades) - len(closed),
        **quality(closed),
        **extremes(closed),
        **sides(closed),
        **_stakes(curve),
        "fees": float(sum((one.fees for one in trades), ZERO)),
        "funding": float(sum((one.funding for one in trades), ZERO)),
    }
    if len(curve):
        start, end = float(curve.equity[0]), float(curve.equity[-1])
        span = float(curve.time[-1] - curve.time[0]) / DAY
        figures["sharpe_freqtrade"] = sharpe_freqtrade(closed, start, span)
        held = _held(market, curve)
        figures |= versus(held, found, (start, end)) if held is not None else {}
    figures["calmar"] = _over(figures["cagr"], figures["max_drawdown"])
    return figures


def _finite(value: float | int | None) -> float | int | None:
    return value if value is None or np.isfinite(value) else None


def _over(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by is not None and by > 0 else None


def _result(curve: Curve, trades: Sequence[Trade]) -> Figures:
    if not len(curve):
        return dict.fromkeys(("start_equity", "end_equity", "profit", "total_return", "cagr"))
    start, end = float(curve.equity[0]), float(curve.equity[-1])
    span = int(curve.time[-1] - curve.time[0])
    return {
        "start_equity": start,
        "end_equity": end,
        "profit": end - start,
        "open_profit": float(sum((one.pnl for one in trades if one.is_open), ZERO)),
        "total_return": end / start - 1 if start > 0 else None,
        "cagr": growth(start, end, span / (YEAR * DAY)),
        "duration": span / 1e9,
    }


def _daily(found: Days) -> Figures:
    returns = found.returns
    some = len(returns) > 0
    spread = deviation(returns)
    return {
        "days": len(returns),
        "volatility": None if spread is None else spread * YEAR**0.5,
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        **tails(returns),
        **luck(returns),
        "best_day": float(returns.max()) if some else None,
        "worst_day": float(returns.min()) if some else None,
        "winning_days": float((returns > 0).mean()) if some else None,
        **_rolling(found),
    }


def _rolling(found: Days) -> Figures:
    windows = rolling(found)
    if windows is None:
        return {}
    known = windows.sharpe[np.isfinite(windows.sharpe)]
    return {
        "rolling_window": windows.window,
        "rolling_return_low": float(windows.returns.min()),
        "rolling_return_high": float(windows.returns.max()),
        "rolling_sharpe_low": float(known.min()) if len(known) else None,
        "rolling_sharpe_high": float(known.max()) if len(known) else None,
    }


def over_time(curve: Curve, values: Floats) -> float | None:
    """Return the mean of `values`, each of which holds until the next row."""
    lengths = np.diff(curve.time).astype(np.float64)
    total = float(lengths.sum())
    return float(values[:-1] @ lengths) / total if total > 0 else None


def leverage(curve: Curve) -> Floats:
    """Return gross value over equity at each row; 0 where equity is not above 0."""
    result = np.zeros(len(curve))
    np.divide(curve.exposure, curve.equity, out=result, where=curve.equity > 0)
    return result


def _stakes(curve: Curve) -> Figures:
    if not len(curve):
        return {}
    levered = leverage(curve)
    return {
        "exposure": over_time(curve, (curve.exposure > 0).astype(np.float64)),
        "average_exposure": over_time(curve, levered),
        "highest_exposure": float(levered.max()),
    }


def _traded(trades: Sequence[Trade]) -> float:
    return float(
        sum((one.size * (one.entry_price + (one.exit_price or ZERO)) for one in trades), ZERO)
    )


def _costs(figures: Figures, curve: Curve, traded: float) -> Figures:
    average = over_time(curve, curve.equity) if len(curve) else None
    profit = figures["profit"]
    return {
        "traded": traded,
        "turnover": _over(traded, average),
        "breakeven_cost": _over(profit, traded) if profit is not None and profit > 0 else None,
    }


def _held(market: Prices | Curve | None, curve: Curve) -> Curve | None:
    if isinstance(market, Prices):
        return hold({market.symbol: market}, int(curve.time[0]), int(curve.time[-1]))
    return market
