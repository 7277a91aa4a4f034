"""Keep what the simulated exchange answered for, durably and apart from the store.

The table `events` only grows: one row for the deposit, for every order, refusal, cancel and fill.
Beside it stand the orders and positions as of the last event, changed in the same transaction, so
that opening costs no more after a year than after a minute. A transaction is
committed before its reports leave: a killed process forgets nothing it told anyone. With
synchronous NORMAL a commit survives the process, not a power cut; the exchange is a simulation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from weakref import finalize

from pydantic import ValidationError

from tradeagent.errors import LockedError, StateError
from tradeagent.messages import ExecutionReport, Order, OrderStatus
from tradeagent.simulation.account import Position

APPLICATION_ID = 0x7A6E_4C31
VERSION = 1
SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, cloid TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX fills ON events (time) WHERE kind = 'fill';
CREATE TABLE orders (
    cloid TEXT PRIMARY KEY, oid INTEGER NOT NULL, placed INTEGER NOT NULL, open INTEGER NOT NULL,
    time INTEGER NOT NULL, symbol TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX open_orders ON orders (oid) WHERE open = 1;
CREATE TABLE filled_groups (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE positions (
    symbol TEXT PRIMARY KEY, size TEXT NOT NULL, cost TEXT NOT NULL, realised TEXT NOT NULL,
    fees TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
"""
ENDED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED})
CHANGE = "UPDATE orders SET open=?, time=?, symbol=?, status=?, reason=? WHERE cloid=?"
HOLD = "REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)"
KINDS = {OrderStatus.CANCELED: "cancel", OrderStatus.REJECTED: "rejection"}


class Entry(NamedTuple):
    """One event: the report it leads to, its order when that is new, and the group a fill ends."""

    seq: int
    report: ExecutionReport
    order: Order | None = None
    group: str | None = None


class OpenOrder(NamedTuple):
    """An order that rests, as the ledger knows it."""

    order: Order
    oid: str
    placed: int


