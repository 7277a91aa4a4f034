"""Generate a market: quotes, books and candles that any process draws alike from the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import cast

from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import (
    TIMEFRAMES,
    DataReference,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    Timeframe,
    candle_open,
)
from tradeagent.simulation.faults import Faults, draw_faults
from tradeagent.simulation.path import DAY, MINUTES, Minutes, PricePath, Session
from tradeagent.simulation.settings import MarketSettings

MINUTE = DAY // MINUTES
KEPT_DAYS = 8


class GeneratedMarket:
    """A market feed that nothing feeds: every event is a function of seed, symbol and time.

    It stores nothing, starts anywhere and ends nowhere. The price of the ticks at or after a
    candle's open and before its close make that candle; it comes after the tick at its close.
    """

    name = "generated"
    recorded = False

    def __init__(self, settings: MarketSettings) -> None:
        self.settings = settings
        self._paths = {
            one.symbol: PricePath(settings.seed, one, settings.tick_seconds, settings.funding)
            for one in settings.listings
        }
        self._timeframes = tuple(sorted(settings.timeframes, key=TIMEFRAMES.__getitem__))
        count = len(self._paths)
        self._session = lru_cache(maxsize=2 * count)(self._draw_session)
        self._minutes = lru_cache(maxsize=KEPT_DAYS * count)(self._draw_minutes)
        self._faults = lru_cache(maxsize=KEPT_DAYS * count)(self._draw_faults)

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the instruments of the listings."""
        return [listing.instrument for listing in self.settings.listings]

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles it streams, shortest first."""
        return self._timeframes if symbol in self._paths else ()

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None when it streams no candles of `symbol`."""
        return next(iter(self.timeframes(symbol)), None)

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return the last `count` candles that closed at or before `before` (UTC ns), oldest first.

        Any timeframe will do, streamed or not. Candles from before 1970 and of halts do not exist,
        and are not made up for by older ones. Raises KeyError for an unknown symbol or timeframe.
        """
        length = TIMEFRAMES[timeframe]
        end = candle_open(timeframe, before)
        opens = range(end - count * length, end, length)
        candles = (self._candle(symbol, timeframe, time) for time in opens if time >= 0)
        return [candle for candle in candles if candle is not None]

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield quotes, books and candles from `start` (UTC ns) on, without end.

        Events of one instant come by symbol as listed: quote, book, then candles, shortest first.
        A halted symbol has none of them.
        """
        step = self.settings.tick_seconds * 1_000_000_000
        time = -(-start // step) * step
        while True:
            day = time // DAY
            yield from self._day(day, (time - day * DAY) // step, step)
            time = (day + 1) * DAY

    def funding(self, symbol: str, time: int) -> float:
        """Return the hourly funding rate that tickers tell at `time` (UTC ns)."""
        return self._session(symbol, time // DAY).rates[time % DAY // (60 * MINUTE)]

    def status(self) -> Sequence[DataStatus]:
        """Return nothing: a generated market has no gaps to tell of."""
        return ()

    def references(self) -> Sequence[DataReference]:
        """Return nothing: no file is read."""
        return ()

    def _day(self, day: int, first: int, step: int) -> Iterator[tuple[int, MarketEvent]]:
        sessions = [(self._session(one, day), self._faults(one, day)) for one in self._paths]
        per_minute = 60 // self.settings.tick_seconds
        per_book = self.settings.book_seconds // self.settings.tick_seconds
        for index in range(first, MINUTES * per_minute):
            time = day * DAY + index * step
            for session, faults in sessions:
                if index // per_minute not in faults.halted:
                    yield time, session.ticker(index, time, faults.bad.get(index, 1.0))
                    if index % per_book == 0:
                        yield time, session.book(index, time)
                if index % per_minute == 0:
                    for candle in self._closing(session.symbol, time):
                        yield time, candle

    def _closing(self, symbol: str, time: int) -> Iterator[MarketData]:
        last = time - MINUTE
        if last % DAY // MINUTE in self._faults(symbol, last // DAY).gaps:
            return
        for timeframe in self._timeframes:
            length = TIMEFRAMES[timeframe]
            if candle_open(timeframe, time) == time and time >= length:
                candle = self._candle(symbol, timeframe, time - length)
                if candle is not None:
                    yield candle

    def _candle(self, symbol: str, timeframe: str, time: int) -> MarketData | None:
        """Return the candle that opens at `time`, None in a halt; it may span days."""
        end = time + TIMEFRAMES[timeframe]
        parts = [
            (self._minutes(symbol, day), first, last)
            for day in range(time // DAY, -(-end // DAY))
            for first, last in self._faults(symbol, day).runs(
                max(time - day * DAY, 0) // MINUTE, min(end - day * DAY, DAY) // MINUTE
            )
        ]
        if not parts:
            return None
        per_lot, lots = self._paths[symbol].listing.instrument.lot.as_integer_ratio()
        head, first, _ = parts[0]
        tail, _, last = parts[-1]
        return MarketData(
            symbol=symbol,
            timeframe=cast("Timeframe", timeframe),
            time=time,
            open=head.open[first],
            high=max(max(columns.high[a:b]) for columns, a, b in parts),
            low=min(min(columns.low[a:b]) for columns, a, b in parts),
            close=tail.close[last - 1],
            volume=sum(sum(columns.volume[a:b]) for columns, a, b in parts) * per_lot / lots,
        )

    def _draw_session(self, symbol: str, day: int) -> Session:
        return self._paths[symbol].session(day)

    def _draw_minutes(self, symbol: str, day: int) -> Minutes:
        return self._session(symbol, day).minutes()

    def _draw_faults(self, symbol: str, day: int) -> Faults:
        return draw_faults(self.settings, symbol, day)
