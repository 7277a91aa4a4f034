"""The tables of a journal file: the journal itself and the state that is folded from it.

Decimals stand as text, so that they come back digit by digit; times are UTC nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

REVISION = "0002"
"""The schema revision this code reads and writes; the last one under `migrations`."""

FORMAT = 1
"""What a row of the journal is and how rows are chained, in the file as its `user_version`.

A file without one is of format 1.
"""

STORE = "STORE"
"""The type of the `runtime_state` rows that are the store's own and no fold of the journal."""

metadata = MetaData()
Long = BigInteger().with_variant(Integer, "sqlite")


def _key(name: str) -> Column[int]:
    return Column(name, Long, primary_key=True, autoincrement=False)


def _long(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Long, nullable=nullable)


def _word(name: str, *, key: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, String, primary_key=key, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


journal = Table(
    "journal",
    metadata,
    _key("seq"),
    _long("ts"),
    _word("type"),
    _word("source"),
    _long("epoch"),
    _long("cause"),
    _long("trace"),
    _long("derived"),
    _word("wire_id", nullable=True),
    Column("payload", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

config = Table(
    "config",
    metadata,
    _key("epoch"),
    _long("seq"),
    _long("ts"),
    _word("configuration"),
    _word("profile"),
    _word("version"),
    _word("code"),
    _text("payload"),
)

runtime_state = Table(
    "runtime_state",
    metadata,
    _word("type", key=True),
    _word("name", key=True),
    _word("scope", key=True),
    _long("seq"),
    _long("ts"),
    _text("value"),
    sqlite_with_rowid=False,
)

incidents = Table(
    "incidents",
    metadata,
    _key("seq"),
    _long("ts"),
    _word("type"),
    _word("source"),
    _word("code"),
    _word("severity"),
    _word("symbol", nullable=True),
    _text("payload"),
)

analyses = Table(
    "analyses",
    metadata,
    _key("seq"),
    _long("ts"),
    _word("type"),
    _word("source"),
    _word("symbol"),
    _word("author"),
    _long("valid_until"),
    _text("payload"),
    Index("analyses_author", "author", "symbol", "seq"),
)

events = Table(
    "events",
    metadata,
    _key("seq"),
    _long("ts"),
    _word("type"),
    _word("source"),
    _word("subject"),
    _text("payload"),
    Index("events_subject", "subject", "seq"),
)

positions = Table(
    "positions",
    metadata,
    _word("symbol", key=True),
    _long("seq"),
    _long("ts"),
    _word("size"),
    _word("entry_price"),
    _word("realised_pnl"),
    _word("fees"),
    _word("funding"),
    _text("payload"),
)

orders = Table(
    "orders",
    metadata,
    _word("cloid", key=True),
    _long("seq"),
    _long("ts"),
    _word("source"),
    _word("intent_id"),
    _word("symbol"),
    _word("side"),
    _word("strategy"),
    _word("status"),
    _long("open"),
    _word("size"),
    _word("filled"),
    _text("payload"),
    Index("orders_open", "open", "ts"),
    Index("orders_seq", "seq"),
    Index("orders_intent", "intent_id"),
)

intents = Table(
    "intents",
    metadata,
    _word("intent_id", key=True),
    _word("symbol"),
    _word("strategy"),
    _long("seq", nullable=True),
    _long("ts", nullable=True),
    _word("side", nullable=True),
    _text("request", nullable=True),
    _long("assessed_seq", nullable=True),
    _long("assessed_ts", nullable=True),
    _word("assessed_by", nullable=True),
    _word("verdict", nullable=True),
    _text("reasons", nullable=True),
    _word("cloid", nullable=True),
    _text("assessment", nullable=True),
    Index("intents_assessed", "assessed_seq"),
    Index("intents_cloid", "cloid"),
)

fills = Table(
    "fills",
    metadata,
    _word("cloid", key=True),
    _word("tid", key=True),
    _long("seq"),
    _long("ts"),
    _word("source"),
    _word("intent_id"),
    _word("symbol"),
    _word("side"),
    _word("size"),
    _word("price"),
    _word("fee"),
    _word("strategy"),
    _long("time"),
    _text("payload"),
    Index("fills_seq", "seq"),
    Index("fills_tid", "tid"),
    Index("fills_time", "time"),
)

bars = Table(
    "bars",
    metadata,
    _word("symbol", key=True),
    _word("timeframe", key=True),
    Column("time", Long, primary_key=True, autoincrement=False),
    Column("open", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("close", Float, nullable=False),
    Column("volume", Float, nullable=False),
    sqlite_with_rowid=False,
)

STATE = tuple(table for table in metadata.sorted_tables if table is not journal)
"""Every table that is a fold of the journal."""


@dataclass(frozen=True, eq=False)
class Put:
    """One way of writing rows: `columns` of `table`; a row that stands takes only `changes`."""

    table: Table
    columns: tuple[str, ...]
    changes: tuple[str, ...] = ()

    @cached_property
    def _frame(self) -> tuple[str, str, str]:
        keys = [column.name for column in self.table.primary_key]
        settings = ", ".join(f"{name} = excluded.{name}" for name in self.changes)
        action = f"DO UPDATE SET {settings}" if settings else "DO NOTHING"
        conflict = "" if self.table is journal else f" ON CONFLICT ({', '.join(keys)}) {action}"
        head = f"INSERT INTO {self.table.name} ({', '.join(self.columns)}) VALUES "  # noqa: S608
        return head, f"({', '.join('?' * len(self.columns))})", conflict

    def statement(self, rows: int) -> str:
        """Return the SQL that writes `rows` rows at once."""
        head, row, conflict = self._frame
        return head + ", ".join([row] * rows) + conflict


def put(table: Table, *columns: str, keep: tuple[str, ...] = ()) -> Put:
    """Return how to write `columns` (all by default); a standing row keeps its key and `keep`."""
    named = columns or tuple(column.name for column in table.columns)
    fixed = {column.name for column in table.primary_key} | set(keep)
    return Put(table, named, tuple(name for name in named if name not in fixed))
