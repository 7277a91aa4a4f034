"""The market feed that plays recorded files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from heapq import merge
from itertools import chain, pairwise
from math import floor, log10
from operator import itemgetter

import numpy as np

from tradeagent.errors import DataError
from tradeagent.integrations.base import MarketEvent
from tradeagent.integrations.recorded.book import Books
from tradeagent.integrations.recorded.columns import (
    BARS,
    FUNDING,
    QUOTE_BARS,
    QUOTES,
    TRADES,
    Layout,
)
from tradeagent.integrations.recorded.read import read
from tradeagent.integrations.recorded.series import Bars, Quotes, Series, Trades
from tradeagent.integrations.recorded.settings import EPOCH, RecordedFile, RecordedSettings
from tradeagent.integrations.recorded.table import Floats, Table, decimals
from tradeagent.messages import (
    TIMEFRAMES,
    DataReference,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    Timeframe,
)

PRICE_DECIMALS = 12
SIZE_DECIMALS = 8
"""Decimals beyond these are noise of somebody's floating point."""

_time_of = itemgetter(0)


class Recording:
    """One file, loaded: its messages, what it is and how whole it is."""

    def __init__(self, file: RecordedFile) -> None:
        """Load `file`; raises DataError."""
        layout, table = read(file)
        if layout.schema is FUNDING:
            raise DataError(
                f"{file.name}: holds funding rates, which are not played; leave it out of files, "
                "or keep it with 'tradeagent data import'"
            )
        faults = table.faults
        self.file = file
        self.symbol = file.listed
        self.series = _series(file, layout, table)
        self.status = DataStatus(
            symbol=self.symbol,
            name=file.name,
            rows=self.series.rows,
            gaps=faults.gaps,
            missing=faults.missing,
            duplicates=faults.duplicates,
            disordered=faults.disordered,
            malformed=faults.malformed,
            last_time=self.series.last_time,
        )
        self.reference = DataReference(
            name=file.name,
            symbol=self.symbol,
            sha256=_digest(file),
            rows=self.series.rows,
            content=layout.schema.content,
            mapping=layout.columns,
        )


