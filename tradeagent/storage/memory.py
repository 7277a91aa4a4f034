"""A store that lives and ends with the process, for backtests and tests."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from tradeagent.messages import Envelope, MarketData, Message, Origin
from tradeagent.storage.base import Entry, Head, Past, Settled
from tradeagent.storage.chain import GENESIS, Row, link
from tradeagent.storage.projection import Projection

DONE = Settled()
RECORDED = Origin.RECORDED
GROUP = 1000
"""Messages that are chained together."""


class MemoryJournal:
    """The chain without the disk: equal messages give the hash a SqlJournal gives them.

    With `keep` the rows stay; otherwise only the last hash does, whatever the run's length.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._seq = self._ts = self._entries = 0
        self._last = GENESIS
        self._open: list[Envelope[Message]] = []
        self._rows: list[Row] | None = [] if keep else None

    def append(self, envelope: Envelope[Message]) -> None:
        """Take a dispatched message; one from a recorded file leaves no row."""
        if envelope.origin is not RECORDED:
            self._open.append(envelope)

    def _chain(self) -> None:
        """Chain what was taken; many at once cost half of one by one."""
        for envelope in self._open:
            row = link(self._last, envelope)
            self._seq, self._ts, self._last = row[0], row[1], row[-1]
            self._entries += 1
            if self._rows is not None:
                self._rows.append(row)
        self._open.clear()

    @property
    def backlog(self) -> int:
        """Return 0: nothing waits to be written."""
        return 0

    @property
    def failure(self) -> str:
        """Return nothing: memory does not fail."""
        return ""

    def settle(self) -> None:
        """Chain what was taken, once it is enough."""
        if len(self._open) >= GROUP:
            self._chain()

    def committed(self, seq: int) -> Awaitable[None]:  # noqa: ARG002
        """Return what is done already: nobody outlives this journal."""
        return DONE

    def head(self) -> Head:
        """Return the last row's place and hash."""
        self._chain()
        return Head(self._seq, self._ts, self._last.hex(), self._entries)

    def entries(self) -> Sequence[Entry]:
        """Return the rows that were kept, oldest first."""
        self._chain()
        return [
            Entry(*row[:7], derived=bool(row[7]), payload=row[9], hash=row[11].hex())
            for row in self._rows or ()
        ]


class MemoryStore:
    """A store without a file; `keep` lets it tell later what its journal holds."""

    def __init__(self, *, keep: bool = False) -> None:
        self.journal = MemoryJournal(keep=keep)
        self.lean = not keep
        self._epoch = 1
        self._was_clean, self._is_clean = True, False

    def past(self) -> Past:
        """Return what a start, or an agent's restart, restores: the fold of the kept rows."""
        state = Projection()
        for entry in self.journal.entries():
            state.apply(entry.seq, entry.ts, entry.message)
        return state.past(self._epoch, clean=self._was_clean)

    def played(self) -> int | None:
        """Return None: nothing was played before."""
        return None

    def arrived(self) -> list[str]:
        """Return nothing: no message has come before."""
        return []

    def bars(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` kept candles that closed by `before` (UTC ns), oldest first."""
        found: dict[int, MarketData] = {}
        for entry in self.journal.entries():
            if entry.type == MarketData.wire:
                bar = MarketData.model_validate_json(entry.payload)
                if (bar.symbol, bar.timeframe) == (symbol, timeframe) and bar.close_time <= before:
                    found[bar.time] = bar
        return [found[time] for time in sorted(found)[-count:]] if count > 0 else []

    def close(self, *, clean: bool = True) -> None:
        """Note how the run ended."""
        self._is_clean = clean

    def restart(self) -> None:
        """Become what the next start would find, with a new epoch."""
        self._epoch += 1
        self._was_clean, self._is_clean = self._is_clean, False
