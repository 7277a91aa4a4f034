"""The charts of a report, each from the part of a result it shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from tradeagent.quant.curve import Curve, Floats
from tradeagent.quant.days import Days, Rolling
from tradeagent.quant.drawdown import depths
from tradeagent.quant.montecarlo import MonteCarlo
from tradeagent.quant.performance import leverage
from tradeagent.research.report.charts import Band, Frame, Series, banded, bars, lines
from tradeagent.research.wording import axis, axis_percent, money, number, percent

DAYS_SHOWN = 400
"""Daily bars at most; a longer run has its months instead."""
_BINS = 40


def equity(curve: Curve, market: Curve | None, *, log: bool) -> Markup | None:
    """Draw equity, and what buying and holding came to; None where a logarithm has no meaning."""
    held = market.equity * curve.equity[0] if market is not None else np.empty(0)
    if log and not (curve.equity.min() > 0 and (not len(held) or held.min() > 0)):
        return None
    series = [Series("equity", curve.time, curve.equity)]
    if market is not None:
        series.append(Series("buy and hold", market.time, held, "c2", "dashed"))
    told = f"Equity from {money(curve.equity[0])} to {money(curve.equity[-1])}"
    frame = Frame("Equity", f"{told} over time, with buying and holding.", axis, 300, log=log)
    return lines(frame, series)


def drawdown(curve: Curve) -> Markup:
    """Draw how far equity was below its highest."""
    below = 0.0 - depths(curve.equity)
    told = f"Below the highest equity so far, at worst {percent(float(below.min()))}."
    frame = Frame("Drawdown", told, axis_percent, 160, zero=True)
    return lines(frame, [Series("drawdown", curve.time, below, "down", "area")])


def exposure(curve: Curve) -> Markup:
    """Draw the gross value of the positions over equity."""
    levered = leverage(curve)
    told = f"Gross value of the positions over equity, at most {number(float(levered.max()))}."
    frame = Frame("Exposure", told, axis, 160, zero=True)
    return lines(frame, [Series("exposure", curve.time, levered, "c1", "area")])


def daily(found: Days) -> Markup | None:
    """Draw the return of each day; None for more than can be told apart."""
    if not 1 < len(found) <= DAYS_SHOWN:
        return None
    edges = np.arange(len(found) + 1, dtype=np.float64)
    first = found.ends[0].astype("datetime64[ns]").astype("datetime64[D]") - np.timedelta64(1, "D")

    def name(day: float) -> str:
        return str(first + np.timedelta64(int(day), "D"))

    frame = Frame("Daily returns", "The return of each UTC day.", axis_percent, 200, zero=True)
    return bars(frame, edges, found.returns, name=name, signed=True)


def distribution(pnl: Floats) -> Markup:
    """Draw how many trades made how much; a hundredth at either end stands in the outer bars."""
    frame = Frame("Trade results", "How many trades made how much.", axis, 200, zero=True)
    if not len(pnl):
        return bars(frame, pnl, pnl, name=money, signed=False)
    low, high = np.quantile(pnl, (0.01, 0.99)) if len(pnl) > 100 else (pnl.min(), pnl.max())
    edges = _edges(float(low), float(high), min(_BINS, max(5, len(pnl) // 4)))
    heights, _ = np.histogram(np.clip(pnl, edges[0], edges[-1]), edges)
    return bars(frame, edges, heights.astype(np.float64), name=money, signed=False)


def _edges(low: float, high: float, count: int) -> Floats:
    """Return edges with 0 among them, so that no bar mixes profits with losses."""
    width = (high - low) / count or max(abs(high), 1.0) / count
    first, last = np.floor(low / width), np.ceil(high / width)
    edges: Floats = np.arange(first, max(last, first + 1) + 1) * width
    return edges


def rolled(found: Rolling) -> list[tuple[str, Markup]]:
    """Draw the rolling figures."""
    drawn = (
        ("Return", found.returns, axis_percent),
        ("Volatility, a year", found.volatility, axis_percent),
        ("Sharpe, a year", found.sharpe, axis),
    )
    return [
        (
            name,
            lines(
                Frame(f"Rolling {name}", f"Over {found.window} days.", write, 160),
                [Series(name, found.ends, values)],
            ),
        )
        for name, values, write in drawn
    ]


def band(found: MonteCarlo) -> Markup:
    """Draw where equity may have gone: the middle half of the runs, and nine in ten."""
    at = found.steps.astype(np.float64)
    wide = Band(at, found.band[0], found.band[4])
    narrow = Band(at, found.band[1], found.band[3])
    told = f"Equity after each trade in {found.runs} runs: median, middle half, nine in ten."
    return banded(Frame("Monte Carlo", told, axis, 260), [wide, narrow], (at, found.band[2]))


def together(curves: Sequence[tuple[str, Curve]]) -> Markup:
    """Draw the returns of several runs over one another."""
    series = []
    for place, (name, curve) in enumerate(curves):
        grown = curve.equity / curve.equity[0] - 1 if curve.equity[0] > 0 else curve.equity * 0
        kind = "line" if place < len(STYLES) else "dashed"
        series.append(Series(name, curve.time, grown, STYLES[place % len(STYLES)], kind))  # type: ignore[arg-type]
    frame = Frame("Returns", "The return of each run over time.", axis_percent, 340)
    return lines(frame, series)


STYLES = ("c1", "c2", "c3", "c4", "c5", "c6")
"""The colours of lines that are compared; a seventh is dashed in the first."""