class Ledger:
    """The exchange's own book of events, in a file or, without a path, in memory.

    Raises StateError when the file is damaged, foreign or cannot be written, LockedError when
    another process has it open. After a failed write every later one fails: what the exchange
    believes is then ahead of its ledger, and only opening it again makes them equal.
    """

    def __init__(self, path: Path | None, group: int = 1) -> None:
        """Open the ledger; it commits after each `group` writes, and what waits on `close`.

        Above 1 a killed process loses the writes that wait: for runs that nobody resumes.
        """
        self.path = path
        self._group = group
        self._waiting = 0
        self._unusable = ""
        self._guard = _Guard(path)
        with self._guard:
            self._db = _connect(path)
        self._forgotten = finalize(self, self._db.close)
        with self._guard:
            self.seq: int = self._db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
            """The number of the last event; order and fill ids are numbers of events."""

    def close(self) -> None:
        """Close the file; whatever is asked later raises StateError."""
        if self._waiting and not self._unusable:
            with self._guard:
                self._db.execute("COMMIT")
        self._unusable = "it is closed"
        self._db.close()

    def deposit(self, amount: Decimal) -> Decimal:
        """Return what the account started with: `amount` when the ledger is new."""
        with self._guard:
            if self.seq == 0:
                row = (str(amount),)
                self._db.execute("INSERT INTO events VALUES (1, 0, 'deposit', '', ?)", row)
                self.seq = 1
            found = self._db.execute("SELECT body FROM events WHERE seq = 1").fetchone()
            return Decimal(found[0])

    def positions(self) -> dict[str, Position]:
        """Return every position there ever was, by symbol; it may be flat now."""
        rows = self._rows("SELECT * FROM positions ORDER BY symbol")
        with self._guard:
            return {
                symbol: Position(
                    symbol, Decimal(size), Decimal(cost), Decimal(won), Decimal(fees), t
                )
                for symbol, size, cost, won, fees, t in rows
            }

    def open_orders(self) -> list[OpenOrder]:
        """Return the orders that rest, oldest first."""
        rows = self._rows("SELECT body, oid, placed FROM orders WHERE open = 1 ORDER BY oid")
        with self._guard:
            return [OpenOrder(Order.model_validate_json(r[0]), str(r[1]), r[2]) for r in rows]

    def write(self, entries: Sequence[Entry], positions: Sequence[Position]) -> None:
        """Commit events, and the positions that changed with them, in one transaction."""
        if self._unusable:
            raise StateError(f"{_name(self.path)}: cannot be written: {self._unusable}; restart")
        self._unusable = "an earlier write failed"
        with self._guard:
            self._commit(entries, positions)
        self._unusable = ""
        self.seq = entries[-1].seq

    def find(self, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when it was never seen."""
        rows = self._rows(
            "SELECT symbol, status, time, oid, reason FROM orders WHERE cloid = ?", cloid
        )
        if not rows:
            return None
        symbol, status, time, oid, reason = rows[0]
        return ExecutionReport(
            cloid=cloid,
            symbol=symbol,
            status=OrderStatus(status),
            time=time,
            oid=None if status == OrderStatus.REJECTED else str(oid),
            reason=reason,
        )

    def group_filled(self, name: str) -> bool:
        """Tell whether an order of the group has filled."""
        return bool(self._rows("SELECT 1 FROM filled_groups WHERE name = ?", name))

    def fills(self, since: int) -> list[ExecutionReport]:
        """Return every fill whose time is at or after `since` (UTC ns), in order of events."""
        return self._reports("kind = 'fill' AND time >= ?", since)

    def reports(self, after: int = 0) -> list[ExecutionReport]:
        """Return every report with a number above `after`, in order of events."""
        return self._reports("kind != 'deposit' AND seq > ?", after)

    def _commit(self, entries: Sequence[Entry], positions: Sequence[Position]) -> None:
        db = self._db
        new: dict[str, tuple[str | int, ...]] = {}
        if not self._waiting:
            db.execute("BEGIN")
        for seq, report, order, group in entries:
            status, time, cloid = report.status, report.time, report.cloid
            kind = "fill" if report.execution is not None else KINDS.get(status, "order")
            body = report.__pydantic_serializer__.to_json(report).decode()
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, time, kind, cloid, body))
            if group is not None:
                db.execute("INSERT OR IGNORE INTO filled_groups VALUES (?)", (group,))
            state = (status not in ENDED, time, report.symbol, status.value, report.reason)
            if order is not None:
                text = order.__pydantic_serializer__.to_json(order).decode()
                new[cloid] = (cloid, seq, time, *state, text)
            elif cloid in new:
                new[cloid] = (*new[cloid][:3], *state, new[cloid][-1])
            else:
                db.execute(CHANGE, (*state, cloid))
        for row in new.values():
            db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        for one in positions:
            numbers = (str(one.size), str(one.cost), str(one.realised), str(one.fees))
            db.execute(HOLD, (one.symbol, *numbers, one.time))
        self._waiting += 1
        if self._waiting >= self._group:
            self._waiting = 0
            db.execute("COMMIT")

    def _reports(self, condition: str, bound: int) -> list[ExecutionReport]:
        rows = self._rows(f"SELECT body FROM events WHERE {condition} ORDER BY seq", bound)  # noqa: S608
        with self._guard:
            return [ExecutionReport.model_validate_json(body) for (body,) in rows]

    def _rows(self, query: str, *keys: str | int) -> list[tuple[Any, ...]]:
        with self._guard:
            return self._db.execute(query, keys).fetchall()


def _connect(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA synchronous = NORMAL")
        names = ("application_id", "user_version", "schema_version")
        marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        if marks == [0, 0, 0]:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {VERSION}; {SCHEMA} COMMIT;"
            )
        elif marks[:2] != [APPLICATION_ID, VERSION]:
            raise ValueError(f"it is no exchange ledger of version {VERSION}")
        db.execute("BEGIN IMMEDIATE")
        db.execute("COMMIT")
    except (sqlite3.Error, ValueError):
        db.close()
        raise
    return db


class _Guard:
    """Turn what SQLite or a damaged row raises into an error that names the file and the remedy."""

    def __init__(self, path: Path | None) -> None:
        self._name = _name(path)

    def __enter__(self) -> None:
        """Watch what follows."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raise LockedError or StateError for a fault of the file; let all else pass."""
        if isinstance(error, sqlite3.OperationalError):
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                text = f"{self._name}: in use by another process; stop that one"
                raise LockedError(text) from error
            remedy = "check that its disk is there, writable and not full"
            raise StateError(f"{self._name}: {error}; {remedy}") from error
        if isinstance(error, sqlite3.Error | ValidationError | ValueError | ArithmeticError):
            remedy = "put back a copy, or move it away to start with a new account"
            raise StateError(f"{self._name}: damaged or foreign: {error}; {remedy}") from error


def _name(path: Path | None) -> str:
    return str(path or "ledger in memory")
