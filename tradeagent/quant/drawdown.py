"""How far and how long equity stood below its highest."""

from __future__ import annotations

import numpy as np

from tradeagent.quant.curve import Curve, Floats
from tradeagent.quant.days import Days


def depths(equity: Floats) -> Floats:
    """Return 1 - equity / highest so far at each row; 0 while the highest is not above 0."""
    peak = np.maximum.accumulate(equity)
    result = np.zeros(len(equity))
    np.divide(peak - equity, peak, out=result, where=peak > 0)
    return result


def drawdown(curve: Curve) -> dict[str, float | None]:
    """Return depth and lengths of the drawdowns of a curve; lengths in seconds."""
    names = ("max_drawdown", "max_drawdown_length", "longest_underwater", "underwater")
    if len(curve) < 2 or curve.equity[0] <= 0:
        return dict.fromkeys(names)
    depth, time = depths(curve.equity), curve.time
    below = depth > 0
    peaked = np.maximum.accumulate(np.where(below, time[0], time))
    # A spell reaches to the row that ends it, which is a peak again.
    since = np.where(below[:-1] | below[1:], time[1:] - peaked[:-1], 0)
    deepest = int(depth.argmax())
    after = np.flatnonzero(~below[deepest:])
    until = time[deepest + after[0]] if len(after) else time[-1]
    length = float(until - peaked[deepest]) / 1e9 if below[deepest] else 0.0
    span = int(time[-1] - time[0])
    return {
        "max_drawdown": float(depth[deepest]),
        "max_drawdown_length": length,
        "longest_underwater": float(since.max()) / 1e9,
        "underwater": float(np.diff(time)[below[:-1]].sum()) / span if span else None,
    }


def ulcer(found: Days) -> float | None:
    """Return the root of the mean squared drawdown at the ends of the days."""
    if not len(found) or found.equity[0] <= 0:
        return None
    return float(np.sqrt((depths(found.equity)[1:] ** 2).mean()))
