"""Longer candles by column are those that the daemon builds one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research.data.stock import MINUTE
from tradeagent.agents.data import Resampler
from tradeagent.errors import DataError
from tradeagent.messages import TIMEFRAMES, MarketData, Timeframe, candle_open, first_open
from tradeagent.quant.curve import Prices
from tradeagent.research.data.resample import resample

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = {length: name for name, length in TIMEFRAMES.items()}


def candles(times: list[int], length: int = MINUTE, seed: int = 1) -> Prices:
    """Return candles that open at multiples of their length."""
    dice = np.random.default_rng(seed)
    prices = dice.uniform(1, 100, (4, len(times)))
    return Prices(
        symbol="BTC",
        length=length,
        time=first_open("1w") + np.array(times, dtype=np.int64) * length,
        open=prices[0],
        high=prices.max(axis=0),
        low=prices.min(axis=0),
        close=prices[3],
        volume=dice.uniform(0, 9, len(times)),
    )


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4_000), min_size=0, max_size=300, unique=True),
    st.sampled_from(["1m", "3m", "5m", "1h"]),
    st.sampled_from(["5m", "15m", "30m", "1h", "4h", "1d", "1w"]),
    st.integers(0, 9),
)
def test_every_candle_is_the_one_the_daemon_builds(
    times: list[int], short: Timeframe, long: Timeframe, seed: int
) -> None:
    """With any holes, at any place, of any pair of timeframes that goes: equal to the last bit."""
    length = TIMEFRAMES[short]
    if TIMEFRAMES[long] % length or length == TIMEFRAMES[long]:
        return
    parts = candles(sorted(times), length, seed)
    one_by_one = Resampler(long)
    wanted = []
    for row in zip(
        *(getattr(parts, name).tolist() for name in ("time", "open", "high", "low", "close")),
        parts.volume.tolist(),
        strict=True,
    ):
        names = ("time", "open", "high", "low", "close", "volume")
        bar = MarketData(symbol="BTC", timeframe=short, **dict(zip(names, row, strict=True)))
        wanted += one_by_one.add(bar)

    made, counts = resample(parts, long)

    found = [
        MarketData(
            symbol="BTC",
            timeframe=long,
            time=int(made.time[place]),
            open=float(made.open[place]),
            high=float(made.high[place]),
            low=float(made.low[place]),
            close=float(made.close[place]),
            volume=float(made.volume[place]),
        )
        for place in range(len(made))
    ]
    assert found == wanted
    assert counts.tolist() == [
        sum(bar.time <= one < bar.close_time for one in parts.time.tolist()) for bar in wanted
    ]


@pytest.mark.parametrize(("length", "wanted"), [("5m", "5m"), ("5m", "1m"), ("3m", "5m")])
def test_what_cannot_be_made_is_refused(length: Timeframe, wanted: Timeframe) -> None:
    """Neither shorter candles nor those that do not divide."""
    with pytest.raises(DataError, match=f"BTC: {wanted} candles cannot be made of {length} ones"):
        resample(candles([1, 2], TIMEFRAMES[length]), wanted)


@given(st.integers(0, 2**62), st.sampled_from(sorted(TIMEFRAMES)))
def test_weeks_begin_on_monday_and_all_else_with_1970(time: int, timeframe: str) -> None:
    """A candle holds each moment since its timeframe's first one, and opens where venues say."""
    opened = candle_open(timeframe, time)

    assert opened <= time < opened + TIMEFRAMES[timeframe]
    if timeframe != "1w":
        assert opened % TIMEFRAMES[timeframe] == 0
    elif time >= first_open("1w"):
        assert (EPOCH + timedelta(microseconds=opened // 1000)).isoweekday() == 1
        assert opened % TIMEFRAMES["1d"] == 0


def test_candles_between_the_times_make_no_longer_ones() -> None:
    """A minute that opens at half past would bring what came after the hour into the hour."""
    odd = candles([1, 2, 3])
    odd = replace(odd, time=odd.time + MINUTE // 2)

    with pytest.raises(DataError, match="BTC: its candles open between the times they should"):
        resample(odd, "5m")
