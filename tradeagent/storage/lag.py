"""Bringing state tables forward to where their journal ends, after a run that left them behind.

The note `folded` tells how far they stand; without one they stand at the journal's end.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, cast

from sqlalchemy import Connection, Engine, select

from tradeagent.errors import StateError
from tradeagent.messages import UndecodableError, decode_payload
from tradeagent.storage import tables
from tradeagent.storage.base import Head
from tradeagent.storage.projection import Projection
from tradeagent.storage.restore import read_head, read_note, restore
from tradeagent.storage.rows import PROJECTED, RUNTIME, Place, Sheet, fold
from tradeagent.storage.scribe import insert, note, transaction
from tradeagent.storage.tables import STORE

KNOWN = frozenset(kind.wire for kind in PROJECTED)
FOLDED = "folded"
NOTED = "SELECT value FROM runtime_state WHERE type = ? AND name = ?"
BATCH = 5000
"""Rows folded at a time: a run that goes on meanwhile waits that long for its next commit."""


class Told(NamedTuple):
    """Of a row of the journal what a fold needs; `ts` is in UTC ns, `body` the message as JSON."""

    seq: int
    ts: int
    source: str
    type: str
    body: bytes


def fold_rows(rows: Iterable[Told], state: Projection, sheet: Sheet) -> list[str]:
    """Fold rows of classes in KNOWN; returns a line for each that cannot be read."""
    mistakes = []
    for row in rows:
        try:
            message = decode_payload(row.type, row.body)
        except UndecodableError as error:
            mistakes.append(f"journal {row.seq}: cannot be read: {error}")
            continue
        fold(Place(row.seq, row.ts, row.source, row.body.decode()), message, state, sheet)
    return mistakes


def lags(connection: Connection) -> bool:
    """Tell whether the tables stand behind the journal."""
    folded = folded_to(connection)
    return folded is not None and folded[0] < read_head(connection).seq


def catch_up(engine: Engine, path: Path) -> None:
    """Fold into the tables of the file at `path` what they lack.

    Any number of processes may do so at once, beside a run that goes on. Raises StateError where a
    row cannot be read.
    """
    with engine.connect() as connection:
        head, folded = read_head(connection), folded_to(connection)
        if folded is None or folded[0] >= head.seq:
            return
        state = restore(connection, folded)
    while folded[0] < head.seq:
        with engine.connect() as connection:
            rows = _next(connection, folded[0], head.seq)
        sheet: Sheet = defaultdict(list)
        for mistake in fold_rows(rows, state, sheet):
            raise StateError(f"{path}: {mistake}; restore a backup, or play the run again")
        reached = (rows[-1].seq, rows[-1].ts) if len(rows) == BATCH else (head.seq, head.ts)
        state.advance(*reached)
        if not _write(engine, sheet, folded, reached):
            catch_up(engine, path)
            return
        folded = reached


def note_folded(seq: int, ts: int) -> tuple[str, str]:
    """Return name and value of the note that tables stand at row `seq` of `ts` (UTC ns)."""
    return FOLDED, json.dumps([seq, ts])


def folded_to(connection: Connection) -> tuple[int, int] | None:
    """Return seq and ts (UTC ns) of where the tables stand, None where nothing lags."""
    found = cast(list[int] | None, read_note(connection, FOLDED))
    return None if found is None else (found[0], found[1])


def _next(connection: Connection, after: int, last: int) -> list[Told]:
    journal = tables.journal.c
    query = select(journal.seq, journal.ts, journal.source, journal.type, journal.payload)
    query = query.where(journal.seq > after, journal.seq <= last, journal.type.in_(sorted(KNOWN)))
    return [Told(*row) for row in connection.execute(query.order_by(journal.seq).limit(BATCH))]


def _write(engine: Engine, sheet: Sheet, folded: tuple[int, int], reached: tuple[int, int]) -> bool:
    """Write rows and how far they reach; returns False where another process was faster."""
    sheet[RUNTIME].append(note(*note_folded(*reached), Head(*reached, "", 0)))
    with closing(engine.raw_connection()) as pooled:
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        with transaction(connection):
            found = connection.execute(NOTED, (STORE, FOLDED)).fetchone()
            if found is None or tuple(json.loads(found[0])) != folded:
                return False
            for way, lines in sheet.items():
                insert(connection, way, lines)
    return True
