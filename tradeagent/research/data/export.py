"""Write a series of the catalogue to a file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from tradeagent.errors import DataError
from tradeagent.integrations.duck import asked, duck, named, quoted
from tradeagent.integrations.recorded.columns import UNITS
from tradeagent.integrations.recorded.read import Watch, unwatched
from tradeagent.integrations.recorded.source import LINES, PARQUET
from tradeagent.messages import TIMEFRAMES, Timeframe, candle_open
from tradeagent.research.data.catalogue import WANTED, Catalogue
from tradeagent.research.data.merge import OUT
from tradeagent.research.data.playing import rows_of
from tradeagent.research.data.resample import resample
from tradeagent.research.data.series import Columns, Series
from tradeagent.research.data.span import EVER, Span

CSV = ".csv"


class Exported(NamedTuple):
    """How many rows were written, and how many of them are made of too few shorter candles."""

    rows: int
    partial: int


def export(
    catalogue: Catalogue,
    series: Series,
    out: Path,
    span: Span = EVER,
    timeframe: Timeframe | None = None,
    watch: Watch = unwatched,
) -> Exported:
    """Write the rows of a range to `out`: CSV, JSON lines or Parquet, by its suffix.

    Candles of a longer `timeframe` are made on the way, see `resample`. In text the column of times
    says its unit: `timestamp_ms`, or finer where rows need it. Raises DataError.
    """
    if out.suffix.lower() not in (CSV, PARQUET, *LINES):
        raise DataError(f"{out}: end its name in .csv, .jsonl or .parquet, to say what it is to be")
    rows, partial = _rows(catalogue, series, span, timeframe)
    count = len(rows["time"])
    watch(0.5)
    if not count:
        raise DataError(
            f"{series}: nothing lies {span}; 'tradeagent data list' tells what is there"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            TemporaryDirectory(dir=out.parent, prefix=".export-") as folder,
            duck(WANTED) as connection,
        ):
            aside = Path(folder) / out.name
            connection.register("came", rows)
            copy = f"COPY ({_shown(rows, out)}) TO {quoted(aside)} {_how(out)}"
            asked(connection, copy, out.name)
            aside.replace(out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror}; choose another") from error
    return Exported(count, partial)


def _rows(
    catalogue: Catalogue, series: Series, span: Span, timeframe: Timeframe | None
) -> tuple[Columns, int]:
    if timeframe is None or timeframe == series.timeframe:
        return catalogue.columns(series, span), 0
    if series.kind != "bars":
        raise DataError(f"{series}: only candles can be made into longer ones")
    length = TIMEFRAMES[timeframe]
    # A period that began before the range is not within it; the first one within is whole.
    first = candle_open(timeframe, span.start + length - 1)
    made = resample(catalogue.candles(series, Span(first, span.end)), timeframe)
    return rows_of(made.candles), int((made.parts < length // series.length).sum())


def _shown(rows: Columns, out: Path) -> str:
    others = ", ".join(named(name) for name in rows if name != "time")
    if out.suffix.lower() == PARQUET:
        return f"FROM came SELECT make_timestamp_ns(time) AS time, {others}"
    fits = (unit for unit in ("ms", "us", "ns") if not np.any(rows["time"] % UNITS[unit]))
    unit = next(fits)
    return f"FROM came SELECT time // {UNITS[unit]} AS timestamp_{unit}, {others}"


def _how(out: Path) -> str:
    if out.suffix.lower() == PARQUET:
        return OUT
    return "(FORMAT json)" if out.suffix.lower() in LINES else "(FORMAT csv, HEADER)"
