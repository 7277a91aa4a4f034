"""Recorded files to test with: real ones, where they are, and ones made on the spot."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tradeagent.integrations.base import MarketEvent
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.messages import DataStatus

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TRADEAGENT_RECORDINGS") or PROJECT.parent / "shared" / "data")

MINUTE = 60_000_000_000
MS = 1_000_000
BAR_HEADER = ("timestamp_ms", "open", "high", "low", "close", "volume")


def real(name: str) -> Path:
    """Return the path of a real file; skips the test where there is none."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {DATA}; set TRADEAGENT_RECORDINGS to its folder")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as text, read the plainest way."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def feed_of(*paths: Path, **changes: object) -> RecordedFeed:
    """Return a feed of these files, each with the same settings."""
    return RecordedFeed(
        RecordedSettings(
            files=tuple(RecordedFile.model_validate({"path": one, **changes}) for one in paths)
        )
    )


def played(feed: RecordedFeed, start: int = 0) -> list[tuple[int, MarketEvent]]:
    """Return every event from `start` on."""
    return list(feed.events(start))


def faults(status: DataStatus) -> tuple[int, int, int, int, int]:
    """Return gaps, missing, duplicates, disordered and malformed."""
    return (
        status.gaps,
        status.missing,
        status.duplicates,
        status.disordered,
        status.malformed,
    )
