"""The journal of a state directory as a replay reads it: row by row, its chain checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tradeagent.errors import IntegrityError, StateError
from tradeagent.messages import Message, decode_payload
from tradeagent.storage.archive import fold_row
from tradeagent.storage.chain import holds
from tradeagent.storage.projection import Projection
from tradeagent.storage.records import SqlRecords


class Broken(IntegrityError):
    """The chain of the journal breaks at `seq`."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the journal's chain breaks at entry {seq}")
        self.seq = seq


class Line(NamedTuple):
    """A row of the journal without its hashes."""

    seq: int
    ts: int
    type: str
    source: str
    epoch: int
    cause: int
    trace: int
    derived: int
    wire_id: str | None
    body: bytes

    @property
    def message(self) -> Message:
        """Return the payload as a message; raises UndecodableError."""
        return decode_payload(self.type, self.body)


class Reader:
    """Reads a journal once, from its oldest row that is here to where it ended when opened.

    As a context it is open. Nothing is ever written; a daemon may run on it meanwhile.
    """

    def __init__(self, journal: Path) -> None:
        """Raises StateError when there is no journal, or one that cannot be read."""
        self.records = SqlRecords.read(journal, tables=False)
        self.head = self.records.head()
        self.start = self.records.start()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()

    def lines(self) -> Iterator[Line]:
        """Yield every row; raises Broken at the first that does not hold, and at a missing end."""
        previous = bytes.fromhex(self.start.hash)
        for row in self.records.rows(0, self.head.seq):
            if not holds(row, previous):
                raise Broken(_number(row))
            previous = row[-1]
            yield Line(*row[:10])
        if previous.hex() != self.head.hash:
            raise Broken(self.head.seq)

    def state_at(self, seq: int) -> Projection:
        """Return the state as it stood once row `seq` was written."""
        state = self.start.projection()
        for row in self.records.rows(0, seq):
            fold_row(state, row)
        return state


def _number(row: Sequence[Any]) -> int:
    with suppress(TypeError, ValueError):
        return int(row[0])
    raise StateError("the journal has an entry without a number; restore a backup")
