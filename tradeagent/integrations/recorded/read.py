"""Read a recorded file once: convert its columns, count malformed rows and leave them out."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import inf
from operator import and_

import numpy as np
from numpy.typing import NDArray

from tradeagent.errors import DataError
from tradeagent.integrations.recorded.columns import (
    BARS,
    CHANGES,
    FUNDING,
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
from tradeagent.integrations.recorded.table import LATEST, WORDS, Raw, Table, guess_unit
from tradeagent.log import log

Mask = NDArray[np.bool_]
Watch = Callable[[float], None]
"""Told what part of a long piece of work is done, from 0 to 1."""


def unwatched(_: float) -> None:
    """Tell nobody."""


def read(file: RecordedFile, watch: Watch = unwatched) -> tuple[Layout, Table]:
    """Return what `file` holds and its sound rows, in the file's order.

    Raises DataError when it cannot be read, has no rows, lacks a needed column, or more than half
    of its rows are malformed.
    """
    source = open_source(file.path)
    layout = lay_out(file.name, source.header, file.content, file.columns)
    table = Table()
    unit: int | None = None
    seen, suspect = 0, -1
    for block in source.blocks(layout.columns):
        bad = block.misfits
        if len(block.columns[0]):
            if unit is None:
                unit = _unit(file, source, layout, block)
            part, unsound = _sifted(layout, block, unit, table)
            table.extend(part)
            bad += unsound
        if bad and suspect < 0:
            suspect = seen
        table.faults.malformed += bad
        seen += block.rows
        watch(block.done)
    if not len(table) + table.faults.malformed:
        raise DataError(f"{file.name}: there is no row after the header; give a file with rows")
    if table.faults.malformed:
        place = (1 if unit is None else unit, suspect)
        complaint = _complaint(file, source, layout, table, place)
        if table.faults.malformed > len(table):
            raise DataError(complaint)
        log.bind(agent="data").warning("{}; they are left out", complaint)
    return layout, table


def _sifted(layout: Layout, block: Block, unit: int, table: Table) -> tuple[Table, int]:
    """Return the sound rows of a block, and how many are not; counts what is wrong with those."""
    part = _convert(layout, block.columns, unit)
    fine, agree = _fine(layout.schema, part), _agree(layout.schema, part)
    sound = fine & agree
    if sound.all():
        return part, 0
    faults = table.faults
    faults.negative += int(np.any(_below_zero(layout.schema, part), axis=0).sum())
    faults.crossed += int((fine & ~agree).sum()) if layout.schema is not CHANGES else 0
    return part.only(sound), int((~sound).sum())


def _unit(file: RecordedFile, source: Source, layout: Layout, block: Block) -> int:
    column = layout.columns["time"]
    declared = source.unit(column) or file.time_unit
    if declared:
        return UNITS[declared]
    guessed = unit_of(column) or guess_unit(block.columns[0])
    if guessed is None:
        raise DataError(
            f"{file.name}: times such as {block.columns[0][0]!s} in column {column} are before "
            "1980, whatever they count; name another column with columns (--column time=NAME), "
            "or their unit with time_unit (--time-unit) to take them as they are"
        )
    return guessed


def _convert(layout: Layout, columns: list[Raw], unit: int) -> Table:
    part = Table()
    for ours, raw in zip(layout.columns, columns, strict=True):
        part.put(ours, raw, unit)
    return part


def _complaint(
    file: RecordedFile, source: Source, layout: Layout, table: Table, place: tuple[int, int]
) -> str:
    """Return the one line that says how many rows are malformed and what ails the first.

    `place` is the unit of time, and the number of the first row that may be malformed.
    """
    unit, first = place
    bad = table.faults.malformed
    found = f"{file.name}: {bad} of {bad + len(table)} rows are malformed, the first in row "
    remedy = (
        "; repair the file, or set columns, content or time_unit (--column, --kind, --time-unit)"
    )
    columns = list(layout.columns.values())
    for row, block in enumerate(source.rows(columns, first), source.first_row + first):
        if block.misfits:
            return f"{found}{row}: it has not {len(source.header)} columns{remedy}"
        part = _convert(layout, block.columns, unit)
        if len(part) and not (_fine(layout.schema, part) & _agree(layout.schema, part)).all():
            return f"{found}{row}: {_flaw(layout, block, part)}{remedy}"
    raise AssertionError("a file with malformed rows has a first one")


def _flaw(layout: Layout, block: Block, row: Table) -> str:
    for (ours, column), raw in zip(layout.columns.items(), block.columns, strict=True):
        if not _is_fine(layout.schema, ours, row)[0]:
            wanted = "/".join(WORDS[ours]) if ours in WORDS else "a number in its range"
            return f"column {column} is {raw[0]!r}, not {wanted}"
    named = "/".join(layout.columns[one] for one in layout.schema.marks)
    return f"columns {named}: {layout.schema.clash}"


def _fine(schema: Schema, part: Table) -> Mask:
    """Tell of each row whether its values are fine one by one."""
    columns = (*part.integers, *part.numbers)
    return reduce(and_, [_is_fine(schema, name, part) for name in columns])


def _is_fine(schema: Schema, name: str, part: Table) -> Mask:
    if name in part.integers:
        whole = np.asarray(part.integers[name])
        least = -1 if name == "prev_last_update_id" else 0
        return np.asarray((whole >= least) & (whole < LATEST))
    if name not in part.numbers:
        return np.ones(len(part), dtype=np.bool_)
    number = np.asarray(part.numbers[name])
    if schema is FUNDING:
        return np.asarray(np.isfinite(number))
    enough = (number >= 0) if _may_be_zero(schema, name) else (number > 0)
    return np.asarray(enough & (number < inf))


def _may_be_zero(schema: Schema, name: str) -> bool:
    return name == "volume" or (name.endswith("size") and schema is not TRADES)


def _agree(schema: Schema, part: Table) -> Mask:
    """Tell of each row whether its values, fine one by one, are so together."""
    if schema is BARS:
        start, high, low, end = (np.asarray(part.numbers[name]) for name in BARS.needed[:4])
        return np.asarray((low <= start) & (start <= high) & (low <= end) & (end <= high))
    if schema in (QUOTES, QUOTE_BARS):
        bid, ask = (np.asarray(part.numbers[name]) for name in schema.needed)
        return np.asarray(bid <= ask)
    if schema is CHANGES:
        kind = np.asarray(part.integers["kind"])
        return np.asarray((kind == 1) | (np.asarray(part.integers["prev_last_update_id"]) >= 0))
    return np.ones(len(part), dtype=np.bool_)


def _below_zero(schema: Schema, part: Table) -> list[Mask]:
    """Tell of each row, for each of its prices, whether it is 0 or below."""
    if schema is FUNDING:
        return [np.zeros(len(part), dtype=np.bool_)]
    prices = [name for name in part.numbers if not _may_be_zero(schema, name) and name != "size"]
    return [np.asarray(part.numbers[name]) <= 0 for name in prices]
