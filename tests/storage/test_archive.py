"""Old entries move into segments: nothing is lost, whatever happens meanwhile."""

from __future__ import annotations

import gzip
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.storage.examples import START, envelope, stream, tick, written
from tradeagent.errors import StateError
from tradeagent.storage.archive import STAYS, archive
from tradeagent.storage.projection import Projection
from tradeagent.storage.proof import rebuild, verify
from tradeagent.storage.records import SqlRecords
from tradeagent.storage.segments import folder_of
from tradeagent.storage.sql import SqlStore

MADE = 4_000
"""Messages made; those of a recorded file leave no row."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of some thousand rows of all kinds."""
    path = tmp_path_factory.mktemp("archive") / "state" / "journal.db"
    path.parent.mkdir()
    written(path, stream(1, MADE)).close()
    return path


@pytest.fixture
def journal(full: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(full.parent, tmp_path / "state")) / full.name


def rows(journal: Path) -> list[tuple[object, ...]]:
    """Return every row of the journal, wherever it lies, but its wire id."""
    records = SqlRecords.read(journal)
    found = [tuple(row) for row in records.rows()]
    records.close()
    return found


def times(journal: Path) -> list[int]:
    """Return the times of the rows in the file."""
    with closing(sqlite3.connect(journal)) as connection:
        return [row[0] for row in connection.execute("SELECT ts FROM journal ORDER BY seq")]


def whole(journal: Path) -> None:
    """Check chain and tables."""
    records = SqlRecords.read(journal)
    assert verify(records) is None
    assert rebuild(records) == []
    records.close()


def test_what_was_moved_is_read_as_before(journal: Path) -> None:
    """In two steps most rows leave the file; every row is still there, in its order."""
    before, all_times = rows(journal), times(journal)
    past = SqlStore.open(journal, waits=False)
    digest = past.past().digest
    past.close()

    first = archive(journal, all_times[500])
    second = archive(journal, all_times[1500])

    assert (first.rows, second.rows) == (500, 1000)
    assert len(times(journal)) == len(before) - 1500
    assert rows(journal) == before
    whole(journal)
    store = SqlStore.open(journal, waits=False)
    assert store.past().digest == digest
    store.close()


def test_the_last_rows_stay(journal: Path) -> None:
    """However late the time, the file keeps what a start looks at, and the next run goes on."""
    before = rows(journal)
    archive(journal, 1 << 62)
    assert len(times(journal)) == STAYS

    store = SqlStore.open(journal, waits=False)
    store.journal.append(envelope(10_000, tick(1), START + 10**15))
    store.close()

    assert len(rows(journal)) == len(before) + 1
    whole(journal)


def test_an_anchor_takes_the_place_of_what_was_moved_away(journal: Path, tmp_path: Path) -> None:
    """Without the segments the rest is still proven, from the state that is kept of them."""
    archive(journal, times(journal)[1200])
    folder_of(journal).rename(tmp_path / "away")

    whole(journal)
    records = SqlRecords.read(journal)
    assert records.start().entries == 1200
    records.close()


