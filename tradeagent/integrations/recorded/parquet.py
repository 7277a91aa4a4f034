"""Take the raw columns of a Parquet file, with DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tradeagent.errors import DataError
from tradeagent.integrations.duck import asked, duck, named, quoted
from tradeagent.integrations.recorded.source import Block
from tradeagent.integrations.recorded.table import TEXTS, WHOLE, WORDS, Raw

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = 122_880
"""Rows read at once, so that memory stays small."""
WHOLE_NUMBERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
)
NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UBIGINT", "UHUGEINT")


class ParquetSource:
    """A Parquet file; a time that is a timestamp is read in nanoseconds, whatever its unit."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        """Read the names and types of the columns; raises DataError."""
        self._path = path
        self._duck = duck(f"{path.name}: Parquet")
        if not path.is_file():
            raise DataError(f"{path}: cannot be read: there is no such file; correct path")
        rows = self._asked(f"DESCRIBE FROM {self._table()}").fetchall()
        self._types = {str(name): str(kind) for name, kind, *_ in rows}
        self.header = list(self._types)

    def unit(self, column: str) -> str | None:
        """Return the unit of a timestamp column: nanoseconds, as they are read."""
        return "ns" if self._types[column].startswith("TIMESTAMP") else None

    def blocks(self, columns: Mapping[str, str]) -> Iterator[Block]:
        """Yield columns as numbers where the file has numbers, else as text; raises DataError."""
        read = ", ".join(
            f"{self._converted(ours, column)} AS c{place}"
            for place, (ours, column) in enumerate(columns.items())
        )
        rows = int(self._asked(f"FROM {self._table()} SELECT count(*)").fetchall()[0][0])
        for first in range(0, rows, ROWS):
            found = self._asked(self._part(read, first, ROWS)).fetchnumpy()
            every: list[Raw] = [
                one if (one := found[f"c{place}"]).dtype != object else one.tolist()
                for place in range(len(columns))
            ]
            count = len(every[0])
            yield Block(every, count, 0, (first + count) / rows)

    def rows(self, columns: Sequence[str], first: int) -> Iterator[Block]:
        """Yield rows one by one, as Python's values; times as they are read."""
        read = ", ".join(
            f"epoch_ns({named(column)})" if self.unit(column) else named(column)
            for column in columns
        )
        found = self._asked(self._part(read, first, ROWS))
        while row := found.fetchmany(1):
            yield Block([[value] for value in row[0]], 1)

    def _asked(self, sql: str) -> DuckDBPyConnection:
        return asked(self._duck, sql, self._path.name)

    def _table(self, numbered: bool = False) -> str:
        options = f"hive_partitioning = false, file_row_number = {numbered}"
        return f"read_parquet({quoted(self._path)}, {options})"

    def _part(self, read: str, first: int, count: int) -> str:
        place = f"file_row_number >= {first} AND file_row_number < {first + count}"
        return f"FROM {self._table(True)} SELECT {read} WHERE {place}"

    def _converted(self, ours: str, column: str) -> str:
        """Return the SQL that reads a column as what ours holds; what is missing is wrong."""
        kind, value = self._types[column], named(column)
        if self.unit(column):
            return f"coalesce(epoch_ns({value}), -1)"
        if ours in WORDS or ours in TEXTS:
            return f"coalesce(CAST({value} AS VARCHAR), '')"
        if (ours == "time" or ours in WHOLE) and kind in WHOLE_NUMBERS:
            return f"coalesce(CAST({value} AS BIGINT), -1)"
        if ours == "time" or ours in WHOLE or not kind.startswith((*WHOLE_NUMBERS, *NUMBERS)):
            return f"coalesce(CAST({value} AS VARCHAR), '')"
        return f"coalesce(CAST({value} AS DOUBLE), 'nan')"