class RecordedFeed:
    """A market feed of recorded files, loaded and validated once, and the same at every playing.

    Columns stay in memory, messages are built while they play. Nothing is invented: holes stay
    holes and malformed rows are left out; `status` counts both.
    """

    name = "recorded"
    recorded = True

    def __init__(
        self, settings: RecordedSettings, load: Callable[[RecordedFile], Recording] = Recording
    ) -> None:
        """Load each file by `load`; raises DataError for one that cannot be used."""
        self.settings = settings
        self._recordings = [load(file) for file in settings.files]
        self._instruments: list[InstrumentUpdate] | None = None
        self._bars: dict[tuple[str, str], list[Bars]] = {}
        for recording in self._recordings:
            bars = recording.series
            if isinstance(bars, Bars):
                self._bars.setdefault((bars.symbol, bars.timeframe), []).append(bars)
        for same in self._bars.values():
            same.sort(key=lambda bars: bars.last_time)
        self._refuse_overlaps()
        self._strands = _strands([one.series for one in self._recordings])
        if (settings.start or settings.end) and next(self.events(0), None) is None:
            first = min(one.series.first_time for one in self._recordings)
            last = max(one.series.last_time for one in self._recordings)
            raise DataError(
                f"feeds.recorded: nothing lies between {settings.start or 'the first row'} and "
                f"{settings.end or 'the last'}; the files hold {_date(first)} to {_date(last)}"
            )

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return one instrument for each symbol, as given or as prices and sizes show."""
        if self._instruments is None:
            symbols = dict.fromkeys(recording.symbol for recording in self._recordings)
            self._instruments = [self._instrument(symbol) for symbol in symbols]
        return self._instruments

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles of `symbol`, shortest first."""
        found = {same[0].timeframe for (of, _), same in self._bars.items() if of == symbol}
        return sorted(found, key=TIMEFRAMES.__getitem__)

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None when there are no candles of `symbol`."""
        return next(iter(self.timeframes(symbol)), None)

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return the last `count` candles that closed at or before `before` (UTC ns), oldest first.

        Only recorded candles: none for a symbol or timeframe that no file holds.
        """
        parts: list[list[MarketData]] = []
        for bars in reversed(self._bars.get((symbol, timeframe), ())):
            end = bars.before(before)
            taken = list(bars.candles(max(end - count, 0), end))
            count -= len(taken)
            parts.append(taken)
        return list(chain.from_iterable(reversed(parts)))

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, message) from `start` on, candles at their close.

        Messages of one instant come in the order of the files. What lies outside the times that
        the settings choose is not played.
        """
        streams = [
            chain.from_iterable(self._within(series, start) for series in strand)
            for strand in self._strands
        ]
        return streams[0] if len(streams) == 1 else merge(*streams, key=_time_of)

    def _within(self, series: Series, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Return what a file plays from `start` on; a candle that closes at the end is within."""
        chosen, length = self.settings, series.length
        first = max(start, chosen.start_ns + length)
        return series.events(first, chosen.end_ns + bool(length))

    def candles(self, symbol: str) -> Sequence[Bars]:
        """Return the columns of the shortest candles of `symbol`, file by file, oldest first."""
        shortest = self.shortest(symbol)
        return () if shortest is None else self._bars[symbol, shortest]

    def status(self) -> Sequence[DataStatus]:
        """Return how whole each file is."""
        return [recording.status for recording in self._recordings]

    def references(self) -> Sequence[DataReference]:
        """Return what each file is: name, digest, rows and columns."""
        return [recording.reference for recording in self._recordings]

    def _refuse_overlaps(self) -> None:
        for (symbol, timeframe), same in self._bars.items():
            for earlier, later in pairwise(same):
                if later.time[0] < earlier.last_time:
                    names = [
                        one.file.name for one in self._recordings if one.series in (earlier, later)
                    ]
                    raise DataError(
                        f"{' and '.join(names)}: both hold {timeframe} bars of {symbol} at the "
                        f"same times; leave one out of files, or set symbol"
                    )

    def _instrument(self, symbol: str) -> InstrumentUpdate:
        own = [recording for recording in self._recordings if recording.symbol == symbol]
        spec = next((one.file.instrument for one in own if one.file.instrument), None)
        if spec is not None:
            return spec.of(symbol)
        prices = [column for one in own for column in one.series.prices()]
        sizes = [column for one in own for column in one.series.sizes()]
        tick, lot = grid(prices, sizes)
        return InstrumentUpdate(symbol=symbol, tick=tick, lot=lot)


def grid(
    prices: Sequence[Sequence[float] | Floats], sizes: Sequence[Sequence[float] | Floats]
) -> tuple[Decimal, Decimal]:
    """Return the tick and the lot that columns of prices and sizes show.

    Without sizes the lot is the power of ten that is worth between 0.1 and 1 of the quote.
    """
    highest = max(float(np.max(column)) for column in prices)
    by_worth = max(floor(log10(highest)) + 1, 0)
    digits = decimals(sizes, SIZE_DECIMALS) if sizes else by_worth
    return Decimal(1).scaleb(-decimals(prices, PRICE_DECIMALS)), Decimal(1).scaleb(-digits)


def _strands(series: Sequence[Series]) -> list[list[Series]]:
    """Return the files as strands: neighbours of which each goes on where the last one ends."""
    strands: list[list[Series]] = []
    for one in series:
        before = strands[-1][-1] if strands else None
        if (
            before is not None
            and (type(before), before.symbol, before.length) == (type(one), one.symbol, one.length)
            and before.last_time <= one.first_time
        ):
            strands[-1].append(one)
        else:
            strands.append([one])
    return strands


def _date(time: int) -> str:
    return str(EPOCH + timedelta(microseconds=time // 1_000))


def _series(file: RecordedFile, layout: Layout, table: Table) -> Series:
    schema = layout.schema
    if schema is BARS:
        return Bars(file, table)
    if schema in (QUOTES, QUOTE_BARS):
        return Quotes(file, schema, table)
    if schema is TRADES:
        return Trades(file, table)
    return Books(file, schema, table)


def _digest(file: RecordedFile) -> str:
    try:
        with file.path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file.name}: cannot be read: {error.strerror}; correct path") from error
