"""Writing groups of messages: journal rows and the state folded from them, in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

from tradeagent.errors import Fenced
from tradeagent.messages import Envelope, Message
from tradeagent.storage.base import Head
from tradeagent.storage.chain import Row, link
from tradeagent.storage.projection import Projection
from tradeagent.storage.rows import JOURNAL, PROJECTED, RUNTIME, Cell, Place, Sheet, fold
from tradeagent.storage.tables import STORE, Put

BLOCKS = (512, 32, 1)
"""Rows per statement. SQLite lets go of the interpreter once a statement, and a busy event loop
takes 5 ms to give it back, so a statement a row would be a hundred times slower beside one."""

EPOCH = "SELECT value FROM runtime_state WHERE type = ? AND name = 'epoch'"
LOG_PAGES = 1000
"""About how long the write-ahead log may grow before a pause is used to fold it in."""


class Scribe:
    """The hand that writes the journal; it belongs to one thread."""

    def __init__(
        self, connection: sqlite3.Connection, head: Head, state: Projection | None, epoch: int
    ) -> None:
        """Write for the start with number `epoch`, as long as there is no later one.

        Without a `state` to go on from the tables are left as they are.
        """
        self.head = head
        self._epoch = epoch
        self._connection = connection
        self._last = bytes.fromhex(head.hash)
        self._state = state
        self._pages = 0

    def write(self, group: Sequence[Envelope[Message]]) -> None:
        """Write a group durably, all or nothing; raises sqlite3.Error and Fenced."""
        rows: list[Row] = []
        sheet: Sheet = defaultdict(list)
        last, state = self._last, self._state
        for envelope in group:
            row = link(last, envelope)
            last = row[-1]
            rows.append(row)
            payload = envelope.payload
            if state is not None and type(payload) in PROJECTED:
                place = Place(row[0], row[1], row[3], row[9].decode())
                fold(place, payload, state, sheet)
        seq, ts = rows[-1][:2]
        if state is not None:
            state.advance(seq, ts)
        head = Head(seq, ts, last.hex(), self.head.entries + len(rows))
        sheet[RUNTIME].append(note("head", json.dumps(head), head))
        self._commit(rows, sheet)
        self._last, self.head = last, head
        self._pages += 4 + len(rows) // 8

    def tidy(self) -> None:
        """Fold a long write-ahead log into the file while nobody waits for a commit."""
        if self._pages >= LOG_PAGES:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._pages = 0

    def close(self, *, clean: bool) -> None:
        """Note how the run ended, fold the write-ahead log into the file and close it."""
        if clean:
            self._commit([], {RUNTIME: [note("clean", "true", self.head)]})
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _commit(self, rows: list[Row], sheet: dict[Put, list[tuple[Cell, ...]]]) -> None:
        connection = self._connection
        with transaction(connection):
            self._assert_ours(connection)
            insert(connection, JOURNAL, rows)
            for way, lines in sheet.items():
                insert(connection, way, lines)

    def _assert_ours(self, connection: sqlite3.Connection) -> None:
        """Raise Fenced once a later start has begun: what it does not know must not happen."""
        found = connection.execute(EPOCH, (STORE,)).fetchone()
        if found is None or json.loads(found[0]) != self._epoch:
            raise Fenced(f"start {self._epoch} was superseded by start {found and found[0]}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, waiting for who else writes; raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def note(name: str, value: str, head: Head) -> tuple[Cell, ...]:
    """Return the `runtime_state` row of a fact of the store's own."""
    return STORE, name, "", head.seq, head.ts, value


def insert(connection: sqlite3.Connection, way: Put, rows: Sequence[tuple[Cell, ...]]) -> None:
    """Write `rows` in as few statements as there are blocks of them."""
    start, count = 0, len(rows)
    for block in BLOCKS:
        while count - start >= block:
            cells = [cell for row in rows[start : start + block] for cell in row]
            connection.execute(_statement(way, block), cells)
            start += block


@cache
def _statement(way: Put, rows: int) -> str:
    return way.statement(rows)
