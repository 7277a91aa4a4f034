"""Moving old rows of a journal into a segment, so that none is lost whenever the power goes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tradeagent.errors import StateError
from tradeagent.messages import decode_payload
from tradeagent.storage.base import Head
from tradeagent.storage.chain import first_break
from tradeagent.storage.projection import Projection
from tradeagent.storage.records import SqlRecords, read_journal
from tradeagent.storage.rows import PROJECTED, RUNTIME
from tradeagent.storage.scribe import insert, note
from tradeagent.storage.segments import (
    Anchor,
    Segment,
    all_segments,
    drafts,
    folder_of,
    write_segment,
)
from tradeagent.storage.sql import ARRIVED, connect

STAYS = 1_000
"""The last rows, which stay in the journal file whatever their age."""
FOLDED = frozenset(kind.wire for kind in PROJECTED)


class Archived(NamedTuple):
    """What was moved: how many rows, up to which seq, and where to; nothing when there was none.

    `warning` tells that the rows were moved but the room they took was not given back.
    """

    rows: int
    last: int
    path: Path | None
    warning: str = ""


def archive(journal: Path, before: int) -> Archived:
    """Move the rows of a stopped daemon's journal from before a time (UTC ns) into a segment.

    The segment is on disk and was read back before a row is deleted, and rows go together with the
    new anchor or not at all. What an archive that was cut off left behind goes first. Raises
    StateError where the journal is broken.
    """
    with closing(SqlRecords.read(journal)) as records:
        anchor, head = records.anchor(), records.head()
        _clear_orphans(records, folder_of(journal), anchor, head)
        last = _last(records, head, before)
        if last <= anchor.seq:
            return Archived(0, anchor.seq, None)
        folded = Folded(anchor)
        segment = write_segment(
            folder_of(journal), anchor, last, folded.watch(read_journal(records.engine, 0, last))
        )
    reached = folded.anchor
    _read_back(segment, reached)
    _cut(journal, reached, head)
    return Archived(reached.entries - anchor.entries, last, segment.path, _shrink(journal))


class Folded:
    """Rows on their way into a segment: their chain is checked and their state kept."""

    def __init__(self, start: Anchor) -> None:
        self._start = start
        self._state = start.projection()
        self._last: Sequence[object] = ()
        self._count = 0

    def watch(self, rows: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
        """Yield each row once it is checked; raises StateError at a broken one."""
        previous = bytes.fromhex(self._start.hash)
        for row in rows:
            broken, previous = first_break((row,), previous)
            if broken is not None:
                raise StateError(f"the journal's chain breaks at {broken}; restore a backup")
            fold_row(self._state, row)
            self._last = row
            self._count += 1
            yield row

    @property
    def anchor(self) -> Anchor:
        """Return where the rows that follow begin."""
        state, digest = self._state, self._last[-1]
        assert isinstance(digest, bytes)
        entries = self._start.entries + self._count
        return Anchor(state.seq, state.ts, digest.hex(), entries, state.dump())


def fold_row(state: Projection, row: Sequence[object]) -> None:
    """Fold a sound row of the journal into `state`."""
    seq, ts, wire, body = row[0], row[1], row[2], row[9]
    assert isinstance(seq, int)
    assert isinstance(ts, int)
    assert isinstance(body, bytes)
    if wire in FOLDED:
        state.apply(seq, ts, decode_payload(str(wire), body))
    else:
        state.advance(seq, ts)


def _last(records: SqlRecords, head: Head, before: int) -> int:
    """Return the last seq to move: older than `before`, and none that a start still looks at."""
    with records.engine.connect() as connection:

        def ask(query: str, *values: int) -> int | None:
            found = connection.exec_driver_sql(query, values).scalar()
            return None if found is None else int(found)

        stays = (
            ask("SELECT min(seq) FROM journal WHERE ts >= ?", before),
            ask("SELECT seq FROM journal ORDER BY seq DESC LIMIT 1 OFFSET ?", STAYS - 1),
            ask(
                "SELECT min(seq) FROM journal WHERE seq > ? AND wire_id IS NOT NULL",
                head.seq - ARRIVED,
            ),
        )
        if stays[1] is None:
            return 0
        first = min(seq for seq in stays if seq is not None)
        return ask("SELECT max(seq) FROM journal WHERE seq < ?", first) or 0


def _clear_orphans(records: SqlRecords, folder: Path, anchor: Anchor, head: Head) -> None:
    """Delete half written segments, and those whose rows are all still in the journal file.

    Whatever else lies there may be the only copy of something and stays.
    """
    for draft in drafts(folder):
        draft.unlink()
    for segment in all_segments(folder):
        if anchor.seq <= segment.after and segment.last <= head.seq:
            kept = next(read_journal(records.engine, segment.last, segment.last), None)
            if kept is not None and _end(segment) == kept[-1]:
                segment.path.unlink()


def _end(segment: Segment) -> bytes | None:
    """Return the last hash of a segment that holds, None of one that does not."""
    try:
        broken, last = first_break(segment.rows(), bytes.fromhex(segment.anchor().hash))
    except StateError:
        return None
    return last if broken is None else None


def _read_back(segment: Segment, reached: Anchor) -> None:
    anchor = segment.anchor()
    broken, last = first_break(segment.rows(), bytes.fromhex(anchor.hash))
    if broken is not None or last.hex() != reached.hash:
        raise StateError(f"{segment.path}: cannot be read back as written; check the disk")


def _cut(journal: Path, reached: Anchor, head: Head) -> None:
    """Delete the rows up to `reached` together with noting it."""
    with closing(connect(journal)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, RUNTIME, [note("anchor", json.dumps(reached), head)])
            connection.execute("DELETE FROM journal WHERE seq <= ?", (reached.seq,))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(
                f"{journal}: {error}; make room or check the disk, then again"
            ) from error


def _shrink(journal: Path) -> str:
    """Give back the room of what was deleted; returns why that failed, or nothing."""
    with closing(connect(journal)) as connection:
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            return f"{journal}: keeps its size for now: {error}; it is filled again from within"
    return ""
