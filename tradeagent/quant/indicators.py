"""Streaming indicators by TA-Lib's definitions and warm-up; O(1) amortised per update.

Each `update` takes the next closed value and returns the indicator, NaN until `ready`. A NaN input
is passed over, so one indicator can feed another from its first value on.
"""

from __future__ import annotations

from collections import deque
from math import fsum, nan, sqrt


class Indicator:
    """What all indicators show: `value`, and whether it is `ready`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = nan

    @property
    def ready(self) -> bool:
        """Tell whether enough was seen for a value."""
        return self.value == self.value  # NaN alone is unlike itself


def _whole(period: int, least: int = 1) -> int:
    if period < least:
        raise ValueError(f"period must be at least {least}, not {period}")
    return period


class SMA(Indicator):
    """Average the last `period` values.

    The sum is taken afresh each time the ring comes round, so rounding never outlives one window.
    """

    __slots__ = ("_at", "_ring", "_sum", "period")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = _whole(period)
        self._ring = [0.0] * period
        self._at = 0
        self._sum = 0.0

    def update(self, x: float) -> float:
        """Take the next value; returns the average."""
        if x != x:
            return self.value
        ring, at = self._ring, self._at
        self._sum += x - ring[at]
        ring[at] = x
        at += 1
        if at == self.period:
            self._at = 0
            self._sum = fsum(ring)
        else:
            self._at = at
            if self.value != self.value:
                return nan
        self.value = self._sum / self.period
        return self.value


class Smoothing(Indicator):
    """Smooth exponentially by the factor `alpha`, starting from the mean of `period` values."""

    __slots__ = ("_left", "_sum", "alpha", "period")

    def __init__(self, period: int, alpha: float) -> None:
        super().__init__()
        self.period = self._left = _whole(period)
        self.alpha = alpha
        self._sum = 0.0

    def update(self, x: float) -> float:
        """Take the next value; returns the smoothed one."""
        if x != x:
            return self.value
        if self._left:
            self._sum += x
            self._left -= 1
            if not self._left:
                self.value = self._sum / self.period
        else:
            self.value += self.alpha * (x - self.value)
        return self.value


class EMA(Smoothing):
    """Smooth with alpha = 2 / (period + 1)."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 2 / (period + 1))


