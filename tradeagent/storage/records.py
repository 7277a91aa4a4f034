"""Reading a journal file, of a daemon that runs or of one that has stopped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    Table,
    create_engine,
    event,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import NullPool

from tradeagent.errors import StateError
from tradeagent.messages import (
    TIMEFRAMES,
    ZERO,
    Analysis,
    Fill,
    MarketData,
    Message,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    Sentiment,
    StrategyState,
    TradeSignal,
    decode_payload,
)
from tradeagent.storage import tables
from tradeagent.storage.base import Entry, Executed, Head, Record
from tradeagent.storage.lag import catch_up, lags
from tradeagent.storage.restore import read_head, read_note
from tradeagent.storage.segments import (
    BEGINNING,
    Anchor,
    Segment,
    find_segments,
    folder_of,
    newer,
)
from tradeagent.storage.tables import FORMAT

PAGE = 1000
"""Rows per read, so that no reader keeps the write-ahead log from being folded in."""
M = TypeVar("M", bound=Message)


def open_engine(path: Path, *, writable: bool) -> Engine:
    """Return an engine on the file; each connection is one transaction, so one snapshot.

    Whatever the database refuses later is a StateError with the remedy.
    """
    mode = "rw" if writable else "ro"
    url = URL.create(
        "sqlite", database=f"file:{quote(str(path.resolve()))}", query={"mode": mode, "uri": "true"}
    )
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def autocommit(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "handle_error")
    def explain(context: ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, sqlite3.Error):
            raise StateError(remedy(path, str(error))) from error

    return engine


def remedy(path: Path, text: str) -> str:
    """Return what to do about what SQLite says of the file at `path`, in one line."""
    text = " ".join(text.split())
    if "locked" in text:
        return f"{path}: another process holds the file ({text}); end it and start again"
    if "not a database" in text or "malformed" in text:
        return f"{path}: damaged or no journal ({text}); restore a backup or move the file away"
    if "no such table" in text:
        return f"{path}: another program's database ({text}); choose another --state"
    return f"{path}: cannot be used ({text}); check that folder and file are yours, and the disk"


class SqlRecords:
    """What stands in a journal file, as `Records`; reads never wait for the writer."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path

    @classmethod
    def read(cls, path: Path, *, tables: bool = True) -> SqlRecords:
        """Open the file of a daemon that need not run; raises StateError if there is none.

        Where `tables` are read, those that a run left behind are brought forward first.
        """
        if not path.is_file():
            raise StateError(f"{path}: no journal is here; name the folder of a run with --state")
        engine = open_engine(path, writable=False)
        with engine.connect() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar()
            if isinstance(version, int) and version > FORMAT:
                raise StateError(newer(path, version))
            behind = tables and lags(connection)
        if behind:
            writer = open_engine(path, writable=True)
            bring_forward(writer, path)
            writer.dispose()
        return cls(engine, path)

    def orders(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Record[OrderUpdate]]:
        """Return the last update of each order."""
        query = _newest(tables.orders, limit)
        if open_only:
            query = query.where(tables.orders.c.open == 1)
        return _records(OrderUpdate, read_rows(self.engine, query))

    def executed(self, limit: int = 100) -> Sequence[Executed]:
        """Return the orders that filled, in whole or in part."""
        orders, intents, fills = tables.orders.c, tables.intents.c, tables.fills.c
        query = (
            select(orders.cloid, orders.ts, orders.payload, intents.ts.label("asked"))
            .add_columns(intents.request)
            .outerjoin_from(tables.orders, tables.intents, orders.intent_id == intents.intent_id)
            .where(orders.filled != "0")
            .order_by(orders.seq.desc())
            .limit(limit)
        )
        found = []
        for row in read_rows(self.engine, query):
            paid = read_rows(
                self.engine, select(fills.fee, fills.time).where(fills.cloid == row.cloid)
            )
            request = _decode(OrderRequest, row.request) if row.request else None
            done = max((fill.time for fill in paid), default=row.ts)
            asked = row.asked if row.asked is not None else done
            fees = sum((Decimal(fill.fee) for fill in paid), ZERO)
            found.append(Executed(_decode(OrderUpdate, row.payload), request, fees, asked, done))
        return found

    def fills(self, limit: int = 100) -> Sequence[Record[Fill]]:
        """Return fills."""
        return _records(Fill, read_rows(self.engine, _newest(tables.fills, limit)))

    def positions(self) -> Sequence[PositionUpdate]:
        """Return the netted position of each symbol."""
        query = select(tables.positions.c.payload).order_by(tables.positions.c.symbol)
        return [_decode(PositionUpdate, row.payload) for row in read_rows(self.engine, query)]

    def strategy_states(self) -> Sequence[StrategyState]:
        """Return the operator's last word on each strategy, by name."""
        table = tables.runtime_state.c
        query = select(table.value).where(table.type == StrategyState.wire).order_by(table.name)
        return [_decode(StrategyState, row.value) for row in read_rows(self.engine, query)]

    def incidents(self, limit: int = 100) -> Sequence[Record[Message]]:
        """Return incidents and risk alerts."""
        return _typed(read_rows(self.engine, _newest(tables.incidents, limit)))

    def analyses(self, limit: int = 100) -> Sequence[Record[Analysis | Sentiment | TradeSignal]]:
        """Return analyses, sentiments and trade signals."""
        found = _typed(read_rows(self.engine, _newest(tables.analyses, limit)))
        return cast(Sequence[Record[Analysis | Sentiment | TradeSignal]], found)

    def events(self, limit: int = 100) -> Sequence[Record[Message]]:
        """Return operators' actions and changes of state."""
        return _typed(read_rows(self.engine, _newest(tables.events, limit)))

    def assessments(self, limit: int = 100) -> Sequence[Record[RiskAssessment]]:
        """Return Risk's verdicts."""
        seq, ts, source, payload = (
            tables.intents.c[name]
            for name in ("assessed_seq", "assessed_ts", "assessed_by", "assessment")
        )
        query = select(
            seq.label("seq"), ts.label("ts"), source.label("source"), payload.label("payload")
        )
        query = query.where(seq.is_not(None)).order_by(seq.desc()).limit(limit)
        return _records(RiskAssessment, read_rows(self.engine, query))

    def bars(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` candles that closed by `before` (UTC ns), oldest first."""
        table = tables.bars
        query = (
            select(table)
            .where(table.c.symbol == symbol, table.c.timeframe == timeframe)
            .where(table.c.time <= before - TIMEFRAMES[timeframe])
            .order_by(table.c.time.desc())
            .limit(count)
        )
        rows = read_rows(self.engine, query)
        return [MarketData.model_validate(dict(row._mapping)) for row in reversed(rows)]

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Yield the journal's rows from `first` to `last`, oldest first, read page by page."""
        for row in self.rows(first, last):
            yield read_entry(row)

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[Sequence[Any]]:
        """Yield rows as they are stored, oldest first, those of archived segments too.

        Segments that are not here any more are passed over.
        """
        for segment in self.segments():
            if segment.last >= first and (last is None or segment.after < last):
                for row in segment.rows():
                    if row[0] >= first and (last is None or row[0] <= last):
                        yield row
        yield from read_journal(self.engine, first, last)

    def anchor(self) -> Anchor:
        """Return where the rows of this file begin."""
        with self.engine.connect() as connection:
            noted = cast(list[Any] | None, read_note(connection, "anchor"))
        return BEGINNING if noted is None else Anchor(*noted)

    def segments(self) -> list[Segment]:
        """Return the archived segments that are here, oldest first, without a gap."""
        return find_segments(folder_of(self.path), self.anchor())

    def start(self) -> Anchor:
        """Return where `rows` begins: after the segments that are not here any more."""
        segments = self.segments()
        return segments[0].anchor() if segments else self.anchor()

    def began(self, *, seq: int | None = None, ts: int | None = None) -> int:
        """Return the row that the run going on at `seq`, or at `ts` (UTC ns), began with; or 0."""
        table = tables.config
        query = select(func.max(table.c.seq))
        if seq is not None:
            query = query.where(table.c.seq <= seq)
        if ts is not None:
            query = query.where(table.c.ts <= ts)
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def head(self) -> Head:
        """Return the last row's place and hash."""
        with self.engine.connect() as connection:
            return read_head(connection)

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()


def bring_forward(engine: Engine, path: Path) -> None:
    """Fold into the tables of the file at `path` what they lack; raises StateError."""
    try:
        catch_up(engine, path)
    except sqlite3.Error as error:
        raise StateError(remedy(path, str(error))) from error


def read_rows(engine: Engine, query: Select[Any]) -> Sequence[Row[Any]]:
    """Return what a query finds."""
    with engine.connect() as connection:
        return connection.execute(query).all()


def read_journal(engine: Engine, first: int, last: int | None) -> Iterator[Row[Any]]:
    """Yield the journal's rows from `first` to `last`, oldest first."""
    table = tables.journal
    # as the driver gives them: a tampered cell may be of any type
    cells: list[Any] = [literal_column(column.name) for column in table.columns]
    query = select(*cells).select_from(table).order_by(table.c.seq).limit(PAGE)
    if last is not None:
        query = query.where(table.c.seq <= last)
    page = _page(engine, query.where(table.c.seq >= first))
    while page:
        yield from page
        page = _page(engine, query.where(table.c.seq > page[-1].seq))


def _page(engine: Engine, query: Select[Any]) -> Sequence[Row[Any]]:
    """Return a page of the journal; what is no text any more comes with question marks in it."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.text_factory = _text
        return connection.execute(query).all()


def _text(cell: bytes) -> str:
    return cell.decode(errors="replace")


def _newest(table: Table, limit: int) -> Select[Any]:
    return select(table).order_by(table.c.seq.desc()).limit(limit)


def _records(kind: type[M], rows: Sequence[Row[Any]]) -> list[Record[M]]:
    return [Record(row.seq, row.ts, row.source, _decode(kind, row.payload)) for row in rows]


def _typed(rows: Sequence[Row[Any]]) -> list[Record[Message]]:
    return [
        Record(row.seq, row.ts, row.source, decode_payload(row.type, row.payload)) for row in rows
    ]


def _decode(kind: type[M], body: str) -> M:
    return cast(M, decode_payload(kind.wire, body))


def read_entry(row: Sequence[Any]) -> Entry:
    """Return a row of the journal's table as an entry."""
    seq, ts, wire, source, epoch, cause, trace, derived, _, body, _, digest = tuple(row)
    return Entry(seq, ts, wire, source, epoch, cause, trace, bool(derived), body, digest.hex())
