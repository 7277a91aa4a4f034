"""How each message becomes rows of the state tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from tradeagent.messages import (
    TERMINAL,
    AccountUpdate,
    AgentStatus,
    Analysis,
    AuditReport,
    Boot,
    CancelRequest,
    Fill,
    FundingPayment,
    Incident,
    MarketData,
    Message,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    Release,
    Restriction,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    Sentiment,
    StrategyState,
    Submission,
    TrackRecord,
    TradeSignal,
    TradingState,
)
from tradeagent.storage import tables
from tradeagent.storage.projection import LATEST, Projection
from tradeagent.storage.tables import Put, put

Cell = str | int | float | bytes | None
Sheet = defaultdict[Put, list[tuple[Cell, ...]]]
"""Rows to write, in order, by the way of writing them."""

DAY_OPEN = "DAY_OPEN"
CLOSINGS = "CLOSINGS"
"""The rows of what closed and no record tells of, one for each symbol."""
NOTHING = ""
"""The value of a state row that tells nothing any more, as if it were not there."""
FUNDING = "FUNDING"
"""The subject of every funding payment among the events."""

JOURNAL = Put(tables.journal, tuple(column.name for column in tables.journal.columns))
RUNTIME = put(tables.runtime_state)
CONFIG = put(tables.config)
INCIDENTS = put(tables.incidents)
ANALYSES = put(tables.analyses)
EVENTS = put(tables.events)
POSITIONS = put(tables.positions)
ORDERS = put(tables.orders)
REQUESTS = put(tables.intents, "intent_id", "symbol", "strategy", "seq", "ts", "side", "request")
ASSESSMENTS = put(
    tables.intents,
    "intent_id",
    "symbol",
    "strategy",
    "assessed_seq",
    "assessed_ts",
    "assessed_by",
    "verdict",
    "reasons",
    "cloid",
    "assessment",
    keep=("symbol", "strategy"),  # the request's, whichever of the two is written first
)
FILLS = Put(tables.fills, tuple(column.name for column in tables.fills.columns))
BARS = put(tables.bars)


class Place(NamedTuple):
    """Where a message stands in the journal; `body` is its JSON."""

    seq: int
    ts: int
    source: str
    body: str


def _incident(at: Place, message: Incident | RiskAlert, sheet: Sheet) -> None:
    sheet[INCIDENTS].append(
        (
            at.seq,
            at.ts,
            message.wire,
            at.source,
            message.code,
            message.severity.value,
            message.symbol,
            at.body,
        )
    )


def _opinion(at: Place, message: Analysis | Sentiment | TradeSignal, sheet: Sheet) -> None:
    author = message.strategy if isinstance(message, TradeSignal) else message.analyst
    sheet[ANALYSES].append(
        (
            at.seq,
            at.ts,
            message.wire,
            at.source,
            message.symbol,
            author,
            message.valid_until,
            at.body,
        )
    )


def _event(subject: str, at: Place, message: Message, sheet: Sheet) -> None:
    sheet[EVENTS].append((at.seq, at.ts, message.wire, at.source, subject, at.body))


def _cancel(at: Place, message: CancelRequest, sheet: Sheet) -> None:
    _event(message.cloid or message.symbol or message.strategy or "*", at, message, sheet)


def _boot(at: Place, message: Boot, sheet: Sheet) -> None:
    sheet[CONFIG].append(
        (
            message.epoch,
            at.seq,
            at.ts,
            message.configuration,
            message.profile,
            message.version,
            message.code,
            at.body,
        )
    )


def _order(at: Place, message: OrderUpdate, sheet: Sheet) -> None:
    order = message.order
    sheet[ORDERS].append(
        (
            order.cloid,
            at.seq,
            at.ts,
            at.source,
            order.intent_id,
            order.symbol,
            order.side,
            message.strategy,
            message.status.value,
            message.status not in TERMINAL,
            str(order.size),
            str(message.filled),
            at.body,
        )
    )
    _event(order.cloid, at, message, sheet)


def _request(at: Place, message: OrderRequest, sheet: Sheet) -> None:
    sheet[REQUESTS].append(
        (
            message.intent_id,
            message.symbol,
            message.strategy,
            at.seq,
            at.ts,
            message.side,
            at.body,
        )
    )


def _assessment(at: Place, message: RiskAssessment, sheet: Sheet) -> None:
    sheet[ASSESSMENTS].append(
        (
            message.intent_id,
            message.symbol,
            message.strategy,
            at.seq,
            at.ts,
            at.source,
            message.verdict,
            json.dumps(message.reasons),
            message.order.cloid if message.order is not None else None,
            at.body,
        )
    )


def _fill(at: Place, message: Fill, sheet: Sheet) -> None:
    sheet[FILLS].append(
        (
            message.cloid,
            message.tid,
            at.seq,
            at.ts,
            at.source,
            message.intent_id,
            message.symbol,
            message.side,
            str(message.size),
            str(message.price),
            str(message.fee),
            message.strategy,
            message.time,
            at.body,
        )
    )


def _position(at: Place, message: PositionUpdate, sheet: Sheet) -> None:
    money = (message.size, message.entry_price, message.realised_pnl, message.fees, message.funding)
    sheet[POSITIONS].append((message.symbol, at.seq, at.ts, *map(str, money), at.body))


def _bar(_: Place, bar: MarketData, sheet: Sheet) -> None:
    sheet[BARS].append(
        (bar.symbol, bar.timeframe, bar.time, bar.open, bar.high, bar.low, bar.close, bar.volume)
    )


ROWS: dict[type[Message], Callable[[Place, Any, Sheet], None]] = {
    Incident: _incident,
    RiskAlert: _incident,
    Analysis: _opinion,
    Sentiment: _opinion,
    TradeSignal: _opinion,
    RiskOverride: lambda at, message, sheet: _event(message.rule, at, message, sheet),
    TradingState: lambda at, message, sheet: _event(message.mode, at, message, sheet),
    Release: lambda at, message, sheet: _event(message.ends, at, message, sheet),
    Restriction: lambda at, message, sheet: _event("", at, message, sheet),
    AuditReport: lambda at, message, sheet: _event("", at, message, sheet),
    AgentStatus: lambda at, message, sheet: _event(message.agent, at, message, sheet),
    StrategyState: lambda at, message, sheet: _event(message.strategy, at, message, sheet),
    FundingPayment: lambda at, message, sheet: _event(FUNDING, at, message, sheet),
    CancelRequest: _cancel,
    Boot: _boot,
    OrderUpdate: _order,
    OrderRequest: _request,
    RiskAssessment: _assessment,
    Fill: _fill,
    PositionUpdate: _position,
    MarketData: _bar,
}
PROJECTED: frozenset[type[Message]] = frozenset((*ROWS, *LATEST, Submission))
"""The classes that change what a start restores."""


def fold(at: Place, message: Message, state: Projection, sheet: Sheet) -> None:
    """Fold a message of a class in PROJECTED into `state` and put its rows on `sheet`."""
    kind = type(message)
    symbol = message.symbol if isinstance(message, PositionUpdate | TrackRecord) else ""
    closings = state.closings.get(symbol)
    state.apply(at.seq, at.ts, message)
    if state.closings.get(symbol) is not closings:
        value = state.closings_in(symbol) if state.closings[symbol] else NOTHING
        sheet[RUNTIME].append((CLOSINGS, "", symbol, at.seq, at.ts, value))
    rows = ROWS.get(kind)
    if rows is not None:
        rows(at, message, sheet)
    key = LATEST.get(kind)
    if key is not None and state.latest[kind, *key(message)] is message:
        sheet[RUNTIME].append((message.wire, *key(message), at.seq, at.ts, at.body))
    if kind is AccountUpdate and state.day_open is not None:
        day, equity = state.day_open
        value = json.dumps([day, str(equity), str(state.high_water)])
        sheet[RUNTIME].append((DAY_OPEN, "", "", at.seq, at.ts, value))
