"""Curves and trades to measure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import numpy as np

from tradeagent.quant.curve import DAY, Curve, Floats
from tradeagent.quant.trades import Trade

START = 1_640_995_200 * 1_000_000_000
"""2022-01-01, a midnight."""
HOUR = DAY // 24


def curve(equity: Sequence[float] | Floats, step: int = DAY, start: int = START) -> Curve:
    """Return equity at even steps, with nothing at stake."""
    values = np.asarray(equity, dtype=np.float64)
    time = start + step * np.arange(len(values), dtype=np.int64)
    return Curve(time, values, np.zeros(len(values)))


def walk(rows: int, seed: int, step: int = HOUR, drift: float = 0.0) -> Curve:
    """Return a seeded walk of so many steps from 10,000."""
    source = np.random.default_rng(seed)
    moved = source.standard_t(4, rows) * 0.004 + drift
    return curve(10_000 * np.cumprod(np.concatenate((np.ones(1), 1 + moved))), step)


def trades(
    pnl: Sequence[float], side: Literal["long", "short"] = "long", step: int = HOUR
) -> list[Trade]:
    """Return a trade of 1 at 100 for each profit, one after the other, each held half a step."""
    return [
        Trade(
            symbol="BTC",
            strategy="one",
            side=side,
            size=Decimal(1),
            entry_time=START + place * step,
            entry_price=Decimal(100),
            exit_time=START + place * step + step // 2,
            exit_price=Decimal(100) + Decimal(repr(float(one))),
            fees=Decimal("0.5"),
            funding=Decimal("-0.25"),
            pnl=Decimal(repr(float(one))),
        )
        for place, one in enumerate(pnl)
    ]
