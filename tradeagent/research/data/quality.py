"""How whole and how likely the rows of a series are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from tradeagent.integrations.recorded.feed import grid
from tradeagent.integrations.recorded.table import Faults
from tradeagent.quant.curve import Floats, Times
from tradeagent.research.data.series import PRICES, Columns, Series
from tradeagent.research.data.span import date
from tradeagent.research.wording import counted

Code = Literal[
    "gaps",
    "duplicates",
    "differing",
    "disorder",
    "zero_volume",
    "outliers",
    "negative",
    "crossed",
    "malformed",
]
MEANING: dict[Code, str] = {
    "gaps": "rows are missing between others",
    "duplicates": "rows were there more than once; the first was taken",
    "differing": "rows of one time, or trades of one id, differ; the first was taken",
    "disorder": "rows came after later ones; they were put in order",
    "zero_volume": "candles in which nothing was traded",
    "outliers": "prices that moved far more than is usual in these data",
    "negative": "prices of zero or below",
    "crossed": "a high or low that does not hold the rest, or a bid above its ask",
    "malformed": "rows that could not be read; they were left out",
}
"""Every kind of finding, in words."""
FAR = 20.0
"""From how many robust standard deviations on a move is an outlier."""
TO_SIGMA = 1.4826
"""What a median absolute deviation is multiplied by to be the standard deviation of a normal."""
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or may be: how often, and where first (UTC ns)."""

    code: Code
    count: int
    text: str
    first: int | None = None


def of_faults(faults: Faults) -> list[Finding]:
    """Return what was wrong with the rows of a file before they were put right."""
    crossed, negative = faults.crossed, faults.negative
    found: list[tuple[Code, int, str]] = [
        ("gaps", faults.gaps, f"{counted(faults.missing, 'row')} missing"),
        ("duplicates", faults.duplicates - faults.differing, "left out"),
        ("differing", faults.differing, "left out"),
        ("disorder", faults.disordered, "put in order"),
        ("negative", negative, "left out"),
        ("crossed", crossed, "left out"),
        ("malformed", max(faults.malformed - crossed - negative, 0), "left out"),
    ]
    first = {"differing": faults.first_differing}
    return [Finding(code, count, text, first.get(code)) for code, count, text in found if count]


def of_rows(series: Series, rows: Columns, far: float = FAR) -> list[Finding]:
    """Return what is found in the rows of a series.

    A move is an outlier where a log return, or the log of a wick, is more than `far` times
    1.4826 MAD away from the median return. The MAD, the median absolute deviation, is that of the
    returns which are not 0, and a tick at least, so that quiet markets do not make every move one.
    """
    time = cast("Times", rows["time"])
    if not len(time):
        return []
    found = [*_order(time, series), *_gaps(time, series), *_prices(time, rows)]
    if "volume" in rows:
        idle = rows["volume"] == 0
        found += _marked("zero_volume", time, idle, f"{np.mean(idle):.2%} of all")
    if series.kind != "funding":
        found += _outliers(series, time, rows, far)
    return found


def _marked(code: Code, time: Times, mask: Mask, text: str) -> Iterator[Finding]:
    places = np.flatnonzero(mask)
    if len(places):
        yield Finding(code, len(places), text, int(time[places[0]]))


def _order(time: Times, series: Series) -> Iterator[Finding]:
    steps = np.diff(time)
    yield from _marked("disorder", time[1:], steps < 0, "earlier than the row above")
    if series.length or series.kind == "funding":
        yield from _marked("duplicates", time[1:], steps == 0, "of the time of the row above")


def _gaps(time: Times, series: Series) -> Iterator[Finding]:
    """Funding comes at its hour give or take some milliseconds, bars at the very time."""
    length = series.length
    steps = np.diff(time)
    if series.kind == "funding" and len(steps):
        steps = np.round(steps / 60e9).astype(np.int64) * 60_000_000_000
        values, counts = np.unique(steps, return_counts=True)
        length = int(values[counts.argmax()])
    if not length:
        return
    holes = np.flatnonzero(steps > length)
    if len(holes):
        missing = steps[holes] // length - 1
        longest = int(missing.argmax())
        yield Finding(
            "gaps",
            len(holes),
            f"{counted(int(missing.sum()), 'row')} missing, the most "
            f"{int(missing[longest]):,} after {date(int(time[holes[longest]]))}",
            int(time[holes[0]]) + length,
        )


def _prices(time: Times, rows: Columns) -> Iterator[Finding]:
    prices = [cast("Floats", rows[name]) for name in PRICES if name in rows]
    if prices:
        wrong = np.logical_or.reduce([~(price > 0) for price in prices])
        yield from _marked("negative", time, wrong, "no price is 0 or below")
    for low, high in _WITHIN:
        if low in rows and high in rows:
            over = cast("Floats", rows[low]) > cast("Floats", rows[high])
            yield from _marked("crossed", time, over, f"{low} is above {high}")


_WITHIN = (
    *(("low", name) for name in ("open", "close")),
    *((name, "high") for name in ("open", "close")),
    ("low", "high"),
    ("bid", "ask"),
    ("bid_close", "ask_close"),
)


def _outliers(series: Series, time: Times, rows: Columns, far: float) -> Iterator[Finding]:
    logs = _logs(rows)
    if logs is None or len(time) < 3:
        return
    returns = np.diff(logs[0])
    if series.length:
        returns[np.diff(time) != series.length] = 0.0  # a move over a gap may be a large one
    moves = returns[returns != 0]
    if not len(moves):
        return
    middle = float(np.median(moves))
    scale = max(TO_SIGMA * float(np.median(np.abs(moves - middle))), _tick(rows))
    sizes = np.abs(returns - middle)
    sizes[returns == 0] = 0.0
    score = np.concatenate(([0.0], sizes)) / scale
    for wick in logs[1:]:
        score = np.maximum(score, wick / scale)
    worst = int(score.argmax())
    text = (
        f"beyond {far:g} robust deviations of {scale * 100:.2g} %, the most {score[worst]:,.0f} at "
        f"{date(int(time[worst]))}"
    )
    yield from _marked("outliers", time, score > far, text)


def _tick(rows: Columns) -> float:
    """Return the log of a move by the least step of prices: less than that tells nothing."""
    prices = [cast("Floats", column) for name, column in rows.items() if name in PRICES]
    tick, _ = grid(prices, ())
    return math.log1p(float(tick) / float(np.median(prices[0])))


def _logs(rows: Columns) -> Sequence[Floats] | None:
    """Return the log of each row's price, and of candles how long their wicks are."""
    columns = {name: cast("Floats", column) for name, column in rows.items() if name in PRICES}
    if any(not (column > 0).all() for column in columns.values()) or "level" in rows:
        return None
    if "close" in columns:
        start, end = columns["open"], columns["close"]
        upper = np.log(columns["high"] / np.maximum(start, end))
        return np.log(end), upper, np.log(np.minimum(start, end) / columns["low"])
    if "price" in columns:
        return None if "kind" in rows else (np.log(columns["price"]),)
    bid, ask = (columns.get(name) for name in ("bid", "ask"))
    if bid is None or ask is None:
        bid, ask = columns["bid_close"], columns["ask_close"]
    return (np.log((bid + ask) / 2),)
