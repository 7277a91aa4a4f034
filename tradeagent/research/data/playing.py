"""Choose what of the catalogue a backtest plays, or say in one line why it cannot."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, cast

from tradeagent.errors import DataError
from tradeagent.integrations.recorded import InstrumentSpec, RecordedFile, RecordedSettings
from tradeagent.integrations.recorded.columns import Content
from tradeagent.messages import TIMEFRAMES, Timeframe
from tradeagent.quant.curve import Prices
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.commit import Unwritable
from tradeagent.research.data.resample import resample
from tradeagent.research.data.root import MADE, usual_made
from tradeagent.research.data.series import Card, Columns, Series, Taken
from tradeagent.research.data.span import EVER, Span, date

MAKING = 2
"""The way they are made; those of another way are made anew."""


class Chosen(NamedTuple):
    """What to play, and what of the wish it does not fulfil, in words."""

    settings: RecordedSettings
    warnings: tuple[str, ...]


def choose(
    catalogue: Catalogue,
    symbols: Sequence[str],
    timeframe: Timeframe | None,
    span: Span = EVER,
    warmup: int = 0,
    kinds: Sequence[Content] = ("bars",),
) -> Chosen:
    """Return the files with the data of these symbols in a range, and before it for the warm-up.

    Candles of `timeframe` are made of shorter ones where there are none, of the longest that do;
    `warmup` is how many of them are wanted before the range. Kinds without a timeframe are taken
    as they are. Raises DataError, with the remedy, where something is not there.
    """
    if not symbols or not all(symbol.strip() for symbol in symbols):
        raise DataError(f"a symbol is empty; name one, such as BTC; {_list(catalogue)}")
    files: list[RecordedFile] = []
    warnings: list[str] = []
    for symbol in dict.fromkeys(symbols):
        found = [_found(catalogue, kind, symbol, timeframe, span) for kind in kinds]
        instrument = _grid([home.card(one) for one, home in found])
        for one, home in found:
            warnings += _covered(home, one, span)
            before = warmup * (TIMEFRAMES[timeframe] if timeframe else one.length)
            wanted = Span(max(span.start - before, 0), span.end)
            files += [_file(one, path, instrument) for path in home.files(one, wanted)]
    settings = RecordedSettings(files=tuple(files), start=span.first, end=span.last)
    return Chosen(settings, tuple(warnings))


def _file(series: Series, path: Path, instrument: InstrumentSpec | None) -> RecordedFile:
    return RecordedFile(
        path=path,
        symbol=series.symbol,
        content=series.kind,
        timeframe=series.timeframe,
        instrument=instrument,
    )


def candles_of(
    catalogue: Catalogue, symbol: str, timeframe: Timeframe, span: Span = EVER
) -> Prices:
    """Return the candles of a symbol in a range, made of shorter ones where there are none.

    Raises DataError, with the remedy, where there are not even those.
    """
    found, home = _found(catalogue, "bars", symbol, timeframe, span)
    return home.candles(found, span)


def _found(
    catalogue: Catalogue, kind: Content, symbol: str, timeframe: Timeframe | None, span: Span
) -> tuple[Series, Catalogue]:
    """Return the series that has the data, and the catalogue it is in."""
    own = [one for one in catalogue.all_series() if (one.kind, one.symbol) == (kind, symbol)]
    if not own:
        raise DataError(_absent(catalogue, kind, symbol, timeframe))
    if not own[0].length:
        _refuse_empty(catalogue, own[0], span)
        return own[0], catalogue
    length = TIMEFRAMES[timeframe] if timeframe else own[0].length
    fitting = [one for one in own if one.length and length % one.length == 0]
    fitting.sort(key=lambda one: -one.length)
    if kind == "quote_bars":
        fitting = fitting[:1] or own[:1]
    if not fitting:
        there = ", ".join(one.timeframe or "" for one in own)
        raise DataError(
            f"{symbol}: there are candles of {there}, and {timeframe} ones cannot be made of them; "
            f"{_remedy(kind, symbol, timeframe)}"
        )
    within = [one for one in fitting if catalogue.extent(one, span).rows]
    if not within:
        _refuse_empty(catalogue, fitting[0], span)
    found = within[0]
    if found.length == length or kind != "bars":
        return found, catalogue
    assert timeframe is not None
    made, home = _made(catalogue, found, timeframe)
    _refuse_empty(home, made, span)
    return made, home


def _made(catalogue: Catalogue, source: Series, timeframe: Timeframe) -> tuple[Series, Catalogue]:
    """Return the candles made of shorter ones; they are made anew when those have changed.

    They are kept beside those, or among the user's own files where nothing can be written there.
    """
    target = Series("bars", source.symbol, timeframe)
    files = [(file.name, file.stat()) for file in catalogue.files(source)]
    told = [f"{MAKING} {timeframe}"]
    told += [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    homes = [catalogue.root / MADE, usual_made(catalogue.root, os.environ)]
    for home in map(Catalogue, homes):
        if _is_whole(home, target, digest):
            return target, home
    made = resample(catalogue.candles(source), timeframe).candles
    if not len(made):
        raise DataError(f"{source}: there is not one whole {timeframe} candle in them")
    first, last = int(made.time[0]), int(made.time[-1])
    taken = Taken(name=str(source), sha256=digest, rows=len(made), first=first, last=last)
    card = catalogue.card(source).model_copy(update={"taken": (taken,), "asked": ()})
    try:
        home = Catalogue(homes[0])
        home.replace(target, rows_of(made), card)
    except Unwritable:
        home = Catalogue(homes[1])
        home.replace(target, rows_of(made), card)
    return target, home


def _is_whole(home: Catalogue, made: Series, digest: str) -> bool:
    """Tell whether all candles made of files of this digest are there."""
    try:
        rows = home.extent(made).rows
        return any((one.sha256, one.rows) == (digest, rows) for one in home.card(made).taken)
    except DataError:
        return False


def rows_of(candles: Prices) -> Columns:
    """Return candles as rows of a catalogue."""
    names = ("time", "open", "high", "low", "close", "volume")
    return {name: cast("Columns", {"": getattr(candles, name)})[""] for name in names}


def _grid(cards: Sequence[Card]) -> InstrumentSpec | None:
    """Return the grid of a symbol: as the venue told it, else the finest that its data show."""
    told = (card.instrument for card in cards if card.instrument is not None)
    seen = [card.seen for card in cards if card.seen is not None]
    if (found := next(told, None)) or not seen:
        return found
    return InstrumentSpec(tick=min(one.tick for one in seen), lot=min(one.lot for one in seen))


def _refuse_empty(catalogue: Catalogue, series: Series, span: Span) -> None:
    if catalogue.extent(series, span).rows:
        return
    rows, first, last, _ = catalogue.extent(series)
    raise DataError(
        f"{series}: nothing lies {span}; there are {rows:,} rows from {date(first)} to "
        f"{date(last)}; {_remedy(series.kind, series.symbol, series.timeframe)}"
    )


def _covered(catalogue: Catalogue, series: Series, span: Span) -> list[str]:
    """Return what of the range lies outside of the data, in words."""
    _, first, last, _ = catalogue.extent(series)
    said = []
    if span.start and first >= span.start + max(series.length, 1):
        said.append(f"{series} begin at {date(first)}, not at {date(span.start)}")
    if span.end != EVER.end and last + 2 * series.length <= span.end and series.length:
        said.append(f"{series} end at {date(last + series.length)}, not at {date(span.end)}")
    return said


def _absent(catalogue: Catalogue, kind: Content, symbol: str, timeframe: Timeframe | None) -> str:
    known = sorted({one.symbol for one in catalogue.all_series()})
    close = get_close_matches(symbol, known, n=1) or [
        one for one in known if one.lower() == symbol.lower()
    ]
    hint = f"did you mean {close[0]}? " if close and close[0] != symbol else ""
    return (
        f"the catalogue has no {kind} of {symbol}; {hint}{_remedy(kind, symbol, timeframe)}; "
        f"{_list(catalogue)}"
    )


def _remedy(kind: Content, symbol: str, timeframe: Timeframe | None) -> str:
    what = f"--timeframe {timeframe or '1m'}" if kind == "bars" else f"--kind {kind}"
    return (
        f"get it by 'tradeagent data import FILE --symbol {symbol}' or 'tradeagent data download "
        f"{symbol} {what}'"
    )


def _list(catalogue: Catalogue) -> str:
    known = [str(one) for one in catalogue.all_series()]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return f"{catalogue.root} has {', '.join(known[:8]) or 'nothing yet'}{more}"
