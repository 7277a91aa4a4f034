"""Take the rows of a file into the catalogue."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFile
from tradeagent.integrations.recorded.book import rising
from tradeagent.integrations.recorded.columns import BARS, FUNDING, QUOTE_BARS, TRADES, Layout
from tradeagent.integrations.recorded.read import Watch, read, unwatched
from tradeagent.integrations.recorded.series import (
    each_once,
    first_of_each_time,
    in_order,
    on_grid,
)
from tradeagent.integrations.recorded.table import Table
from tradeagent.messages import Timeframe
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.merge import Merge, Prefer
from tradeagent.research.data.quality import Finding, of_faults, of_rows
from tradeagent.research.data.series import Card, Columns, Series, Taken

SIDES = {"book": ("ask", "bid"), "trades": ("sell", "buy")}
KINDS = ("update", "snapshot")
"""What 0 and 1 are called in each column of words."""
READ = 0.8
"""What part of the work reading is."""


class Intake(NamedTuple):
    """What came of a file: which series it holds, how many rows were new, and what was found."""

    series: Series
    rows: int
    first: int
    last: int
    """The times of its first and last row, UTC ns."""
    merge: Merge
    findings: list[Finding]


def take_in(
    catalogue: Catalogue,
    file: RecordedFile,
    prefer: Prefer | None = None,
    watch: Watch = unwatched,
) -> Intake:
    """Add the rows of a file to a catalogue, put in order, each once.

    Raises DataError for a file that cannot be used, and for rows that differ from those kept.
    """
    layout, table = read(file, lambda part: watch(part * READ))
    series, table = _arranged(file, layout, table)
    rows = _columns(series, table)
    if series.kind == "bars" and file.volume == "quote":
        rows["volume"] = rows["volume"] / rows["close"]
    faults = of_faults(table.faults)
    taken = Taken(
        name=file.name,
        sha256=_digest(file.path),
        rows=len(table),
        first=table.time[0],
        last=table.time[-1],
        faults={one.code: one.count for one in faults if one.code != "gaps"},
    )
    turnover = file.volume == "quote"

    def told(card: Card) -> Card:
        card = card.with_taken(taken).with_seen(rows, turnover=turnover)
        grid = {} if file.instrument is None else {"instrument": file.instrument}
        return card.model_copy(update=grid)

    try:
        merged = catalogue.keep(
            series, rows, told, prefer, lambda part: watch(READ + part * (1 - READ))
        )
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error
    found = [*(one for one in faults if one.code != "gaps"), *of_rows(series, rows)]
    return Intake(series, len(table), table.time[0], table.time[-1], merged, found)


def _arranged(file: RecordedFile, layout: Layout, table: Table) -> tuple[Series, Table]:
    """Return what a file is of, and its rows by time; counts what was wrong."""
    schema = layout.schema
    timeframe: Timeframe | None = None
    if schema in (BARS, QUOTE_BARS):
        table, timeframe = on_grid(file, schema, table)
    elif schema is FUNDING:
        table = first_of_each_time(table)
    elif schema is TRADES:
        table = in_order(each_once(table))
    elif schema.content == "book":
        table.integers["time"] = rising(table.time, table.faults)
    else:
        table = in_order(table)
    return Series(schema.content, file.listed, timeframe), table


def _columns(series: Series, table: Table) -> Columns:
    rows: Columns = {"time": np.asarray(table.time)}
    for name, number in table.numbers.items():
        rows[name] = np.asarray(number)
    for name, whole in table.integers.items():
        if name in ("side", "kind"):
            words = KINDS if name == "kind" else SIDES[series.kind]
            rows[name] = np.array(words, dtype=object)[np.asarray(whole)]
        elif name != "time":
            rows[name] = np.asarray(whole)
    for name, text in table.texts.items():
        rows[name] = np.array(text, dtype=object)
    return rows


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
