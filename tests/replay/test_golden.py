"""Later code opens, follows, folds and replays what earlier code wrote; see golden.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.golden import PLACE, unpack
from tests.replay.house import query, verified
from tradeagent.errors import StateError
from tradeagent.storage.proof import rebuild, verify
from tradeagent.storage.records import SqlRecords
from tradeagent.storage.sql import SqlStore
from tradeagent.storage.tables import FORMAT

RENEW = "if decisions were changed on purpose: python -m tests.replay.golden (and read its head)"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The golden journal in a state directory."""
    return unpack(tmp_path / "state")


def test_the_golden_journal_is_small() -> None:
    """It weighs a few hundred KB at most."""
    assert sum(path.stat().st_size for path in PLACE.rglob("*") if path.is_file()) < 500_000


def test_it_holds_what_it_must(golden: Path) -> None:
    """A halt, a lifted rule, a restart and the trades of several strategies are in it."""
    assert len(query(golden, "SELECT 1 FROM config")) == 2
    assert query(golden, "SELECT 1 FROM events WHERE payload LIKE '%HALTED%'")
    assert query(golden, "SELECT 1 FROM events WHERE subject = 'GROSS'")
    assert len(query(golden, "SELECT DISTINCT strategy FROM fills")) >= 2
    assert len(query(golden, "SELECT 1 FROM fills")) >= 10


def test_it_opens_as_a_store_and_is_whole(golden: Path) -> None:
    """The next run can begin on it, its chain holds, and its tables are the fold of it."""
    SqlStore.open(golden / "journal.db", waits=False).close()

    records = SqlRecords.read(golden / "journal.db")
    assert verify(records) is None
    assert rebuild(records) == []
    records.close()


def test_it_is_decided_the_same_again(golden: Path) -> None:
    """Every decision in it comes again."""
    report = verified(golden)

    assert report.broken is None
    assert report.differences == [], RENEW
    assert [run.unproven for run in report.runs] == ["", ""]
    assert sum(run.derived for run in report.runs) > 150


def test_a_journal_of_a_newer_format_is_refused(golden: Path) -> None:
    """Neither a daemon nor a command opens what a later version wrote; the line says what to do."""
    query(golden, f"PRAGMA user_version = {FORMAT + 1}")

    for opens in (SqlRecords.read, SqlStore.open):
        with pytest.raises(StateError, match=r"format 2 is newer than 1.*upgrade tradeagent"):
            opens(golden / "journal.db")
    assert query(golden, "PRAGMA user_version") == [(FORMAT + 1,)]


def test_a_journal_without_a_format_is_of_the_first(golden: Path) -> None:
    """What was written before there was a number opens, and has one afterwards."""
    query(golden, "PRAGMA user_version = 0")

    SqlStore.open(golden / "journal.db", waits=False).close()

    assert query(golden, "PRAGMA user_version") == [(FORMAT,)]
