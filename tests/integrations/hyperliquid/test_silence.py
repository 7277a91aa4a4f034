"""Each channel of the market has its own limit of silence, and what is old is not told as new."""

from __future__ import annotations

import asyncio

import pytest

from tests.integrations.hyperliquid.test_candles import candle
from tests.integrations.hyperliquid.test_feed import CONTEXT, listening
from tradeagent.integrations.hyperliquid import feed as feed_module
from tradeagent.integrations.hyperliquid.answers import Candle, Level
from tradeagent.integrations.hyperliquid.candles import Tally
from tradeagent.integrations.hyperliquid.channels import AssetContext, Touch
from tradeagent.integrations.hyperliquid.quotes import Quote
from tradeagent.integrations.hyperliquid.silence import Silences
from tradeagent.messages import (
    OrderBookUpdate,
    TickerUpdate,
)


@pytest.mark.parametrize("silent", ["BTC", "BTC activeAssetCtx", "BTC trades", "BTC candle"])
async def test_a_silent_channel_opens_the_line_anew(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other channels say: where one is silent for its own time nothing is believed."""
    said: list[str] = []
    monkeypatch.setattr(feed_module.log, "warning", lambda text, *told: said.append(str(told)))
    short = {"BTC": "book_within", "BTC activeAssetCtx": "context_within"}
    long = {"book_within": 900.0, "context_within": 900.0, "trades_within": 900.0}
    limits = {**long, short.get(silent, "trades_within"): 3.0}
    async with listening(**limits) as listener:
        async with asyncio.timeout(10):
            while len(listener.venue.subscribed) < 10:
                await listener.speak(but=silent)
                await asyncio.sleep(0.01)

    assert said[0] == f"('{silent} was silent for 3 s',)"


async def test_a_market_that_is_just_quiet_is_left_alone() -> None:
    """Each time that nothing was traded all the while the next look comes twice as late."""
    silences = Silences()
    for kind in ("trades", "candle"):
        silences.watch(kind, "BTC", 100.0, quiet=True)
    silences.watch("bbo", "BTC", 15.0, quiet=False)
    opened: list[float] = []
    now = 0.0
    silences.begin(now)
    while now < 10_000:
        now += 1
        silences.heard("bbo", Touch(coin="BTC", time=1, bbo=(None, None)), now)
        if silences.found(now):
            opened.append(now)
            silences.begin(now)

    assert opened == [101, 302, 703, 1504, 3105, 6306]


async def test_a_channel_that_speaks_again_is_listened_for_as_before() -> None:
    """Its first word after an opening may only tell how things stand; the second is news."""
    silences = Silences()
    silences.watch("candle", "BTC", 10.0, quiet=True)
    silences.begin(0.0)
    assert silences.found(11.0)
    silences.begin(11.0)
    silences.heard("candle", candle_of("BTC"), 12.0)
    assert not silences.found(31.0)
    silences.heard("candle", candle_of("BTC"), 31.0)
    assert silences.found(42.0)


def candle_of(coin: str) -> Candle:
    """Return any candle of a symbol."""
    return candle(0).model_copy(update={"coin": coin})


def test_no_ticker_tells_an_old_mark() -> None:
    """While mark and funding have no news for their time, a new touch makes no ticker."""
    quote = Quote("BTC", Tally(), 3_000)
    sides = [Level(px=px, sz="1.0", n=1) for px in ("60509.0", "60511.0")]
    quote.context(AssetContext(markPx="60510.0"), 1_000)
    told = [
        quote.touch(Touch(coin="BTC", time=now, bbo=(sides[0], sides[1])), now)
        for now in (1_000, 4_000, 4_001)
    ]

    assert [one is not None for one in told] == [True, True, False]


async def test_the_mark_of_before_is_forgotten_with_the_line() -> None:
    """After an opening tickers are held back until mark and funding were told again."""
    async with listening() as listener:
        await listener.venue.say("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT})
        await listener.touch("60509.0")
        await listener.until(lambda heard: len(heard) == 1)
        await listener.venue.hang_up()
        await listener.connected(times=2)
        while not isinstance(listener.heard[-1], OrderBookUpdate):
            await listener.venue.say("l2Book", listener.book())
            await asyncio.sleep(0.01)

    assert [type(one) for one in listener.heard] == [TickerUpdate, OrderBookUpdate]
