"""The live feed over real sockets: what it delivers, in which order, and what it holds back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integrations.hyperliquid.scripted import ScriptedVenue, Tasks, serving
from tests.integrations.hyperliquid.test_candles import candle
from tradeagent.clock import SECOND, AcceleratedClock, Clock
from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import LiveFeed, MarketEvent
from tradeagent.integrations.hyperliquid import HyperliquidFeedSettings
from tradeagent.integrations.hyperliquid.answers import Candle
from tradeagent.integrations.hyperliquid.feed import HyperliquidFeed
from tradeagent.messages import (
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    OrderBookUpdate,
    TickerUpdate,
)

BEGAN = 1_800_000_000 // 60 * 60
CONTEXT = {"funding": "0.0000125", "markPx": "60510.0", "dayBaseVlm": "14.96", "midPx": None}


class Listener:
    """A feed on a scripted venue, whose clock begins half a minute after `BEGAN`."""

    def __init__(self, venue: ScriptedVenue, feed: HyperliquidFeed) -> None:
        self.venue = venue
        self.feed = feed
        self.heard: list[MarketEvent] = []
        self.closed: dict[int, Candle] = {}
        self._news = asyncio.Event()
        venue.info["candleSnapshot"] = self._candles

    def _candles(self, asked: dict[str, Any]) -> list[object]:
        wanted = asked["req"]
        return [
            one.dump()
            for opened, one in sorted(self.closed.items())
            if wanted["startTime"] <= opened <= wanted["endTime"]
        ]

    def hear(self, event: MarketEvent) -> None:
        """Note an event."""
        self.heard.append(event)
        self._news.set()

    async def until(self, wanted: Callable[[list[MarketEvent]], bool]) -> None:
        """Return when what was heard is as wanted."""
        async with asyncio.timeout(10):
            while not wanted(self.heard):
                self._news.clear()
                await self._news.wait()

    def bars(self) -> list[int]:
        """Return the minutes of the candles heard."""
        return [
            (one.time // SECOND - BEGAN) // 60 for one in self.heard if isinstance(one, MarketData)
        ]

    def has(self, *numbers: int) -> None:
        """Let the venue have the candles of these minutes."""
        for number in numbers:
            one = candle(number)
            self.closed[one.opened] = one

    async def connected(self, times: int = 1) -> None:
        """Return when everything was subscribed to so many times."""
        async with asyncio.timeout(10):
            while len(self.venue.subscribed) < 5 * times:
                await asyncio.sleep(0.005)

    async def touch(self, bid: str, time: int | None = None) -> None:
        """Tell a touch."""
        levels = [{"px": bid, "sz": "1.0", "n": 1}, {"px": "60511.0", "sz": "2.0", "n": 1}]
        at = self.venue.now() if time is None else time
        await self.venue.say("bbo", {"coin": "BTC", "time": at, "bbo": levels})

    def book(self) -> dict[str, object]:
        """Return a book of this moment."""
        sides = [[{"px": px, "sz": "1.0", "n": 1}] for px in ("60509.0", "60511.0")]
        return {"coin": "BTC", "time": self.venue.now(), "levels": sides}

    async def speak(self, but: str) -> None:
        """Say something on every channel but one; book and touch are `BTC`."""
        now = self.venue.now()
        trade = {"coin": "BTC", "side": "B", "px": "1.0", "sz": "1.0", "hash": "0x0", "users": []}
        said: dict[str, tuple[str, object]] = {
            "BTC": ("l2Book", self.book()),
            "BTC activeAssetCtx": ("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT}),
            "BTC trades": ("trades", [{**trade, "time": now, "tid": now}]),
            "BTC candle": ("candle", candle(0).dump()),
        }
        for name, (channel, data) in said.items():
            if name != but:
                await self.venue.say(channel, data)


@asynccontextmanager
async def listening(
    since: int = BEGAN + 60,
    now: int = BEGAN + 30,
    has: tuple[int, ...] = (),
    clock: Clock | None = None,
    **changes: object,
) -> AsyncIterator[Listener]:
    """Yield a feed that listens to BTC, on a clock that shows `now` and runs twenty times fast."""
    clock = clock or AcceleratedClock(now * SECOND, 20.0)
    async with serving(ScriptedVenue(clock)) as venue:
        tasks = Tasks()
        values = {"network": "local", "url": venue.url, "weight_share": 1.0, **changes}
        feed = HyperliquidFeed(HyperliquidFeedSettings.model_validate(values), ["BTC"], clock)
        listener = Listener(venue, feed)
        listener.has(*has)
        try:
            await feed.open()
            tasks.spawn(feed.listen(since * SECOND, listener.hear), "listen")
            await listener.connected()
            yield listener
        finally:
            await tasks.end()
            await feed.close()


async def test_it_is_a_live_feed_of_what_is_listed() -> None:
    """It fits the port, covers its symbols alone, and refuses one the venue does not list."""
    async with listening() as listener:
        feed: LiveFeed = listener.feed
        assert [one.symbol for one in feed.instruments()] == ["BTC"]
        assert list(feed.timeframes("BTC")) == ["1m"]
        assert (feed.shortest("BTC"), feed.shortest("ETH")) == ("1m", None)
        settings = HyperliquidFeedSettings(network="local", url=listener.venue.url)
        other = HyperliquidFeed(settings, ["BTC", "XYZ"], listener.venue.clock)
        with pytest.raises(DataError, match="does not list XYZ"):
            await other.open()
        await other.close()


async def test_candles_close_as_the_stream_goes_on() -> None:
    """Each minute is delivered when the next one begins."""
    async with listening(now=BEGAN + 120, has=(0,)) as listener:
        for number in range(3):
            await listener.venue.say("candle", candle(number).dump())
        await listener.until(lambda _: len(listener.bars()) == 2)

    assert listener.bars() == [0, 1]


async def test_what_was_missed_is_delivered_before_anything_later() -> None:
    """From `since` on all that has closed comes first; tickers are held back until then."""
    async with listening(since=BEGAN - 240, has=(-5, -4, -3, -2, -1, 0)) as listener:
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.until(lambda _: len(listener.bars()) == 5)
        await listener.touch("60510.0")
        await listener.until(lambda heard: any(isinstance(one, TickerUpdate) for one in heard[-1:]))

    assert listener.bars() == [-5, -4, -3, -2, -1]


async def test_a_cut_line_loses_no_candle() -> None:
    """What closed while the line was cut comes after it, before any ticker that follows."""
    async with listening(now=BEGAN + 185, has=(0,)) as listener:
        await listener.until(lambda _: listener.bars() == [0])
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.venue.hang_up()
        await listener.connected(times=2)
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.venue.say("candle", candle(3, 1).dump())
        await listener.touch("60510.0")
        listener.has(1, 2, 3)
        while not isinstance(listener.heard[-1], TickerUpdate):
            await listener.touch("60509.0")
            await asyncio.sleep(0.01)

    assert listener.bars() == [0, 1, 2]
    assert isinstance(listener.heard[3], TickerUpdate)


async def test_a_quiet_minute_is_closed_by_asking() -> None:
    """Where nothing begins the next candle the venue is asked after two seconds."""
    async with listening(has=(0,)) as listener:
        await listener.venue.say("candle", candle(0).dump())
        await listener.until(lambda _: listener.bars() == [0])

    assert listener.venue.now() >= (BEGAN + 62) * 1000


async def test_the_ticker_is_put_together() -> None:
    """Touch, last trade, mark and funding come from their channels; no part, no ticker."""
    async with listening() as listener:
        await listener.touch("60510.0")
        trade = {"coin": "BTC", "side": "A", "px": "60512.5", "sz": "0.5", "hash": "0x0"}
        now = listener.venue.now()
        await listener.venue.say("trades", [{**trade, "time": now, "tid": 5, "users": []}])
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.until(lambda heard: any(isinstance(one, TickerUpdate) for one in heard[-1:]))

    trades = [one for one in listener.heard if isinstance(one, MarketTrade)]
    tickers = [one for one in listener.heard if isinstance(one, TickerUpdate)]
    assert [(one.price, one.side, one.trade_id) for one in trades] == [(60512.5, "sell", "5")]
    (tick,) = tickers
    assert (tick.bid, tick.ask, tick.last, tick.mark) == (60510.0, 60511.0, 60512.5, 60510.0)
    assert (tick.bid_size, tick.ask_size, tick.volume) == (1.0, 2.0, 14.96)
    assert tick.funding == 0.0000125


async def test_repeated_and_older_news_are_left_out() -> None:
    """A trade told twice, an old trade after an opening, and a touch from before say nothing."""
    trade = {"coin": "BTC", "side": "B", "px": "1.0", "sz": "1.0", "hash": "0x0", "users": []}
    async with listening() as listener:
        now = listener.venue.now()
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.venue.say(
            "trades",
            [
                {**trade, "time": now - 60_000, "tid": 1},
                {**trade, "time": now, "tid": 2},
                {**trade, "time": now, "tid": 2},
            ],
        )
        await listener.touch("60510.0", now)
        await listener.touch("60400.0", now - 1)
        await listener.touch("60509.0", now + 1)
        await listener.until(lambda heard: len(heard) == 3)
        (status,) = listener.feed.status()

    assert [one.trade_id for one in listener.heard if isinstance(one, MarketTrade)] == ["2"]
    bids = [one.bid for one in listener.heard if isinstance(one, TickerUpdate)]
    assert bids == [60510.0, 60509.0]
    assert (status.duplicates, status.disordered) == (1, 1)


async def test_books_are_thinned() -> None:
    """At most twenty levels a side, best first, after the ticker of their touch."""
    sides = [
        [{"px": f"{60000 - i}.0", "sz": "1.0", "n": 1} for i in range(30)],
        [{"px": f"{60001 + i}.0", "sz": "1.0", "n": 1} for i in range(30)],
    ]
    async with listening() as listener:
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        book = {"coin": "BTC", "time": listener.venue.now(), "levels": sides}
        await listener.venue.say("l2Book", book)
        await listener.until(lambda heard: len(heard) == 2)

    tick, shown = listener.heard
    assert isinstance(tick, TickerUpdate)
    assert isinstance(shown, OrderBookUpdate)
    assert (len(shown.bids), len(shown.asks)) == (20, 20)
    assert (shown.bids[0][0], tick.bid, tick.ask) == (60000.0, 60000.0, 60001.0)


async def test_what_is_from_the_future_is_refused() -> None:
    """A touch, book, trade or candle of tomorrow is counted, not told, and stops nothing after."""
    trade = {"coin": "BTC", "side": "B", "px": "1.0", "sz": "1.0", "hash": "0x0", "users": []}
    async with listening() as listener:
        now = listener.venue.now()
        tomorrow = now + 86_400_000
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.touch("60400.0", tomorrow)
        await listener.venue.say("l2Book", {**listener.book(), "time": tomorrow})
        await listener.venue.say("trades", [{**trade, "time": tomorrow, "tid": 1}])
        await listener.venue.say("candle", candle(1440).dump())
        await listener.touch("60509.0", now)
        await listener.until(lambda heard: len(heard) == 1)
        (status,) = listener.feed.status()

    (tick,) = listener.heard
    assert isinstance(tick, TickerUpdate)
    assert tick.bid == 60509.0
    assert (status.malformed, status.disordered) == (4, 0)


async def test_a_mark_that_moves_makes_no_touch_fresh() -> None:
    """A ticker's time is that of its touch, whatever else is new in it."""
    async with listening() as listener:
        now = listener.venue.now()
        await listener.touch("60510.0", now)
        for mark in ("60510.0", "60520.0"):
            await listener.venue.say(
                "activeAssetCtx", {"coin": "BTC", "ctx": {**CONTEXT, "markPx": mark}}
            )
        await listener.until(lambda heard: len(heard) == 2)

    assert [one.time for one in listener.heard] == [now * 1_000_000] * 2  # type: ignore[union-attr]
    assert [one.mark for one in listener.heard] == [60510.0, 60520.0]  # type: ignore[union-attr]


