"""Keep all that happens at the venue, durably: one transaction for all that one event brings about.

What happened only grows: actions as they came, orders, every status of each, fills, flows of money.
How things stand now is kept beside it for a quick start. A transaction is on disk before anything
of it is told, and what a kill interrupts has not happened.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

from tradeagent.errors import LockedError, StateError
from tradeagent.messages import FundingPayment, Order
from tradeagent.simulation.account import Position
from tradeagent.simulation.ledger import ENDED, Changes, Entry
from tradeagent.simulation.matching import Landing, Page, Resting
from tradeagent.simulation.venue.base import Actor, Json
from tradeagent.simulation.venue.tables import connect
from tradeagent.simulation.venue.ticket import Ticket, load

NAME = "venue.db"
LOCK = "venue.lock"
FIRST_OID = 100_000_001
Row = tuple[str | int | float | None, ...]


class VenueLedger:
    """The venue's book in the folder `state`, or in memory without one; one process writes it.

    After a failed transaction every later one fails: what is believed is then ahead of the book.
    """

    def __init__(self, state: Path | None) -> None:
        """Open it; raises StateError, and LockedError while another venue has it."""
        self._lock = -1
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(state / LOCK)
        self._path = None if state is None else state / NAME
        try:
            self.db = connect(self._path)
        except BaseException:
            if self._lock >= 0:
                os.close(self._lock)
            raise
        self._usable = True
        tables = ("actions", "statuses", "fills", "flows", "twaps")
        self.seq = max(self._highest(table, "seq") for table in tables)
        """The number of the last thing that happened."""
        self.oid = max(self._highest("orders", "oid"), FIRST_OID - 1)
        """The number of the last order."""

    def close(self) -> None:
        """Close the file; whatever is asked later fails."""
        self._usable = False
        self.db.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written inside, or nothing of it; raises StateError."""
        if not self._usable:
            raise StateError(f"{self._path}: an earlier write failed; restart")
        self._usable = False
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise StateError(f"{self._path}: {error}; check its disk") from error
        except BaseException:
            self._undo()
            raise
        self._usable = True

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self.db.execute("ROLLBACK")

    def number(self) -> int:
        """Return the number of the next thing that happens."""
        self.seq += 1
        return self.seq

    # -- what happened

    def act(self, time: int, actor: Actor, action: Json, outcome: Json, burned: bool) -> None:
        """Note an action and its outcome."""
        texts = (_text(action), _text(outcome))
        row = (self.number(), time, actor.user, actor.signer, actor.nonce, burned, *texts)
        self.db.execute("INSERT INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def order(self, one: Ticket) -> None:
        """Note a new order."""
        row = (one.oid, one.time, one.user, one.cloid, one.coin, one.buy)
        sizes = (str(one.size), str(one.limit))
        self.db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, *sizes))

    def status(self, one: Ticket, full: Json) -> None:
        """Note how an order stands from now on."""
        row = (self.number(), one.changed, one.user, one.oid, one.status, _text(full))
        self.db.execute("INSERT INTO statuses VALUES (?, ?, ?, ?, ?, ?)", row)

    def fill(self, one: Ticket, time: int, shown: Json) -> None:
        """Note a fill."""
        row = (self.number(), time, one.user, one.oid, one.coin, one.buy)
        sums = (shown["px"], shown["sz"], shown["fee"], _text(shown))
        self.db.execute("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *sums))

    def flow(self, time: int, user: str, kind: str, coin: str, usd: Decimal, shown: Json) -> None:
        """Note money that came, above 0, or went: all but the results and fees of fills."""
        row = (self.number(), time, user, kind, coin, str(usd), _text(shown))
        self.db.execute("INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def twap(self, user: str, kind: str, shown: Json) -> None:
        """Note a step of a TWAP."""
        row = (self.number(), user, kind, _text(shown))
        self.db.execute("INSERT INTO twaps VALUES (?, ?, ?, ?)", row)

    def rate(self, coin: str, time: int, rate: str, premium: str) -> None:
        """Note the funding rate of an hour."""
        row = (coin, time, rate, premium)
        self.db.execute("INSERT OR IGNORE INTO rates VALUES (?, ?, ?, ?)", row)

    def worth(self, user: str, time: int, value: Decimal, pnl: Decimal) -> None:
        """Note what an account is worth."""
        row = (user, time, str(value), str(pnl))
        self.db.execute("INSERT OR REPLACE INTO worths VALUES (?, ?, ?, ?)", row)

    # -- how things stand

    def keep(self, one: Ticket) -> None:
        """Keep a ticket as it stands, as long as it may still fill."""
        if one.live:
            row = (one.oid, one.user, one.dump())
            self.db.execute("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?)", row)
        else:
            self.db.execute("DELETE FROM tickets WHERE oid = ?", (one.oid,))

    def tickets(self, user: str) -> list[Ticket]:
        """Return the live orders of an account, oldest first."""
        rows = self.rows("SELECT body FROM tickets WHERE user = ? ORDER BY oid", user)
        return [load(str(body)) for (body,) in rows]

    def seats(self) -> list[tuple[str, Json]]:
        """Return every account and what is kept of it, in the order they came."""
        rows = self.rows("SELECT user, body, used FROM seats ORDER BY number")
        return [(str(user), {**json.loads(str(body)), "used": used}) for user, body, used in rows]

    def keep_seat(self, user: str, body: Json) -> None:
        """Keep what is known of an account."""
        self.db.execute("UPDATE seats SET body = ? WHERE user = ?", (_text(body), user))

    def keep_used(self, user: str, used: int) -> None:
        """Keep how many requests an account has used."""
        self.db.execute("UPDATE seats SET used = ? WHERE user = ?", (used, user))

    def keep_deposit(self, user: str, deposit: Decimal) -> None:
        """Keep what came to an account in all."""
        self.db.execute("UPDATE seats SET deposit = ? WHERE user = ?", (str(deposit), user))

    def keep_listing(self, coin: str, decimals: int, leverage: int, delisted: bool) -> None:
        """Keep changed terms of an asset."""
        row = (coin, decimals, leverage, delisted)
        self.db.execute("INSERT OR REPLACE INTO listings VALUES (?, ?, ?, ?)", row)

    def traded(self, user: str, day: int, volume: Decimal, taker: Decimal) -> None:
        """Keep what a day has traded so far, and how much of it took liquidity."""
        row = (user, day, str(volume), str(taker))
        self.db.execute("INSERT OR REPLACE INTO volumes VALUES (?, ?, ?, ?)", row)

    def days(self, user: str) -> dict[int, tuple[Decimal, Decimal]]:
        """Return what each day has traded, and how much of it took liquidity."""
        query = "SELECT day, volume, taker FROM volumes WHERE user = ? ORDER BY day"
        rows = self.rows(query, user)
        return {int(day or 0): (Decimal(str(v)), Decimal(str(t))) for day, v, t in rows}

    def open_seat(self, user: str, deposit: Decimal) -> None:
        """Make the row of a new account."""
        query = "INSERT INTO seats SELECT ?, count(*) + 1, 0, 0, ?, '{}' FROM seats"
        self.db.execute(query, (user, str(deposit)))

    def rows(self, query: str, *keys: str | int) -> list[Row]:
        """Return what a query finds; raises StateError."""
        try:
            return self.db.execute(query, keys).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"{self._path}: {error}; check its disk") from error

    def _highest(self, table: str, column: str) -> int:
        found = self.rows(f"SELECT max({column}) FROM {table}")[0][0]  # noqa: S608
        return found if isinstance(found, int) else 0


class SeatBook:
    """The part of the ledger in which one account of the simulated exchange stands.

    An account that is only looked at has no row, and nothing of it is written.
    """

    def __init__(self, ledger: VenueLedger, user: str) -> None:
        self.path: Path | None = None
        self.user = user
        self._ledger = ledger
        rows = ledger.rows("SELECT seq, deposit FROM seats WHERE user = ?", user)
        self.seq = int(rows[0][0] or 0) if rows else 0
        self._deposit = Decimal(str(rows[0][1])) if rows else None

    def deposit(self, amount: Decimal) -> Decimal:
        """Return what came to the account in all, `amount` for a new one."""
        return amount if self._deposit is None else self._deposit

    def positions(self) -> dict[str, Position]:
        """Return every position there ever was, by symbol."""
        query = (
            "SELECT symbol, size, cost, realised, fees, time, funding, margin FROM positions "
            "WHERE user = ? ORDER BY symbol"
        )
        return {str(row[0]): _position(*row) for row in self._ledger.rows(query, self.user)}

    def volumes(self) -> dict[int, Decimal]:
        """Return what was traded in quote currency, by day counted from 1970."""
        query = "SELECT day, volume FROM volumes WHERE user = ? ORDER BY day"
        rows = self._ledger.rows(query, self.user)
        return {int(day or 0): Decimal(str(volume)) for day, volume in rows}

    def open_orders(self) -> list[Resting]:
        """Return the orders that rest, in the order in which they stand."""
        query = (
            "SELECT body, oid, placed, filled, shrunk, rank FROM resting WHERE user = ? "
            "ORDER BY rank"
        )
        return [
            Resting(
                Order.model_validate_json(str(body)),
                str(oid),
                int(placed or 0),
                Decimal(str(filled)),
                Decimal(str(shrunk)),
                rank=int(rank or 0),
            )
            for body, oid, placed, filled, shrunk, rank in self._ledger.rows(query, self.user)
        ]

    def landings(self) -> list[Landing]:
        """Return nothing: no order is ever on its way here."""
        return []

    def pages(self) -> dict[str, Page]:
        """Return the page of each symbol that has one."""
        query = "SELECT symbol, rate, hour, mark FROM pages WHERE user = ?"
        return {
            str(symbol): Page(
                str(symbol),
                None if rate is None else Decimal(str(rate)),
                int(hour or 0),
                mark=None if mark is None else float(mark),
            )
            for symbol, rate, hour, mark in self._ledger.rows(query, self.user)
        }

    def write(self, entries: Sequence[Entry], changes: Changes) -> None:
        """Write how the account stands now, as a part of the transaction that is open."""
        db, user = self._ledger.db, self.user
        self.seq += len(entries)
        new: dict[str, Resting] = {}
        for _, told, order, _ in entries:
            if isinstance(told, FundingPayment):
                continue
            if order is not None and told.status not in ENDED:
                new[told.cloid] = order
            elif told.status in ENDED and new.pop(told.cloid, None) is None:
                db.execute("DELETE FROM resting WHERE user = ? AND cloid = ?", (user, told.cloid))
        for one in new.values():
            body = one.order.__pydantic_serializer__.to_json(one.order).decode()
            sizes = (str(one.filled), str(one.shrunk), one.rank, body)
            row = (user, one.order.cloid, one.oid, one.placed, *sizes)
            db.execute("INSERT OR REPLACE INTO resting VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        for one in changes.orders:
            if one.order.cloid not in new:
                left = (str(one.filled), str(one.shrunk), one.rank, user, one.order.cloid)
                db.execute(
                    "UPDATE resting SET filled = ?, shrunk = ?, rank = ? "
                    "WHERE user = ? AND cloid = ?",
                    left,
                )
        self._keep(changes)
        if entries:
            db.execute("UPDATE seats SET seq = ? WHERE user = ?", (self.seq, user))

    def _keep(self, changes: Changes) -> None:
        db, user = self._ledger.db, self.user
        for held in changes.positions:
            numbers = (str(held.size), str(held.cost), str(held.realised), str(held.fees))
            more = (held.time, str(held.funding), str(held.margin))
            row = (user, held.symbol, *numbers, *more)
            db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        for page in changes.pages:
            rate = None if page.rate is None else str(page.rate)
            line = (user, page.symbol, rate, page.hour, page.mark)
            db.execute("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?)", line)


def _position(symbol: object, *row: object) -> Position:
    size, cost, realised, fees, time, funding, margin = row
    return Position(
        symbol=str(symbol),
        size=Decimal(str(size)),
        cost=Decimal(str(cost)),
        realised=Decimal(str(realised)),
        fees=Decimal(str(fees)),
        time=int(str(time)),
        funding=Decimal(str(funding)),
        margin=Decimal(str(margin)),
    )


def _locked(path: Path) -> int:
    """Return a lock on a file, held until it is closed; raises LockedError, StateError."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}; name a folder that can be written") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise LockedError(f"{path}: another venue has this folder; stop that one") from error
    return lock


def _text(shown: object) -> str:
    return json.dumps(shown, separators=(",", ":"))
