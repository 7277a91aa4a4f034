"""Sound rows put in order: candles, quotes and trades, played as messages built one by one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from tradeagent.errors import DataError
from tradeagent.integrations.base import MarketEvent
from tradeagent.integrations.recorded.columns import BARS, QUOTE_BARS, TRADES, Schema
from tradeagent.integrations.recorded.settings import RecordedFile
from tradeagent.integrations.recorded.table import Integers, Table, floats, integers
from tradeagent.messages import (
    TIMEFRAMES,
    MarketData,
    MarketTrade,
    Side,
    TickerUpdate,
    Timeframe,
)
from tradeagent.messages.build import put, trusted

_SIDES: tuple[Side, Side] = ("sell", "buy")

_CANDLE = set(MarketData.model_fields)
_ticker = trusted(TickerUpdate)
_trade = trusted(MarketTrade)


class Series(Protocol):
    """The messages of one file, in the order of their times."""

    symbol: str
    length: int
    """How long what a message tells of lasted before its time, ns; 0 for what is of a moment."""
    rows: int
    first_time: int
    last_time: int
    """The times of its first and last message, UTC ns."""

    def events(self, start: int, end: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, message) from `start` on and before `end`."""
        ...

    def prices(self) -> Sequence[Sequence[float]]:
        """Return the columns of prices."""
        ...

    def sizes(self) -> Sequence[Sequence[float]]:
        """Return the columns of sizes in base units; none when the file has none."""
        ...


class Bars:
    """The candles of one symbol and timeframe, on their grid and each once."""

    def __init__(self, file: RecordedFile, table: Table) -> None:
        """Sort the candles and count gaps; raises DataError when no timeframe fits them."""
        table, self.timeframe = on_grid(file, BARS, table)
        self.symbol = file.listed
        self.time = table.time
        self.open, self.high, self.low, self.close, volume = (
            table.numbers[name] for name in BARS.needed
        )
        self._turnover = file.volume == "quote"
        if self._turnover:
            volume = floats(np.asarray(volume) / np.asarray(self.close))
        self.volume = volume
        self.length = TIMEFRAMES[self.timeframe]
        self.rows = len(table)
        self.first_time = self.time[0] + self.length
        self.last_time = self.time[-1] + self.length

    def events(self, start: int, end: int) -> Iterator[tuple[int, MarketData]]:
        """Yield each candle at its close."""
        first = bisect_left(self.time, start - self.length)
        last = max(bisect_left(self.time, end - self.length), first)
        closes = map(self.length.__add__, memoryview(self.time)[first:last])
        return zip(closes, self.candles(first, last), strict=True)

    def before(self, end: int) -> int:
        """Return how many candles closed at or before `end` (UTC ns)."""
        return bisect_right(self.time, end - self.length)

    def candles(self, first: int, end: int) -> Iterator[MarketData]:
        """Yield the candles from place `first` up to, not including, `end`."""
        symbol, timeframe, new = self.symbol, self.timeframe, MarketData.__new__
        columns = (self.time, self.open, self.high, self.low, self.close, self.volume)
        for time, start, high, low, close, volume in zip(
            *(memoryview(column)[first:end] for column in columns), strict=True
        ):
            fields: dict[str, object] = {
                "symbol": symbol,
                "timeframe": timeframe,
                "time": time,
                "open": start,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
            }
            yield put(new(MarketData), fields, _CANDLE)

    def prices(self) -> Sequence[Sequence[float]]:
        """Return all four prices of every candle."""
        return self.open, self.high, self.low, self.close

    def sizes(self) -> Sequence[Sequence[float]]:
        """Return the volumes, unless they were turnover and say nothing of the grid."""
        return () if self._turnover else (self.volume,)


