"""What an operator calls a fill, an order, a signal, an intent or a row, and what that may mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from tradeagent.messages import TradeSignal
from tradeagent.storage import tables

SHORTEST = 4
"""Characters of an id that are enough to name it, where they name one alone."""
SHARED = 10
"""Characters all order ids of one run begin with, which need not be written."""
CHOICES = 6
"""How many things of one kind a name is looked up for."""
LAST = "\U0010ffff"
"""What comes after every character of an id."""

_orders, _fills = tables.orders.c, tables.fills.c
_intents, _analyses = tables.intents.c, tables.analyses.c


class Found(NamedTuple):
    """What a reference names: a row of the journal, or an intent with or without an order.

    `name` names it and nothing else.
    """

    name: str
    seq: int | None = None
    intent: str | None = None


class Names:
    """Looks names up in one consistent state of a journal file."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, reference: str) -> Sequence[Found]:
        """Return what `reference` may name; several mean that it is too short or too vague.

        `row:N`, `fill:TID`, `fill:ORDER:TID`, `order:ID`, `intent:ID`, `signal:N` and
        `signal:STRATEGY[:SYMBOL]`, the last one of it, say what is meant. Without such a word a
        row's number and a fill's tid, or ORDER:TID, go before an order's or intent's first
        characters. That there is a row is not looked at.
        """
        kind, _, name = reference.partition(":")
        match kind if name else "":
            case "row":
                return self._row(name)
            case "fill":
                return self._fill(name)
            case "order":
                return self._order(name)
            case "intent":
                return self._intent(name)
            case "signal":
                return self._signal(name)
        exact = [*self._row(reference), *self._fill(reference)]
        return exact or self.ids(reference)

    def ids(self, start: str) -> Sequence[Found]:
        """Return the intents that an order's or their own first characters may name."""
        found = {one.intent: one for one in (*self._intent(start), *self._order(start))}
        return list(found.values())

    def _row(self, name: str) -> Sequence[Found]:
        return [Found(f"row:{int(name)}", seq=int(name))] if _is_number(name) else []

    def _fill(self, name: str) -> Sequence[Found]:
        order, _, tid = name.rpartition(":")
        query = select(_fills.cloid, _fills.tid, _fills.seq).where(_fills.tid == tid)
        if order:
            rows = self._begun(query, _fills.cloid, order)
        else:
            rows = self._rows(query.limit(CHOICES))
        return [Found(f"fill:{row.cloid}:{row.tid}", seq=row.seq) for row in rows]

    def _order(self, start: str) -> Sequence[Found]:
        if len(start) < SHORTEST:
            return []
        rows = self._begun(select(_orders.cloid, _orders.intent_id), _orders.cloid, start)
        return [Found(f"order:{row.cloid}", intent=row.intent_id) for row in rows]

    def _intent(self, start: str) -> Sequence[Found]:
        if len(start) < SHORTEST:
            return []
        named = dict.fromkeys(
            row.intent_id
            for column in (_intents.intent_id, _orders.intent_id)
            for row in self._rows(select(column).where(_near(column, start)).limit(CHOICES))
        )
        return [Found(f"intent:{intent}", intent=intent) for intent in named]

    def _signal(self, name: str) -> Sequence[Found]:
        query = select(_analyses.seq).where(_analyses.type == TradeSignal.wire)
        if _is_number(name):
            query = query.where(_analyses.seq == int(name))
        else:
            author, _, symbol = name.partition(":")
            query = query.where(_analyses.author == author)
            if symbol:
                query = query.where(_analyses.symbol == symbol)
        rows = self._rows(query.order_by(_analyses.seq.desc()).limit(1))
        return [Found(f"signal:{row.seq}", seq=row.seq) for row in rows]

    def _begun(
        self, query: Select[Any], column: ColumnElement[str], name: str
    ) -> Sequence[Row[Any]]:
        """Return what `query` finds by what an order's id may begin with, one after the other."""
        found: list[Row[Any]] = []
        for start in self._starts(name):
            left = CHOICES - len(found)
            found += self._rows(query.where(_near(column, start)).limit(left))
            if len(found) == CHOICES:
                break
        return found

    def _starts(self, name: str) -> Iterator[str]:
        """Yield what an order's id may begin with: a name, and each run's shared part before it."""
        yield name
        if name.startswith("0x"):
            return
        after = ""
        query = select(func.min(_orders.cloid))
        while (found := self._rows(query.where(_orders.cloid > after))[0][0]) is not None:
            yield f"{found[:SHARED]}{name}"
            after = f"{found[:SHARED]}{LAST}"

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._connection.execute(query).all()


def _is_number(name: str) -> bool:
    """Tell whether a name may be that of a row."""
    return name.isascii() and name.isdigit() and len(name) < 19


def _near(column: ColumnElement[str], start: str) -> ColumnElement[bool]:
    """Return that an id begins with `start`, in a way that uses its index."""
    return column.between(start, f"{start}{LAST}")
