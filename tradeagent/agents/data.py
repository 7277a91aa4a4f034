"""The Data agent: plays a feed onto the bus, whole, in order, and no faster than useful."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import fsum

from pydantic import Field

from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.clock import MILLISECOND
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.base import LiveFeed, MarketEvent, MarketFeed, Remembering
from tradeagent.messages import (
    TIMEFRAMES,
    Backfill,
    History,
    HistoryRequest,
    MarketData,
    Message,
    Origin,
    TickerUpdate,
    Timeframe,
    candle_open,
)

REPORT = 300.0
"""Seconds between two reports on how whole the data is."""
PAUSE = 5.0
"""Seconds before a feed that does not answer is asked again."""


class DataSettings(AgentSettings):
    """How often deciding agents see a ticker: each interval, or on a move of so many bp."""

    quote_interval_ms: int = Field(
        default=250,
        ge=0,
        description="The least time between two tickers of a symbol, in milliseconds of the clock; "
        "0 passes every one.",
    )
    quote_move_bp: float = Field(
        default=5.0,
        gt=0,
        description="The move of the mid that passes a ticker on at once, in basis points.",
    )


class Resampler:
    """Builds candles of one longer timeframe from shorter ones."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self._parts: list[MarketData] = []
        self._last = -1

    def opened(self, time: int) -> int:
        """Return when the longer candle opened that holds `time` (UTC ns)."""
        return candle_open(self.timeframe, time)

    def add(self, bar: MarketData) -> list[MarketData]:
        """Take in a shorter candle; returns the longer ones it completes, oldest first.

        A period whose last part is missing is completed by the first bar of a later one.
        """
        parts = self._parts
        if bar.time <= self._last:
            return []  # it is in a candle already
        self._last = bar.time
        done = []
        if parts and self.opened(bar.time) != self.opened(parts[0].time):
            done.append(self._merge())
        parts.append(bar)
        if self.opened(bar.close_time) == bar.close_time:
            done.append(self._merge())
        return done

    def _merge(self) -> MarketData:
        parts = self._parts
        merged = MarketData(
            symbol=parts[0].symbol,
            timeframe=self.timeframe,
            time=self.opened(parts[0].time),
            open=parts[0].open,
            high=max(part.high for part in parts),
            low=min(part.low for part in parts),
            close=parts[-1].close,
            volume=fsum(part.volume for part in parts),  # `sum` differs from Python 3.12 on
        )
        parts.clear()
        return merged