class Wilder(Smoothing):
    """Smooth with Wilder's alpha = 1 / period, as RSI and ATR do."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(_whole(period), 1 / period)


class RSI(Indicator):
    """Relate Wilder-smoothed gains to all moves, 0 to 100 (Wilder 1978); ready after period + 1.

    A price that never moved gives 50; TA-Lib gives 0, which a strategy would read as oversold.
    """

    __slots__ = ("_gain", "_last", "_loss", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = period
        self._gain = Wilder(period)
        self._loss = Wilder(period)
        self._last = nan

    def update(self, x: float) -> float:
        """Take the next close; returns the index."""
        change = x - self._last
        if x == x:
            self._last = x
        if change != change:
            return self.value
        gain = self._gain.update(change if change > 0 else 0.0)
        loss = self._loss.update(-change if change < 0 else 0.0)
        if gain == gain:
            moved = gain + loss
            self.value = 100 * (gain / moved) if moved else 50.0
        return self.value


class ATR(Indicator):
    """Smooth the true range by Wilder's method, in price units; ready after period + 1 bars."""

    __slots__ = ("_close", "_range", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = period
        self._range = Wilder(period)
        self._close = nan

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; returns the average range."""
        before = self._close
        self._close = close
        if before == before:
            self.value = self._range.update(max(high, before) - min(low, before))
        return self.value


class MACD(Indicator):
    """Subtract a slow EMA from a fast one; `signal` is the EMA of that, `histogram` their gap.

    Ready after slow + signal_period - 1 values. As in TA-Lib, both EMAs have their first value at
    the same bar.
    """

    __slots__ = ("_fast", "_line", "_skip", "_slow", "histogram", "signal")

    def __init__(self, fast: int = 12, slow: int = 26, signal_period: int = 9) -> None:
        super().__init__()
        if fast >= slow:
            raise ValueError(f"fast ({fast}) must be below slow ({slow})")
        self._fast = EMA(fast)
        self._slow = EMA(slow)
        self._line = EMA(signal_period)
        self._skip = slow - fast
        self.signal = nan
        self.histogram = nan

    def update(self, x: float) -> float:
        """Take the next close; returns the difference of the averages."""
        if x != x:
            return self.value
        slow = self._slow.update(x)
        if self._skip:
            self._skip -= 1
            return nan
        line = self._fast.update(x) - slow
        self.signal = self._line.update(line)
        if self.signal == self.signal:
            self.value = line
            self.histogram = line - self.signal
        return self.value


class RollingStd(Indicator):
    """Take the population standard deviation of the last `period` values; `mean` is their mean.

    Sliding Welford sums, taken afresh each time the ring comes round.
    """

    __slots__ = ("_at", "_ring", "_squares", "mean", "period")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = _whole(period)
        self._ring = [0.0] * period
        self._at = 0
        self._squares = 0.0
        self.mean = nan

    def update(self, x: float) -> float:
        """Take the next value; returns the deviation."""
        if x != x:
            return self.value
        ring, at = self._ring, self._at
        old, ring[at] = ring[at], x
        at += 1
        if at == self.period:
            self._at = 0
            mean = self.mean = fsum(ring) / at
            self._squares = fsum([(y - mean) * (y - mean) for y in ring])
        else:
            self._at = at
            if self.value != self.value:
                return nan
            before, shift = self.mean, x - old
            mean = self.mean = before + shift / self.period
            self._squares += shift * (x - mean + old - before)
        self.value = sqrt(max(self._squares, 0.0) / self.period)
        return self.value


class BollingerBands(Indicator):
    """Lay `upper` and `lower` bands `width` deviations around the mean, which is the value."""

    __slots__ = ("_std", "lower", "upper", "width")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        super().__init__()
        self._std = RollingStd(period)
        self.width = width
        self.upper = nan
        self.lower = nan

    def update(self, x: float) -> float:
        """Take the next close; returns the middle band."""
        reach = self.width * self._std.update(x)
        self.value = self._std.mean
        self.upper = self.value + reach
        self.lower = self.value - reach
        return self.value


class ZScore(Indicator):
    """Measure how many deviations the newest value is from the mean of `period`; flat gives 0."""

    __slots__ = ("_std",)

    def __init__(self, period: int) -> None:
        super().__init__()
        self._std = RollingStd(period)

    def update(self, x: float) -> float:
        """Take the next value; returns its distance from the mean in deviations."""
        std = self._std.update(x)
        if x == x and std == std:
            self.value = (x - self._std.mean) / std if std else 0.0
        return self.value


class Highest(Indicator):
    """Keep the highest of the last `period` values, by a monotonic queue."""

    __slots__ = ("_count", "_queue", "period")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = _whole(period)
        self._queue: deque[tuple[int, float]] = deque()
        self._count = 0

    def update(self, x: float) -> float:
        """Take the next value; returns the highest."""
        if x != x:
            return self.value
        queue = self._queue
        while queue and queue[-1][1] <= x:
            queue.pop()
        count = self._count = self._count + 1
        queue.append((count, x))
        if queue[0][0] <= count - self.period:
            queue.popleft()
        if count >= self.period:
            self.value = queue[0][1]
        return self.value


class Lowest(Indicator):
    """Keep the lowest of the last `period` values."""

    __slots__ = ("_mirror",)

    def __init__(self, period: int) -> None:
        super().__init__()
        self._mirror = Highest(period)

    def update(self, x: float) -> float:
        """Take the next value; returns the lowest."""
        self.value = -self._mirror.update(-x)
        return self.value


class Donchian(Indicator):
    """Span a channel from the `lower` low to the `upper` high; the value is its middle."""

    __slots__ = ("_highest", "_lowest", "lower", "upper")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self._highest = Highest(period)
        self._lowest = Lowest(period)
        self.upper = nan
        self.lower = nan

    def update(self, high: float, low: float) -> float:
        """Take the next bar; returns the middle of the channel."""
        self.upper = self._highest.update(high)
        self.lower = self._lowest.update(low)
        self.value = (self.upper + self.lower) / 2
        return self.value
