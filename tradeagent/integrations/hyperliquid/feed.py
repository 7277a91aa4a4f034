"""Hyperliquid's market data as a live feed: candles closed in order, tickers, books and trades."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import MarketEvent
from tradeagent.integrations.hyperliquid.answers import BookSnapshot, Candle
from tradeagent.integrations.hyperliquid.candles import CandleSeries, Tally
from tradeagent.integrations.hyperliquid.channels import ActiveAsset, Touch, Trade
from tradeagent.integrations.hyperliquid.history import PATIENCE, CandleHistory
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.integrations.hyperliquid.questions import MarketQuestions
from tradeagent.integrations.hyperliquid.quotes import Quote
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.settings import HyperliquidFeedSettings
from tradeagent.integrations.hyperliquid.stream import Stream
from tradeagent.integrations.hyperliquid.timing import ASLEEP, VenueTime, within
from tradeagent.log import log
from tradeagent.messages import (
    TIMEFRAMES,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    Timeframe,
)

LOOKED_AT = 0.5
"""How often it is looked for candles that should have closed, in seconds."""
ASKED_LATEST = 30.0
"""The longest pause before a question is asked again that brought less than expected, seconds."""
SIGHTED = 60.0
"""How often the venue's time is asked for, in seconds."""
OLD_TRADES = 5_000
"""How long before an opening of the stream a trade may have happened to be news, ms."""

AHEAD = 5_000
"""How far the time of a message may be ahead of the venue's and of this machine's, ms."""


class Ground:
    """What is kept of one symbol: its candles, its quote, and whether something is missing."""

    def __init__(self, symbol: str, series: Sequence[CandleSeries], lasts: int) -> None:
        """Take a mark for fresh for `lasts` ms."""
        self.symbol = symbol
        self.series = {one.timeframe: one for one in series}
        self.tally = Tally()
        self.quote = Quote(symbol, self.tally, lasts)
        self.look = asyncio.Event()
        """Set when the venue must be asked at once."""
        self.behind = True
        """Whether candles are missing that must be delivered before anything else."""


