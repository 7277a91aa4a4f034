"""Take the raw columns of CSV and of JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tradeagent.errors import DataError
from tradeagent.integrations.recorded.source import Block
from tradeagent.integrations.recorded.table import TEXTS, WHOLE, WORDS, Raw

CHUNK = 1 << 20
ROWS = 16_384
"""Bytes, or rows, read at once: memory stays small and work on columns is still done in bulk."""
LOOKED_AT = 100
"""Of so many JSON objects the names are known; later ones may lack some."""
MARK = b"\xef\xbb\xbf"
"""What some programs put at the start of UTF-8 text."""
COMMA, NEWLINE, QUOTE = 44, 10, 34


class CsvSource:
    """A CSV file whose first row names its columns."""

    first_row = 2

    def __init__(self, path: Path) -> None:
        """Read the header; raises DataError."""
        self._path = path
        header = next(self._written(), None)
        if header is None:
            raise DataError(f"{path.name}: the file is empty; give one with a header and rows")
        if not all(map(str.isprintable, header)):
            raise _no_text(path, "row 1 holds control characters")
        self.header = header

    def unit(self, column: str) -> str | None:  # noqa: ARG002 - text declares no units
        """Return None: text declares no units."""
        return None

    def blocks(self, columns: Mapping[str, str]) -> Iterator[Block]:
        """Yield columns as numbers where all are; else as text. Blank lines are no rows."""
        places = [self.header.index(column) for column in columns.values()]
        kinds = np.dtype([(f"f{at}", _kind(ours)) for at, ours in enumerate(columns)])
        for number, (chunk, done) in enumerate(chunks(self._path)):
            plain = None if number == 0 else self._plain(chunk, places, kinds)
            if plain is not None:
                yield Block(plain, len(plain[0]), 0, done)
                continue
            rows = list(self._parsed(chunk))
            yield self._careful(rows[1:] if number == 0 else rows, places, done)

    def rows(self, columns: Sequence[str], first: int) -> Iterator[Block]:
        """Yield rows one by one, as text."""
        places = [self.header.index(column) for column in columns]
        for row in islice(self._written(), first + 1, None):
            yield self._careful([row], places, 0.0)

    def _careful(self, rows: list[list[str]], places: list[int], done: float) -> Block:
        width = len(self.header)
        whole = [row for row in rows if len(row) == width]
        every: list[Sequence[object]] = list(zip(*whole, strict=True)) or [()] * width
        misfits = len(rows) - len(whole) - rows.count([])
        return Block([every[place] for place in places], len(rows), misfits, done)

    def _plain(self, chunk: bytes, places: list[int], kinds: np.dtype[np.void]) -> list[Raw] | None:
        """Return the columns of rows that are all of full width and without quotes, fast.

        None for any others, and where a number does not look like one: those are read with care.
        """
        if not _is_grid(chunk, len(self.header)):
            return None
        try:
            lines = chunk.decode().split("\n")[:-1]
            table = np.loadtxt(lines, kinds, comments=None, delimiter=",", usecols=places, ndmin=1)
        except ValueError:  # of which an error of decoding is one
            return None
        return [
            list(table[name]) if kinds[name].hasobject else np.ascontiguousarray(table[name])
            for name in table.dtype.names or ()
        ]

    def _parsed(self, chunk: bytes) -> Iterator[list[str]]:
        try:
            yield from csv.reader(StringIO(chunk.decode(), newline=""))
        except (UnicodeDecodeError, csv.Error) as error:
            raise _no_text(self._path, error) from error

    def _written(self) -> Iterator[list[str]]:
        """Yield every row, the header too, as text."""
        for chunk, _ in chunks(self._path):
            yield from self._parsed(chunk)


class JsonLinesSource:
    """A file of JSON objects, one a line; their names are the columns."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        """Look at the first objects; raises DataError."""
        self._path = path
        first = next((lines for lines, _ in self._lines(LOOKED_AT)), [])
        found = [one for one in map(self._object, first) if one is not None]
        if not first:
            raise DataError(f"{path.name}: the file is empty; give one with a JSON object a line")
        if not found:
            raise DataError(f"{path.name}: row 1 is no JSON object; give one a line, or CSV")
        self.header = list(dict.fromkeys(name for one in found for name in one))

    def unit(self, column: str) -> str | None:  # noqa: ARG002 - JSON declares no units
        """Return None: JSON declares no units."""
        return None

    def blocks(self, columns: Mapping[str, str]) -> Iterator[Block]:
        """Yield the columns as Python's values, None where an object lacks one."""
        for lines, done in self._lines():
            yield self._block(lines, list(columns.values()), done)

    def rows(self, columns: Sequence[str], first: int) -> Iterator[Block]:
        """Yield rows one by one."""
        every = (line for lines, _ in self._lines() for line in lines)
        for line in islice(every, first, None):
            yield self._block([line], columns, 0.0)

    def _lines(self, count: int = ROWS) -> Iterator[tuple[list[bytes], float]]:
        with _opened(self._path) as file:
            size = self._path.stat().st_size or 1
            while lines := list(islice(file, count)):
                yield lines, file.tell() / size

    def _block(self, lines: list[bytes], columns: Sequence[str], done: float) -> Block:
        read = [self._object(line) for line in lines]
        whole = [one for one in read if one is not None]
        blank = sum(not line.strip() for line in lines)
        found: list[Raw] = [[one.get(column) for one in whole] for column in columns]
        return Block(found, len(lines), len(lines) - len(whole) - blank, done)

    @staticmethod
    def _object(line: bytes) -> dict[str, object] | None:
        try:
            found = json.loads(line)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def chunks(path: Path) -> Iterator[tuple[bytes, float]]:
    """Yield a file in parts of whole rows, and what part of it is read by then.

    The first part is the header alone where that is one line. Raises DataError.
    """
    with _opened(path) as file:
        size = path.stat().st_size or 1
        kept, read = b"", file.readline().removeprefix(MARK)
        while read:
            whole, kept = _cut(kept + read)
            if whole:
                yield whole, file.tell() / size
            read = file.read(CHUNK)
        if kept:
            yield kept + b"\n", 1.0


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; correct path") from error


def _cut(read: bytes) -> tuple[bytes, bytes]:
    """Return what is read up to the last end of a row, and what is left.

    Within a quoted cell a line break ends no row: while one is open, all is left.
    """
    end = read.rfind(b"\n") + 1
    return (b"", read) if read.count(b'"', 0, end) % 2 else (read[:end], read[end:])


def _is_grid(chunk: bytes, width: int) -> bool:
    """Tell whether every line has `width` cells and nothing is quoted."""
    raw: NDArray[np.uint8] = np.frombuffer(chunk, dtype=np.uint8)
    marks = raw[(raw == COMMA) | (raw == NEWLINE) | (raw == QUOTE)]
    if len(marks) % width or not chunk.endswith(b"\n"):
        return False
    grid = marks.reshape(-1, width)
    return bool((grid[:, :-1] == COMMA).all() and (grid[:, -1] == NEWLINE).all())


def _kind(ours: str) -> str:
    """Return numpy's code for what a column of ours holds."""
    if ours == "time":
        return "i8"
    return "O" if ours in WORDS or ours in WHOLE or ours in TEXTS else "f8"


def _no_text(path: Path, error: Exception | str) -> DataError:
    return DataError(f"{path.name}: is not CSV text ({error}); give CSV, JSON lines or Parquet")
