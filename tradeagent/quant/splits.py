"""Walk forward: train on the past, test on what came next, and let nothing leak between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """One step, in rows: train on [`train`, `train_end`), test on [`test`, `test_end`).

    A strategy is warmed up for its test on [`warm`, `test`), where it must not trade.
    """

    train: int
    train_end: int
    warm: int
    test: int
    test_end: int


@dataclass(frozen=True, slots=True)
class Leak:
    """What would leak from a test into its training, in rows.

    `warmup` is what a strategy reads back, `holding` how long a trade may stand: one entered that
    late in training would end inside the test, so training ends earlier by that much (purged).
    `embargo` keeps further rows before the test out, for what correlates beyond that.
    """

    warmup: int = 0
    holding: int = 0
    embargo: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a length below 0."""
        if min(self.warmup, self.holding, self.embargo) < 0:
            raise ValueError("warm-up, holding and embargo cannot be below 0")


NOTHING = Leak()


def walk_forward(
    length: int, train: int, test: int, leak: Leak = NOTHING, *, anchored: bool = False
) -> Iterator[Split]:
    """Yield the steps over `length` rows; each tests the `test` rows after those tested before.

    Training takes `train` rows before each test, less what is purged; `anchored`, all from the
    first row on. No row is tested twice; a rest shorter than `test` is the last test. Raises
    ValueError where a length is not above 0, or purging leaves nothing to train on.
    """
    gap = leak.holding + leak.embargo
    if train <= 0 or test <= 0:
        raise ValueError("training and test need a row at least")
    if gap + leak.warmup >= train:
        raise ValueError(
            f"{train} rows of training are too few for {leak.warmup} of warm-up, "
            f"{leak.holding} of holding and {leak.embargo} of embargo"
        )
    for start in range(train, length, test):
        yield Split(
            train=0 if anchored else start - train,
            train_end=start - gap,
            warm=max(0, start - leak.warmup),
            test=start,
            test_end=min(start + test, length),
        )
