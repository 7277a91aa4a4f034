"""Walking forward tests every row once, on a past that cannot know it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeagent.quant.splits import Leak, Split, walk_forward

leaks = st.builds(Leak, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))


@given(st.integers(0, 400), st.integers(30, 120), st.integers(1, 60), leaks, st.booleans())
def test_nothing_leaks_and_nothing_is_tested_twice(
    length: int, train: int, test: int, leak: Leak, anchored: bool
) -> None:
    """No trade of training can end inside its test, and the tests cover all that follows."""
    steps = list(walk_forward(length, train, test, leak, anchored=anchored))

    assert [row for one in steps for row in range(one.test, one.test_end)] == list(
        range(train, length)
    )
    for one in steps:
        assert 0 <= one.train < one.train_end <= one.test < one.test_end <= length
        assert one.train_end - 1 + leak.holding < one.test
        assert one.test - one.train_end == leak.holding + leak.embargo
        assert one.warm == one.test - leak.warmup >= 0
    for one, after in pairwise(steps):
        assert after.train == (0 if anchored else one.train + test)


def test_an_example() -> None:
    """Ten rows in steps of three after four of training."""
    assert list(walk_forward(10, 4, 3, Leak(warmup=1, holding=1, embargo=1))) == [
        Split(train=0, train_end=2, warm=3, test=4, test_end=7),
        Split(train=3, train_end=5, warm=6, test=7, test_end=10),
    ]


@pytest.mark.parametrize(
    ("train", "test", "leak"), [(0, 5, Leak()), (5, 0, Leak()), (10, 5, Leak(4, 3, 3))]
)
def test_what_leaves_nothing_to_train_or_test_on_is_refused(
    train: int, test: int, leak: Leak
) -> None:
    """A length of 0, and purging that takes all of the training."""
    with pytest.raises(ValueError, match="train"):
        list(walk_forward(100, train, test, leak))


def test_lengths_are_not_below_nothing() -> None:
    """A negative embargo is a mistake, not a look into the future."""
    with pytest.raises(ValueError, match="below 0"):
        Leak(embargo=-1)
