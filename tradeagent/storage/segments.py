"""Old parts of a journal: compressed files beside it that its chain still runs through."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tradeagent.errors import StateError
from tradeagent.storage.chain import GENESIS, Row
from tradeagent.storage.projection import Projection
from tradeagent.storage.tables import FORMAT

NAME = re.compile(r"journal-(\d{12})-(\d{12})\.jsonl\.gz")
DRAFT = ".new"
DAMAGED = (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError)


class Anchor(NamedTuple):
    """Where a part of the journal begins: the last row before it, and the state by then.

    `seq`, `ts` (UTC ns) and `hash` (hex) are that row's, `entries` is how many rows lie before,
    `state` is `Projection.dump`.
    """

    seq: int
    ts: int
    hash: str
    entries: int
    state: str

    def projection(self) -> Projection:
        """Return the state."""
        return Projection.load(self.state)


BEGINNING = Anchor(0, 0, GENESIS.hex(), 0, Projection().dump())


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file: the rows after row `after` up to row `last`.

    The first line is the format and the anchor, each other line a row without `prev_hash`.
    """

    after: int
    last: int
    path: Path

    def anchor(self) -> Anchor:
        """Return where it begins; raises StateError for what is no segment of ours."""
        try:
            with gzip.open(self.path, "rt", encoding="utf-8") as file:
                head = json.loads(file.readline())
                version, anchor = head["format"], head["anchor"]
        except DAMAGED as error:
            raise self._damaged(error) from error
        if version > FORMAT:
            raise StateError(newer(self.path, version))
        return Anchor(*anchor)

    def rows(self) -> Iterator[Row]:
        """Yield its rows, oldest first; raises StateError where it is damaged."""
        previous = bytes.fromhex(self.anchor().hash)
        try:
            with gzip.open(self.path, "rt", encoding="utf-8") as file:
                file.readline()
                for line in file:
                    *cells, body, digest = json.loads(line)
                    after = bytes.fromhex(digest)
                    yield (*cells, body.encode(), previous, after)
                    previous = after
        except DAMAGED as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> StateError:
        return StateError(f"{self.path}: a damaged segment ({error}); restore it from a backup")


def newer(path: Path, version: object) -> str:
    """Return what to do about a journal of a later format, in one line."""
    return (
        f"{path}: its journal format {version} is newer than {FORMAT}, the last this tradeagent "
        "reads; upgrade tradeagent, or choose another --state"
    )


def folder_of(journal: Path) -> Path:
    """Return where the segments of a journal file are."""
    return journal.parent / "segments"


def all_segments(folder: Path) -> list[Segment]:
    """Return whatever segments are there, oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        name = NAME.fullmatch(path.name)
        if name is not None:
            found.append(Segment(int(name[1]), int(name[2]), path))
    return sorted(found)


def drafts(folder: Path) -> list[Path]:
    """Return the segments that were never finished."""
    return sorted(folder.glob(f"journal-*.jsonl.gz{DRAFT}"))


def find_segments(folder: Path, anchor: Anchor) -> list[Segment]:
    """Return the segments that lead up to `anchor` without a gap, oldest first.

    What was written but is still in the journal file, as after a power cut, is not among them.
    """
    whole: list[Segment] = []
    wanted = anchor.seq
    for one in reversed(all_segments(folder)):
        if one.last == wanted and one.after < wanted:
            whole.insert(0, one)
            wanted = one.after
    return whole


def write_segment(
    folder: Path, anchor: Anchor, last: int, rows: Iterable[Sequence[object]]
) -> Segment:
    """Write rows up to `last` as a segment that is there whole or not at all."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync(folder.parent)
    place = folder / f"journal-{anchor.seq:012d}-{last:012d}.jsonl.gz"
    draft = place.with_name(place.name + DRAFT)
    draft.unlink(missing_ok=True)
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as raw:
        with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            file.write(json.dumps({"format": FORMAT, "anchor": anchor}).encode() + b"\n")
            for row in rows:
                file.write(_line(row))
        raw.flush()
        os.fsync(raw.fileno())
    draft.rename(place)
    _sync(folder)
    return Segment(anchor.seq, last, place)


def _sync(folder: Path) -> None:
    """Make durable which names a folder has."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _line(row: Sequence[object]) -> bytes:
    *cells, body, _, digest = row
    assert isinstance(body, bytes)
    assert isinstance(digest, bytes)
    text = json.dumps([*cells, body.decode(), digest.hex()], ensure_ascii=False)
    return text.encode() + b"\n"
