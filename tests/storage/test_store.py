"""Opening a store: epochs, files that cannot be used, and a process that is killed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.storage.examples import START, bar, envelope, stream, tick, written
from tests.storage.victim import message
from tradeagent.clock import SECOND
from tradeagent.errors import StateError
from tradeagent.messages import encode_payload
from tradeagent.storage import sql
from tradeagent.storage.base import Records, Store
from tradeagent.storage.memory import MemoryStore
from tradeagent.storage.migrations import script_directory
from tradeagent.storage.proof import flaw, rebuild, verify
from tradeagent.storage.records import SqlRecords
from tradeagent.storage.sql import SqlStore
from tradeagent.storage.tables import REVISION, metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_the_ports_are_met(path: Path) -> None:
    """Both stores are a Store; one with a file can be read as well."""
    stores: list[Store] = [MemoryStore(), SqlStore.open(path)]
    readable: Records = SqlRecords.read(path)

    assert [store.past().epoch for store in stores] == [1, 1]
    assert list(readable.entries()) == []
    for store in stores:
        store.close()


def test_every_start_has_a_higher_epoch(path: Path) -> None:
    """The epoch rises at every start, and each knows whether the one before ended by itself."""
    known = []
    for clean in (True, False, True, True):
        store = SqlStore.open(f"sqlite:///{path}")
        known.append((store.past().epoch, store.past().clean))
        store.close(clean=clean)

    assert known == [(1, True), (2, True), (3, False), (4, True)]


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    """A start knows the last seq and time, and its rows continue the chain."""
    store = written(path, (envelope(seq, tick(seq), seq * 10) for seq in range(1, 4)))
    assert (store.past().seq, store.past().ts) == (3, 30)

    store.journal.append(envelope(4, tick(4)))
    store.close()

    assert verify(SqlRecords.read(path)) is None
    assert store.journal.head().entries == 4


def test_what_came_from_elsewhere_is_known_again(path: Path) -> None:
    """A start knows the wire ids of the last rows; they are beside the chain, not in it."""
    rows = [envelope(seq, tick(seq)) for seq in (1, 2, 3)]
    rows[1].wire_id = "data-7"
    store = written(path, iter(rows))
    plain = written(path.with_name("plain.db"), (envelope(seq, tick(seq)) for seq in (1, 2, 3)))

    assert store.arrived() == ["data-7"]
    assert store.journal.head() == plain.journal.head()
    assert verify(store) is None
    store.close()
    plain.close()


def test_a_feed_goes_on_where_it_was_not_where_the_clock_was(path: Path) -> None:
    """The place of a feed is the newest event's own time, however late it was dispatched."""
    late = 900 * SECOND
    events = [tick(1), bar("BTC", 1), tick(2)]
    newest = max(bar("BTC", 1).close_time, tick(2).time)
    rows = (envelope(seq, one, START + seq * SECOND + late) for seq, one in enumerate(events, 1))
    store = written(path, rows)
    empty = SqlStore.open(path.with_name("empty.db"), waits=False)

    assert store.played() == newest
    assert store.past().ts != newest
    assert empty.played() is None
    store.close()
    empty.close()


def test_a_held_message_may_come_again(path: Path) -> None:
    """What somebody could not take at once is not counted as handled after a restart."""
    rows = [envelope(seq, tick(seq)) for seq in (1, 2)]
    rows[0].wire_id, rows[1].wire_id = "data-1", "data-2"
    rows[1].held = True
    store = written(path, iter(rows))

    assert store.arrived() == ["data-1"]
    store.close()


def test_a_new_file_has_the_declared_tables(path: Path) -> None:
    """Migrating from nothing gives the tables the code declares, at its revision."""
    store = SqlStore.open(path)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
        revision = context.get_current_revision()
    store.close()

    assert differences == []
    assert revision == REVISION == script_directory().get_current_head()


def test_commits_are_synced(path: Path) -> None:
    """The writer's connection syncs the log at every commit, so that power may fail."""
    with closing(sql.connect(path)) as writer:
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_odd_paths_are_paths(tmp_path: Path) -> None:
    """Characters that mean something in a URL mean nothing in a folder's name."""
    folder = tmp_path / "a b%20c?mode=ro#d"
    folder.mkdir()
    written(folder / "journal.db", (envelope(seq, tick(seq)) for seq in range(1, 4))).close()

    assert len(list(SqlRecords.read(folder / "journal.db").entries())) == 3


