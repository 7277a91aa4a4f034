"""Longer candles of shorter ones, by column."""

from __future__ import annotations

from math import fsum
from typing import NamedTuple

import numpy as np

from tradeagent.errors import DataError
from tradeagent.messages import TIMEFRAMES, Timeframe, candle_open, first_open
from tradeagent.quant.curve import Prices, Times


class Resampled(NamedTuple):
    """Longer candles, and of how many shorter ones each is made."""

    candles: Prices
    parts: Times


def resample(candles: Prices, timeframe: Timeframe) -> Resampled:
    """Return the candles of `timeframe` that shorter ones make, equal to those the daemon builds.

    Periods begin as `candle_open` says. One in which some candles are missing is made of those that
    are there, and `parts` tells how many; one without any is left out, and so is the last one while
    its end is missing. Raises DataError where the timeframe is no multiple of the candles' own.
    """
    length = TIMEFRAMES[timeframe]
    if length % candles.length or length == candles.length:
        own = next(name for name, value in TIMEFRAMES.items() if value == candles.length)
        raise DataError(f"{candles.symbol}: {timeframe} candles cannot be made of {own} ones")
    time = candles.time
    if np.any(time % candles.length):
        raise DataError(
            f"{candles.symbol}: its candles open between the times they should, so longer ones "
            "would hold what came after them; import them with the times at which they opened"
        )
    opens = np.maximum(time - (time - first_open(timeframe)) % length, 0)
    end = int(time[-1]) + candles.length if len(time) else 0
    if candle_open(timeframe, end) != end:
        time = time[: np.searchsorted(opens, opens[-1])]
        opens = opens[: len(time)]
    firsts = np.flatnonzero(np.diff(opens, prepend=-1))
    ends = np.append(firsts[1:], len(time))[: len(firsts)].astype(np.int64)
    volumes = candles.volume.tolist()
    made = Prices(
        symbol=candles.symbol,
        length=length,
        time=opens[firsts],
        open=candles.open[firsts],
        high=np.maximum.reduceat(candles.high[: len(time)], firsts),
        low=np.minimum.reduceat(candles.low[: len(time)], firsts),
        close=candles.close[ends - 1],
        # The daemon adds volumes up exactly, so that no Python version differs in the last digit.
        volume=np.array(
            [fsum(volumes[a:b]) for a, b in zip(firsts.tolist(), ends.tolist(), strict=True)],
            dtype=np.float64,
        ),
    )
    return Resampled(made, ends - firsts)
