"""Order books rebuilt from recorded snapshots and changes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tradeagent.integrations.recorded.columns import LEVELS, Schema
from tradeagent.integrations.recorded.settings import RecordedFile
from tradeagent.integrations.recorded.table import Faults, Table, integers
from tradeagent.messages import OrderBookUpdate
from tradeagent.messages.build import trusted

DEPTH = 10
"""Levels a side in a message."""

_update = trusted(OrderBookUpdate)


class Ladder:
    """One side of a book: sizes by price, and the prices sorted upwards."""

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.sizes: dict[float, float] = {}

    def put(self, price: float, size: float) -> None:
        """Set the size at a price; 0 takes the level away."""
        sizes = self.sizes
        if size:
            if price not in sizes:
                insort(self.prices, price)
            sizes[price] = size
        elif sizes.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]

    def lowest(self) -> tuple[tuple[float, float], ...]:
        """Return the lowest levels, upwards."""
        sizes = self.sizes
        return tuple([(price, sizes[price]) for price in self.prices[:DEPTH]])

    def highest(self) -> tuple[tuple[float, float], ...]:
        """Return the highest levels, downwards."""
        sizes = self.sizes
        return tuple([(price, sizes[price]) for price in self.prices[: -DEPTH - 1 : -1]])


class Piece(NamedTuple):
    """One message of the venue: rows `first` up to `end`, and its place in the venue's numbers."""

    first: int
    end: int
    snapshot: bool
    last: int
    previous: int


class Step(NamedTuple):
    """What brings the book from one published state to the next, at one time (UTC ns)."""

    time: int
    fresh: bool
    """Whether the book starts anew with a snapshot."""
    spans: tuple[tuple[int, int], ...]


class Books:
    """The book of one symbol after each message of the venue, as far as it is known for certain."""

    def __init__(self, file: RecordedFile, schema: Schema, table: Table) -> None:
        """Split rows into messages and follow their numbers.

        Rows stay in the file's order, because the venue's numbers decide and not the times; a time
        that goes back is counted as disordered and played at the one before it.
        """
        self.symbol = file.listed
        self.length = 0
        self._price = table.numbers["price"]
        self._size = table.numbers["size"]
        self._bids = table.integers["side"]
        self._time = rising(table.time, table.faults)
        if schema is LEVELS:
            pieces = level_snapshots(table)
            self._steps = [Step(self._time[one.end - 1], True, (one[:2],)) for one in pieces]
        else:
            self._steps = follow(messages(table), self._time, table.faults)
        self.rows = len(table)
        self.first_time, self.last_time = self._time[0], self._time[-1]

    def events(self, start: int, end: int) -> Iterator[tuple[int, OrderBookUpdate]]:
        """Yield the ten best levels a side after each message; earlier ones are applied unseen."""
        steps = self._steps
        index = bisect_left(steps, start, key=lambda step: step.time)
        while 0 < index < len(steps) and not steps[index].fresh:
            index -= 1
        bids, asks = Ladder(), Ladder()
        for place in range(index, len(steps)):
            time, fresh, spans = steps[place]
            if time >= end:
                return
            if fresh:
                bids, asks = Ladder(), Ladder()
            for first, last in spans:
                self._apply(bids, asks, first, last)
            if time >= start:
                yield (
                    time,
                    _update(symbol=self.symbol, time=time, bids=bids.highest(), asks=asks.lowest()),
                )

    def prices(self) -> Sequence[Sequence[float]]:
        """Return the prices of all levels."""
        return (self._price,)

    def sizes(self) -> Sequence[Sequence[float]]:
        """Return the sizes of all levels."""
        return (self._size,)

    def _apply(self, bids: Ladder, asks: Ladder, first: int, end: int) -> None:
        put_bid, put_ask = bids.put, asks.put
        for price, size, bid in zip(
            self._price[first:end], self._size[first:end], self._bids[first:end], strict=True
        ):
            (put_bid if bid else put_ask)(price, size)


def messages(table: Table) -> list[Piece]:
    """Return the messages of a file of changes: neighbouring rows of one number."""
    last, kind = table.integers["last_update_id"], table.integers["kind"]
    previous = table.integers["prev_last_update_id"]
    starts = [0]
    starts += [
        row
        for row in range(1, len(last))
        if last[row] != last[row - 1] or kind[row] != kind[row - 1]
    ]
    return [
        Piece(first, end, kind[first] == 1, last[first], previous[first])
        for first, end in zip(starts, [*starts[1:], len(last)], strict=True)
    ]


def level_snapshots(table: Table) -> list[Piece]:
    """Return the snapshots of a file of levels: each starts anew at level 0 or at a new time."""
    time, level, side = table.time, table.integers["level"], table.integers["side"]
    starts = [0]
    for row in range(1, len(time)):
        again = level[row] == 0 and side[row] == side[starts[-1]]
        if again or time[row] != time[row - 1]:
            starts.append(row)
    ends = [*starts[1:], len(time)]
    return [Piece(first, end, True, 0, 0) for first, end in zip(starts, ends, strict=True)]


def follow(pieces: Iterable[Piece], time: Sequence[int], faults: Faults) -> list[Step]:
    """Return the steps of a book whose messages are numbered; a broken chain is a gap.

    A change is taken when it continues the number before it; the first after a snapshot may also
    reach over it. Without a book, changes wait: those newer than the next snapshot are applied on
    top of it, as venues prescribe, because a snapshot arrives later than it was taken.
    """
    steps: list[Step] = []
    waiting: list[Piece] = []
    at: int | None = None
    fresh = False
    for piece in pieces:
        when = time[piece.end - 1]
        if piece.snapshot:
            if at is not None and piece.last < at:
                continue
            caught_up, at, waiting = _catch_up(piece, waiting)
            steps.append(Step(when, True, tuple(one[:2] for one in caught_up)))
            fresh = len(caught_up) == 1
            faults.gaps += at is None
        elif at is None:
            waiting.append(piece)
        elif piece.last <= at:
            faults.duplicates += 0 if fresh else piece.end - piece.first
        elif piece.previous == at or (fresh and piece.previous < at):
            steps.append(Step(when, False, ((piece.first, piece.end),)))
            at, fresh = piece.last, False
        else:
            faults.gaps += 1
            at, waiting = None, [piece]
    return steps


def _catch_up(
    snapshot: Piece, waiting: Sequence[Piece]
) -> tuple[list[Piece], int | None, list[Piece]]:
    """Return the snapshot with the waiting changes that continue it, and the number reached.

    When they do not continue it, there is no number, and the rest goes on waiting.
    """
    taken, at = [snapshot], snapshot.last
    newer = [piece for piece in waiting if piece.last > at]
    for place, piece in enumerate(newer):
        if piece.previous == at or (place == 0 and piece.previous < at):
            taken.append(piece)
            at = piece.last
        else:
            return taken, None, newer[place:]
    return taken, at, []


def rising(times: array[int], faults: Faults) -> array[int]:
    """Return the times, none before the one above it; counts those that were."""
    time = np.asarray(times)
    top = np.maximum.accumulate(time)
    late = int((time < top).sum())
    faults.disordered += late
    return integers(top) if late else times
