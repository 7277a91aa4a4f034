"""Realised volatility of one symbol, from the closes of its candles."""

from __future__ import annotations

from collections import deque
from math import log, sqrt

YEAR = 365 * 86_400 * 1_000_000_000
"""A year of a market that never closes, ns."""


class Volatility:
    """The annual standard deviation of the last `window` log returns; O(1) per candle."""

    __slots__ = ("_last", "_returns", "_squares", "_sum", "length", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.length = 0
        self._start()

    def _start(self) -> None:
        self._last = 0.0
        self._returns: deque[float] = deque()
        self._sum = self._squares = 0.0

    def update(self, close: float, length: int) -> None:
        """Take the close of a candle `length` ns long; only the shortest candles count."""
        if self.length and length > self.length:
            return
        if length != self.length:
            self._start()
            self.length = length
        if self._last:
            self._add(log(close / self._last))
        self._last = close

    def _add(self, change: float) -> None:
        self._returns.append(change)
        self._sum += change
        self._squares += change * change
        if len(self._returns) > self.window:
            gone = self._returns.popleft()
            self._sum -= gone
            self._squares -= gone * gone

    @property
    def seen(self) -> int:
        """Return how many returns are in the window."""
        return len(self._returns)

    @property
    def annual(self) -> float | None:
        """Return the volatility as a ratio a year, None until the window is full or moves."""
        count = len(self._returns)
        if count < self.window:
            return None
        variance = (self._squares - self._sum * self._sum / count) / (count - 1)
        # What rounding leaves of a flat market is no volatility.
        return sqrt(variance * YEAR / self.length) if variance > 1e-16 else None
