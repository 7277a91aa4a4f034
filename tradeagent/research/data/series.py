"""What a catalogue keeps of one market: its kind, its symbol, and where that stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tradeagent.errors import DataError
from tradeagent.integrations.recorded import InstrumentSpec
from tradeagent.integrations.recorded.columns import Content
from tradeagent.integrations.recorded.feed import grid
from tradeagent.messages import TIMEFRAMES, Timeframe
from tradeagent.quant.curve import Floats, Times

Columns: TypeAlias = dict[str, NDArray[np.float64] | NDArray[np.int64] | NDArray[np.object_]]
"""Rows by column, `time` (UTC ns) first; words and ids are text."""
CARD = "series.json"
PRICES = ("open", "high", "low", "close", "bid", "ask", "bid_close", "ask_close", "price")
LONGEST = 200
"""Bytes of a symbol in a file's name, of which 255 may be one."""
SIZES = ("volume", "size", "bid_size", "ask_size")


class Series(NamedTuple):
    """One kind of data of one symbol; `timeframe` for what lasts as long, None for moments."""

    kind: Content
    symbol: str
    timeframe: Timeframe | None = None

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe or ''} {self.kind}".replace("  ", " ")

    @property
    def length(self) -> int:
        """Return how long a row lasts, ns; 0 for what is of a moment."""
        return 0 if self.timeframe is None else TIMEFRAMES[self.timeframe]

    @property
    def folder(self) -> Path:
        """Return where its months are, below the root, as DuckDB and others partition.

        Raises DataError for a symbol that makes no name.
        """
        parts = [f"kind={self.kind}", f"symbol={self._named}"]
        if self.timeframe is not None:
            parts.append(f"timeframe={self.timeframe}")
        return Path(*parts)

    @property
    def _named(self) -> str:
        name = quote(self.symbol, safe="")
        if len(name) > LONGEST:
            raise DataError(
                f"symbol {self.symbol[:20]}... is too long for a file's name; "
                "choose a shorter --symbol"
            )
        return name

    def file(self, month: str) -> Path:
        """Return the file of a month such as 2022-01, below the root."""
        name = f"{self._named}_{self.timeframe or self.kind}_{month}.parquet"
        return self.folder / f"month={month}" / name


def series_at(folder: Path) -> Series | None:
    """Return whose folder it is, None for a folder of nothing of ours."""
    named = dict(part.split("=", 1) for part in folder.parts if "=" in part)
    kind, symbol, timeframe = (named.get(one) for one in ("kind", "symbol", "timeframe"))
    if not kind or not symbol or (timeframe is not None and timeframe not in TIMEFRAMES):
        return None
    return Series(kind, unquote(symbol), timeframe)  # type: ignore[arg-type]


class Taken(BaseModel):
    """A file whose rows were taken in, and what was found in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    rows: int
    first: int
    last: int
    """The times of its first and last row, UTC ns."""
    faults: dict[str, int] = {}
    """What was left out or put right, by its code."""


class Asked(BaseModel):
    """What was downloaded: from `start` up to `end`, UTC ns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    start: int
    end: int


class Card(BaseModel):
    """What is known of a series besides its rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...] = ()
    instrument: InstrumentSpec | None = None
    """The venue's grid, where the source told it."""
    seen: InstrumentSpec | None = None
    """The grid that all prices and sizes so far stand on."""
    taken: tuple[Taken, ...] = ()
    asked: tuple[Asked, ...] = ()

    def with_asked(self, one: Asked) -> Card:
        """Return it with one more range that was downloaded, joined with those it touches."""
        own = sorted([*(was for was in self.asked if was.source == one.source), one], key=_start)
        joined: list[Asked] = []
        for each in own:
            if joined and each.start <= joined[-1].end:
                end = max(joined[-1].end, each.end)
                joined[-1] = joined[-1].model_copy(update={"end": end})
            else:
                joined.append(each)
        others = [was for was in self.asked if was.source != one.source]
        return self.model_copy(update={"asked": (*others, *joined)})

    def with_seen(self, rows: Columns, *, turnover: bool = False) -> Card:
        """Return it with the grid that these rows stand on too; `turnover` tells no sizes."""
        numbers = cast("dict[str, Floats]", rows)
        prices = [numbers[name] for name in PRICES if name in rows]
        if not prices or not len(prices[0]):
            return self
        sizes = [numbers[name] for name in SIZES if name in rows and not turnover]
        tick, lot = grid(prices, sizes)
        if self.seen is not None:
            tick, lot = min(tick, self.seen.tick), min(lot, self.seen.lot)
        return self.model_copy(update={"seen": InstrumentSpec(tick=tick, lot=lot)})

    def with_taken(self, one: Taken) -> Card:
        """Return it with one more file, each once."""
        if any((was.name, was.sha256) == (one.name, one.sha256) for was in self.taken):
            return self
        return self.model_copy(update={"taken": (*self.taken, one)})


def _start(asked: Asked) -> int:
    return asked.start


def months_of(time: Times) -> Sequence[tuple[str, slice]]:
    """Return the months of rising times (UTC ns), such as 2022-01, and which rows are theirs."""
    if not len(time):
        return []
    months = time.astype("M8[ns]").astype("M8[M]")
    names, firsts = np.unique(months, return_index=True)
    ends = [*firsts[1:].tolist(), len(time)]
    return [
        (str(name), slice(int(first), end))
        for name, first, end in zip(names, firsts, ends, strict=True)
    ]
