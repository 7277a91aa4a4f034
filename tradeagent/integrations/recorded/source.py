"""What a reader sees of a file, whatever its format: raw columns, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tradeagent.integrations.recorded.table import Raw

LINES = frozenset({".jsonl", ".ndjson"})
"""Suffixes of files of JSON lines."""
PARQUET = ".parquet"


@dataclass(frozen=True)
class Block:
    """Some rows as raw columns."""

    columns: list[Raw]
    rows: int
    """How many rows of the file they are, with those that are not in the columns."""
    misfits: int = 0
    """How many had the wrong number of columns."""
    done: float = 1.0
    """What part of the file is read by now."""


class Source(Protocol):
    """A file with named columns."""

    header: list[str]
    first_row: int
    """What people call the first row of data: 2 below a header."""

    def unit(self, column: str) -> str | None:
        """Return the unit of time the file itself declares for a column."""
        ...

    def blocks(self, columns: Mapping[str, str]) -> Iterator[Block]:
        """Yield the file's columns, by our names of them, some thousand rows at a time.

        Raises DataError when the file is unreadable.
        """
        ...

    def rows(self, columns: Sequence[str], first: int) -> Iterator[Block]:
        """Yield rows one by one and as they are written, from place `first` on; raises DataError.

        One with the wrong number of columns is a block of one misfit.
        """
        ...


def open_source(path: Path) -> Source:
    """Open a file by its suffix: Parquet, JSON lines or else CSV; raises DataError."""
    suffix = path.suffix.lower()
    if suffix == PARQUET:
        from tradeagent.integrations.recorded.parquet import ParquetSource

        return ParquetSource(path)
    from tradeagent.integrations.recorded.text import CsvSource, JsonLinesSource

    return JsonLinesSource(path) if suffix in LINES else CsvSource(path)