class HyperliquidFeed:
    """Listens to some symbols; what is missed while the line is cut is delivered before the rest.

    It says nothing of a symbol while candles of it are missing, and asks the venue for them.
    """

    name = "hyperliquid"

    def __init__(
        self, settings: HyperliquidFeedSettings, symbols: Sequence[str], clock: Clock
    ) -> None:
        self._settings = settings
        self._symbols = tuple(symbols)
        self._clock = clock
        self._time = VenueTime(clock)
        self._rest = Rest(settings, clock)
        self._venue = MarketQuestions(self._rest, self._time)
        settled = int(settings.settled_after * SECOND)
        self._history = CandleHistory(self._venue, clock, self._time, settled)
        self._listing: Listing | None = None
        self._grounds: dict[str, Ground] = {}
        self._opened = 0
        self._warned = False
        self._deliver: Callable[[MarketEvent], None] = _nobody
        self._stream = Stream(settings, clock, self._hear, self._changed)
        self._time.woken = self._woken
        self._timeframes = tuple(sorted(set(settings.timeframes), key=TIMEFRAMES.__getitem__))
        for symbol in self._symbols:
            for kind in ("bbo", "l2Book"):
                self._stream.watch({"type": kind, "coin": symbol}, settings.book_within)
            self._stream.watch(
                {"type": "activeAssetCtx", "coin": symbol}, settings.context_within, quiet=True
            )
            self._stream.watch(
                {"type": "trades", "coin": symbol}, settings.trades_within, quiet=True
            )
            for timeframe in self._timeframes:
                candles = {"type": "candle", "coin": symbol, "interval": timeframe}
                self._stream.watch(candles, settings.trades_within, quiet=True)

    # -- what it covers ---------------------------------------------------------------------------

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the symbols' grids, none before it is open."""
        if self._listing is None:
            return ()
        found = (self._listing.find(symbol) for symbol in self._symbols)
        return [one for one in found if one is not None]

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles it delivers, shortest first."""
        return self._timeframes if symbol in self._symbols else ()

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None for a symbol it does not cover."""
        return self._timeframes[0] if symbol in self._symbols else None

    def status(self) -> Sequence[DataStatus]:
        """Return how whole the data was so far, one for each symbol; rows are closed candles."""
        return [_status(ground) for ground in self._grounds.values()]

    # -- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Learn what is listed; raises VenueUnavailable, and DataError for an unknown symbol."""
        self._rest.open()
        await self._venue.time()
        listing = Listing(await self._venue.meta())
        unlisted = [symbol for symbol in self._symbols if listing.find(symbol) is None]
        if unlisted:
            raise DataError(
                f"watchlist: hyperliquid {self._settings.network} does not list "
                f"{', '.join(unlisted)}; name perpetuals as it does, such as BTC"
            )
        self._listing = listing

    async def close(self) -> None:
        """Disconnect."""
        await self._rest.close()

    async def history(
        self, symbol: str, timeframe: str, before: int, count: int
    ) -> Sequence[MarketData]:
        """Return up to `count` closed candles that closed at or before `before` (UTC ns), oldest
        first, any timeframe; the venue keeps 5,000 of each. Raises VenueUnavailable.
        """
        if timeframe not in TIMEFRAMES:
            return ()
        return await self._history.closed(symbol, cast(Timeframe, timeframe), before, count)

    async def listen(self, since: int, deliver: Callable[[MarketEvent], None]) -> None:
        """Hand what happens to `deliver`, without end, from candles that closed at `since` on."""
        settings = self._settings
        settled, lasts = int(settings.settled_after * 1000), int(settings.context_within * 1000)
        self._deliver = deliver
        self._grounds = {
            symbol: Ground(
                symbol,
                [CandleSeries(one, since, settled) for one in self._timeframes],
                lasts,
            )
            for symbol in self._symbols
        }
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stream.run(), name="hyperliquid.feed")
            group.create_task(self._repeat(SIGHTED, self._sight), name="hyperliquid.time")
            group.create_task(
                self._repeat(settings.listing_every, self._list), name="hyperliquid.listing"
            )
            for ground in self._grounds.values():
                group.create_task(self._keep(ground), name=f"hyperliquid.{ground.symbol}")

    # -- what the stream says ---------------------------------------------------------------------

    def _changed(self, up: bool, reason: str) -> None:
        if up:
            self._opened = self._now() - OLD_TRADES
            log.info("hyperliquid's market data is up")
            return
        log.warning("hyperliquid's market data is down: {}", reason)
        for ground in self._grounds.values():
            ground.behind = True
            ground.quote.cut()
            for series in ground.series.values():
                series.cut()

    def _woken(self) -> None:
        """Take the line for lost: what waits to be read on it is from before this machine slept."""
        self._stream.reopen(ASLEEP)
        for ground in self._grounds.values():
            ground.behind = True

    def _hear(self, _: str, data: object) -> None:
        if isinstance(data, list):
            for trades in _by_coin(data).items():
                self._take_trades(*trades)
        elif isinstance(data, Touch | BookSnapshot | ActiveAsset | Candle):
            ground = self._grounds.get(data.coin)
            if ground is not None:
                self._take(ground, data)

    def _take(self, ground: Ground, data: Touch | BookSnapshot | ActiveAsset | Candle) -> None:
        events: Sequence[MarketEvent | None]
        now = self._now()
        if isinstance(data, ActiveAsset):
            events = (ground.quote.context(data.ctx, now),)
        elif self._is_ahead(ground, data.opened if isinstance(data, Candle) else data.time, now):
            return
        elif isinstance(data, Touch):
            events = (ground.quote.touch(data, now),)
        elif isinstance(data, BookSnapshot):
            events = ground.quote.book(data, now)
        else:
            self._take_candle(ground, data)
            return
        if not ground.behind:
            for event in events:
                if event is not None:
                    self._deliver(event)

    def _is_ahead(self, ground: Ground, time: int, now: int) -> bool:
        """Tell whether something is from the future (ms): taken in, it would make the rest old."""
        if time <= now + AHEAD or time <= self._clock.now() // MILLISECOND + AHEAD:
            return False
        ground.tally.malformed += 1
        if not self._warned:
            log.warning("hyperliquid tells of {} what is {} ms ahead", ground.symbol, time - now)
        self._warned = True
        return True

    def _take_candle(self, ground: Ground, candle: Candle) -> None:
        series = next((s for s in ground.series.values() if s.timeframe == candle.interval), None)
        if series is None:
            return
        self._close(series.take(candle))
        if series.skips:
            ground.behind = True
            ground.look.set()

    def _take_trades(self, coin: str, trades: list[Trade]) -> None:
        ground = self._grounds.get(coin)
        if ground is None:
            return
        now = self._now()
        past = [one for one in trades if not self._is_ahead(ground, one.time, now)]
        for trade in ground.quote.trades(past, self._opened):
            if not ground.behind:
                self._deliver(trade)

    def _close(self, bars: Sequence[MarketData]) -> None:
        for bar in bars:
            self._history.keep(bar)
            self._deliver(bar)

    # -- what is asked for ------------------------------------------------------------------------

    async def _keep(self, ground: Ground) -> None:
        """Ask for candles of one symbol that the stream does not close."""
        pause = LOOKED_AT
        while True:
            ground.look.clear()
            if not self._time.is_known:
                with suppress(VenueUnavailable):
                    await self._venue.time()
            wanting = [one for one in ground.series.values() if one.wants(self._now())]
            self._hold(ground)
            brought = [await self._fetch(ground, series) for series in wanting]
            self._hold(ground)
            pause = LOOKED_AT if all(brought) else min(2 * pause, ASKED_LATEST)
            with suppress(TimeoutError):
                async with within(self._clock, pause):
                    await ground.look.wait()

    def _hold(self, ground: Ground) -> None:
        now = self._now()
        ground.behind = any(one.blocks(now) for one in ground.series.values())

    async def _fetch(self, ground: Ground, series: CandleSeries) -> bool:
        """Ask for what has closed; returns whether that is all there is by now."""
        try:
            shown = await self._venue.shown()
            candles = await self._venue.candles(
                ground.symbol, series.timeframe, series.next, self._now(), PATIENCE
            )
        except VenueUnavailable:
            return False
        self._close(series.fill(candles, shown))
        return not series.wants(self._now())

    async def _sight(self) -> None:
        await self._venue.time()

    async def _list(self) -> None:
        """Look what is listed, and tell what has changed of it."""
        before, listing = self._listing, Listing(await self._venue.meta())
        self._listing = listing
        for changed in listing.changed(before) if before is not None else ():
            if changed.symbol in self._symbols:
                self._deliver(changed)

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            with suppress(VenueUnavailable):
                await work()

    def _now(self) -> int:
        return self._time.now() // MILLISECOND


def _nobody(_: MarketEvent) -> None:
    """Hear nothing."""


def _by_coin(trades: list[object]) -> dict[str, list[Trade]]:
    found: dict[str, list[Trade]] = {}
    for trade in trades:
        if isinstance(trade, Trade):
            found.setdefault(trade.coin, []).append(trade)
    return found


def _status(ground: Ground) -> DataStatus:
    tallies = [ground.tally, *(one.tally for one in ground.series.values())]
    return DataStatus(
        symbol=ground.symbol,
        name=HyperliquidFeed.name,
        rows=sum(one.rows for one in tallies),
        gaps=sum(one.gaps for one in tallies),
        missing=sum(one.missing for one in tallies),
        duplicates=sum(one.duplicates for one in tallies),
        disordered=sum(one.disordered for one in tallies),
        malformed=sum(one.malformed for one in tallies),
        last_time=max(one.last_time for one in tallies),
    )
