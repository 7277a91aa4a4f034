"""The state tables are what the journal says, and a difference is found wherever it is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Table

from tests.storage.examples import stream, written
from tradeagent.storage.proof import rebuild
from tradeagent.storage.records import SqlRecords
from tradeagent.storage.sql import SqlStore
from tradeagent.storage.tables import STATE


@pytest.mark.parametrize("seed", range(4))
def test_tables_equal_the_fold_of_the_journal(tmp_path: Path, seed: int) -> None:
    """After any stream of messages, with a restart in its midst, every table is the fold."""
    path = tmp_path / "journal.db"
    store = written(path, stream(seed, 300))
    for made in stream(seed + 100, 300, first=1000):
        store.journal.append(made)
    store.close()

    records = SqlRecords.read(path)
    assert rebuild(records) == []
    records.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rebuild") / "journal.db"
    written(path, stream(1, 600)).close()
    return path


@pytest.mark.parametrize("table", STATE, ids=lambda table: table.name)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE {0} SET {1} = {1} || '7' WHERE {2} = :key", "the journal says"),
        ("DELETE FROM {0} WHERE {2} = :key", "is missing"),
        ("UPDATE {0} SET {2} = {2} || '999999' WHERE {2} = :key", "not in the journal"),
    ],
    ids=["changed", "removed", "moved"],
)
def test_every_difference_is_reported(
    whole: Path, tmp_path: Path, table: Table, damage: str, said: str
) -> None:
    """A row changed, removed or moved behind the journal's back is named with its table."""
    path = Path(shutil.copy(whole, tmp_path))
    *_, key = (column.name for column in table.primary_key)
    if table.name == "runtime_state":
        key = "name"
    cell = [column.name for column in table.columns if not column.primary_key][-1]
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        where = f"{cell} IS NOT NULL AND {key} <> '' AND seq > 0" if key != "time" else "1"
        if table.name == "runtime_state":
            where += " AND type <> 'STORE'"
        found = writer.execute(f"SELECT {key} FROM {table.name} WHERE {where} LIMIT 1").fetchone()
        writer.execute(damage.format(table.name, cell, key), {"key": found[0]})
    records = SqlRecords.read(path)
    found = rebuild(records)
    records.close()

    assert all(line.startswith(f"{table.name} ") for line in found)
    assert any(said in line for line in found)


def test_a_row_of_an_unknown_form_is_reported(tmp_path: Path) -> None:
    """A payload that cannot be read is a difference, not a crash."""
    path = tmp_path / "journal.db"
    store: SqlStore = written(path, stream(2, 100))
    wire = "FILL"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("UPDATE journal SET payload = x'7b7d' WHERE type = ?", (wire,))

    assert any("cannot be read: FILL" in line for line in rebuild(store))
    store.close()
