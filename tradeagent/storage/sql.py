"""The store of a daemon: a SQLite file that is checked, brought up to date, restored and written.

The file is a journal with its state tables. Only one process may have it open as a store; the lock
of the state directory sees to that. Any number may read it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from tradeagent.errors import JournalError, StateError
from tradeagent.messages import MarketData, TickerUpdate, UndecodableError, decode_payload
from tradeagent.storage import tables
from tradeagent.storage.base import Head, Past
from tradeagent.storage.chain import GENESIS, first_break
from tradeagent.storage.journal import Failed, PassingJournal, SqlJournal
from tradeagent.storage.lag import FOLDED, note_folded
from tradeagent.storage.projection import Projection
from tradeagent.storage.records import SqlRecords, bring_forward, open_engine, remedy
from tradeagent.storage.restore import read_head, read_note, restore
from tradeagent.storage.rows import RUNTIME
from tradeagent.storage.scribe import Scribe, insert, note
from tradeagent.storage.segments import newer
from tradeagent.storage.tables import FORMAT, REVISION, STORE

BUSY = 5.0
"""Seconds to wait for another process's lock."""
LOG_LIMIT = 8000
"""Pages of write-ahead log that are folded in even if the writer has no pause to do it in."""
TAIL = 1000
"""Rows whose chain is checked at every start; `verify` checks them all."""

LOOKED_THROUGH = 64 << 20
"""Bytes up to which a start looks through the whole file; `doctor` does so whatever its size."""
ARRIVED = 50_000
"""Rows within which a message that came from another process may be delivered again."""
RECENT = 200_000
"""Rows among which a market event is looked for."""
PLAYED = 100
"""Market events among which the newest is found; candles come a little after their last tick."""


