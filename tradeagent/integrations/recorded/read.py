"""Read a recorded file once: convert its columns, count malformed rows and leave them out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from math import inf

from tradeagent.errors import DataError
from tradeagent.integrations.recorded.columns import (
    BARS,
    CHANGES,
    LEVELS,
    QUOTE_BARS,
    QUOTES,
    TRADES,
    UNITS,
    Layout,
    Schema,
    lay_out,
    unit_of,
)
from tradeagent.integrations.recorded.settings import RecordedFile
from tradeagent.integrations.recorded.source import Block, Source, open_source
from tradeagent.integrations.recorded.table import LATEST, WORDS, Table, guess_unit
from tradeagent.log import log


def read(file: RecordedFile) -> tuple[Layout, Table]:
    """Return what `file` holds and its sound rows, in the file's order.

    Raises DataError when it cannot be read, has no rows, lacks a needed column, or more than half
    of its rows are malformed.
    """
    source = open_source(file.path)
    layout = lay_out(file.name, source.header, file.content, file.columns)
    columns = list(layout.columns.values())
    table = Table()
    unit: int | None = None
    for block in source.blocks(columns):
        table.faults.malformed += block.misfits
        if not block.columns[0]:
            continue
        unit = unit or _unit(file, source, layout, block)
        part = _convert(layout, block, unit)
        sound = list(_SOUND[layout.schema](part))
        malformed = sound.count(False)
        table.extend(part.only(sound) if malformed else part)
        table.faults.malformed += malformed
    if not len(table) + table.faults.malformed:
        raise DataError(f"{file.name}: there is no row after the header; give a file with rows")
    if table.faults.malformed:
        complaint = _complaint(file, source, layout, table, unit or 1)
        if table.faults.malformed > len(table):
            raise DataError(complaint)
        log.bind(agent="data").warning("{}; they are left out", complaint)
    return layout, table


def _unit(file: RecordedFile, source: Source, layout: Layout, block: Block) -> int:
    column = layout.columns["time"]
    declared = source.unit(column) or file.time_unit
    if declared:
        return UNITS[declared]
    return unit_of(column) or guess_unit(block.columns[0])


def _convert(layout: Layout, block: Block, unit: int) -> Table:
    part = Table()
    for ours, raw in zip(layout.columns, block.columns, strict=True):
        part.put(ours, raw, unit)
    return part


def _complaint(file: RecordedFile, source: Source, layout: Layout, table: Table, unit: int) -> str:
    """Return the one line that says how many rows are malformed and what ails the first."""
    bad = table.faults.malformed
    found = f"{file.name}: {bad} of {bad + len(table)} rows are malformed, the first in row "
    remedy = "; repair the file, or set columns, content or time_unit"
    rows = count(source.first_row)
    for block in source.blocks(list(layout.columns.values()), rows=1):
        row = next(rows)
        if block.misfits:
            return f"{found}{row}: it has not {len(source.header)} columns{remedy}"
        part = _convert(layout, block, unit)
        if len(part) and not all(_SOUND[layout.schema](part)):
            return f"{found}{row}: {_flaw(layout, block, part)}{remedy}"
    raise AssertionError("a file with malformed rows has a first one")


def _flaw(layout: Layout, block: Block, row: Table) -> str:
    for (ours, column), raw in zip(layout.columns.items(), block.columns, strict=True):
        number = row.numbers.get(ours, array("d", [1.0]))[0]
        whole = row.integers.get(ours, array("q", [0]))[0]
        optional = ours == "prev_last_update_id"
        if not (0 < number < inf or (number == 0 and _may_be_zero(layout.schema, ours))) or (
            not 0 <= whole < LATEST and not optional
        ):
            wanted = "/".join(WORDS[ours]) if ours in WORDS else "a number in its range"
            return f"column {column} is {raw[0]!r}, not {wanted}"
    named = "/".join(layout.columns[one] for one in layout.schema.marks)
    return f"columns {named}: {layout.schema.clash}"


def _may_be_zero(schema: Schema, name: str) -> bool:
    return name == "volume" or (name.endswith("size") and schema is not TRADES)


def _bars(part: Table) -> Iterable[bool]:
    column = part.numbers
    return (
        0 < low <= start <= high
        and low <= end <= high < inf
        and 0 <= volume < inf
        and 0 <= time < LATEST
        for start, high, low, end, volume, time in zip(
            *(column[name] for name in BARS.needed), part.time, strict=True
        )
    )


def _touch(part: Table, bid: str, ask: str) -> Iterable[bool]:
    column = part.numbers
    prices = zip(part.time, column[bid], column[ask], strict=True)
    fine = [0 <= time < LATEST and 0 < low <= high < inf for time, low, high in prices]
    for name in ("bid_size", "ask_size"):
        if name in column:
            fine = [so and 0 <= one < inf for so, one in zip(fine, column[name], strict=True)]
    if "last" in column:
        fine = [so and 0 < one < inf for so, one in zip(fine, column["last"], strict=True)]
    return fine


def _trades(part: Table) -> Iterable[bool]:
    return (
        0 <= time < LATEST and 0 < price < inf and 0 < size < inf and side >= 0
        for time, price, size, side in zip(
            part.time,
            part.numbers["price"],
            part.numbers["size"],
            part.integers["side"],
            strict=True,
        )
    )


def _book(part: Table, whole: str) -> Iterable[bool]:
    return (
        0 <= time < LATEST and 0 < price < inf and 0 <= size < inf and side >= 0 and number >= 0
        for time, price, size, side, number in zip(
            part.time,
            part.numbers["price"],
            part.numbers["size"],
            part.integers["side"],
            part.integers[whole],
            strict=True,
        )
    )


def _changes(part: Table) -> Iterable[bool]:
    kinds = part.integers["kind"]
    before = part.integers["prev_last_update_id"]
    sound = _book(part, "last_update_id")
    return (
        so and (kind == 1 or (kind == 0 and prev >= 0))
        for so, kind, prev in zip(sound, kinds, before, strict=True)
    )


_SOUND: dict[Schema, Callable[[Table], Iterable[bool]]] = {
    BARS: _bars,
    QUOTES: partial(_touch, bid="bid", ask="ask"),
    QUOTE_BARS: partial(_touch, bid="bid_close", ask="ask_close"),
    TRADES: _trades,
    LEVELS: partial(_book, whole="level"),
    CHANGES: _changes,
}
"""What makes a row of each kind of file sound: one test over whole columns."""
