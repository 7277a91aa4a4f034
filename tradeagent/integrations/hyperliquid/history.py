"""Closed candles of the past, each asked for once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.candles import bar_of
from tradeagent.integrations.hyperliquid.questions import MarketQuestions
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.messages import TIMEFRAMES, MarketData, Timeframe, candle_open

MOST = 5_000
"""How many candles of a timeframe the venue keeps."""
RECENT = 600 * SECOND
"""Candles that closed longer ago than this are in every answer, however late its node is, ns."""
PATIENCE = 120.0
"""How long history may wait for room in the weight limit, in seconds."""


class Shelf:
    """Candles of one series without a hole in what was asked for: from `start` up to `end` (ns)."""

    def __init__(self) -> None:
        self.start = self.end = 0
        self.bars: list[MarketData] = []

    def holds(self, start: int, end: int) -> bool:
        """Tell whether everything from `start` up to `end` was asked for."""
        return self.start <= start and end <= self.end and self.end > 0

    def keep(self, start: int, end: int, bars: Sequence[MarketData]) -> None:
        """Take over what lies between; what was there and does not adjoin goes."""
        if not self.end or end < self.start or start > self.end:
            self.start, self.end, self.bars = start, end, list(bars)
        else:
            merged = {bar.time: bar for bar in (*self.bars, *bars)}
            self.bars = [merged[time] for time in sorted(merged)]
            self.start, self.end = min(start, self.start), max(end, self.end)
        if len(self.bars) > MOST:
            self.bars = self.bars[-MOST:]
            self.start = self.bars[0].time

    def between(self, start: int, end: int) -> list[MarketData]:
        """Return the candles that opened from `start` and before `end`."""
        first = bisect_left(self.bars, start, key=lambda bar: bar.time)
        last = bisect_left(self.bars, end, key=lambda bar: bar.time)
        return list(islice(self.bars, first, last))


class CandleHistory:
    """Asks for closed candles and keeps them."""

    def __init__(
        self, venue: MarketQuestions, clock: Clock, venue_time: VenueTime, settled: int
    ) -> None:
        """Believe a candle `settled` ns after its close."""
        self._venue = venue
        self._clock = clock
        self._time = venue_time
        self._settled = settled
        self._shelves: dict[tuple[str, Timeframe], Shelf] = {}

    def keep(self, bar: MarketData) -> None:
        """Keep a candle that has closed, where it adjoins what is kept."""
        shelf = self._shelves.get((bar.symbol, bar.timeframe))
        if shelf is not None and shelf.end == bar.time:
            shelf.keep(bar.time, bar.close_time, [bar])

    async def closed(
        self, symbol: str, timeframe: Timeframe, before: int, count: int
    ) -> Sequence[MarketData]:
        """Return up to `count` candles that closed at or before `before` (UTC ns), oldest first.

        Raises VenueUnavailable.
        """
        length = TIMEFRAMES[timeframe]
        count = min(count, MOST)
        end = candle_open(timeframe, before)
        start = max(0, end - count * length)
        if end <= start:
            return ()
        shelf = self._shelves.setdefault((symbol, timeframe), Shelf())
        if not shelf.holds(start, end):
            await self._settle(end)
            candles = await self._venue.candles(
                symbol, timeframe, start // MILLISECOND, end // MILLISECOND - 1, PATIENCE
            )
            try:
                bars = [bar_of(one, timeframe) for one in candles]
            except ValueError as error:
                raise VenueUnavailable(f"a candle of {symbol} cannot be: {error}") from None
            shelf.keep(start, end, [bar for bar in bars if bar.close_time <= end])
        return shelf.between(start, end)[-count:]

    async def _settle(self, end: int) -> None:
        """Return when what closed at `end` is settled; raises VenueUnavailable for a late node."""
        left = end + self._settled - self._time.now()
        if left > 0:
            await self._clock.sleep(left / SECOND)
        if self._time.now() - end < RECENT:
            shown = await self._venue.shown() * MILLISECOND
            if shown < end + self._settled:
                raise VenueUnavailable(f"the venue shows {(end - shown) / SECOND:.0f} s too little")
