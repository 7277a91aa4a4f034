"""Keep what the simulated exchange answered for, durably and apart from the store.

The table `events` only grows: one row for the deposit, for every order, refusal, cancel, fill and
funding. Beside it stands how the exchange is: orders, what is on its way, positions, volumes and a
page for each symbol, changed in the same transaction as what brought that about, so that opening
costs no more after a year than after a minute. A transaction is
committed before its reports leave: a killed process forgets nothing it told anyone. With
synchronous NORMAL a commit survives the process, not a power cut; the exchange is a simulation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol
from weakref import finalize

from pydantic import ValidationError

from tradeagent.errors import LockedError, StateError
from tradeagent.integrations.base import AccountEvent
from tradeagent.messages import (
    ExecutionReport,
    FundingPayment,
    MarketData,
    Order,
    OrderStatus,
)
from tradeagent.simulation.account import Position
from tradeagent.simulation.fees import WINDOW
from tradeagent.simulation.matching import Landing, Page, Resting
from tradeagent.simulation.tables import connect

ENDED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED})
INSERT = (
    "INSERT INTO orders (cloid, oid, placed, open, time, symbol, status, reason, body, replaces,"
    " rank) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CHANGE = "UPDATE orders SET open=?, time=?, symbol=?, status=?, reason=? WHERE cloid=?"
KEEP = "UPDATE orders SET placed=?, filled=?, shrunk=?, triggered=?, rank=? WHERE cloid=?"
HOLD = "REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
KINDS = {OrderStatus.CANCELED: "cancel", OrderStatus.REJECTED: "rejection"}


class Entry(NamedTuple):
    """One event: what is told of it, its order when that is new, and the group a fill ends."""

    seq: int
    told: AccountEvent
    order: Resting | None = None
    group: str | None = None


class Changes(NamedTuple):
    """What a transaction leaves behind besides its events.

    `orders` are those that stand otherwise than when they came, `volumes` go by day, `sent` is what
    is on its way now, `landed` the numbers of what is no more.
    """

    positions: Iterable[Position] = ()
    orders: Iterable[Resting] = ()
    volumes: Mapping[int, Decimal] = {}
    pages: Iterable[Page] = ()
    sent: Iterable[Landing] = ()
    landed: Iterable[int] = ()


class Daybook(Protocol):
    """Where the account, the books and the pit are kept; `seq` is the number of the last event."""

    path: Path | None
    seq: int

    def deposit(self, amount: Decimal) -> Decimal:
        """Return what the account was given in all: `amount` when the book is new."""
        ...

    def positions(self) -> dict[str, Position]:
        """Return every position there ever was, by symbol."""
        ...

    def volumes(self) -> dict[int, Decimal]:
        """Return what was traded in quote currency, by day counted from 1970."""
        ...

    def open_orders(self) -> list[Resting]:
        """Return the orders that rest, in the order in which they stand."""
        ...

    def landings(self) -> list[Landing]:
        """Return what is on its way."""
        ...

    def pages(self) -> dict[str, Page]:
        """Return the page of each symbol that has one."""
        ...

    def write(self, entries: Sequence[Entry], changes: Changes) -> None:
        """Keep events, and all that changed with them; raises StateError."""
        ...


class OwnDaybook(Daybook, Protocol):
    """The book of an exchange for one account, which can be asked what was told of it.

    `latest` is the time of the last event there was on opening (UTC ns).
    """

    latest: int

    def find(self, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None when it was never seen."""
        ...

    def group_filled(self, name: str) -> bool:
        """Tell whether an order of the group has filled."""
        ...

    def fills(self, since: int) -> list[ExecutionReport]:
        """Return every fill whose time is at or after `since` (UTC ns), in order of events."""
        ...

    def funding(self, since: int) -> list[FundingPayment]:
        """Return every funding payment at or after `since` (UTC ns), in order of events."""
        ...

    def close(self) -> None:
        """Keep no more."""
        ...