async def test_a_changed_listing_is_told() -> None:
    """Another size step or leverage of a symbol is delivered as a new instrument."""
    async with listening(listing_every=2.0) as listener:
        meta = listener.venue.info["meta"]({})
        assets = [
            {**one, "szDecimals": 3} if one["name"] == "BTC" else one for one in meta["universe"]
        ]
        listener.venue.info["meta"] = lambda _: {**meta, "universe": assets}
        await listener.until(lambda heard: any(isinstance(one, InstrumentUpdate) for one in heard))

    (told,) = [one for one in listener.heard if isinstance(one, InstrumentUpdate)]
    assert (told.symbol, str(told.lot), str(told.tick)) == ("BTC", "0.001", "0.001")


async def test_history_is_asked_for_once() -> None:
    """Closed candles up to a moment, oldest first; what is known is not asked for again."""
    async with listening(has=tuple(range(-20, 1))) as listener:
        before = (BEGAN + 20) * SECOND
        first = await listener.feed.history("BTC", "1m", before, 10)
        again = await listener.feed.history("BTC", "1m", before, 5)
        asked = [one for one in listener.venue.questions if one["type"] == "candleSnapshot"]

    minutes = [(bar.time // SECOND - BEGAN) // 60 for bar in first]
    assert minutes == list(range(-10, 0))
    assert again == first[-5:]
    assert len(asked) == 1
    assert asked[0]["req"]["endTime"] == BEGAN * 1000 - 1


async def test_a_week_of_history_is_there_from_monday_on() -> None:
    """A week that has closed is told on the day after, not from the next Thursday on."""
    day = 86_400
    tuesday = 2800 * 7 * day + 5 * day
    async with listening(since=tuesday, now=tuesday) as listener:
        await listener.feed.history("BTC", "1w", tuesday * SECOND, 10)
        asked = [one for one in listener.venue.questions if one["type"] == "candleSnapshot"]

    assert asked[-1]["req"]["endTime"] == (tuesday - day) * 1000 - 1


async def test_history_from_a_late_node_is_none() -> None:
    """A node that has not come so far may have the last candle wrong."""
    async with listening(has=tuple(range(-20, 1))) as listener:
        late = (BEGAN - 5) * 1000
        listener.venue.info["exchangeStatus"] = lambda _: {"time": late}
        with pytest.raises(VenueUnavailable, match="too little"):
            await listener.feed.history("BTC", "1m", (BEGAN + 20) * SECOND, 10)
