"""Bring new rows together with those that are kept, row by row, and say what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tradeagent.integrations.duck import asked, named, quoted
from tradeagent.research.data.series import Columns, Series
from tradeagent.research.data.span import date

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Prefer = Literal["file", "catalogue"]
"""Whose row counts where both have one and they differ."""
OUT = "(FORMAT parquet, COMPRESSION zstd)"
REMOVE = "remove it and import again"
"""The remedy for a file of a catalogue that is broken."""


class Merge(NamedTuple):
    """What new rows came to: how many are new, there already, or differ from what is there."""

    new: int = 0
    same: int = 0
    differing: int = 0
    example: str = ""
    """The first that differs, in words."""

    def __add__(self, other: Merge) -> Merge:  # type: ignore[override]
        counts = (self.new + other.new, self.same + other.same, self.differing + other.differing)
        return Merge(*counts, self.example or other.example)


def write(connection: DuckDBPyConnection, rows: Columns, to: Path) -> None:
    """Write rows as Parquet, their times as timestamps."""
    connection.register("came", rows)
    others = [name for name in rows if name != "time"]
    asked(connection, f"COPY (FROM came SELECT {_shown(others)}) TO {quoted(to)} {OUT}", to.name)


def merge(
    connection: DuckDBPyConnection,
    series: Series,
    rows: Columns,
    file: Path,
    to: Path,
    prefer: Prefer | None,
) -> Merge:
    """Write to `to` what `file` and `rows` hold together, unless that is what `file` holds.

    Rows are of one month. Where a row differs and nobody is preferred, nothing is written.
    """
    names = [name for name in rows if name != "time"]
    told = ", ".join(map(named, names))
    keys = _keys(series, names)
    connection.register("came", {**rows, "place": np.arange(len(rows["time"]))})
    kept = f"read_parquet({quoted(file)}, hive_partitioning = false, file_row_number = true)"
    had = f"FROM {kept} SELECT epoch_ns(time) AS time, {told}, file_row_number AS place"
    alike = " AND ".join(f"h.k{n} IS NOT DISTINCT FROM c.k{n}" for n in range(len(keys)))
    other = " OR ".join(
        f"h.{named(name)} IS DISTINCT FROM c.{named(name)}" for name in ("time", *names)
    )
    pairs = (
        f"FROM ({_numbered('FROM came', keys)}) c LEFT JOIN had h ON {alike} AND h.nth = c.nth "
        f"SELECT c.*, h.place AS old, h.place IS NULL AS fresh, "
        f"h.place IS NOT NULL AND ({other}) AS differs"
    )
    for name, query in (("had", _numbered(had, keys)), ("pairs", pairs)):
        asked(connection, f"CREATE OR REPLACE TEMP TABLE {name} AS {query}", str(file), REMOVE)
    found = _counted(connection, names)
    if found.differing and prefer is None:
        return found
    if found.new or (found.differing and prefer == "file"):
        taken = "differs" if prefer == "file" else "false"
        left = f"FROM had ANTI JOIN (FROM pairs WHERE {taken}) p ON had.place = p.old"
        both = (
            f"(FROM ({left}) SELECT time, {told}, 0 AS part, place) UNION ALL "
            f"(FROM pairs SELECT time, {told}, 1 AS part, place WHERE fresh OR {taken})"
        )
        rows_in_order = f"FROM ({both}) SELECT {_shown(names)} ORDER BY time, part, place"
        asked(connection, f"COPY ({rows_in_order}) TO {quoted(to)} {OUT}", file.name)
    return found


def _shown(names: Sequence[str]) -> str:
    return ", ".join(["make_timestamp_ns(time) AS time", *map(named, names)])


def _numbered(table: str, keys: Sequence[str]) -> str:
    """Return a query for a table with its key (k0, k1, ...) and the number of rows alike so far."""
    made = ", ".join(f"{key} AS k{n}" for n, key in enumerate(keys))
    each = ", ".join(f"k{n}" for n in range(len(keys)))
    number = f"row_number() OVER (PARTITION BY {each} ORDER BY place) AS nth"
    return f"FROM (FROM ({table}) SELECT *, {made}) SELECT *, {number}"


def _keys(series: Series, names: Sequence[str]) -> list[str]:
    """Return what tells one row of a series from another, in SQL.

    Of bars and funding that is the time, of a trade its id, of a level its place in the book. Of
    quotes, and of trades without an id, it is the whole row: equal ones are told by their number.
    """
    if series.kind in ("bars", "quote_bars", "funding"):
        return ["time"]
    if series.kind == "book" and "kind" in names:
        return ["kind", "last_update_id", "side", "price"]
    if series.kind == "book":
        return ["time", "side", "level"]
    if "trade_id" in names:
        others = ("time", *(name for name in names if name != "trade_id"))
        return ["trade_id", *(f"CASE WHEN trade_id = '' THEN {one} END" for one in others)]
    return ["time", *map(named, names)]


def _counted(connection: DuckDBPyConnection, names: Sequence[str]) -> Merge:
    rows = connection.execute(
        "FROM pairs SELECT count(*) FILTER (fresh), count(*) FILTER (differs), count(*)"
    ).fetchall()
    new, differing, every = rows[0]
    if not differing:
        return Merge(new, every - new)
    pairs = ", ".join(f"c.{named(name)}, h.{named(name)}" for name in ("time", *names))
    (first,) = connection.execute(
        f"FROM pairs c JOIN had h ON h.place = c.old SELECT {pairs} WHERE differs "
        "ORDER BY c.time LIMIT 1"
    ).fetchall()
    told = zip(("time", *names), first[::2], first[1::2], strict=True)
    name, here, there = next(one for one in told if one[1] != one[2])
    example = f"{name} of {date(first[0])} is {here} in it and {there} in the catalogue"
    return Merge(new, every - new - differing, differing, example)
