"""Round trips: what each strategy's positions came to, from flat to flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from tradeagent.messages import (
    TERMINAL,
    ZERO,
    Closed,
    Fill,
    OrderUpdate,
    PositionUpdate,
    TrackRecord,
)
from tradeagent.messages.build import typed
from tradeagent.quant.protections import Trip
from tradeagent.storage.base import Closing

_new_track_record = typed(TrackRecord)
_new_closed = typed(Closed)

KEPT = 20
"""How many round trips a record tells one by one."""


class Edge(NamedTuple):
    """What a strategy's round trips came to over all symbols; `won` and `lost` are above 0."""

    trades: int = 0
    wins: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO

    @property
    def payoff(self) -> Decimal:
        """Return the average win over the average loss, 0 where there is none of one."""
        losses = self.trades - self.wins
        if not (self.wins and losses and self.lost):
            return ZERO
        return self.won / self.wins / (self.lost / losses)


class Trips:
    """Follows every strategy's part of every position; a part that is flat again is a trip.

    A trip's result is what the part's books gained, after fees and funding, since it was last flat.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], TrackRecord] = {}
        self._edges: dict[str, Edge] = {}
        self._held: dict[tuple[str, str], Decimal] = {}
        self._stops: set[str] = set()
        self._stopped: dict[str, bool] = {}

    def restore(self, records: Iterable[TrackRecord], held: Iterable[PositionUpdate]) -> None:
        """Take up earlier trips, and the positions that are open."""
        for record in records:
            self.records[record.strategy, record.symbol] = record
            edge = self.edge(record.strategy)
            self._edges[record.strategy] = Edge(
                edge.trades + record.trades,
                edge.wins + record.wins,
                edge.won + record.won,
                edge.lost + record.lost,
            )
        for position in held:
            for part in position.parts:
                self._held[part.strategy, position.symbol] = part.size

    def trips(self) -> Iterator[Trip]:
        """Yield the trips that the records tell one by one."""
        for record in self.records.values():
            for one in record.recent:
                yield Trip(record.strategy, record.symbol, one.time, one.pnl, one.stopped)

    def edge(self, strategy: str) -> Edge:
        """Return what a strategy's trips came to."""
        return self._edges.get(strategy, Edge())

    def order(self, update: OrderUpdate) -> None:
        """Keep which working orders are stops."""
        if update.order.type == "stop":
            name = update.order.cloid
            (self._stops.discard if update.status in TERMINAL else self._stops.add)(name)

    def fill(self, fill: Fill) -> None:
        """Note whether a stop filled last in a symbol: its position follows."""
        self._stopped[fill.symbol] = fill.cloid in self._stops

    def position(self, update: PositionUpdate) -> list[TrackRecord]:
        """Return the new records of the parts that this position closed."""
        closed = []
        for part in update.parts:
            key = (part.strategy, update.symbol)
            before = self._held.get(key, ZERO)
            self._held[key] = part.size
            if before * part.size < 0 or (before and not part.size):
                net = part.realised_pnl - part.fees - part.funding
                stopped = self._stopped.get(update.symbol, False)
                closed.append(self.close(Closing(*key, update.time, net, stopped)))
        return closed

    def close(self, closing: Closing) -> TrackRecord:
        """Return the new record that a trip's end leads to."""
        strategy, symbol, time, net, stopped = closing
        old = self.records.get((strategy, symbol))
        if old is None:
            old = TrackRecord(strategy=strategy, symbol=symbol, time=0)
        pnl = net - old.net
        won, lost = max(pnl, ZERO), max(-pnl, ZERO)
        record = _new_track_record(
            strategy=strategy,
            symbol=symbol,
            time=time,
            trades=old.trades + 1,
            wins=old.wins + (pnl > 0),
            won=old.won + won,
            lost=old.lost + lost,
            net=net,
            recent=(*old.recent[1 - KEPT :], _new_closed(time=time, pnl=pnl, stopped=stopped)),
        )
        self.records[strategy, symbol] = record
        edge = self.edge(strategy)
        self._edges[strategy] = Edge(
            edge.trades + 1, edge.wins + (pnl > 0), edge.won + won, edge.lost + lost
        )
        return record
