"""The tables of the venue's own ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tradeagent.errors import LockedError, StateError

APPLICATION_ID = 0x7A6E_5631
VERSION = 1
SCHEMA = """
CREATE TABLE actions (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, signer TEXT NOT NULL,
    nonce INTEGER NOT NULL, burned INTEGER NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX burned ON actions (signer, nonce) WHERE burned = 1;
CREATE TABLE orders (
    oid INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, cloid TEXT,
    coin TEXT NOT NULL, buy INTEGER NOT NULL, size TEXT NOT NULL, px TEXT NOT NULL);
CREATE INDEX orders_of ON orders (user, oid);
CREATE INDEX cloids ON orders (user, cloid) WHERE cloid IS NOT NULL;
CREATE TABLE statuses (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, oid INTEGER NOT NULL,
    status TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX statuses_of ON statuses (oid, seq);
CREATE INDEX history_of ON statuses (user, seq);
CREATE TABLE fills (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, oid INTEGER NOT NULL,
    coin TEXT NOT NULL, buy INTEGER NOT NULL, px TEXT NOT NULL, sz TEXT NOT NULL,
    fee TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX fills_of ON fills (user, time);
CREATE TABLE flows (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, user TEXT NOT NULL, kind TEXT NOT NULL,
    coin TEXT NOT NULL, usd TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX flows_of ON flows (user, kind, time);
CREATE TABLE rates (
    coin TEXT NOT NULL, time INTEGER NOT NULL, rate TEXT NOT NULL, premium TEXT NOT NULL,
    PRIMARY KEY (coin, time)) WITHOUT ROWID;
CREATE TABLE worths (
    user TEXT NOT NULL, time INTEGER NOT NULL, value TEXT NOT NULL, pnl TEXT NOT NULL,
    PRIMARY KEY (user, time)) WITHOUT ROWID;
CREATE TABLE twaps (
    seq INTEGER PRIMARY KEY, user TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX twaps_of ON twaps (user, kind, seq);

CREATE TABLE seats (
    user TEXT PRIMARY KEY, number INTEGER NOT NULL, used INTEGER NOT NULL, seq INTEGER NOT NULL,
    deposit TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tickets (oid INTEGER PRIMARY KEY, user TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE resting (
    user TEXT NOT NULL, cloid TEXT NOT NULL, oid TEXT NOT NULL, placed INTEGER NOT NULL,
    filled TEXT NOT NULL, shrunk TEXT NOT NULL, rank INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (user, cloid)) WITHOUT ROWID;
CREATE TABLE positions (
    user TEXT NOT NULL, symbol TEXT NOT NULL, size TEXT NOT NULL, cost TEXT NOT NULL,
    realised TEXT NOT NULL, fees TEXT NOT NULL, time INTEGER NOT NULL, funding TEXT NOT NULL,
    margin TEXT NOT NULL, PRIMARY KEY (user, symbol)) WITHOUT ROWID;
CREATE TABLE volumes (
    user TEXT NOT NULL, day INTEGER NOT NULL, volume TEXT NOT NULL, taker TEXT NOT NULL DEFAULT '0',
    PRIMARY KEY (user, day)) WITHOUT ROWID;
CREATE TABLE pages (
    user TEXT NOT NULL, symbol TEXT NOT NULL, rate TEXT, hour INTEGER NOT NULL, mark REAL,
    PRIMARY KEY (user, symbol)) WITHOUT ROWID;
CREATE TABLE listings (
    coin TEXT PRIMARY KEY, decimals INTEGER NOT NULL, leverage INTEGER NOT NULL,
    delisted INTEGER NOT NULL) WITHOUT ROWID;
"""
"""What happened, which only grows, and below it how things stand, which follows from it."""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the ledger's file, made where it must be; others may read it meanwhile.

    Raises StateError for a damaged or foreign file, LockedError while another venue writes it.
    """
    try:
        db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
    except sqlite3.Error as error:
        raise StateError(f"{path}: {error}; check that its disk is there and writable") from error
    try:
        _make_ready(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _make_ready(db: sqlite3.Connection, path: Path | None) -> None:
    """Give a new file its tables; raises as `connect` does."""
    try:
        names = ("application_id", "user_version", "schema_version")
        marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        db.execute("PRAGMA synchronous = NORMAL")
        if marks == [0, 0, 0]:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )
        elif marks[:2] != [APPLICATION_ID, VERSION]:
            raise StateError(f"{path}: it is no ledger of a venue; name another folder")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise LockedError(f"{path}: in use by another venue; stop that one") from error
        raise StateError(f"{path}: {error}; check that its disk is there and writable") from error
    except sqlite3.DatabaseError as error:
        raise StateError(f"{path}: damaged or foreign: {error}; move it away") from error