class Quotes:
    """Best bids and asks of one symbol; bars of them count at their close.

    A file without a column of last prices does not tell the last trade: the middle stands in.
    """

    def __init__(self, file: RecordedFile, schema: Schema, table: Table) -> None:
        """Sort the quotes; raises DataError when quote bars have no timeframe."""
        self.length = 0
        if schema is QUOTE_BARS:
            table, timeframe = on_grid(file, schema, table)
            self.length = TIMEFRAMES[timeframe]
            self.time = integers(np.asarray(table.time) + self.length)
        else:
            table = in_order(table)
            self.time = table.time
        self.symbol = file.listed
        self.bid, self.ask = (table.numbers[name] for name in schema.needed)
        self.bid_size, self.ask_size = (table.numbers.get(name) for name in schema.optional[:2])
        self.last = table.numbers.get("last")
        self.rows = len(table)
        self.first_time, self.last_time = self.time[0], self.time[-1]

    def events(self, start: int, end: int) -> Iterator[tuple[int, TickerUpdate]]:
        """Yield each quote at its time."""
        symbol, build = self.symbol, _ticker
        first, past = bisect_left(self.time, start), bisect_left(self.time, end)
        bids, asks = memoryview(self.bid)[first:past], memoryview(self.ask)[first:past]
        middles = ((bid + ask) / 2 for bid, ask in zip(bids, asks, strict=True))
        for time, bid, ask, last, bid_size, ask_size in zip(
            memoryview(self.time)[first:past],
            bids,
            asks,
            middles if self.last is None else memoryview(self.last)[first:],
            repeat(None) if self.bid_size is None else memoryview(self.bid_size)[first:],
            repeat(None) if self.ask_size is None else memoryview(self.ask_size)[first:],
            strict=False,  # a repeated value has no end
        ):
            yield (
                time,
                build(
                    symbol=symbol,
                    time=time,
                    bid=bid,
                    ask=ask,
                    last=last,
                    mark=None,
                    bid_size=bid_size,
                    ask_size=ask_size,
                    volume=0.0,
                    funding=None,
                ),
            )

    def prices(self) -> Sequence[Sequence[float]]:
        """Return bids and asks."""
        return self.bid, self.ask

    def sizes(self) -> Sequence[Sequence[float]]:
        """Return the sizes at the touch, where there are some."""
        return [one for one in (self.bid_size, self.ask_size) if one is not None]


class Trades:
    """The public trades of one symbol, each id once."""

    def __init__(self, file: RecordedFile, table: Table) -> None:
        """Sort the trades and leave out repeated ones."""
        table = in_order(each_once(table))
        self.symbol = file.listed
        self.length = 0
        self.time = table.time
        self.price, self.size, self.side = (
            table.numbers["price"],
            table.numbers["size"],
            table.integers["side"],
        )
        self.trade_id = table.texts.get(TRADES.optional[0])
        self.rows = len(table)
        self.first_time, self.last_time = self.time[0], self.time[-1]

    def events(self, start: int, end: int) -> Iterator[tuple[int, MarketTrade]]:
        """Yield each trade at its time."""
        symbol, build = self.symbol, _trade
        first, past = bisect_left(self.time, start), bisect_left(self.time, end)
        for time, price, size, side, trade_id in zip(
            memoryview(self.time)[first:past],
            memoryview(self.price)[first:],
            memoryview(self.size)[first:],
            memoryview(self.side)[first:],
            repeat("") if self.trade_id is None else self.trade_id[first:past],
            strict=False,  # a repeated value has no end
        ):
            yield (
                time,
                build(
                    symbol=symbol,
                    time=time,
                    price=price,
                    size=size,
                    side=_SIDES[side],
                    trade_id=trade_id,
                ),
            )

    def prices(self) -> Sequence[Sequence[float]]:
        """Return the prices of the trades."""
        return (self.price,)

    def sizes(self) -> Sequence[Sequence[float]]:
        """Return the sizes of the trades."""
        return (self.size,)


