"""Proof that a journal is whole, and that the state tables are what it says."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice

from sqlalchemy import Connection, Row, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from tradeagent.storage import tables
from tradeagent.storage.chain import first_break
from tradeagent.storage.lag import BATCH, KNOWN, Told, fold_rows, folded_to
from tradeagent.storage.projection import Projection
from tradeagent.storage.records import SqlRecords, read_rows
from tradeagent.storage.rows import NOTHING, Sheet
from tradeagent.storage.scribe import insert
from tradeagent.storage.tables import STATE, STORE

OLDER = (tables.bars, tables.intents)
"""Tables whose rows may come in part from segments; they are not compared where one is missing."""
SHOWN = 100
"""Differences reported at most; the first ones tell what is wrong."""


def verify(store: SqlRecords, start: int = 0) -> int | None:
    """Return the first seq from `start` whose hash or link does not hold, None when all do.

    It goes through the archived segments that are here. A row that is missing is reported by the
    one after it, rows missing at the end by the seq the journal ought to reach. What is written
    meanwhile is left out.
    """
    head, table = store.head(), tables.journal
    if start <= store.anchor().seq:
        previous, rows = bytes.fromhex(store.start().hash), store.rows(start, head.seq)
    else:
        prior = select(table.c.hash).where(table.c.seq < start).order_by(table.c.seq.desc())
        found = read_rows(store.engine, prior.limit(1))
        previous = found[0].hash if found else bytes.fromhex(store.anchor().hash)
        rows = store.rows(start, head.seq)
    broken, last = first_break(rows, previous)
    if broken is None and start <= head.seq and last.hex() != head.hash:
        return head.seq
    return broken


def flaw(store: SqlRecords) -> str:
    """Return what is wrong with the file as SQLite sees it, nothing when all is well."""
    with store.engine.connect() as connection:
        found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if found == "ok" else found


def rebuild(store: SqlRecords) -> list[str]:
    """Return where the state tables differ from the journal folded anew, a line for each row.

    It reads one snapshot, so the daemon may run meanwhile, and writes nothing to the store. Where
    archived segments are not here, what they hold is taken from the state that is kept of them.
    """
    start = store.start()
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        fresh = create_engine("sqlite://", creator=lambda: scratch, poolclass=StaticPool)
        tables.metadata.create_all(fresh)
        with store.engine.connect() as stored, fresh.connect() as folded:
            rows = chain.from_iterable((_archived(store), _stored(stored)))
            mistakes = _fold(rows, start.projection(), scratch)
            compared = [one for one in STATE if not (start.seq and one in OLDER)]
            differences = (
                line for table in compared for line in _compare(table, stored, folded, start.seq)
            )
            return mistakes + list(islice(differences, SHOWN))


def _stored(stored: Connection) -> Iterator[Told]:
    """Yield the rows of the journal file that change a state table."""
    journal = tables.journal.c
    query = select(journal.seq, journal.ts, journal.source, journal.type, journal.payload)
    if (reached := folded_to(stored)) is not None:  # a run goes on that leaves its tables behind
        query = query.where(journal.seq <= reached[0])
    rows = stored.execute(query.where(journal.type.in_(sorted(KNOWN))).order_by(journal.seq))
    for batch in rows.partitions(BATCH):
        for row in batch:
            yield Told(*row)


def _archived(store: SqlRecords) -> Iterator[Told]:
    """Yield those of the archived segments."""
    for segment in store.segments():
        for seq, ts, wire, source, *_, body, _, _ in segment.rows():
            if wire in KNOWN:
                yield Told(seq, ts, source, wire, body)


def _fold(rows: Iterator[Told], state: Projection, scratch: sqlite3.Connection) -> list[str]:
    mistakes: list[str] = []
    sheet: Sheet = defaultdict(list)
    while batch := list(islice(rows, BATCH)):
        mistakes += fold_rows(batch, state, sheet)
        scratch.execute("BEGIN")
        for way, lines in sheet.items():
            insert(scratch, way, lines)
        scratch.execute("COMMIT")
        sheet.clear()
    return mistakes


def _compare(table: Table, stored: Connection, folded: Connection, after: int) -> Iterator[str]:
    """Walk both tables side by side in the order of their keys, rows up to seq `after` left out."""
    query = select(table).order_by(*table.primary_key)
    if table is tables.runtime_state:
        query = query.where(table.c.type != STORE, table.c.value != NOTHING)
    have, want = iter(stored.execute(query)), iter(folded.execute(query))
    mine, theirs = next(have, None), next(want, None)
    while mine is not None or theirs is not None:
        if after and mine is not None and mine.seq <= after:
            same = theirs is not None and _key(table, mine) == _key(table, theirs)
            mine, theirs = next(have, None), next(want, None) if same else theirs
        elif mine == theirs:
            mine, theirs = next(have, None), next(want, None)
        elif theirs is None or (mine is not None and _key(table, mine) < _key(table, theirs)):
            yield f"{table.name} {_name(table, mine)}: stands in the table, not in the journal"
            mine = next(have, None)
        elif mine is None or _key(table, theirs) < _key(table, mine):
            yield f"{table.name} {_name(table, theirs)}: is missing from the table"
            theirs = next(want, None)
        else:
            yield _unlike(table, mine, theirs)
            mine, theirs = next(have, None), next(want, None)


def _unlike(table: Table, mine: Row[tuple[object, ...]], theirs: Row[tuple[object, ...]]) -> str:
    unlike = [
        f"{name} is {was!r}, the journal says {told!r}"
        for name, was, told in zip(table.columns.keys(), mine, theirs, strict=True)
        if was != told
    ]
    return f"{table.name} {_name(table, mine)}: {'; '.join(unlike)}"


def _key(table: Table, row: Row[tuple[object, ...]]) -> tuple[object, ...]:
    return tuple(row._mapping[column] for column in table.primary_key)


def _name(table: Table, row: Row[tuple[object, ...]] | None) -> str:
    return "" if row is None else " ".join(str(part) for part in _key(table, row))
