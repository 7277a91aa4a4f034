"""The candles a run saw, as columns: those of the files, or what its ticks were marked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.messages.market import MINUTE, TIMEFRAMES
from tradeagent.quant.curve import Prices, Times
from tradeagent.research.account import Marks

LATEST = 1 << 62
"""A time (ns) after any of ours that an array holds."""
NAMES = ("open", "high", "low", "close", "volume")


def candles_of(feed: RecordedFeed, symbol: str) -> Prices | None:
    """Return the shortest candles of `symbol` within the range played, None without candles."""
    parts = feed.candles(symbol)
    if not parts:
        return None
    length = parts[0].length
    time = np.concatenate([np.asarray(one.time, np.int64) for one in parts])
    chosen = feed.settings
    first = int(np.searchsorted(time, chosen.start_ns))
    last = int(np.searchsorted(time, min(chosen.end_ns, LATEST) - length, side="right"))
    columns = [
        np.concatenate([np.asarray(getattr(one, name), np.float64) for one in parts])[first:last]
        for name in NAMES
    ]
    return Prices(symbol, length, time[first:last], *columns)


def minutes_of(symbol: str, marks: Marks) -> Prices:
    """Return candles of a minute made of marks; their volume is 0, for nobody told any."""
    minute = marks.time // MINUTE * MINUTE
    first = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1)) if len(minute) else minute
    last = np.append(first[1:], len(minute)) - 1 if len(minute) else minute
    price = marks.price
    empty = not len(minute)
    return Prices(
        symbol=symbol,
        length=MINUTE,
        time=minute[first],
        open=price[first],
        high=price[:0] if empty else np.maximum.reduceat(price, first),
        low=price[:0] if empty else np.minimum.reduceat(price, first),
        close=price[last],
        volume=np.zeros(len(first)),
    )


def closes_of(prices: Prices) -> Marks:
    """Return the marks that candles set: each close, when the candle closed."""
    return Marks(prices.time + prices.length, prices.close)


def ticks_of(seen: tuple[list[int], list[float]]) -> Marks:
    """Return the marks that were heard of tickers and books."""
    return Marks(np.array(seen[0], np.int64), np.array(seen[1], np.float64))


def both(candles: Marks, ticks: Marks) -> Marks:
    """Return the marks of a symbol with candles and ticks: once there are ticks, candles are not
    heard.
    """
    if not len(ticks.time):
        return candles
    early = candles.time < ticks.time[0]
    return Marks(
        np.concatenate((candles.time[early], ticks.time)),
        np.concatenate((candles.price[early], ticks.price)),
    )


def moments_of(prices: Sequence[Prices], ticks: Sequence[Marks]) -> Times:
    """Return every close of the shortest candles, and the last tick: where equity is told."""
    shortest = min((one.length for one in prices), default=MINUTE)
    ends = [one.time + one.length for one in prices if one.length == shortest]
    ends += [one.time[-1:] for one in (*ticks, *map(closes_of, prices))]
    return np.unique(np.concatenate(ends)) if ends else np.empty(0, np.int64)


def span_of(feed: RecordedFeed) -> tuple[int, int]:
    """Return the times of the first event played and of the last (UTC ns)."""
    first = next(feed.events(0))[0]
    last = max(one.last_time for one in feed.status())
    return first, min(last, feed.settings.end_ns)


def step_of(feed: RecordedFeed) -> int:
    """Return the length of the longest candles that are played, ns; a minute without any."""
    played = (feed.shortest(one.symbol) for one in feed.instruments())
    return max((TIMEFRAMES[one] for one in played if one is not None), default=MINUTE)
