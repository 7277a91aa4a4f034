"""What buying and holding the same symbols would have come to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tradeagent.quant.curve import Curve, Floats, Prices, Times
from tradeagent.quant.days import STILL, Days, at, changes
from tradeagent.quant.drawdown import depths


def hold(prices: Mapping[str, Prices], start: int, end: int) -> Curve | None:
    """Return 1 of money put in equal parts into each symbol at `start` and left there until `end`.

    A symbol is worth its last close; it is bought at the last close by `start`, or at its first
    open where it has none yet. None without a candle.
    """
    held = [one for one in prices.values() if len(one)]
    if not held:
        return None
    closes = [one.time + one.length for one in held]
    inside = np.sort(np.concatenate(closes), kind="stable")
    inside = inside[(inside > start) & (inside <= end)]
    time = np.concatenate((np.array([start], np.int64), inside))
    time = time[np.diff(time, prepend=start - 1) > 0]
    worth = np.zeros(len(time))
    for one, closed in zip(held, closes, strict=True):
        worth += _relative(one, closed, time)
    equity = worth / len(held)
    return Curve(time, equity, equity)


def _relative(prices: Prices, closed: Times, time: Times) -> Floats:
    row = np.searchsorted(closed, time, side="right") - 1
    price = np.where(row < 0, prices.open[0], prices.close[np.maximum(row, 0)])
    relative: Floats = price / price[0]
    return relative


def versus(market: Curve, found: Days, equity: tuple[float, float]) -> dict[str, float | None]:
    """Return how a run stands against `market`; `equity` is that of its start and end."""
    if len(market) < 2 or market.equity[0] <= 0:
        return {}
    change = float(market.equity[-1] / market.equity[0] - 1)
    start, end = equity
    return {
        "market_change": change,
        "buy_and_hold": start * change,
        "excess_return": end / start - 1 - change if start > 0 else None,
        "market_drawdown": float(depths(market.equity).max()),
        **_together(market, found),
    }


def _together(market: Curve, found: Days) -> dict[str, float | None]:
    if len(found) < 2:
        return {"beta": None, "correlation": None}
    theirs = changes(np.concatenate((market.equity[:1], at(market, found.ends))))
    covariance = np.cov(found.returns, theirs)
    spread = np.sqrt(np.diag(covariance))
    own, other = bool(spread[0] > STILL), bool(spread[1] > STILL)
    return {
        "beta": float(covariance[0, 1] / covariance[1, 1]) if other else None,
        "correlation": float(covariance[0, 1] / (spread[0] * spread[1])) if own and other else None,
    }
