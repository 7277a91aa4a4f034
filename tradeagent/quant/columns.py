"""Indicators over whole columns, equal to the streaming ones but for rounding."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tradeagent.quant.curve import Floats


def rolling_mean(values: Floats, period: int) -> Floats:
    """Return the average of the last `period` values at each place, NaN before there are enough.

    Each window is summed by itself, so rounding is that of one sum.
    """
    found = np.full(len(values), np.nan)
    if len(values) >= period:
        found[period - 1 :] = sliding_window_view(values, period).mean(axis=1)
    return found
