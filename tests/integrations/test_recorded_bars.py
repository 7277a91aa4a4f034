"""Bar files of every disorder: counts are right, order is strict, nothing is invented."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.recordings import BAR_HEADER, MINUTE, MS, faults, feed_of, write
from tradeagent.errors import DataError
from tradeagent.messages import MarketData

OPEN = 1_640_995_200_000
GARBAGE: list[list[str]] = [
    ["1640995200000", "1", "2", "1"],
    ["1640995200000", "1", "2", "1", "1", "1", "1"],
    ["1640995200000", "nan", "2", "1", "1", "1"],
    ["1640995200000", "1", "inf", "1", "1", "1"],
    ["1640995200000", "1", "2", "1", "1", "-1"],
    ["1640995200000", "1", "2", "1", "1", "Infinity"],
    ["1640995200000", "3", "2", "1", "1", "1"],
    ["1640995200000", "1", "2", "1", "0.5", "1"],
    ["1640995200000", "0", "2", "0", "1", "1"],
    ["1640995200000", "", "2", "1", "1", "1"],
    ["", "1", "2", "1", "1", "1"],
    ["-60000", "1", "2", "1", "1", "1"],
    ["99999999999999999999999", "1", "2", "1", "1", "1"],
    ["noon", "1", "2", "1", "1", "1"],
    ["\x00", "1", "2", "1", "1", "1"],
    ["1640995200000", "open", "high", "low", "close", "volume"],
]


@dataclass
class Recording:
    """The rows of a file as they stand in it; None stands for garbage."""

    rows: list[list[str]]
    bars: list[MarketData | None]


def bar(slot: int, draw: Random) -> MarketData:
    """Return a consistent bar of one minute."""
    prices = sorted(round(draw.uniform(90, 110), 2) for _ in range(4))
    low, start, end, high = prices if draw.random() < 0.5 else [prices[i] for i in (0, 2, 1, 3)]
    return MarketData(
        symbol="BTC",
        timeframe="1m",
        time=OPEN * MS + slot * MINUTE,
        open=start,
        high=high,
        low=low,
        close=end,
        volume=round(draw.uniform(0, 9), 3),
    )


def row(one: MarketData) -> list[str]:
    """Return the row a venue would write."""
    values = (one.open, one.high, one.low, one.close, one.volume)
    return [str(one.time // MS), *(repr(value) for value in values)]


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Draw bars with holes, repeats, rows out of place and garbage."""
    dice = Random(draw(st.integers(0, 2**32)))
    slots = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=25)))
    bars: list[MarketData | None] = [bar(slot, dice) for slot in slots]
    for slot in draw(st.lists(st.sampled_from(slots), max_size=6)):
        bars.insert(dice.randint(0, len(bars)), bar(slot, dice))
    for _ in range(draw(st.integers(0, 4))):
        here, there = dice.randrange(len(bars)), dice.randrange(len(bars))
        bars[here], bars[there] = bars[there], bars[here]
    rows = [row(one) for one in bars if one is not None]
    for trash in draw(st.lists(st.sampled_from(GARBAGE), max_size=15)):
        place = dice.randint(0, len(rows))
        rows.insert(place, trash)
        bars.insert(place, None)
    return Recording(rows, bars)


def expected(bars: list[MarketData | None]) -> tuple[list[MarketData], tuple[int, ...]]:
    """Return the bars a careful reader keeps and what he counts, by the plainest means."""
    good = [one for one in bars if one is not None]
    kept = [
        one
        for place, one in enumerate(good)
        if all(one.time != before.time for before in good[:place])
    ]
    late = sum(
        any(before.time > one.time for before in kept[:place]) for place, one in enumerate(kept)
    )
    minutes = {one.time // MINUTE for one in kept}
    absent = set(range(min(minutes), max(minutes) + 1)) - minutes
    holes = sum(one - 1 not in absent for one in absent)
    garbage = len(bars) - len(good)
    counts = (holes, len(absent), len(good) - len(kept), late, garbage)
    return sorted(kept, key=lambda one: one.time), counts


@settings(max_examples=80, deadline=None)
@given(recordings(), st.integers(-2, 45))
def test_disorder_is_counted_and_nothing_is_invented(recording: Recording, slot: int) -> None:
    """Every bar played stands in the file, each once, in order, and each fault is counted."""
    bars, counts = expected(recording.bars)
    garbage = recording.bars.count(None)
    start = OPEN * MS + slot * MINUTE
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "btc.csv", BAR_HEADER, recording.rows)
        if garbage * 2 > len(recording.rows):
            with pytest.raises(DataError, match=f"{garbage} of {len(recording.rows)} rows"):
                feed_of(path, timeframe="1m")
            return
        feed = feed_of(path, timeframe="1m")

    events = list(feed.events(0))
    (status,) = feed.status()
    assert [one for _, one in events] == bars
    assert all(time < later for (time, _), (later, _) in pairwise(events))
    assert (status.rows, faults(status)) == (len(bars), counts)
    assert status.rows + status.duplicates + status.malformed == len(recording.rows)
    assert status.last_time == bars[-1].close_time
    assert list(feed.events(start)) == [event for event in events if event[0] >= start]
    closed = [one for one in bars if one.close_time <= start]
    assert list(feed.history("BTC", "1m", start, 7)) == closed[-7:]
    assert list(feed.events(0)) == events


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 200), min_size=3, max_size=60), st.sampled_from([1, 5, 60, 1440]))
def test_the_timeframe_is_the_commonest_step(slots: set[int], minutes: int) -> None:
    """With whole runs between its holes a file tells its own timeframe."""
    dice = Random(len(slots))
    whole = sorted(slots | set(range(201, 201 + len(slots))))
    rows = [row(bar(slot * minutes, dice)) for slot in whole]
    with tempfile.TemporaryDirectory() as folder:
        feed = feed_of(write(Path(folder) / "btc.csv", BAR_HEADER, rows))

    assert feed.shortest("BTC") == {1: "1m", 5: "5m", 60: "1h", 1440: "1d"}[minutes]
    assert feed.status()[0].missing == whole[-1] - whole[0] + 1 - len(whole)


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    """Empty lines, a byte-order mark and Windows line ends change nothing."""
    rows = [row(bar(slot, Random(slot))) for slot in range(3)]
    text = "\r\n".join(["\ufeff" + ",".join(BAR_HEADER), *(",".join(one) for one in rows), "", ""])
    path = tmp_path / "btc.csv"
    path.write_bytes(text.encode())

    (status,) = feed_of(path).status()

    assert (status.rows, status.malformed) == (3, 0)


def test_more_rows_than_a_block(tmp_path: Path) -> None:
    """Garbage far down in a long file is one row lost, and the blocks join without a seam."""
    dice = Random(1)
    bars = [bar(slot, dice) for slot in range(40_000)]
    rows = [row(one) for one in bars]
    rows[20_000] = GARBAGE[2]

    feed = feed_of(write(tmp_path / "btc.csv", BAR_HEADER, rows))

    assert [one for _, one in feed.events(0)] == bars[:20_000] + bars[20_001:]
    assert faults(feed.status()[0]) == (1, 1, 0, 0, 1)
