"""The journal: one chain, group commits, and what happens when the disk says no."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.examples import bar, envelope, stream, tick, written
from tradeagent.errors import Fenced, JournalError
from tradeagent.messages import Origin
from tradeagent.storage import journal, sql
from tradeagent.storage.base import Journal, Settled
from tradeagent.storage.memory import MemoryJournal
from tradeagent.storage.proof import verify
from tradeagent.storage.sql import SqlStore

ROWS = 12
COLUMNS = (
    "seq ts type source epoch cause trace derived payload prev_hash hash".split()  # noqa: SIM905
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextmanager
def disk_full(path: Path, room: int) -> Iterator[None]:
    """Let no file of this process grow beyond `room` bytes more than `path` has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("seed", range(3))
def test_equal_messages_have_equal_hashes(path: Path, seed: int) -> None:
    """A journal in memory and one on disk end with the same hash for the same messages."""
    memory: Journal = MemoryJournal()
    for made in stream(seed, 300):
        memory.append(made)

    store = written(path, stream(seed, 300))

    assert store.journal.head() == memory.head()
    assert memory.head().entries > 100
    store.close()


async def test_commit_boundaries_leave_no_trace(path: Path) -> None:
    """Waiting for a commit now and then changes no hash."""
    memory = MemoryJournal()
    store = SqlStore.open(path)
    for number, made in enumerate(stream(1, 200)):
        memory.append(made)
        store.journal.append(made)
        if number % 7 == 0:
            store.journal.settle()
            await store.journal.committed(made.seq)
    store.close()

    assert store.journal.head() == memory.head()


async def test_a_commit_is_on_disk(path: Path) -> None:
    """Once `committed` is done, another connection reads the row and the state it led to."""
    store = SqlStore.open(path)
    store.journal.append(envelope(1, bar("BTC", 1)))
    store.journal.settle()
    await store.journal.committed(1)

    with closing(sqlite3.connect(path)) as reader:
        rows = reader.execute("SELECT j.seq, b.close FROM journal j, bars b").fetchall()
    assert rows == [(1, 101.0)]
    store.close()


async def test_many_may_wait_at_once(path: Path) -> None:
    """Everyone who waits is told, in whatever order they asked, and a cancelled one harms none."""
    store = SqlStore.open(path)
    for seq in range(1, 101):
        store.journal.append(envelope(seq, tick(seq)))
    store.journal.settle()
    waiting = [asyncio.ensure_future(store.journal.committed(seq)) for seq in range(100, 0, -1)]
    waiting[3].cancel()

    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result for result in done if result is not None] == [done[3]]
    store.close()


async def test_recorded_rows_leave_only_a_gap(path: Path) -> None:
    """A message from a recorded file has no row, and waiting for it waits for those before it."""
    store = SqlStore.open(path)
    for seq in range(1, 10):
        made = envelope(seq, tick(seq))
        made.origin = Origin.INPUT if seq in (2, 5) else Origin.RECORDED
        store.journal.append(made)
    store.journal.settle()
    await store.journal.committed(9)

    assert [entry.seq for entry in store.entries()] == [2, 5]
    assert verify(store) is None
    store.close()


