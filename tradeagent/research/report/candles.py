"""Candles and the trades on them, small enough to embed in a page.

A block is int32 columns, stored byte by byte of all rows (the high bytes of small numbers are
zeros), deflated, in base64 of the alphabet for addresses. Of candles it has what is small: the time
since the one before, the open less the close before, the close less the open, and how far high and
low reach beyond both. The script in `templates/candles.js` reads it.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradeagent.quant.curve import Floats, Prices
from tradeagent.quant.trades import Trade

MOST = 600_000
"""Candles embedded at most, over all symbols; more are merged."""
SECOND = 1_000_000_000
_LARGEST = 2**30
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """One symbol as the script reads it; prices are whole numbers of 10^-`decimals`.

    `candles` is a block as above, its first time counted from `start` (UTC s). `trades` is a block
    of entry time from `start`, time held (s, -1 while it stands), entry and exit price, side (1 or
    -1) and profit in units of `money`.
    """

    symbol: str
    start: int
    length: int
    decimals: int
    merged: int
    """How many candles of the run one candle here is made of."""
    money: float
    candles: str
    rows: int
    trades: str
    count: int


def embed(prices: Mapping[str, Prices], trades: Sequence[Trade]) -> list[Embedded]:
    """Return the symbols that have candles, with their trades."""
    shown = {symbol: one for symbol, one in prices.items() if len(one)}
    total = sum(len(one) for one in shown.values())
    by: dict[str, list[Trade]] = {symbol: [] for symbol in shown}
    for trade in trades:
        if trade.symbol in by:
            by[trade.symbol].append(trade)
    merged = max(1, -(-total // MOST))
    return [_embed(merge(one, merged), by[symbol], merged) for symbol, one in shown.items()]


def merge(prices: Prices, count: int) -> Prices:
    """Return each `count` candles as one; the last may be of fewer."""
    if count == 1:
        return prices
    first = np.arange(0, len(prices), count)
    last = np.minimum(first + count, len(prices)) - 1
    return Prices(
        prices.symbol,
        prices.length * count,
        prices.time[first],
        prices.open[first],
        np.maximum.reduceat(prices.high, first),
        np.minimum.reduceat(prices.low, first),
        prices.close[last],
        np.add.reduceat(prices.volume, first),
    )


def _embed(prices: Prices, trades: Sequence[Trade], merged: int) -> Embedded:
    places = decimals(prices)
    start = int(prices.time[0]) // SECOND
    ordered = sorted(trades, key=lambda one: one.entry_time)
    pnl = np.array([float(one.pnl) for one in ordered])
    unit = max(float(np.abs(pnl).max(initial=0.0)) / _LARGEST, 0.01)
    return Embedded(
        symbol=prices.symbol,
        start=start,
        length=max(1, prices.length // SECOND),
        decimals=places,
        merged=merged,
        money=unit,
        candles=pack(_steps(prices, start, places)),
        rows=len(prices),
        trades=pack([*_marks(ordered, start, places), _whole(pnl / unit)]),
        count=len(ordered),
    )


def _steps(prices: Prices, start: int, places: int) -> list[Ints]:
    opened, closed = _grid(prices.open, places), _grid(prices.close, places)
    high, low = _grid(prices.high, places), _grid(prices.low, places)
    before = np.concatenate((np.zeros(1, np.int32), closed[:-1]))
    return [
        np.diff(prices.time // SECOND - start, prepend=np.int64(0)).astype(np.int32),
        opened - before,
        closed - opened,
        high - np.maximum(opened, closed),
        np.minimum(opened, closed) - low,
    ]


def _marks(trades: Sequence[Trade], start: int, places: int) -> list[Ints]:
    held = [
        -1 if one.exit_time is None else (one.exit_time - one.entry_time) // SECOND
        for one in trades
    ]
    return [
        np.array([one.entry_time // SECOND - start for one in trades], np.int32),
        np.array(held, np.int32),
        _grid(np.array([float(one.entry_price) for one in trades]), places),
        _grid(np.array([float(one.exit_price or 0) for one in trades]), places),
        np.array([1 if one.side == "long" else -1 for one in trades], np.int32),
    ]


def decimals(prices: Prices) -> int:
    """Return how many decimals the prices have, at most what 30 bits hold; below 0 for tens."""
    top = float(prices.high.max())
    most = next(count for count in range(12, -12, -1) if top * 10.0**count < _LARGEST)
    sample = np.concatenate((prices.open[:2_000], prices.close[-2_000:]))
    for count in range(min(0, most), most):
        scaled = sample * 10.0**count
        if np.allclose(scaled, np.round(scaled), rtol=1e-12, atol=1e-6):
            return count
    return most


def _grid(values: Floats, places: int) -> Ints:
    return _whole(values * 10.0**places)


def _whole(values: Floats) -> Ints:
    return np.round(values).astype(np.int32)


def pack(columns: Sequence[Ints]) -> str:
    """Return columns of one length as a block."""
    planes = np.concatenate(columns).astype("<i4").view(np.uint8).reshape(-1, 4).T
    return urlsafe_b64encode(zlib.compress(planes.tobytes(), 6)).decode()
