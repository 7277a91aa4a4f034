"""Which fills a file of bars or quotes must lead to, reckoned plainly and apart from all else."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import NamedTuple

from benchmarks.works import Priced

FAST, SLOW = 10, 30
MISSING = 0.002
"""By which part the numbers of fills may differ."""

Row = Mapping[str, str]
Fills = Sequence[tuple[str, float]]
"""A symbol's fills in order: side and price."""


class Trade(NamedTuple):
    """A fill that is due: its side, the price decided on, and the next open if there is one."""

    side: str
    once: float
    next: float | None


def due(path: Path) -> list[Trade]:
    """Return the fills of a file: long while the fast average is above the slow one, else flat."""
    with path.open(encoding="ascii", newline="") as file:
        rows = csv.DictReader(file)
        return list(_of_quotes(rows) if "bid" in (rows.fieldnames or ()) else _of_bars(rows))


def _of_bars(rows: Iterable[Row]) -> Iterator[Trade]:
    bars = [(float(row["open"]), round(float(row["close"]) * 100)) for row in rows]
    closes = [close for _, close in bars]
    long = False
    for at in range(SLOW - 1, len(bars)):
        fast = sum(closes[at - FAST + 1 : at + 1])
        slow = sum(closes[at - SLOW + 1 : at + 1])
        if (fast * SLOW > slow * FAST) is not long:
            long = not long
            following = bars[at + 1][0] if at + 1 < len(bars) else None
            yield Trade("buy" if long else "sell", closes[at] / 100, following)


def _of_quotes(rows: Iterable[Row]) -> Iterator[Trade]:
    fast = slow = 0.0
    long = False
    for at, row in enumerate(rows):
        bid, ask = float(row["bid"]), float(row["ask"])
        middle = (bid + ask) / 2
        fast = middle if at == 0 else fast + (middle - fast) * 2 / (FAST + 1)
        slow = middle if at == 0 else slow + (middle - slow) * 2 / (SLOW + 1)
        if at >= SLOW - 1 and (fast > slow) is not long:
            long = not long
            yield Trade("buy" if long else "sell", ask if long else bid, None)


def differs(trades: Sequence[Trade], fills: Fills, at: Priced) -> str | None:
    """Return where fills are not those that are due, in words; None where they are.

    Their number may differ by 0.2 %, or one: some programs close what is open at the end.
    """
    may = [one for one in trades if at != "next" or one.next is not None]
    if abs(len(may) - len(fills)) > max(1, MISSING * len(may)):
        return f"{len(fills)} fills where {len(may)} are due"
    for number, (one, (side, price)) in enumerate(zip(may, fills, strict=False), 1):
        wanted = {"next": one.next, "once": one.once, "none": price}[at]
        assert wanted is not None
        if side != one.side or not isclose(price, wanted, abs_tol=1e-6):
            return f"fill {number} is {side} at {price}, not {one.side} at {wanted}"
    return None