def in_order(table: Table) -> Table:
    """Return the rows by time, equal times as they came; rows that came late are counted."""
    time = np.asarray(table.time)
    if (time[1:] >= time[:-1]).all():
        return table
    table.faults.disordered += _late(time)
    return table.pick(np.argsort(time, kind="stable"))


def on_grid(file: RecordedFile, schema: Schema, table: Table) -> tuple[Table, Timeframe]:
    """Return the bars by open time, each once, and their timeframe; counts what was wrong.

    Of bars that open at the same time the first wins. A bar that opens between the others' open
    times is malformed. Raises DataError when the step between bars is no timeframe.
    """
    timeframe = file.timeframe or _commonest_step(file, table)
    length = TIMEFRAMES[timeframe]
    faults = table.faults
    off = np.asarray(table.time) % length
    if (off != off[0]).any():
        _, firsts, counts = np.unique(off, return_index=True, return_counts=True)
        most = int(counts.max())
        phase = off[firsts[counts == most].min()]
        malformed = len(table) - most
        if malformed + faults.malformed > most:
            raise DataError(
                f"{file.name}: most {schema.content} do not open {timeframe} apart; "
                f"set timeframe (--timeframe) to what they are, or repair the time column"
            )
        faults.malformed += malformed
        table = table.only(off == phase)
    table = first_of_each_time(table)
    steps = np.diff(np.asarray(table.time))
    holes = steps[steps != length]
    faults.gaps += len(holes)
    faults.missing += int((holes // length - 1).sum())
    return table, timeframe


def _commonest_step(file: RecordedFile, table: Table) -> Timeframe:
    found = np.diff(np.unique(np.asarray(table.time)))
    steps, counts = np.unique(found, return_counts=True)
    step = int(steps[counts.argmax()]) if len(steps) else 0  # of equally many the shortest
    named = next((name for name, length in TIMEFRAMES.items() if length == step), None)
    if named is None:
        seen = f"bars are {step / 1e9:g} s apart" if step else "one bar alone has no step"
        raise DataError(
            f"{file.name}: {seen}, which is no timeframe; set timeframe (--timeframe, one of "
            f"{', '.join(TIMEFRAMES)}) or time_unit (--time-unit)"
        )
    return cast("Timeframe", named)


def first_of_each_time(table: Table) -> Table:
    """Return the rows by time, of equal times the first; counts repeated and late rows."""
    time = np.asarray(table.time)
    if (time[1:] > time[:-1]).all():
        return table
    _, places, groups = np.unique(time, return_index=True, return_inverse=True)
    _count_repeated(table, places[groups])
    table.faults.disordered += _late(time[np.sort(places)])
    return table.pick(places)


def each_once(table: Table) -> Table:
    """Return the trades, each id once; those without an id all. Counts repeated ones."""
    ids = table.texts.get("trade_id")
    if ids is None or len(set(ids)) == len(ids):
        return table
    places: dict[str | int, int] = {}
    # Without an id every trade is its own.
    firsts = [places.setdefault(one or place, place) for place, one in enumerate(ids)]
    _count_repeated(table, np.array(firsts, dtype=np.intp))
    return table.pick(np.fromiter(places.values(), dtype=np.intp))


def _count_repeated(table: Table, firsts: NDArray[np.intp]) -> None:
    """Count the rows that repeat another, whose place `firsts` tells, and those that differ."""
    repeated = np.flatnonzero(firsts != np.arange(len(firsts)))
    differs = np.zeros(len(repeated), dtype=np.bool_)
    for column in (*table.numbers.values(), *table.integers.values()):
        values = np.asarray(column)
        differs |= values[repeated] != values[firsts[repeated]]
    table.faults.duplicates += len(repeated)
    if differs.any():
        table.faults.differing += int(differs.sum())
        table.faults.first_differing = int(np.asarray(table.time)[repeated[differs]].min())


def _late(time: Integers) -> int:
    """Return how many rows come after one of a later time."""
    return int((time < np.maximum.accumulate(time)).sum())
