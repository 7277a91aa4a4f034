"""Tables that a run leaves behind are brought forward by whoever reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.storage.examples import stream
from tradeagent.errors import StateError
from tradeagent.storage import lag, tables
from tradeagent.storage.proof import rebuild, verify
from tradeagent.storage.records import SqlRecords, read_rows
from tradeagent.storage.restore import read_note
from tradeagent.storage.sql import SqlStore
from tradeagent.storage.tables import STATE, STORE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def written(path: Path, first: int = 0, last: int = 400, *, lean: bool) -> SqlStore:
    """Return a store that has taken a part of a random run and stays open."""
    store = SqlStore.open(path, waits=False, lean=lean)
    for made in islice(stream(7, 400), first, last):
        store.journal.append(made)
    return store


def rows_of(records: SqlRecords) -> list[Sequence[object]]:
    """Return every row of the state tables but those of the store's own."""
    found: list[Sequence[object]] = []
    for table in STATE:
        query = select(table).order_by(*table.primary_key)
        if table is tables.runtime_state:
            query = query.where(table.c.type != STORE)
        found += map(tuple, read_rows(records.engine, query))
    return found


def read_all(path: Path) -> list[Sequence[object]]:
    """Return every row of the state tables, read by another process."""
    with closing(SqlRecords.read(path)) as records:
        return rows_of(records)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold few rows at a time."""
    monkeypatch.setattr(lag, "BATCH", 7)


@pytest.mark.usefixtures("small_batches")
def test_a_reader_finds_the_same_tables(path: Path) -> None:
    """What a lean run leaves reads as if the tables had been written all along."""
    written(path, lean=True).close()
    written(path.with_name("full.db"), lean=False).close()
    lean, full = SqlRecords.read(path), SqlRecords.read(path.with_name("full.db"))

    assert rows_of(lean) == rows_of(full) != []
    assert lean.head() == full.head()
    assert (verify(lean), rebuild(lean)) == (None, [])


def test_a_lean_run_writes_no_table(path: Path) -> None:
    """While nobody reads, nothing but the journal grows."""
    store = written(path, lean=True)
    store.close()

    with store.engine.connect() as connection:
        assert connection.execute(select(tables.orders)).all() == []
        assert read_note(connection, lag.FOLDED) == [0, 0]


@pytest.mark.usefixtures("small_batches")
def test_a_run_that_goes_on_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading shows what is written by then, and the run goes on undisturbed."""
    monkeypatch.setattr("tradeagent.storage.journal.GROUP", 1)
    store = SqlStore.open(path, waits=False, lean=True)
    for number, made in enumerate(stream(7, 400)):
        store.journal.append(made)
        store.journal.settle()
        if number in (100, 250):
            assert rebuild(SqlRecords.read(path)) == []
    store.close()

    assert rebuild(SqlRecords.read(path)) == []


def test_many_may_read_at_once(path: Path) -> None:
    """Processes that bring the tables forward at the same time do not disturb each other."""
    written(path, lean=True).close()
    with ProcessPoolExecutor(3, get_context("spawn")) as pool:
        read = list(pool.map(read_all, [path] * 6))

    assert all(rows == read[0] for rows in read)
    assert rebuild(SqlRecords.read(path)) == []


def test_a_proof_beside_a_run_compares_what_is_folded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a lean run has written since the tables were read is no difference."""
    monkeypatch.setattr("tradeagent.storage.journal.GROUP", 1)
    store = written(path, last=200, lean=True)
    store.journal.settle()
    records = SqlRecords.read(path)
    for made in islice(stream(7, 400), 200, 400):
        store.journal.append(made)
        store.journal.settle()

    assert rebuild(records) == []
    store.close()


def test_a_damaged_journal_is_not_folded(path: Path) -> None:
    """A start that refuses the chain has written nothing to the tables."""
    store = written(path, lean=True)
    store.close()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE journal SET ts = ts + 1 WHERE seq = 1")
        connection.exec_driver_sql("COMMIT")

    with pytest.raises(StateError, match="chain breaks at 1"):
        SqlStore.open(path, waits=False)
    with store.engine.connect() as connection:
        assert read_note(connection, lag.FOLDED) == [0, 0]


def test_tables_that_cannot_be_folded_are_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds the file, a reader is told so with the remedy."""
    written(path, lean=True).close()
    monkeypatch.setattr("sqlite3.dbapi2.connect", partial(sqlite3.connect, timeout=0.01))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another process holds the file"):
            SqlRecords.read(path)


def test_a_later_run_writes_its_tables(path: Path) -> None:
    """A run that is not lean begins with whole tables and keeps them so."""
    written(path, last=200, lean=True).close()
    store = written(path, first=200, lean=False)
    store.close()

    with store.engine.connect() as connection:
        assert not lag.lags(connection)
        assert read_note(connection, lag.FOLDED) is None
    assert rebuild(SqlRecords.read(path)) == []


@pytest.mark.parametrize("opened", [SqlRecords.read, SqlStore.open])
def test_a_row_that_cannot_be_read_is_named(
    path: Path, opened: Callable[[Path], SqlRecords]
) -> None:
    """Nobody is shown tables that lack a row, nor does a run begin on them, however often tried."""
    store = written(path, lean=True)
    store.close()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE journal SET payload = x'00' WHERE type = 'FILL'")
        connection.exec_driver_sql("COMMIT")

    for _ in range(2):
        with pytest.raises(
            StateError, match=r"journal \d+: cannot be read.*play the run again|chain breaks"
        ):
            opened(path)
