"""Ticks are round and in sight, and few points draw the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.research.runs import MINUTE, START
from tradeagent.quant.curve import DAY
from tradeagent.research.report.axes import Scale, nice, nice_log, thin, time_ticks


@pytest.mark.parametrize(
    ("span", "first", "step"),
    [
        (10 * MINUTE, "00:05", 5 * MINUTE),
        (5 * 60 * MINUTE, "01:00", 60 * MINUTE),
        (31 * DAY, "01-03", 5 * DAY),
        (300 * DAY, "2022-04", None),
        (3_000 * DAY, "2024-01", None),
    ],
)
def test_times_are_marked_where_a_reader_expects(span: int, first: str, step: int | None) -> None:
    """Minutes, hours, days, months or years, whichever leaves a handful of ticks."""
    found = time_ticks(START + 1, START + span)

    assert found[0].text == first
    assert 2 <= len(found) <= 10
    if step is not None:
        assert found[1].at - found[0].at == step


@given(st.integers(0, 2**61), st.integers(0, 2**58))
def test_time_ticks_lie_within(start: int, span: int) -> None:
    """Whatever the times, there are few, and all in sight."""
    found = time_ticks(start, start + span)

    assert len(found) <= 12
    assert all(float(start) <= one.at <= float(start + span) for one in found)


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_values_are_marked_at_round_steps(low: float, span: float) -> None:
    """A handful, evenly apart, within what is shown."""
    high = low + span
    found = nice(low, high)

    if high > low and span > 1e-9 * abs(low):
        assert 1 <= len(found) <= 6
        room = 1e-6 * span + 1e-9 * abs(low)
        assert all(low - room <= one <= high + room for one in found)


def test_a_flat_or_absurd_range_is_no_error() -> None:
    """One mark, or none."""
    assert nice(5, 5) == [5]
    assert nice(float("nan"), 5) == []
    assert nice_log(90, 2_000) == [100, 200, 500, 1_000, 2_000]
    assert nice_log(1e-3, 1e6) == pytest.approx([10.0**power for power in range(-3, 7)])
    assert nice_log(10, 20) == nice(10, 20)


@given(st.integers(1, 5_000), st.integers(0, 100))
def test_thinning_keeps_ends_lows_and_highs(rows: int, seed: int) -> None:
    """The few points have the same first, last, lowest and highest, in order of time."""
    values = np.random.default_rng(seed).normal(size=rows)
    time = np.arange(rows, dtype=np.int64) * 7
    times, kept = thin(time, values, 50)

    assert len(kept) <= max(102, 0) or rows <= 100
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert (kept.min(), kept.max()) == (values.min(), values.max())
    assert (np.diff(times) > 0).all()
    assert (values[times // 7] == kept).all()


def test_scales_lead_from_values_to_places() -> None:
    """Straight or logarithmic, ends to ends."""
    straight, bent = Scale(0, 10, 100, 0), Scale(1, 100, 0, 50, "log")

    assert straight(np.array([0.0, 5.0, 10.0])).tolist() == [100, 50, 0]
    assert bent(np.array([1.0, 10.0, 100.0])) == pytest.approx([0, 25, 50])
    assert Scale(3, 3, 0, 10).place(3) == 0