class SqlStore(SqlRecords):
    """The journal in a SQLite file, and what was restored from it."""

    def __init__(
        self,
        engine: Engine,
        path: Path,
        journal: SqlJournal | PassingJournal,
        past: Past,
        *,
        lean: bool,
    ) -> None:
        super().__init__(engine, path)
        self.journal = journal
        self.lean = lean
        self._past = past

    @classmethod
    def open(
        cls,
        place: Path | str,
        *,
        waits: bool = True,
        lean: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        on_failure: Failed | None = None,
    ) -> SqlStore:
        """Open the store at a path or `sqlite:///path`, made if missing, and begin a new epoch.

        Without `waits`, as under a simulated clock, nobody waits for the journal (PassingJournal);
        otherwise `loop` (the running one by default) and `on_failure` are the journal's, see
        SqlJournal. A `lean` one writes the journal alone and leaves the tables to who reads them.
        Raises StateError when the file cannot be used.
        """
        path = _path(place)
        with _explained(path):
            writer = connect(path)
            engine = open_engine(path, writable=True)
            try:
                _check(writer, path)
                _migrate(writer, engine, path)
                with engine.connect() as connection:
                    head = read_head(connection)
                _check_tail(writer, head, path)
                bring_forward(engine, path)
                with engine.connect() as connection:
                    state = restore(connection)
                    past = _past(connection, state)
                _begin_epoch(writer, head, past.epoch, lean=lean)
            except BaseException:
                writer.close()
                engine.dispose()
                raise
        scribe = Scribe(writer, head, None if lean else state, past.epoch)
        journal = (
            SqlJournal(scribe, loop or _running_loop(), on_failure)
            if waits
            else PassingJournal(scribe)
        )
        return cls(engine, path, journal, past, lean=lean)

    def past(self) -> Past:
        """Return what this start restores, or later an agent's restart: all that is durable."""
        known = self._past
        if self.journal.head().seq > known.seq:
            self._bring_forward()
            with self.engine.connect() as connection:
                self._past = restore(connection).past(known.epoch, clean=known.clean)
        return self._past

    def bars(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` candles that closed by `before` (UTC ns), oldest first."""
        self._bring_forward()
        return super().bars(symbol, timeframe, before, count)

    def _bring_forward(self) -> None:
        if self.lean:
            bring_forward(self.engine, self.path)

    def played(self) -> int | None:
        """Return the time of the newest market event of late, UTC ns; None where there is none."""
        table = tables.journal
        prices = table.c.type.in_((MarketData.wire, TickerUpdate.wire))
        recent = table.c.seq > self.journal.head().seq - RECENT
        query = select(table.c.type, table.c.payload).where(prices, recent)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.seq.desc()).limit(PLAYED)).all()
        events = [decode_payload(row.type, row.payload) for row in rows]
        times = [
            event.close_time if isinstance(event, MarketData) else event.time
            for event in events
            if isinstance(event, MarketData | TickerUpdate)
        ]
        return max(times, default=None)

    def arrived(self) -> list[str]:
        """Return the wire ids of the last messages that were handled at once, effects and all."""
        table, head = tables.journal, self.journal.head()
        recent = (table.c.wire_id.is_not(None)) & (table.c.seq > head.seq - ARRIVED)
        with self.engine.connect() as connection:
            rows = connection.execute(select(table.c.wire_id).where(recent).order_by(table.c.seq))
            return [str(row.wire_id) for row in rows]

    def close(self, *, clean: bool = True) -> None:
        """Write what is left and end; `clean` marks that the run ended by itself."""
        try:
            self.journal.close(clean=clean)
        finally:
            super().close()


def _path(place: Path | str) -> Path:
    if isinstance(place, Path):
        return place
    scheme, found, rest = place.partition("://")
    if not found:
        return Path(place).expanduser()
    if scheme != "sqlite" or len(rest) < 2:
        raise StateError(f"store {place}: not a store; write sqlite:///<path>")
    return Path(rest[1:]).expanduser()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(remedy(path, str(error))) from error
    except (JournalError, UndecodableError, ValueError) as error:
        raise StateError(
            f"{path}: a state row cannot be read ({error}); restore a backup"
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """Return the writing connection: write-ahead log, synced at every commit.

    Raises StateError for another program's database, before anything in it is changed.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if names and not {"alembic_version", "journal"} <= names:
            raise StateError(f"{path}: another program's database; choose another --state")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise StateError(newer(path, version))
        if version != FORMAT:
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_LIMIT}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > LOOKED_THROUGH:
        return
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StateError(remedy(path, f"malformed: {found}"))


def _migrate(connection: sqlite3.Connection, engine: Engine, path: Path) -> None:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    revision = None
    if "alembic_version" in names:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        revision = found and found[0]
    if revision != REVISION:
        from tradeagent.storage.migrations import upgrade

        if not upgrade(engine, revision):
            raise StateError(
                f"{path}: schema revision {revision} is unknown here, {REVISION} is the last; "
                "a newer tradeagent wrote it: upgrade, or choose another --state"
            )


def _past(connection: Connection, state: Projection) -> Past:
    epoch = read_note(connection, "epoch")
    clean = epoch is None or read_note(connection, "clean") is True
    return state.past(epoch + 1 if isinstance(epoch, int) else 1, clean=clean)


def _check_tail(connection: sqlite3.Connection, head: Head, path: Path) -> None:
    query = "SELECT * FROM journal ORDER BY seq DESC LIMIT ?"
    rows = connection.execute(query, (TAIL + 1,)).fetchall()[::-1]
    if len(rows) > TAIL:
        previous = rows.pop(0)[-1]
    else:
        noted = connection.execute(
            "SELECT value FROM runtime_state WHERE type = ? AND name = 'anchor'", (STORE,)
        ).fetchone()
        previous = GENESIS if noted is None else bytes.fromhex(json.loads(noted[0])[2])
    broken, last = first_break(rows, previous)
    if broken is None and last.hex() != head.hash:
        broken = head.seq
    if broken is not None:
        raise StateError(f"{path}: the journal's chain breaks at {broken}; restore a backup")


def _begin_epoch(connection: sqlite3.Connection, head: Head, epoch: int, *, lean: bool) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM runtime_state WHERE type = ? AND name = ?", (STORE, FOLDED))
    facts = [note("epoch", json.dumps(epoch), head), note("clean", "false", head)]
    if lean:
        facts.append(note(*note_folded(head.seq, head.ts), head))
    insert(connection, RUNTIME, facts)
    connection.execute("COMMIT")
