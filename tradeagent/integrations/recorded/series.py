"""Sound rows put in order: candles, quotes and trades, played as messages built one by one."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, repeat
from operator import le, lt
from typing import Protocol, cast

from tradeagent.errors import DataError
from tradeagent.integrations.base import MarketEvent
from tradeagent.integrations.recorded.columns import BARS, QUOTE_BARS, TRADES, Schema
from tradeagent.integrations.recorded.settings import RecordedFile
from tradeagent.integrations.recorded.table import Table
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

    rows: int
    last_time: int

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, message) from `start` on."""
        ...

    def prices(self) -> Iterable[float]:
        """Return the prices seen."""
        ...

    def sizes(self) -> Iterable[float]:
        """Return the sizes seen, in base units; none when the file has none."""
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
            volume = array(
                "d", [worth / price for worth, price in zip(volume, self.close, strict=True)]
            )
        self.volume = volume
        self.length = TIMEFRAMES[self.timeframe]
        self.rows = len(table)
        self.last_time = self.time[-1] + self.length

    def events(self, start: int) -> Iterator[tuple[int, MarketData]]:
        """Yield each candle at its close."""
        first = bisect_left(self.time, start - self.length)
        closes = map(self.length.__add__, memoryview(self.time)[first:])
        return zip(closes, self.candles(first, self.rows), strict=True)

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

    def prices(self) -> Iterable[float]:
        """Return all four prices of every candle."""
        return chain(self.open, self.high, self.low, self.close)

    def sizes(self) -> Iterable[float]:
        """Return the volumes, unless they were turnover and say nothing of the grid."""
        return () if self._turnover else self.volume


class Quotes:
    """Best bids and asks of one symbol; bars of them count at their close.

    A file without a column of last prices does not tell the last trade: the middle stands in.
    """

    def __init__(self, file: RecordedFile, schema: Schema, table: Table) -> None:
        """Sort the quotes; raises DataError when quote bars have no timeframe."""
        if schema is QUOTE_BARS:
            table, timeframe = on_grid(file, schema, table)
            self.time = array("q", [time + TIMEFRAMES[timeframe] for time in table.time])
        else:
            table = in_order(table)
            self.time = table.time
        self.symbol = file.listed
        self.bid, self.ask = (table.numbers[name] for name in schema.needed)
        self.bid_size, self.ask_size = (table.numbers.get(name) for name in schema.optional[:2])
        self.last = table.numbers.get("last")
        self.rows = len(table)
        self.last_time = self.time[-1]

    def events(self, start: int) -> Iterator[tuple[int, TickerUpdate]]:
        """Yield each quote at its time."""
        symbol, build = self.symbol, _ticker
        first = bisect_left(self.time, start)
        bids, asks = memoryview(self.bid)[first:], memoryview(self.ask)[first:]
        middles = ((bid + ask) / 2 for bid, ask in zip(bids, asks, strict=True))
        for time, bid, ask, last, bid_size, ask_size in zip(
            memoryview(self.time)[first:],
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

    def prices(self) -> Iterable[float]:
        """Return bids and asks."""
        return chain(self.bid, self.ask)

    def sizes(self) -> Iterable[float]:
        """Return the sizes at the touch, where there are some."""
        return chain(self.bid_size or (), self.ask_size or ())


class Trades:
    """The public trades of one symbol, each id once."""

    def __init__(self, file: RecordedFile, table: Table) -> None:
        """Sort the trades and leave out repeated ones."""
        table = in_order(_each_once(table))
        self.symbol = file.listed
        self.time = table.time
        self.price, self.size, self.side = (
            table.numbers["price"],
            table.numbers["size"],
            table.integers["side"],
        )
        self.trade_id = table.texts.get(TRADES.optional[0])
        self.rows = len(table)
        self.last_time = self.time[-1]

    def events(self, start: int) -> Iterator[tuple[int, MarketTrade]]:
        """Yield each trade at its time."""
        symbol, build = self.symbol, _trade
        first = bisect_left(self.time, start)
        for time, price, size, side, trade_id in zip(
            memoryview(self.time)[first:],
            memoryview(self.price)[first:],
            memoryview(self.size)[first:],
            memoryview(self.side)[first:],
            repeat("") if self.trade_id is None else self.trade_id[first:],
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

    def prices(self) -> Iterable[float]:
        """Return the prices of the trades."""
        return self.price

    def sizes(self) -> Iterable[float]:
        """Return the sizes of the trades."""
        return self.size


def in_order(table: Table) -> Table:
    """Return the rows by time, equal times as they came; rows that came late are counted."""
    time = table.time
    if all(map(le, time, memoryview(time)[1:])):
        return table
    table.faults.disordered += _late(time)
    return table.pick(sorted(range(len(time)), key=time.__getitem__))


def on_grid(file: RecordedFile, schema: Schema, table: Table) -> tuple[Table, Timeframe]:
    """Return the bars by open time, each once, and their timeframe; counts what was wrong.

    Of bars that open at the same time the first wins. A bar that opens between the others' open
    times is malformed. Raises DataError when the step between bars is no timeframe.
    """
    timeframe = file.timeframe or _commonest_step(file, table)
    length = TIMEFRAMES[timeframe]
    faults = table.faults
    phases = Counter(time % length for time in table.time)
    if len(phases) > 1:
        phase, _ = phases.most_common(1)[0]
        malformed = len(table) - phases[phase]
        if malformed + faults.malformed > phases[phase]:
            raise DataError(
                f"{file.name}: most {schema.content} do not open {timeframe} apart; "
                f"set timeframe to what they are, or repair the time column"
            )
        faults.malformed += malformed
        table = table.only([time % length == phase for time in table.time])
    if not all(map(lt, table.time, memoryview(table.time)[1:])):
        table = _first_of_each_time(table)
        faults.disordered += _late(table.time)
        table = table.pick(sorted(range(len(table)), key=table.time.__getitem__))
    holes = [later - time for time, later in pairwise(table.time) if later - time != length]
    faults.gaps += len(holes)
    faults.missing += sum(hole // length - 1 for hole in holes)
    return table, timeframe


def _commonest_step(file: RecordedFile, table: Table) -> Timeframe:
    steps = Counter(later - time for time, later in pairwise(sorted(set(table.time))))
    most = max(steps.values(), default=0)
    step = min((length for length, count in steps.items() if count == most), default=0)
    named = next((name for name, length in TIMEFRAMES.items() if length == step), None)
    if named is None:
        seen = f"bars are {step / 1e9:g} s apart" if step else "one bar alone has no step"
        raise DataError(
            f"{file.name}: {seen}, which is no timeframe; set timeframe (one of "
            f"{', '.join(TIMEFRAMES)}) or time_unit"
        )
    return cast("Timeframe", named)


def _first_of_each_time(table: Table) -> Table:
    places: dict[int, int] = {}
    for place, time in enumerate(table.time):
        places.setdefault(time, place)
    table.faults.duplicates += len(table) - len(places)
    return table.pick(list(places.values()))


def _each_once(table: Table) -> Table:
    ids = table.texts.get("trade_id")
    if ids is None or len(set(ids)) == len(ids):
        return table
    places: dict[str | int, int] = {}
    for place, one in enumerate(ids):
        places.setdefault(one or place, place)  # without an id every trade is its own
    table.faults.duplicates += len(ids) - len(places)
    return table.pick(list(places.values()))


def _late(times: Sequence[int]) -> int:
    top = late = 0
    for time in times:
        if time < top:
            late += 1
        else:
            top = time
    return late
