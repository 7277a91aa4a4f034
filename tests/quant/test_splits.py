"""Walking forward tests every row once, on a past that cannot know it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.splits import Split, walk_forward


@given(st.integers(0, 400), st.integers(30, 120), st.integers(1, 60), st.integers(0, 29))
def test_nothing_leaks_and_nothing_is_tested_twice(
    length: int, train: int, test: int, gap: int
) -> None:
    """Training ends a gap before its test, and the tests cover all that follows."""
    steps = list(walk_forward(length, train, test, gap))

    assert [row for one in steps for row in range(one.test, one.test_end)] == list(
        range(train, length)
    )
    for one in steps:
        assert 0 <= one.train < one.train_end <= one.test < one.test_end <= length
        assert one.test - one.train_end == gap
        assert one.test - one.train == train
    for one, after in pairwise(steps):
        assert after.train == one.train + test


def test_an_example() -> None:
    """Ten rows in steps of three after four of training."""
    assert list(walk_forward(10, 4, 3, 2)) == [
        Split(train=0, train_end=2, test=4, test_end=7),
        Split(train=3, train_end=5, test=7, test_end=10),
    ]


@pytest.mark.parametrize(("train", "test", "gap"), [(0, 5, 0), (5, 0, 0), (10, 5, 10), (10, 5, -1)])
def test_what_leaves_nothing_to_train_or_test_on_is_refused(
    train: int, test: int, gap: int
) -> None:
    """A length of 0, a gap that takes all of the training, and one that looks ahead."""
    with pytest.raises(ValueError, match="train"):
        list(walk_forward(100, train, test, gap))
