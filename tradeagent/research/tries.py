"""Every try of an optimiser, kept: the number of tries decides what the best one is worth."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from tradeagent.errors import DataError
from tradeagent.quant.curve import YEAR, Floats
from tradeagent.quant.luck import Trials, trials
from tradeagent.quant.metrics import Metrics

FILE = "trials.jsonl"
State = Literal["complete", "pruned", "failed"]


class Try(BaseModel):
    """One combination of parameters, tried: what it came to, and its returns of each UTC day.

    `first_day` is days since 1970. `values` are those of the objectives, None where undefined;
    `stages` those of the first one after each part of the range.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    fold: int = 0
    """Which training range of a walk-forward it was tried on, from 1; 0 for the whole range."""
    params: dict[str, int | float | str | bool]
    state: State
    values: tuple[float | None, ...] = ()
    stages: tuple[float, ...] = ()
    metrics: Metrics = Metrics()
    first_day: int = 0
    returns: tuple[float, ...] = ()
    seconds: float = 0.0
    screened: bool = False
    """Whether it was worked out over columns instead of played."""
    refusal: str = ""
    """Why it was played although it was to be screened."""
    error: str = ""

    @property
    def complete(self) -> bool:
        """Tell whether it ran to its end and its objectives are defined."""
        return self.state == "complete" and None not in self.values


class Tries:
    """The tries in a folder: those of earlier calls, and each new one as soon as it is done."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; a line that a crash cut off is left out. Raises DataError."""
        self._path = folder / FILE
        self.all: list[Try] = []
        whole = 0
        if self._path.exists():
            whole = self._read()
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = self._path.open("ab")
        self._file.truncate(whole)

    def _read(self) -> int:
        """Take the whole lines; returns how many bytes they are."""
        whole = 0
        content = self._path.read_bytes()
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                self.all.append(Try.model_validate_json(line))
            except ValidationError as error:
                said = error.errors()[0]["msg"]
                raise DataError(f"{self._path} line {number}: {said}; name another --out") from None
            whole += len(line)
        return whole

    def add(self, one: Try) -> None:
        """Keep a try; it is on the disk when this returns."""
        self.all.append(one)
        self._file.write(one.model_dump_json().encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def daily_sharpe(one: Try) -> float:
    """Return the Sharpe ratio of a day: 0 for a try that never moved, NaN for one that has none."""
    sharpe, days = one.metrics.sharpe, one.metrics.days
    if sharpe is None:
        return 0.0 if days is not None and days > 1 else float("nan")
    return sharpe / float(np.sqrt(YEAR))


def luck_of(tries: Sequence[Try], count: int | None = None) -> Trials:
    """Return how many tries there were and how far apart their Sharpe ratios of a day were.

    All of them count, by default those given. A pruned one tells the ratio it had come to: the
    worst are pruned, and without them the rest would look alike.
    """
    found = [daily_sharpe(one) for one in tries]
    others = 0 if count is None else count - len(found)
    return trials([*found, *[float("nan")] * others])


def returns_of(tries: Iterable[Try]) -> Floats:
    """Return the daily returns of complete tries as columns over the days that all of them have."""
    whole = [one for one in tries if one.state == "complete" and one.returns]
    if not whole:
        return np.empty((0, 0))
    first = max(one.first_day for one in whole)
    last = min(one.first_day + len(one.returns) for one in whole)
    columns = [one.returns[first - one.first_day : last - one.first_day] for one in whole]
    return np.array(columns, np.float64).T if last > first else np.empty((0, len(whole)))


def save_table(tries: Sequence[Try], objectives: Sequence[str], path: Path) -> None:
    """Write every try as a row of a CSV file, at once."""
    names = list(dict.fromkeys(name for one in tries for name in one.params))
    figures = ("total_return", "max_drawdown", "trades", "profit_factor", "fees")
    told = [name for name in figures if name not in objectives]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "fold", "state", *names, *objectives, *told, "seconds", "error"])
    for one in tries:
        values = dict(zip(objectives, one.values, strict=False))
        writer.writerow(
            [
                *(one.number, one.fold, one.state),
                *(one.params.get(name) for name in names),
                *(values.get(name) for name in objectives),
                *(getattr(one.metrics, name) for name in told),
                *(round(one.seconds, 3), one.error),
            ]
        )
    new = path.with_name(f".{path.name}.new")
    new.write_text(text.getvalue(), encoding="utf-8")
    new.replace(path)
