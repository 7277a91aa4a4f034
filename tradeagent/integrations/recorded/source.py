"""Take the raw columns of a CSV or Parquet file, a block of rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from tradeagent.errors import DataError

BLOCK = 16_384
"""Rows read at once: memory stays small and the work on columns is still done in bulk."""


@dataclass(frozen=True)
class Block:
    """Some rows as raw columns, and how many rows had the wrong number of columns."""

    columns: list[Sequence[object]]
    misfits: int = 0


class Source(Protocol):
    """A file with named columns."""

    header: list[str]
    first_row: int
    """What people call the first row of data: 2 below a header."""

    def unit(self, column: str) -> str | None:
        """Return the unit of time the file itself declares for a column."""
        ...

    def blocks(self, columns: Sequence[str], rows: int = BLOCK) -> Iterator[Block]:
        """Yield the columns of every `rows` rows; raises DataError when the file is unreadable."""
        ...


def open_source(path: Path) -> Source:
    """Open a file by its suffix, `.parquet` or else CSV; raises DataError."""
    if path.suffix.lower() == ".parquet":
        return ParquetSource(path)
    return CsvSource(path)


class CsvSource:
    """A CSV file whose first row names its columns."""

    first_row = 2

    def __init__(self, path: Path) -> None:
        self._path = path
        header = next(self._rows(), None)
        if header is None:
            raise DataError(f"{path.name}: the file is empty; give one with a header and rows")
        self.header = header

    def unit(self, column: str) -> str | None:  # noqa: ARG002 - text declares no units
        """Return None: text declares no units."""
        return None

    def blocks(self, columns: Sequence[str], rows: int = BLOCK) -> Iterator[Block]:
        """Yield the columns as text; blank lines are no rows. Raises DataError."""
        places = [self.header.index(column) for column in columns]
        width = len(self.header)
        lines = self._rows()
        next(lines)
        while block := list(islice(lines, rows)):
            whole = [row for row in block if len(row) == width]
            misfits = len(block) - len(whole) - block.count([])
            every: list[Sequence[object]] = list(zip(*whole, strict=True)) or [()] * width
            yield Block([every[place] for place in places], misfits)

    def _rows(self) -> Iterator[list[str]]:
        name = self._path.name
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.reader(file)
        except OSError as error:
            raise DataError(
                f"{self._path}: cannot be read: {error.strerror}; correct path"
            ) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{name}: is not CSV text ({error}); give CSV or Parquet") from error


class ParquetSource:
    """A Parquet file; needs pyarrow, which is imported here and nowhere else."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f"{path.name}: Parquet needs pyarrow; install it with tradeagent[data]"
            ) from error
        self._arrow = pyarrow
        try:
            self._file = parquet.ParquetFile(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error}; correct path") from error
        except pyarrow.ArrowException as error:
            raise self._unreadable(error) from error
        self._schema = self._file.schema_arrow
        self.header: list[str] = list(self._schema.names)

    def unit(self, column: str) -> str | None:
        """Return the unit of a timestamp column."""
        kind = self._schema.field(column).type
        return str(kind.unit) if self._arrow.types.is_timestamp(kind) else None

    def blocks(self, columns: Sequence[str], rows: int = BLOCK) -> Iterator[Block]:
        """Yield the columns as Python values, timestamps as integers; raises DataError."""
        try:
            for batch in self._file.iter_batches(batch_size=rows, columns=list(columns)):
                yield Block([self._values(batch.column(column)) for column in columns])
        except (OSError, self._arrow.ArrowException) as error:
            raise self._unreadable(error) from error

    def _values(self, column: object) -> Sequence[object]:
        arrow = self._arrow
        if arrow.types.is_timestamp(column.type):  # type: ignore[attr-defined]
            column = column.cast(arrow.int64())  # type: ignore[attr-defined]
        values: list[object] = column.to_pylist()  # type: ignore[attr-defined]
        return values

    def _unreadable(self, error: BaseException) -> DataError:
        reason = " ".join(str(error).split())
        return DataError(f"{self._path.name}: is not whole Parquet ({reason}); write it again")