class Data(BaseAgent[DataSettings]):
    """Publish what a feed delivers: candles, tickers, books and trades.

    Timeframes that `needed` names and the feed lacks are built from the feed's shortest.
    """

    essential = True
    borrowed = frozenset({"feed"})

    def __init__(
        self,
        settings: DataSettings,
        feed: MarketFeed | LiveFeed,
        start: int,
        needed: Iterable[tuple[str, Timeframe]] = (),
        name: str = "data",
    ) -> None:
        """Play `feed` from `start` (UTC ns) on."""
        super().__init__(settings, name)
        self.feed = feed
        self._start = start
        self._interval = settings.quote_interval_ms * MILLISECOND
        self._move = settings.quote_move_bp / 1e4
        self._quoted: dict[str, tuple[int, float]] = {}
        self._origin = Origin.INPUT
        self._resamplers: dict[tuple[str, Timeframe], list[Resampler]] = {}
        for symbol, timeframe in sorted(set(needed)):
            base = feed.shortest(symbol)
            if base and timeframe not in feed.timeframes(symbol):
                self._resamplers.setdefault((symbol, base), []).append(Resampler(timeframe))
        if not self._resamplers:  # then it need not hear its own candles
            self.handles = {
                kind: how for kind, how in self.handles.items() if kind is not MarketData
            }

    async def setup(self) -> None:
        """Publish what the feed covers, then play it, or listen to it."""
        runtime, feed = self.runtime, self.feed
        if isinstance(feed, LiveFeed) or not feed.recorded:
            self.remind("report", REPORT)
        if isinstance(feed, LiveFeed):
            self.attend(self._listen(feed))
            return
        for part in await self._begun():
            runtime.publish(self.name, part)
        if feed.recorded and runtime.exact:
            self._origin = Origin.RECORDED
        if feed.recorded:
            for message in (*feed.references(), *feed.status()):
                runtime.publish(self.name, message)
        runtime.play(self.name, feed.events(self._start), self.take)

    async def _listen(self, feed: LiveFeed) -> None:
        """Publish what a live feed says, once it is known what lies before."""
        for part in await self._begun():
            self.runtime.publish(self.name, part)
        await feed.listen(self._start, self.take)

    async def _begun(self) -> list[Backfill]:
        """Return what lies before the start of the candles that have begun by then."""
        before, found = self._start - 1, []
        for (symbol, base), resamplers in self._resamplers.items():
            begins = min(one.opened(before) for one in resamplers)
            parts = (before - begins) // TIMEFRAMES[base]
            bars = await self._candles(symbol, base, before, parts) if parts else ()
            begun = tuple(bar for bar in bars if bar.time >= begins)
            if begun:
                found.append(Backfill(symbol=symbol, timeframe=base, before=before, bars=begun))
        return found

    async def _candles(
        self, symbol: str, timeframe: Timeframe, before: int, count: int
    ) -> Sequence[MarketData]:
        """Return the feed's closed candles; one that does not answer is asked until it does."""
        feed = self.feed
        if not isinstance(feed, LiveFeed):
            return feed.history(symbol, timeframe, before, count)
        while True:
            with suppress(VenueUnavailable):
                return await feed.history(symbol, timeframe, before, count)
            await self.runtime.sleep(PAUSE)

    @on(Backfill)
    def catch_up(self, part: Backfill) -> None:
        """Give each resampler the part of its candle that lies before the start."""
        for one in self._resamplers.get((part.symbol, part.timeframe), ()):
            for bar in part.bars:
                if one.opened(bar.time) == one.opened(part.before):
                    one.add(bar)

    def take(self, event: MarketEvent) -> None:
        """Publish one event of the feed; a ticker only when it is news."""
        if type(event) is not TickerUpdate or self._is_news(event):
            assert self._runtime is not None
            self._runtime.publish(self.name, event, None, self._origin)

    @on(MarketData)
    def resample(self, bar: MarketData) -> list[MarketData] | None:
        """Return the longer candles that a candle of our own feed completes."""
        resamplers = self._resamplers.get((bar.symbol, bar.timeframe))
        hand = self.hand
        if resamplers is None or (hand is not None and hand.source != self.name):
            return None
        return [longer for one in resamplers for longer in one.add(bar)]

    def _is_news(self, tick: TickerUpdate) -> bool:
        last = self._quoted.get(tick.symbol)
        mid = tick.mid
        if (
            last is not None
            and tick.time - last[0] < self._interval
            and abs(mid - last[1]) < last[1] * self._move
        ):
            return False
        self._quoted[tick.symbol] = (tick.time, mid)
        return True

    @on(HistoryRequest)
    def history(self, wish: HistoryRequest) -> None:
        """Answer with the candles that closed before now."""
        self.start(self._history(wish, self.now()), lane="history")

    async def _history(self, wish: HistoryRequest, before: int) -> History:
        streamed = wish.timeframe in self.feed.timeframes(wish.symbol)
        known = streamed or isinstance(self.feed, LiveFeed | Remembering)  # any timeframe's past
        base, bars = self.feed.shortest(wish.symbol), list[MarketData]()
        if known:
            bars.extend(await self._candles(wish.symbol, wish.timeframe, before, wish.count))
        elif base is not None:
            bars.extend(await self._resampled(wish, base, before))
        return History(symbol=wish.symbol, timeframe=wish.timeframe, bars=tuple(bars))

    async def _resampled(
        self, wish: HistoryRequest, base: Timeframe, before: int
    ) -> Sequence[MarketData]:
        parts = TIMEFRAMES[wish.timeframe] // TIMEFRAMES[base]
        resampler = Resampler(wish.timeframe)
        shorter = await self._candles(wish.symbol, base, before, (wish.count + 1) * parts)
        built = [longer for bar in shorter for longer in resampler.add(bar)]
        return built[-wish.count :]

    def report(self) -> None:
        """Tell how whole the data is, which a file that was read as a whole stays."""
        self.remind("report", REPORT)
        self.start(self._report())

    async def _report(self) -> Sequence[Message]:
        return self.feed.status()
