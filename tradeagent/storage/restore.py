"""Reading back, from the state tables alone, what the next start needs."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import takewhile
from typing import Any, cast

from sqlalchemy import Connection, func, or_, select

from tradeagent.errors import JournalError
from tradeagent.messages import (
    LONGEST_LIFE,
    FundingPayment,
    Message,
    OrderUpdate,
    PositionUpdate,
    Submission,
    decode_payload,
)
from tradeagent.storage import tables
from tradeagent.storage.base import DayOpen, Head
from tradeagent.storage.chain import GENESIS
from tradeagent.storage.projection import DAY, FILLS_KEPT, LATEST, PAYMENTS_KEPT, Projection
from tradeagent.storage.rows import CLOSINGS, DAY_OPEN, FUNDING, NOTHING
from tradeagent.storage.tables import STORE


def read_note(connection: Connection, name: str) -> object:
    """Return a fact of the store's own (see `scribe.note`), or None; raises JournalError."""
    table = tables.runtime_state
    query = select(table.c.value).where(table.c.type == STORE, table.c.name == name)
    value = connection.execute(query).scalar()
    try:
        return None if value is None else json.loads(value)
    except ValueError as error:
        raise JournalError(f"the note {name} of the journal cannot be read: {error}") from error


def read_head(connection: Connection) -> Head:
    """Return where the journal ends."""
    noted = cast(list[Any] | None, read_note(connection, "head"))
    return Head(0, 0, GENESIS.hex(), 0) if noted is None else Head(*noted)


def restore(connection: Connection, folded: tuple[int, int] | None = None) -> Projection:
    """Return the state at the journal's end; its cost does not grow with the journal.

    `folded` are seq and ts (UTC ns) of where the tables stand, if that is before.
    """
    state = Projection()
    state.advance(*(folded or read_head(connection)[:2]))
    _restore_latest(connection, state)
    _restore_orders(connection, state)
    _restore_submissions(connection, state)
    _restore_fills(connection, state)
    _restore_payments(connection, state)
    for row in connection.execute(select(tables.positions)):
        message = decode_payload(PositionUpdate.wire, row.payload)
        state.positions[row.symbol] = cast(PositionUpdate, message)
    return state


def _restore_latest(connection: Connection, state: Projection) -> None:
    table = tables.runtime_state
    kept = select(table).where(table.c.type != STORE, table.c.value != NOTHING)
    for row in connection.execute(kept):
        if row.type == DAY_OPEN:
            day, equity, *high = json.loads(row.value)
            state.day_open = DayOpen(day, Decimal(equity))
            state.high_water = Decimal(high[0] if high else equity)
            continue
        if row.type == CLOSINGS:
            state.remember_closings(row.value)
            continue
        message: Message = decode_payload(row.type, row.value)
        if type(message) in LATEST:
            state.latest[type(message), row.name, row.scope] = message


def _restore_payments(connection: Connection, state: Projection) -> None:
    table = tables.events
    last = select(table.c.payload).where(table.c.subject == FUNDING).order_by(table.c.seq.desc())
    for row in reversed(connection.execute(last.limit(PAYMENTS_KEPT)).all()):
        payment = cast(FundingPayment, decode_payload(FundingPayment.wire, row.payload))
        state.payments.append((payment.time, payment.tid))


def _restore_orders(connection: Connection, state: Projection) -> None:
    table = tables.orders
    recent = or_(table.c.open == 1, (table.c.open == 0) & (table.c.ts >= state.ts - DAY))
    for row in connection.execute(select(table).where(recent).order_by(table.c.seq)):
        update = cast(OrderUpdate, decode_payload(OrderUpdate.wire, row.payload))
        state.remember_order(update, row.ts)


def _restore_submissions(connection: Connection, state: Projection) -> None:
    """Take up the requests that may still be under way; without any the journal is not read."""
    if not any(update.dies_at > state.ts for _, update in state.orders.values()):
        return
    table = tables.journal
    newest = select(table.c.ts, table.c.type, table.c.payload).order_by(table.c.seq.desc())
    newest = newest.where(table.c.seq <= state.seq)
    rows = connection.execution_options(stream_results=True).execute(newest)
    recent = takewhile(lambda one: one.ts > state.ts - LONGEST_LIFE, rows)
    for row in reversed([one for one in recent if one.type == Submission.wire]):
        request = cast(Submission, decode_payload(Submission.wire, row.payload))
        state.remember_submission(request, row.ts)
    rows.close()


def _restore_fills(connection: Connection, state: Projection) -> None:
    table = tables.fills
    last = select(table.c.cloid, table.c.tid).order_by(table.c.seq.desc()).limit(FILLS_KEPT)
    for row in reversed(connection.execute(last).all()):
        state.remember_fill((row.cloid, row.tid))
    state.last_fill_time = connection.execute(select(func.max(table.c.time))).scalar() or 0