def _random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(8192))


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE trades (id)")


def _newer(path: Path) -> None:
    SqlStore.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")


def _torn(path: Path) -> None:
    written(path, (envelope(seq, tick(seq)) for seq in range(1, 3000))).close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = random.Random(2).randbytes(4096)
    path.write_bytes(content)


def _tampered(path: Path) -> None:
    written(path, (envelope(seq, tick(seq)) for seq in range(1, 1500))).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE journal SET ts = ts + 1 WHERE seq = 1400")


def _unreadable_state(path: Path) -> None:
    SqlStore.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO runtime_state VALUES ('TRADING_STATE', '', '', 1, 1, '{')")


def _unreadable_note(path: Path) -> None:
    SqlStore.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE runtime_state SET value = '}' WHERE name = 'epoch'")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_random_bytes, "restore a backup"),
        (_torn, "restore a backup"),
        (_tampered, "chain breaks at 1400"),
        (_unreadable_state, "restore a backup"),
        (_unreadable_note, "restore a backup"),
        (_foreign, "another program's"),
        (_newer, "newer tradeagent"),
        (Path.mkdir, "check that folder"),
        (lambda path: path.parent.rmdir(), "check that folder"),
    ],
)
def test_what_cannot_be_used_is_refused(
    path: Path, damage: Callable[[Path], object], said: str
) -> None:
    """A corrupt, foreign, newer or unreachable file is a StateError: one line, path and remedy."""
    damage(path)

    with pytest.raises(StateError) as refusal:
        SqlStore.open(path)
    text = str(refusal.value)
    assert str(path) in text
    assert said in text
    assert "\n" not in text


def test_a_held_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file another process keeps locked is refused after the wait, not waited for forever."""
    monkeypatch.setattr(sql, "BUSY", 0.05)
    SqlStore.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another process"):
            SqlStore.open(path)


@pytest.mark.parametrize("place", ["postgresql://db/x", "sqlite://"])
def test_other_stores_are_refused(place: str) -> None:
    """A URL that is no SQLite file is refused with the form that works."""
    with pytest.raises(StateError, match="sqlite:///"):
        SqlStore.open(place)


def test_reading_needs_a_file(path: Path) -> None:
    """Reading a journal that is not there says so and makes none."""
    with pytest.raises(StateError, match="no journal"):
        SqlRecords.read(path)
    assert not path.exists()


def test_a_kill_loses_nothing_that_was_committed(path: Path) -> None:
    """Killed at any moment, the journal is a whole prefix with every row that was reported."""
    rng = random.Random()
    reached = 0
    for _ in range(3):
        reported = _killed_run(path, after=rng.randrange(1, 40))
        records = SqlRecords.read(path)
        entries = list(records.entries())
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert all(entry.payload == encode_payload(message(entry.seq)) for entry in entries)
        assert reached < reported <= len(entries) == records.head().seq
        assert verify(records) is None
        assert rebuild(records) == []
        records.close()
        reached = len(entries)

    store = SqlStore.open(path)
    assert store.past().epoch == 4
    assert store.past().clean is False
    store.close()


def _killed_run(path: Path, after: int) -> int:
    """Run the victim until it has reported `after` commits, kill it, return its last report."""
    command = [sys.executable, "-m", "tests.storage.victim", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(after):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        reports = child.stdout.read().split("\n")[:-1]
    assert child.returncode == -signal.SIGKILL
    return int(reports[-1]) if reports else _at_least(path)


def _at_least(path: Path) -> int:
    return SqlRecords.read(path).head().seq


def test_a_start_does_not_read_a_large_file_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a size a start looks at what it needs; `flaw` finds what it did not look at."""
    path = tmp_path / "journal.db"
    written(path, stream(1, 3000)).close()
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        page = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'journal' AND pagetype = 'leaf' LIMIT 1, 1"
        ).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    with pytest.raises(StateError, match="damaged"):
        SqlStore.open(path, waits=False)

    monkeypatch.setattr(sql, "LOOKED_THROUGH", 0)
    SqlStore.open(path, waits=False).close()

    records = SqlRecords.read(path)
    assert flaw(records)
    records.close()
