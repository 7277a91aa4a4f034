"""An equity curve as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
DAY = 86_400 * 1_000_000_000
"""ns."""
YEAR = 365
"""Days of a market that never closes."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity and what was at stake, at the same rising moments.

    `time` is UTC ns. `equity` is balance plus open profit at the marks, `exposure` the gross value
    of all positions, both in money. The first row is the start, before anything was traded.
    """

    time: Times
    equity: Floats
    exposure: Floats

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Prices:
    """The candles of one symbol that a run saw, oldest first; `time` is when they opened, UTC ns.

    `length` is that of a candle, ns. Of ticks these are candles of a minute.
    """

    symbol: str
    length: int
    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.time)