def test_entries_older_than_the_wire_ids_alone_move(journal: Path) -> None:
    """A message that may be delivered again stays known: its row stays."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        known = connection.execute("SELECT seq FROM journal LIMIT 1 OFFSET 700").fetchone()[0]
        connection.execute("UPDATE journal SET wire_id = 'a-1-1' WHERE seq = ?", (known,))

    moved = archive(journal, 1 << 62)

    assert moved.rows == 700
    store = SqlStore.open(journal, waits=False)
    assert store.arrived() == ["a-1-1"]
    store.close()


def test_a_cut_between_writing_and_deleting_loses_nothing(journal: Path, tmp_path: Path) -> None:
    """A segment whose rows are still in the file counts for nothing, and is written again."""
    before, when = rows(journal), times(journal)[1200]
    old = shutil.copy(journal, tmp_path / "old.db")
    archive(journal, when)
    shutil.copy(old, journal)
    (folder_of(journal) / "journal-000000000000-000000000001.jsonl.gz.new").write_bytes(b"half")

    assert rows(journal) == before
    whole(journal)
    assert archive(journal, when).rows == 1200
    assert rows(journal) == before
    whole(journal)


def test_what_a_cut_left_behind_goes_with_the_next_archive(journal: Path, tmp_path: Path) -> None:
    """Orphans and drafts go once their rows are proven to be in the file; what is unsure stays."""
    before, when = rows(journal), times(journal)
    old = shutil.copy(journal, tmp_path / "old.db")
    orphan = archive(journal, when[1200]).path
    assert orphan is not None
    shutil.copy(old, journal)
    folder = folder_of(journal)
    (folder / "journal-000000000000-000000000001.jsonl.gz.new").write_bytes(b"half")
    unsure = folder / "journal-000000000000-000000000900.jsonl.gz"
    unsure.write_bytes(b"damaged")

    moved = archive(journal, when[1500])

    assert moved.path is not None
    assert sorted(folder.iterdir()) == sorted([unsure, moved.path])
    assert rows(journal) == before
    whole(journal)


def test_a_segment_of_another_life_is_kept(journal: Path, tmp_path: Path) -> None:
    """With an older journal put back, what its segments have beyond it is deleted by nobody."""
    other = Path(shutil.copytree(journal.parent, tmp_path / "other")) / journal.name
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("DELETE FROM journal WHERE seq > 1100")
    later = archive(journal, times(journal)[1200]).path
    assert later is not None
    shutil.copy(other, journal)

    archive(journal, times(journal)[50])

    assert later.exists()


TIGHT = """
import resource, sys
from pathlib import Path
from tradeagent.storage.archive import archive
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
moved = archive(Path(sys.argv[1]), int(sys.argv[2]))
print(moved.rows, moved.warning)
"""


def test_room_that_is_not_given_back_is_a_warning(journal: Path) -> None:
    """Where the disk has no room for the file anew, the rows are moved all the same."""
    before, room = rows(journal), journal.stat().st_size // 2

    ended = subprocess.run(
        [sys.executable, "-c", TIGHT, str(journal), str(times(journal)[200]), str(room)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout.startswith("200 "), ended.stderr
    assert "keeps its size for now" in ended.stdout
    assert rows(journal) == before
    whole(journal)


VICTIM = """
import sys
from pathlib import Path
from tradeagent.storage.archive import archive
for part in range(1, 7):
    archive(Path(sys.argv[1]), int(sys.argv[1 + part]))
"""


def test_kills_at_any_moment_lose_nothing(journal: Path) -> None:
    """Killed again and again while it moves, the journal is always whole and complete."""
    before, all_times = rows(journal), times(journal)
    steps = [str(all_times[part * 250]) for part in range(1, 7)]
    chance = random.Random(5)

    for _ in range(6):
        victim = subprocess.Popen([sys.executable, "-c", VICTIM, str(journal), *steps])
        with suppress(subprocess.TimeoutExpired):
            victim.wait(0.5 + 0.5 * chance.random())
        victim.kill()
        victim.wait(10)
        assert rows(journal) == before
        whole(journal)


def test_a_damaged_segment_is_told(journal: Path) -> None:
    """A byte changed in a segment is found: by its entry, or as a damaged file."""
    archive(journal, times(journal)[1200])
    (segment,) = folder_of(journal).iterdir()
    sound = segment.read_bytes()
    lines = gzip.decompress(sound).split(b"\n")
    changed = lines[100].replace(b'"tester"', b'"tester2"', 1)
    number = int(changed[1:].split(b",")[0])
    segment.write_bytes(gzip.compress(b"\n".join([*lines[:100], changed, *lines[101:]])))
    records = SqlRecords.read(journal)
    assert verify(records) == number

    segment.write_bytes(sound[:-2000])
    with pytest.raises(StateError, match="a damaged segment"):
        verify(records)
    records.close()


def test_a_broken_journal_is_not_archived(journal: Path) -> None:
    """What does not hold is reported and stays where it is."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("UPDATE journal SET ts = ts + 1 WHERE seq = 100")
    before = rows(journal)

    with pytest.raises(StateError, match="chain breaks at 100"):
        archive(journal, 1 << 62)

    assert rows(journal) == before
    assert not list(folder_of(journal).glob("*.gz"))


def test_a_state_is_the_same_from_its_own_words(journal: Path) -> None:
    """What is kept of the state is the whole of it, and goes on alike."""
    records = SqlRecords.read(journal)
    entries = list(records.entries())
    records.close()
    state = Projection()
    for entry in entries[:2000]:
        state.apply(entry.seq, entry.ts, entry.message)

    again = Projection.load(state.dump())

    assert again.digest() == state.digest()
    for entry in entries[2000:]:
        state.apply(entry.seq, entry.ts, entry.message)
        again.apply(entry.seq, entry.ts, entry.message)
    assert again.digest() == state.digest()