@pytest.mark.parametrize("waits", [True, False])
async def test_what_belongs_together_is_committed_together(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    """No reader ever finds a part of what was appended between two calls of `settle`."""
    monkeypatch.setattr(journal, "GROUP", 1)
    store = SqlStore.open(path, waits=waits)
    found = set()
    with closing(sqlite3.connect(path)) as reader:
        for seq in range(1, 3_001):
            store.journal.append(envelope(seq, tick(seq)))
            if seq % 3 == 0:
                store.journal.settle()
            if seq % 50 == 1:
                found.add(reader.execute("SELECT count(*) FROM journal").fetchone()[0] % 3)
    store.close()

    assert found == {0}
    assert store.journal.head().entries == 3_000


async def test_nobody_is_told_before_the_whole_is_there(path: Path) -> None:
    """A wait for a row goes on until all that belongs to it is appended too."""
    store = SqlStore.open(path)
    store.journal.append(envelope(1, tick(1)))
    waiter = asyncio.ensure_future(store.journal.committed(1))
    store.journal.append(envelope(2, tick(2)))
    assert store.journal.head().entries == 0

    store.journal.settle()
    await waiter
    assert store.journal.head().entries == 2
    store.close()


def test_a_simulated_run_waits_for_nobody(path: Path) -> None:
    """Without `waits`, awaiting a commit does not suspend, and the rows still reach the disk."""
    store = SqlStore.open(path, waits=False)
    store.journal.append(envelope(1, tick(1)))
    with pytest.raises(StopIteration):
        next(iter(store.journal.committed(1).__await__()))
    store.close()

    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM journal").fetchone() == (1,)


def test_a_simulated_run_writes_as_it_goes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backlog stays bounded, and nothing is dropped for it."""
    monkeypatch.setattr(journal, "GROUP", 500)
    store = SqlStore.open(path, waits=False)
    longest = 0
    for seq in range(1, 5_001):
        store.journal.append(envelope(seq, tick(seq)))
        store.journal.settle()
        longest = max(longest, store.journal.backlog)
    store.close()

    assert longest < 500
    assert store.journal.head().entries == 5_000


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, SqlStore]]:
    made = (made for made in stream(3, 60) if made.origin is not Origin.RECORDED)
    path = tmp_path_factory.mktemp("chain") / "journal.db"
    store = written(path, (next(made) for _ in range(ROWS)))
    yield path, store
    store.close()


@given(row=st.integers(0, ROWS - 1), column=st.sampled_from(COLUMNS), data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_flipped_byte_breaks_the_chain(
    chained: tuple[Path, SqlStore], row: int, column: str, data: st.DataObject
) -> None:
    """Whatever cell of whatever row is changed by whatever bit, `verify` says where."""
    path, store = chained
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        read = f"SELECT seq, {column} FROM journal ORDER BY seq LIMIT 1 OFFSET ?"
        write = f"UPDATE journal SET {column} = ? WHERE seq = ?"
        seq, was = writer.execute(read, (row,)).fetchone()
        changed = _flipped(was, data)
        writer.execute(write, (changed, seq))
        broken = verify(store)
        writer.execute(write, (was, changed if column == "seq" else seq))

    assert broken == seq or (column == "seq" and broken is not None)
    assert verify(store) is None


def _flipped(was: object, data: st.DataObject) -> object:
    if isinstance(was, int):
        return was ^ 1 << data.draw(st.integers(10, 40))
    raw = bytearray(was.encode() if isinstance(was, str) else was)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 6 if isinstance(was, str) else 7))
    return raw.decode(errors="replace") if isinstance(was, str) else bytes(raw)


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ("DELETE FROM journal WHERE seq = 5", 6),
        ("DELETE FROM journal WHERE seq = 1", 2),
        ("DELETE FROM journal WHERE seq > 7", 10),
        ("UPDATE journal SET payload = 'text' WHERE seq = 3", 3),
        ("UPDATE journal SET seq = 11 WHERE seq = 4", 5),
    ],
)
def test_missing_and_moved_rows_are_found(path: Path, change: str, reported: int) -> None:
    """Rows taken out, cut off the end, moved or of another type break the chain where told."""
    store = written(path, (envelope(seq, tick(seq)) for seq in range(1, 11)))
    with closing(sqlite3.connect(path)) as writer:
        writer.execute(change)
        writer.commit()

    assert verify(store) == reported
    store.close()


async def test_a_full_disk_is_told_to_everyone(path: Path) -> None:
    """Waiters and all who come later get JournalError, the callback is called, nothing is lost."""
    told: asyncio.Future[JournalError] = asyncio.get_running_loop().create_future()
    store = SqlStore.open(path, on_failure=told.set_result)
    store.journal.append(envelope(1, tick(1)))
    store.journal.settle()
    await store.journal.committed(1)
    with disk_full(path, 200_000):
        for seq in range(2, 5000):
            store.journal.append(envelope(seq, tick(seq)))
        store.journal.settle()
        with pytest.raises(JournalError, match=r"cannot be written .*full|I/O"):
            await store.journal.committed(4999)
    store.journal.append(envelope(5000, tick(5000)))

    store.journal.settle()
    with pytest.raises(JournalError):
        await store.journal.committed(5000)
    store.journal.settle()
    await store.journal.committed(1)
    assert store.journal.backlog == 0
    with pytest.raises(JournalError):
        store.close()
    assert "cannot be written" in str(await told)
    _is_whole_after_failure(path)


def _is_whole_after_failure(path: Path) -> None:
    again = SqlStore.open(path)
    assert verify(again) is None
    assert again.past().clean is False
    assert again.past().seq >= 1
    again.close()


async def test_a_lock_held_too_long_fails_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that keeps the file locked halts the journal; no row is skipped."""
    monkeypatch.setattr(sql, "BUSY", 0.05)
    store = SqlStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.journal.append(envelope(1, tick(1)))
        store.journal.settle()
        with pytest.raises(JournalError, match="locked"):
            await store.journal.committed(1)
    store.journal.append(envelope(2, tick(2)))

    store.journal.settle()
    with pytest.raises(JournalError):
        await store.journal.committed(2)
    with pytest.raises(JournalError):
        store.close()
    again = SqlStore.open(path)
    assert again.past().seq == 0
    again.close()


async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    """What comes after the end is never reported as durable, and closing twice is harmless."""
    store = SqlStore.open(path)
    store.close()
    store.close()
    store.journal.append(envelope(1, tick(1)))

    store.journal.settle()
    with pytest.raises(JournalError, match="closed"):
        await store.journal.committed(1)


async def test_settled_raises_or_returns() -> None:
    """A settled wait returns, or raises what it was given."""
    await Settled()
    with pytest.raises(JournalError, match="why"):
        await Settled(JournalError("why"))


async def test_rows_and_state_are_one_transaction(path: Path) -> None:
    """When the state cannot be written, the journal row is not written either."""
    store = SqlStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DROP TABLE bars")
    store.journal.append(envelope(1, tick(1)))
    store.journal.append(envelope(2, bar("BTC", 1)))
    store.journal.settle()
    with pytest.raises(JournalError, match="no such table"):
        await store.journal.committed(2)

    assert list(store.entries()) == []
    with pytest.raises(JournalError):
        store.close()


async def test_a_later_start_fences_an_earlier_one(path: Path) -> None:
    """Once another start has begun, the one before writes nothing more and says so."""
    told: list[JournalError] = []
    store = SqlStore.open(path, on_failure=told.append)
    later = SqlStore.open(path)

    store.journal.append(envelope(1, tick(1)))
    store.journal.settle()
    with pytest.raises(Fenced, match="start 1 was superseded by start 2"):
        await store.journal.committed(1)
    with pytest.raises(Fenced):
        store.close()
    assert [type(one) for one in told] == [Fenced]
    assert later.journal.head().entries == 0
    later.close()
