"""Candles as the venue shows them: those of the feed's history, and the one that is forming."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from tradeagent.integrations.base import MarketFeed
from tradeagent.messages import TIMEFRAMES, MarketData, candle_open
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.wire import decimal_text

MILLISECOND = 1_000_000
DAY = TIMEFRAMES["1d"]
MONTH = "1M"
INTERVALS = (*TIMEFRAMES, MONTH)
MOST = 5000
"""The candles of an interval that exist: the latest."""
PRINTS = 24
"""The trades that are counted for a minute of history."""


def opening(interval: str, time: int) -> int:
    """Return when the candle of `interval` that holds `time` (UTC ns) opened; months are those of
    the calendar.
    """
    if interval == MONTH:
        day = datetime.fromtimestamp(time // 1_000_000_000, UTC)
        first = day.replace(day=1, hour=0, minute=0, second=0)
        return int(first.timestamp()) * 1_000_000_000
    return candle_open(interval, time)


def closing(interval: str, opened: int) -> int:
    """Return when the candle that opened at `opened` closes, UTC ns."""
    if interval == MONTH:
        return opening(MONTH, opened + 32 * DAY)
    return opened + TIMEFRAMES[interval]


@dataclass(slots=True)
class Candle:
    """One candle, perhaps still forming; `time` is when it opened (UTC ns), `trades` a count."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    trades: int = 0

    def add(self, price: float, volume: float, trades: int) -> None:
        """Take in a price and what was traded at it."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += volume
        self.trades += trades

    def join(self, later: Candle) -> None:
        """Take in a candle that follows."""
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.trades += later.trades

    def shown(self, coin: str, interval: str, decimals: int) -> Json:
        """Return it as the protocol shows it."""
        return {
            "t": self.time // MILLISECOND,
            "T": closing(interval, self.time) // MILLISECOND - 1,
            "s": coin,
            "i": interval,
            "o": number(self.open),
            "c": number(self.close),
            "h": number(self.high),
            "l": number(self.low),
            "v": number(round(self.volume, decimals)),
            "n": self.trades,
        }


def number(value: float) -> str:
    """Return a float of the feed as text: its shortest form, with at least one decimal."""
    return decimal_text(Decimal(repr(value)))


def _candle(bar: MarketData) -> Candle:
    minutes = TIMEFRAMES[bar.timeframe] // TIMEFRAMES["1m"]
    trades = PRINTS * minutes if bar.volume else 0
    return Candle(bar.time, bar.open, bar.high, bar.low, bar.close, bar.volume, trades)


def joined(interval: str, candles: Iterable[Candle]) -> Iterator[Candle]:
    """Yield candles of `interval` made of shorter ones, which come in order."""
    made: Candle | None = None
    for one in candles:
        opened = opening(interval, one.time)
        if made is not None and made.time == opened:
            made.join(one)
            continue
        if made is not None:
            yield made
        made = Candle(opened, one.open, one.high, one.low, one.close, one.volume, one.trades)
    if made is not None:
        yield made


class Candles:
    """The candles of one symbol: history is asked of the feed, what forms is made of ticks.

    An interval forms from the moment somebody follows it. Where the feed has no candles, all form
    from the first tick, and those that have closed since are the history.
    """

    def __init__(self, feed: MarketFeed, symbol: str, born: int) -> None:
        """Show nothing from before `born` (UTC ns)."""
        self._feed = feed
        self._symbol = symbol
        self._born = born
        self._forming: dict[str, Candle] = {}
        self._closed: dict[str, deque[Candle]] = {}
        self.time = 0
        known = set(feed.timeframes(symbol))
        self._bare = not known
        self._known = [one for one in TIMEFRAMES if one in known or feed.name == "generated"]
        self._followed = set(INTERVALS) if self._bare else {"1m"}

    def tick(self, price: float, volume: float, trades: int, time: int) -> list[str]:
        """Take in a price at `time` (UTC ns); returns the intervals that are followed."""
        self.time = time
        for interval in self._followed:
            forming = self._forming.get(interval)
            if forming is not None and time < closing(interval, forming.time):
                forming.add(price, volume, trades)
                continue
            if forming is not None and self._bare:
                kept = self._closed.setdefault(interval, deque(maxlen=MOST))
                kept.append(forming)
            opened = opening(interval, time)
            self._forming[interval] = Candle(opened, price, price, price, price, volume, trades)
        return [one for one in INTERVALS if one in self._followed]

    def forming(self, interval: str) -> Candle | None:
        """Return the candle that forms now, None before any price."""
        return self._forming.get(interval)

    def follow(self, interval: str) -> None:
        """Let the candle of an interval form from now on, begun with what it has already."""
        if interval in self._followed or interval not in INTERVALS:
            return
        self._followed.add(interval)
        opened = opening(interval, self.time)
        parts = list(self._since(opened))
        if (minute := self._forming.get("1m")) is not None:
            parts.append(minute)
        for made in joined(interval, parts):
            self._forming[interval] = made

    def between(self, interval: str, start: int, end: int) -> list[Candle]:
        """Return the candles that opened from `start` to `end` (UTC ns), oldest first."""
        self.follow(interval)
        start = max(start, self._born)
        found = list(self._history(interval, start, min(end, self.time)))
        forming = self._forming.get(interval)
        if forming is not None and (not found or found[-1].time < forming.time):
            found.append(forming)
        return [one for one in found if start <= one.time <= end][-MOST:]

    def before(self, time: int) -> float | None:
        """Return the last price known at `time` (UTC ns), None when there is none."""
        for unit in self._known[:1]:
            for bar in self._feed.history(self._symbol, unit, time, 1):
                return bar.close
        return None

    def _history(self, interval: str, start: int, end: int) -> Iterable[Candle]:
        """Return closed candles from the one that holds `start`, at most those that exist."""
        if self._bare:
            return self._closed.get(interval, ())
        unit = self._unit(interval)
        if unit is None:
            return ()
        first = opening(interval, start)
        parts = 31 * DAY if interval == MONTH else TIMEFRAMES[interval]
        most = MOST * -(-parts // TIMEFRAMES[unit])
        count = min(max(self.time - first, 0) // TIMEFRAMES[unit] + 1, most)
        last = min(closing(interval, opening(interval, max(end, 0))), self.time)
        bars = (_candle(bar) for bar in self._feed.history(self._symbol, unit, last, count))
        bars = (bar for bar in bars if bar.time >= first)
        made = bars if unit == interval else joined(interval, bars)
        return (one for one in made if closing(interval, one.time) <= self.time)

    def _unit(self, interval: str) -> str | None:
        """Return the longest timeframe of the feed that an interval is made of."""
        if interval in self._known:
            return interval
        length = DAY if interval == MONTH else TIMEFRAMES[interval]
        fits = [one for one in self._known if length % TIMEFRAMES[one] == 0]
        return fits[-1] if fits else None

    def _since(self, opened: int) -> Iterator[Candle]:
        """Yield what has closed since `opened`, the longest parts first; months begin with days."""
        for unit in reversed(self._known):
            length = TIMEFRAMES[unit]
            if unit == "1w" or opened % length or opened + length > self.time:
                continue
            count = (self.time - opened) // length
            for bar in self._feed.history(self._symbol, unit, opened + count * length, count):
                if bar.time >= opened:
                    yield _candle(bar)
            opened += count * length
