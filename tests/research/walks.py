"""Made-up markets: noise that nobody can trade, and one with trends that are there to be found."""

from __future__ import annotations

import random
from pathlib import Path

START_MS = 1_640_995_200_000


def walk(path: Path, days: int, *, seed: int, trend: float = 0.0, minutes: int = 15) -> Path:
    """Write candles of a random walk; with `trend` it drifts that much a candle, for a day or two
    up, then down.
    """
    source, price, drift, left = random.Random(seed), 1000.0, trend, 0
    lines = ["timestamp_ms,open,high,low,close,volume"]
    for row in range(days * 1440 // minutes):
        if left == 0:
            left, drift = source.randint(40, 120), -drift
        left -= 1
        after = round(price * (1 + drift + source.gauss(0, 0.002)), 2)
        high, low = max(price, after) + 0.1, min(price, after) - 0.1
        time = START_MS + row * minutes * 60_000
        lines.append(f"{time},{price},{high:.2f},{low:.2f},{after},100")
        price = after
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
