"""Times as text: ISO-8601 in UTC, and back to nanoseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradeagent.quant.curve import Times

MILLISECOND = 1_000_000


def texts(times: Times) -> list[str]:
    """Write times in UTC ns, to the millisecond where that says all of each, else to the ns."""
    whole = not (times % MILLISECOND).any()
    written = np.datetime_as_string(times.astype("datetime64[ns]"), unit="ms" if whole else "ns")
    return [f"{one}Z" for one in written.tolist()]


def text(time: int) -> str:
    """Write a time in UTC ns."""
    return texts(np.array([time], np.int64))[0]


def parse(written: Sequence[str]) -> Times:
    """Read times that `texts` wrote; raises ValueError for anything else."""
    found = np.array([one.removesuffix("Z") for one in written], "datetime64[ns]")
    if np.isnat(found).any():
        raise ValueError("a time is empty")
    return found.astype(np.int64)


def day(time: int) -> str:
    """Write the UTC day of a time."""
    return text(time)[:10]


def minute(time: int) -> str:
    """Write a time for a reader: `2022-01-01 00:05`."""
    return text(time)[:16].replace("T", " ")