class Ledger:
    """The exchange's own book of events, in a file or, without a path, in memory.

    Raises StateError when the file is damaged, foreign or cannot be written, LockedError when
    another process has it open. After a failed write every later one fails: what the exchange
    believes is then ahead of its ledger, and only opening it again makes them equal. `seq` is the
    number of the last event, as order and fill ids are; `latest` is the time of the last there was
    on opening (UTC ns).
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
            self._db = connect(path)
        self._forgotten = finalize(self, self._db.close)
        with self._guard:
            last = self._db.execute("SELECT seq, time FROM events ORDER BY seq DESC LIMIT 1")
            found = last.fetchone() or (0, 0)
        self.seq: int = found[0]
        self.latest: int = found[1]

    def close(self) -> None:
        """Close the file; whatever is asked later raises StateError."""
        if self._waiting and not self._unusable:
            with self._guard:
                self._db.execute("COMMIT")
        self._unusable = "it is closed"
        self._forgotten()

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
            return {row[0]: _position(*row) for row in rows}

    def volumes(self) -> dict[int, Decimal]:
        """Return what was traded in quote currency, by day counted from 1970."""
        rows = self._rows("SELECT day, volume FROM volumes ORDER BY day DESC LIMIT ?", WINDOW + 1)
        with self._guard:
            return {day: Decimal(volume) for day, volume in rows}

    def open_orders(self) -> list[Resting]:
        """Return the orders that rest, in the order in which they stand."""
        rows = self._rows(
            "SELECT body, oid, placed, filled, shrunk, replaces, triggered, rank FROM orders "
            "WHERE open = 1 ORDER BY rank"
        )
        with self._guard:
            return [
                Resting(
                    Order.model_validate_json(body),
                    str(oid),
                    placed,
                    Decimal(filled),
                    Decimal(shrunk),
                    replaces,
                    bool(triggered),
                    rank,
                )
                for body, oid, placed, filled, shrunk, replaces, triggered, rank in rows
            ]

    def landings(self) -> list[Landing]:
        """Return what is on its way; what it is about may have ended."""
        rows = self._rows("SELECT * FROM landings")
        return [Landing(*row) for row in rows]

    def pages(self) -> dict[str, Page]:
        """Return the page of each symbol that has one."""
        rows = self._rows("SELECT * FROM pages")
        with self._guard:
            return {row[0]: _page(*row) for row in rows}

    def write(self, entries: Sequence[Entry], changes: Changes) -> None:
        """Commit events, and all that changed with them, in one transaction."""
        if self._unusable:
            raise StateError(f"{_name(self.path)}: cannot be written: {self._unusable}; restart")
        self._unusable = "an earlier write failed"
        with self._guard:
            self._commit(entries, changes)
        self._unusable = ""
        self.seq += len(entries)

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
        return self._reports("INDEXED BY fills WHERE kind = 'fill' AND time >= ?", since)

    def funding(self, since: int) -> list[FundingPayment]:
        """Return every funding payment at or after `since` (UTC ns), in order of events."""
        rows = self._rows(
            "SELECT body FROM events INDEXED BY funding "
            "WHERE kind = 'funding' AND time >= ? ORDER BY seq",
            since,
        )
        with self._guard:
            return [FundingPayment.model_validate_json(body) for (body,) in rows]

    def reports(self, after: int = 0) -> list[ExecutionReport]:
        """Return every report with a number above `after`, in order of events."""
        return self._reports("WHERE kind NOT IN ('deposit', 'funding') AND seq > ?", after)

    def _commit(self, entries: Sequence[Entry], changes: Changes) -> None:
        db = self._db
        new: dict[str, tuple[str | int, ...]] = {}
        if not self._waiting:
            db.execute("BEGIN")
        for seq, told, order, group in entries:
            if isinstance(told, FundingPayment):
                self._note(seq, "funding", told.time, "", told)
                continue
            status, time, cloid = told.status, told.time, told.cloid
            kind = "fill" if told.execution is not None else KINDS.get(status, "order")
            self._note(seq, kind, time, cloid, told)
            if group is not None:
                db.execute("INSERT OR IGNORE INTO filled_groups VALUES (?)", (group,))
            state = (status not in ENDED, time, told.symbol, status.value, told.reason)
            if order is not None:
                body = order.order
                text = body.__pydantic_serializer__.to_json(body).decode()
                new[cloid] = (cloid, seq, order.placed, *state, text, order.replaces, order.rank)
            elif cloid in new:
                new[cloid] = (*new[cloid][:3], *state, *new[cloid][-3:])
            else:
                db.execute(CHANGE, (*state, cloid))
        for row in new.values():
            db.execute(INSERT, row)
        self._keep(changes)
        self._waiting += 1
        if self._waiting >= self._group:
            self._waiting = 0
            db.execute("COMMIT")

    def _note(self, seq: int, kind: str, time: int, cloid: str, told: AccountEvent) -> None:
        row = (seq, time, kind, cloid, told.__pydantic_serializer__.to_json(told).decode())
        self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)

    def _keep(self, changes: Changes) -> None:
        for one in changes.positions:
            numbers = (str(one.size), str(one.cost), str(one.realised), str(one.fees))
            more = (str(one.funding), str(one.margin))
            self._db.execute(HOLD, (one.symbol, *numbers, one.time, *more))
        for order in changes.orders:
            parts = (order.placed, str(order.filled), str(order.shrunk), order.triggered)
            self._db.execute(KEEP, (*parts, order.rank, order.order.cloid))
        for day, volume in changes.volumes.items():
            self._db.execute("REPLACE INTO volumes VALUES (?, ?)", (day, str(volume)))
        for page in changes.pages:
            rate = None if page.rate is None else str(page.rate)
            entry = None if page.entry is None else page.entry.model_dump_json()
            row = (page.symbol, rate, page.hour, entry, page.mark)
            self._db.execute("REPLACE INTO pages VALUES (?, ?, ?, ?, ?)", row)
        for landing in changes.sent:
            self._db.execute("INSERT INTO landings VALUES (?, ?, ?, ?, ?)", landing)
        for number in changes.landed:
            self._db.execute("DELETE FROM landings WHERE number = ?", (number,))

    def _reports(self, condition: str, bound: int) -> list[ExecutionReport]:
        rows = self._rows(f"SELECT body FROM events {condition} ORDER BY seq", bound)  # noqa: S608
        with self._guard:
            return [ExecutionReport.model_validate_json(body) for (body,) in rows]

    def _rows(self, query: str, *keys: str | int) -> list[tuple[Any, ...]]:
        with self._guard:
            return self._db.execute(query, keys).fetchall()


def _position(symbol: str, *row: Any) -> Position:
    size, cost, realised, fees, time, funding, margin = row
    return Position(
        symbol,
        Decimal(size),
        Decimal(cost),
        Decimal(realised),
        Decimal(fees),
        time,
        Decimal(funding),
        Decimal(margin),
    )


def _page(symbol: str, rate: str | None, hour: int, entry: str | None, mark: float | None) -> Page:
    return Page(
        symbol,
        None if rate is None else Decimal(rate),
        hour,
        None if entry is None else MarketData.model_validate_json(entry),
        mark,
    )


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
