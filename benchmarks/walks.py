"""Write seeded random walks: the bars and quotes that every program of a comparison is given.

Usage: python benchmarks/walks.py FOLDER

A bar opens a little away from the last close, so a fill at the open is not one at the close. No
close leaves the averages of 10 and of 30 closes equal to the cent: every engine's arithmetic, exact
or not, sees the same crosses.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import exp
from pathlib import Path
from random import Random

START_MS = 1_599_999_960_000
"""2020-09-13, a full minute."""
MINUTE_MS = 60_000
QUOTE_MS = 100
FAST, SLOW = 10, 30
BARS = ("ts_ms", "open", "high", "low", "close", "volume")
QUOTES = ("ts_ms", "bid", "ask", "bid_size", "ask_size")

WALKS = {
    "BTC_100k.csv": (100_000, 1, 30_000.0),
    "BTC_500k.csv": (500_000, 3, 30_000.0),
    **{f"S{place}_100k.csv": (100_000, 100 + place, 1_000.0 * (place + 1)) for place in range(10)},
}
"""The number of bars, the seed and the first price of each file.

In the first two the fast average is not above at the 30th close: backtesting.py looks from the 31st
close on.
"""

Row = Sequence[object]


def bars(count: int, seed: int, price: float) -> Iterator[Row]:
    """Yield candles of a minute; prices are in cents, volumes in thousandths."""
    draw = Random(seed)
    closes: deque[int] = deque(maxlen=SLOW - 1)
    close = price
    for number in range(count):
        opened = close * exp(draw.gauss(0, 0.0001))
        close = opened * exp(draw.gauss(0, 0.0005))
        cents = round(close * 100)
        if 3 * (sum(list(closes)[1 - FAST :]) + cents) == sum(closes) + cents:
            cents += 1
        closes.append(cents)
        close = cents / 100
        high = max(opened, close) * (1 + abs(draw.gauss(0, 0.0002)))
        low = min(opened, close) * (1 - abs(draw.gauss(0, 0.0002)))
        prices = [f"{one:.2f}" for one in (opened, high, low, close)]
        yield START_MS + number * MINUTE_MS, *prices, f"{100 + 50 * draw.random():.3f}"


def quotes(count: int, seed: int, price: float) -> Iterator[Row]:
    """Yield quotes a tenth of a second apart, a unit wide, ten deep."""
    draw = Random(seed)
    middle = price
    for number in range(count):
        middle += draw.gauss(0, 3)
        bid, ask = f"{middle - 0.5:.2f}", f"{middle + 0.5:.2f}"
        yield START_MS + number * QUOTE_MS, bid, ask, "10.000", "10.000"


def write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="ascii") as file:
        for row in chain((header,), rows):
            file.write(",".join(map(str, row)) + "\n")


def main(folder: Path) -> None:
    """Write all that `backtest_peers.py` plays."""
    for name, walk in WALKS.items():
        write(folder / name, BARS, bars(*walk))
    write(folder / "BTC_quotes.csv", QUOTES, quotes(200_000, 7, 30_000.0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
