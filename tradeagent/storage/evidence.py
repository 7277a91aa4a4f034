"""What a journal holds about one decision: every look-up is by key or within a short span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from tradeagent.messages import DataReference, TradeSignal
from tradeagent.storage import tables
from tradeagent.storage.base import Entry
from tradeagent.storage.names import Found, Names
from tradeagent.storage.records import SqlRecords, read_entry

SPAN = 500
"""Rows after a message within which all that followed from it at once stands."""
BACK = 2_000
"""Signals and views looked through, backwards, for the one a decision rested on."""
LONGEST_CHAIN = 1_000
STRETCH = 5_000
"""Archived rows that are read at a time."""

_journal, _orders, _fills = tables.journal.c, tables.orders.c, tables.fills.c
_intents, _events, _analyses = tables.intents.c, tables.events.c, tables.analyses.c


class Evidence:
    """Reads one consistent state of a journal file, row by row, and archived rows where they are.

    What is in the file is found by key; of a segment a stretch is read at a time.
    """

    def __init__(self, records: SqlRecords) -> None:
        """Open a snapshot; `close` ends it."""
        self._records = records
        self._connection: Connection = records.engine.connect()
        self._names = Names(self._connection)
        self._archived_to = records.anchor().seq
        self._stretches: dict[int, dict[int, Entry]] = {}

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()

    # -- by name ----------------------------------------------------------------------------------

    def find(self, reference: str) -> Sequence[Found]:
        """Return what `reference` may name, see `Names.find`; rows that are not there are not."""
        found = self._names.find(reference)
        there = [one for one in found if one.intent or self.entry(one.seq or 0) is not None]
        return there or self._names.ids(reference)

    def last(self, what: str) -> Found | None:
        """Return the last `fill`, `order`, `signal` or `rejection`, None when there is none."""
        if what == "fill":
            return self._last(select(_fills.seq).order_by(_fills.seq.desc()))
        if what == "signal":
            query = select(_analyses.seq).where(_analyses.type == TradeSignal.wire)
            return self._last(query.order_by(_analyses.seq.desc()))
        if what == "rejection":
            query = select(_intents.assessed_seq).where(_intents.verdict == "rejected")
            return self._last(query.order_by(_intents.assessed_seq.desc()))
        query = select(_orders.intent_id).order_by(_orders.seq.desc()).limit(1)
        rows = self._rows(query)
        return Found(f"intent:{rows[0][0]}", intent=rows[0][0]) if rows else None

    def _last(self, query: Select[tuple[int]]) -> Found | None:
        rows = self._rows(query.limit(1))
        return Found(f"row:{rows[0][0]}", seq=rows[0][0]) if rows else None

    # -- by place ---------------------------------------------------------------------------------

    def entry(self, seq: int) -> Entry | None:
        """Return one row."""
        if seq <= self._archived_to:
            return self._archived(seq)
        found = self._entries(select(tables.journal).where(_journal.seq == seq))
        return found[0] if found else None

    def _archived(self, seq: int) -> Entry | None:
        first = seq // STRETCH * STRETCH
        if first not in self._stretches:
            near = self._records.entries(first, first + STRETCH - 1)
            self._stretches[first] = {entry.seq: entry for entry in near}
        return self._stretches[first].get(seq)

    def causes(self, entry: Entry) -> Sequence[Entry]:
        """Return what led to `entry`, up to the input it began with, oldest first."""
        chain: list[Entry] = []
        while entry.cause and len(chain) < LONGEST_CHAIN:
            cause = self.entry(entry.cause)
            if cause is None:
                break
            chain.append(cause)
            entry = cause
        return chain[::-1]

    def followed(self, cause: int, *, after: int) -> Sequence[Entry]:
        """Return what was said on `cause` at once, from row `after` on."""
        if after < self._archived_to:
            near = (self.entry(seq) for seq in range(after + 1, after + SPAN + 1))
            return [one for one in near if one is not None and one.cause == cause]
        query = select(tables.journal).where(_journal.seq > after, _journal.seq <= after + SPAN)
        return self._entries(query.where(_journal.cause == cause).order_by(_journal.seq))

    def decision(self, intent: str) -> Sequence[Entry]:
        """Return the request of an intent and Risk's verdict on it, as far as they are there."""
        query = select(_intents.seq, _intents.assessed_seq).where(_intents.intent_id == intent)
        return self._at(seq for row in self._rows(query) for seq in row if seq is not None)

    def cloids(self, intent: str) -> Sequence[str]:
        """Return the attempts at an intent, oldest first."""
        query = select(_orders.cloid).where(_orders.intent_id == intent).order_by(_orders.seq)
        return [row[0] for row in self._rows(query)]

    def life(self, cloid: str) -> Sequence[Entry]:
        """Return all that was said of an order, its fills included, oldest first."""
        said = select(_events.seq).where(_events.subject == cloid)
        filled = select(_fills.seq).where(_fills.cloid == cloid)
        return self._at(row[0] for query in (said, filled) for row in self._rows(query))

    def signal(self, strategy: str, symbol: str, time: int, *, before: int) -> Entry | None:
        """Return the signal of a strategy that rests on `time` (UTC ns)."""
        query = select(_analyses.seq, _analyses.payload).where(
            _analyses.type == TradeSignal.wire,
            _analyses.author == strategy,
            _analyses.symbol == symbol,
            _analyses.seq <= before,
        )
        with self._connection.execute(query.order_by(_analyses.seq.desc()).limit(BACK)) as rows:
            for row in rows:  # one by one: it is nearly always among the first
                if TradeSignal.model_validate_json(row.payload).time == time:
                    return self.entry(row.seq)
        return None

    def file(self, symbol: str, *, before: int) -> DataReference | None:
        """Return the recorded file that held the market data of `symbol`, if one did."""
        boot = select(tables.config.c.seq).where(tables.config.c.seq <= before)
        rows = self._rows(boot.order_by(tables.config.c.seq.desc()).limit(1))
        first = rows[0][0] if rows else 0
        for entry in self._records.entries(first + 1, first + SPAN):
            if entry.type == DataReference.wire:
                message = entry.message
                if isinstance(message, DataReference) and message.symbol == symbol:
                    return message
        return None

    def _at(self, seqs: Iterable[int]) -> list[Entry]:
        found = (self.entry(seq) for seq in sorted(set(seqs)))
        return [entry for entry in found if entry is not None]

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._connection.execute(query).all()

    def _entries(self, query: Select[Any]) -> list[Entry]:
        return [read_entry(row) for row in self._rows(query)]
