"""Walk forward: train on the past, test on what came next, and let nothing leak between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """One step, in rows: train on [`train`, `train_end`), test on [`test`, `test_end`)."""

    train: int
    train_end: int
    test: int
    test_end: int


def walk_forward(length: int, train: int, test: int, gap: int = 0) -> Iterator[Split]:
    """Yield the steps over `length` rows; each tests the `test` rows after those tested before.

    Training takes `train` rows before each test, less the last `gap` of them (purged): a trade
    entered there could end inside the test. No row is tested twice; a rest shorter than `test` is
    the last test. Raises ValueError for lengths below one row, and for a gap that leaves nothing to
    train on.
    """
    if train <= 0 or test <= 0:
        raise ValueError("training and test need a row at least")
    if not 0 <= gap < train:
        raise ValueError(f"{train} rows of training are too few for a gap of {gap}")
    for start in range(train, length, test):
        yield Split(
            train=start - train,
            train_end=start - gap,
            test=start,
            test_end=min(start + test, length),
        )
