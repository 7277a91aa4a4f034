"""The tables of the exchange's ledger, and the way of an older file to them."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

from tradeagent.messages import ExecutionReport
from tradeagent.simulation.fees import DAY, WINDOW

APPLICATION_ID = 0x7A6E_4C31
VERSION = 3
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
"""Version 1; what came later is added to it, so that old and new files are made the same way."""
TO_2 = """
CREATE INDEX funding ON events (time) WHERE kind = 'funding';
ALTER TABLE orders ADD COLUMN filled TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN shrunk TEXT NOT NULL DEFAULT '0';
ALTER TABLE orders ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
ALTER TABLE positions ADD COLUMN funding TEXT NOT NULL DEFAULT '0';
ALTER TABLE positions ADD COLUMN margin TEXT NOT NULL DEFAULT '0';
ALTER TABLE positions ADD COLUMN rate TEXT;
ALTER TABLE positions ADD COLUMN funded INTEGER NOT NULL DEFAULT 0;
CREATE TABLE volumes (day INTEGER PRIMARY KEY, volume TEXT NOT NULL);
"""
TO_3 = """
ALTER TABLE orders ADD COLUMN triggered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET rank = oid WHERE open = 1;
UPDATE orders SET triggered = 1 WHERE open = 1 AND CAST(filled AS REAL) > 0
    AND json_extract(body, '$.trigger') IS NOT NULL;
CREATE TABLE landings (
    due INTEGER NOT NULL, number INTEGER PRIMARY KEY, symbol TEXT NOT NULL, cloid TEXT NOT NULL,
    cancels INTEGER NOT NULL);
INSERT INTO landings SELECT placed, oid, symbol, cloid, 0 FROM orders AS new WHERE open = 1
    AND (placed > (SELECT max(time) FROM events)
    OR EXISTS (SELECT 1 FROM orders WHERE cloid = new.replaces AND open = 1));
CREATE TABLE pages (
    symbol TEXT PRIMARY KEY, rate TEXT, hour INTEGER NOT NULL, entry TEXT, mark REAL
    ) WITHOUT ROWID;
INSERT INTO pages SELECT symbol, rate,
    (max(time, funded) / 3600000000000 + 1) * 3600000000000, NULL, NULL
    FROM positions WHERE CAST(size AS REAL) <> 0;
ALTER TABLE positions DROP COLUMN rate;
ALTER TABLE positions DROP COLUMN funded;
"""
"""Version 2 did not note which orders had arrived: those that may be on their way arrive."""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a ledger's file for one process alone, made or brought up to date where it must be.

    Raises sqlite3.Error, and ValueError for a file that is no ledger or one of a later version.
    """
    db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA synchronous = NORMAL")
        names = ("application_id", "user_version", "schema_version")
        marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        if marks == [0, 0, 0]:
            db.execute("PRAGMA journal_mode = WAL")
            _run(db, f"PRAGMA application_id = {APPLICATION_ID}; {SCHEMA} {TO_2} {TO_3}")
        elif marks[:2] == [APPLICATION_ID, 1]:
            _run(db, TO_2 + TO_3, fill_volumes=True)
        elif marks[:2] == [APPLICATION_ID, 2]:
            _run(db, TO_3)
        elif marks[:2] != [APPLICATION_ID, VERSION]:
            raise ValueError(f"it is no exchange ledger of version {VERSION} or earlier")
        db.execute("BEGIN IMMEDIATE")
        db.execute("COMMIT")
    except (sqlite3.Error, ValueError):
        db.close()
        raise
    return db


def _run(db: sqlite3.Connection, statements: str, fill_volumes: bool = False) -> None:
    """Run a script, what it leaves at version `VERSION` or not done at all."""
    db.execute("BEGIN IMMEDIATE")
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement)
    if fill_volumes:
        _fill_volumes(db)
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _fill_volumes(db: sqlite3.Connection) -> None:
    """Add up what the last days of an old file traded, so that its fee tier is kept."""
    last = db.execute("SELECT max(time) FROM events WHERE kind = 'fill'").fetchone()[0] or 0
    since = (last // DAY - WINDOW) * DAY
    volumes: dict[int, Decimal] = {}
    rows = db.execute("SELECT time, body FROM events WHERE kind = 'fill' AND time >= ?", (since,))
    for time, body in rows:
        fill = ExecutionReport.model_validate_json(body).execution
        if fill is not None:
            day = time // DAY
            volumes[day] = volumes.get(day, Decimal(0)) + fill.price * fill.size
    for day, volume in volumes.items():
        db.execute("INSERT INTO volumes VALUES (?, ?)", (day, str(volume)))
