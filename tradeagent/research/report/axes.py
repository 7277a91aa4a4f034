"""Where ticks stand and what they say, and how a long series is drawn with few points."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Literal, NamedTuple

import numpy as np

from tradeagent.quant.curve import DAY, Floats, Times

_HOUR = 3_600_000_000_000
_STEPS: tuple[tuple[int, str], ...] = (
    *((count * _HOUR // 60, "minute") for count in (1, 5, 15, 30)),
    *((count * _HOUR, "minute") for count in (1, 3, 6, 12)),
    *((count * DAY, "day") for count in (1, 2, 5, 10)),
)
_MONTHS = (1, 3, 6, 12, 24, 60)
COLUMNS = 900
"""Points of a curve at most, twice: each column keeps its lowest and its highest."""


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    text: str


def time_ticks(start: int, end: int, most: int = 8) -> list[Tick]:
    """Return at most about `most` ticks between two times in UTC ns."""
    span = max(end - start, 1)
    for step, unit in _STEPS:
        if span / step <= most:
            first = -(-start // step) * step
            moments = np.arange(first, end + 1, step, dtype=np.int64)
            return [Tick(float(one), _label(int(one), unit)) for one in moments]
    return _month_ticks(start, end, most)


def _label(moment: int, unit: str) -> str:
    text = str(np.datetime64(moment, "ns"))
    midnight = moment % DAY == 0
    return text[5:10] if unit == "day" or midnight else text[11:16]


def _month_ticks(start: int, end: int, most: int) -> list[Tick]:
    first, last = (np.datetime64(one, "ns").astype("datetime64[M]") for one in (start, end))
    month = np.timedelta64(1, "M")
    months = np.arange(first, last + month, month)
    for step in _MONTHS:
        # Months are counted from January 1970, so every step of up to a year falls on January.
        chosen = months[months.astype(np.int64) % step == 0]
        if len(chosen) <= most:
            break
    moments = chosen.astype("datetime64[ns]").astype(np.int64)
    return [
        Tick(float(at), str(one))
        for at, one in zip(moments, chosen, strict=True)
        if start <= at <= end
    ]


def nice(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values between two, 1, 2 or 5 times a power of ten apart."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low] if isfinite(low) else []
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(count * power for count in (1, 2, 5, 10) if count * power >= raw * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def nice_log(low: float, high: float) -> list[float]:
    """Return round values between two above 0, as many as a logarithmic axis has room for."""
    if high / low < 4:
        return [one for one in nice(low, high) if one > 0]
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    every = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [
        count * 10.0**power
        for power in powers
        for count in every
        if low <= count * 10.0**power <= high
    ]


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight or logarithmic way from values to places."""

    low: float
    high: float
    first: float
    last: float
    kind: Literal["linear", "log"] = "linear"

    def __call__(self, values: Floats) -> Floats:
        """Return where values stand."""
        low, high = self.low, self.high
        if self.kind == "log":
            values, low, high = np.log(values), float(np.log(low)), float(np.log(high))
        span = high - low or 1.0
        return self.first + (values - low) / span * (self.last - self.first)

    def place(self, value: float) -> float:
        """Return where one value stands."""
        return float(self(np.array([value]))[0])


def thin(time: Times, values: Floats, columns: int = COLUMNS) -> tuple[Times, Floats]:
    """Return the rows that draw the same picture: of each column the lowest and the highest."""
    if len(values) <= 2 * columns:
        return time, values
    edges = np.linspace(0, len(values), columns + 1).astype(np.int64)
    size = int(np.diff(edges).max())
    # Columns of one size, the last rows repeated, so that the extremes are found at once.
    rows = np.minimum(edges[:-1, None] + np.arange(size), edges[1:, None] - 1)
    block = values[rows]
    picked = np.stack((block.argmin(axis=1), block.argmax(axis=1)), axis=1)
    inner = rows[np.arange(columns)[:, None], np.sort(picked, axis=1)].ravel()
    kept = np.unique(np.concatenate((np.array([0, len(values) - 1]), inner)))
    return time[kept], values[kept]
