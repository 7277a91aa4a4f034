"""`tradeagent data import|list|show|check|download|export`: the catalogue of market data."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from tradeagent.cli.options import AsJson
from tradeagent.cli.progress import progress
from tradeagent.errors import CommandError, DataError, VenueUnavailable
from tradeagent.integrations.recorded.columns import Content, TimeUnit
from tradeagent.messages import Timeframe

if TYPE_CHECKING:
    from tradeagent.integrations.base import PastMarket
    from tradeagent.integrations.recorded import InstrumentSpec, RecordedFile
    from tradeagent.research.data.catalogue import Catalogue
    from tradeagent.research.data.download import Downloaded
    from tradeagent.research.data.series import Series
    from tradeagent.research.data.span import Span

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended."""
data = typer.Typer(name="data", add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Root = Annotated[
    Path | None,
    typer.Option(
        "--catalogue", help="The catalogue's folder; else TRADEAGENT_DATA, else the user's own."
    ),
]
Symbol = Annotated[str, typer.Argument(help="The symbol, as 'tradeagent data list' shows it.")]
Kind = Annotated[Content | None, typer.Option("--kind", help="Which kind of data.")]
Frame = Annotated[Timeframe | None, typer.Option("--timeframe", "-t", help="Which candles.")]
Frames = Annotated[
    list[str] | None,
    typer.Option("--timeframe", "-t", help="Which candles; 1m by default. Repeatable."),
]
Range = Annotated[
    str, typer.Option("--timerange", help="From and up to, UTC, as 20260101-20260201 or 20260101-.")
]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--column", help="Our name of a column and the file's: time=ts. Repeatable."),
]
Unit = Annotated[
    TimeUnit | None, typer.Option("--time-unit", help="The unit of times that are numbers.")
]
Turnover = Annotated[
    bool, typer.Option("--turnover", help="The volume is in quote currency, not in base units.")
]
Grid = Annotated[
    str | None, typer.Option("--grid", help="The venue's steps of price and size: 0.5,0.001.")
]
Preferred = Annotated[
    Literal["file", "catalogue"] | None,
    typer.Option("--prefer", help="Whose rows to keep where they differ."),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option("--allow", help="A finding that is no fault, such as gaps; or all. Repeatable."),
]
Exchange = Annotated[
    str, typer.Option("--exchange", help="hyperliquid, or an exchange by ccxt's name of it.")
]
Network = Annotated[
    Literal["mainnet", "testnet"], typer.Option("--network", help="Which one of Hyperliquid's.")
]


@data.callback()
def group() -> None:
    """Keep market data on this machine: take it in, check it, download it, write it out."""


@data.command("import")
def take(
    files: Annotated[list[Path], typer.Argument(help="CSV, JSON lines or Parquet.")],
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="What it is; else the file name up to - or _.")
    ] = None,
    timeframe: Frame = None,
    kind: Kind = None,
    columns: Renamed = None,
    time_unit: Unit = None,
    turnover: Turnover = False,
    grid: Grid = None,
    prefer: Preferred = None,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Take files into the catalogue, in order and each row once, and say what is wrong with them.

    What a file holds is told by its header. Rows that are there already change nothing; rows that
    differ from those are refused, unless --prefer says whose to keep.
    """
    from tradeagent.cli.data_tables import tell_intakes
    from tradeagent.log import setup
    from tradeagent.research.data.ingest import take_in

    setup("console", "ERROR")
    settings = {
        "symbol": symbol,
        "content": kind,
        "timeframe": timeframe,
        "columns": dict(_renamed(one) for one in columns or ()),
        "time_unit": time_unit,
        "volume": "quote" if turnover else "base",
        "instrument": _grid(grid),
    }
    catalogue, done, failed = _catalogue(root), [], []
    for path in files:
        try:
            with progress(path.name) as watch:
                done.append((path.name, take_in(catalogue, _file(path, settings), prefer, watch)))
        except DataError as error:
            failed.append(str(error))
    if done or as_json:
        tell_intakes(done, as_json=as_json)
    if failed:
        raise DataError("\n".join(failed))


@data.command("list")
def list_series(root: Root = None, as_json: AsJson = False) -> None:
    """List every series: how many rows, from when to when, how many candles are missing."""
    from tradeagent.cli.data_tables import tell_series

    tell_series(_catalogue(root), as_json=as_json)


@data.command("show")
def show(
    symbol: Symbol,
    timeframe: Frame = None,
    kind: Kind = None,
    timerange: Range = "",
    rows: Annotated[int, typer.Option("--rows", help="How many rows to show.", min=0)] = 5,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Show one series: its first rows, its range, statistics and what is wrong with it."""
    from tradeagent.cli.data_tables import tell_one

    catalogue = _catalogue(root)
    series = _one(catalogue, symbol, kind, timeframe)
    tell_one(catalogue, series, _span(timerange), rows, as_json=as_json)


@data.command("check")
def check(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols to check; all without one.")
    ] = None,
    timeframe: Frame = None,
    kind: Kind = None,
    timerange: Range = "",
    allow: Allowed = None,
    far: Annotated[
        float,
        typer.Option("--far", help="From how many robust deviations on a move is an outlier."),
    ] = 20.0,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Check what is kept: gaps, repeated and late rows, zero volume, outliers, impossible prices.

    The exit status is 1 when something is found that --allow does not name.
    """
    from tradeagent.cli.data_tables import tell_findings
    from tradeagent.research.data.quality import MEANING, of_rows

    allowed = {word.strip() for one in allow or () for word in one.split(",")}
    if unknown := sorted(allowed - {*MEANING, "all"}):
        raise CommandError(f"--allow: {unknown[0]!r} is none of all, {', '.join(MEANING)}")
    catalogue, span = _catalogue(root), _span(timerange)
    every = _some(catalogue, symbols or [], kind, timeframe)
    found = []
    with progress("checking") as watch:
        for number, series in enumerate(every, 1):
            rows = catalogue.columns(series, span)
            found += [(series, one) for one in of_rows(series, rows, far)]
            watch(number / len(every))
    tell_findings(found, len(every), as_json=as_json)
    if "all" not in allowed and any(one.code not in allowed for _, one in found):
        raise typer.Exit(1)


@data.command("download")
def get(
    symbols: Annotated[
        list[str], typer.Argument(help="As the exchange names them: BTC, BTC/USDT.")
    ],
    exchange: Exchange = "hyperliquid",
    timeframes: Frames = None,
    kind: Annotated[
        Literal["bars", "funding", "trades"], typer.Option("--kind", help="What to download.")
    ] = "bars",
    timerange: Range = "",
    name: Annotated[
        str | None, typer.Option("--as", help="Keep it under this symbol instead.")
    ] = None,
    network: Network = "mainnet",
    url: Annotated[
        str, typer.Option("--url", help="A server on this machine that stands for the exchange.")
    ] = "",
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Download candles, funding rates or trades: only what the catalogue does not have yet.

    It keeps to the exchange's limits, asks again what got no answer, and keeps each page as it
    comes: interrupted, the same command goes on. Hyperliquid tells the last 5,000 candles.
    """
    from tradeagent.cli.data_tables import tell_downloads
    from tradeagent.log import setup
    from tradeagent.research.data.series import Series

    setup("console", "ERROR")
    if name is not None and len(symbols) > 1:
        raise CommandError("--as: it names one symbol; give one")
    if not all(symbol.strip() for symbol in symbols):
        raise CommandError("a symbol is empty; name one, such as BTC")
    span = _span(timerange)
    if not span.start and not (exchange == "hyperliquid" and kind == "bars"):
        raise CommandError("--timerange: say from when, as 20260101-")
    frames = [_frame(one) for one in timeframes or ["1m"]] if kind == "bars" else [None]
    wanted = [(one, Series(kind, name or one, frame)) for one in symbols for frame in frames]
    catalogue, done = _catalogue(root), list["Downloaded"]()
    try:
        asyncio.run(_download(catalogue, (exchange, network, url), wanted, span, done))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what came is kept, the same command goes on from there\n")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if done or as_json:
            tell_downloads(catalogue, done, as_json=as_json)


async def _download(
    catalogue: Catalogue,
    place: tuple[str, str, str],
    wanted: Sequence[tuple[str, Series]],
    span: Span,
    done: list[Downloaded],
) -> None:
    """Download one series after another; what came of each is added to `done`."""
    from tradeagent.research.data.download import download

    source = _source(*place)
    try:
        await source.open()
        for symbol, series in wanted:
            with progress(str(series)) as watch:
                done.append(await download(catalogue, source, symbol, series, span, watch))
    except VenueUnavailable as error:
        raise DataError(f"{source.name} does not answer: {error}; try again") from error
    finally:
        await source.close()


def _source(exchange: str, network: str, url: str) -> PastMarket:
    from tradeagent.clock import WallClock

    if exchange != "hyperliquid":
        from tradeagent.integrations.ccxt import CcxtPast

        return CcxtPast(exchange, WallClock(), url)
    from pydantic import ValidationError

    from tradeagent.integrations.hyperliquid.past import HyperliquidPast
    from tradeagent.integrations.hyperliquid.settings import LineSettings

    where = {"network": "local", "url": url} if url else {"network": network}
    try:
        settings = LineSettings.model_validate(where)
    except ValidationError as error:
        raise CommandError(f"--url: {error.errors()[0]['msg']}") from error
    return HyperliquidPast(settings, WallClock())


@data.command("export")
def put(
    symbol: Symbol,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .csv, .jsonl or .parquet.")],
    timeframe: Frame = None,
    kind: Kind = None,
    timerange: Range = "",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Write a series to a file; candles of a longer timeframe are made of shorter ones.

    A period in which shorter candles are missing is made of those that are there, and counted; the
    last one is left out while its end is missing.
    """
    from tradeagent.research.data.export import export

    if out.exists() and not force:
        raise CommandError(f"{out} is there already; say --force to write over it")
    catalogue = _catalogue(root)
    series = _one(catalogue, symbol, kind, timeframe, makes=True)
    with progress(out.name) as watch:
        written = export(catalogue, series, out, _span(timerange), timeframe, watch)
    if as_json:
        told = {"file": str(out), "rows": written.rows, "partial": written.partial}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    made = f", {written.partial:,} of them made of too few candles" if written.partial else ""
    sys.stdout.write(f"wrote {written.rows:,} rows of {series} to {out}{made}\n")


def _catalogue(root: Path | None) -> Catalogue:
    from tradeagent.research.data.catalogue import Catalogue
    from tradeagent.research.data.root import usual_root

    return Catalogue(root or usual_root(os.environ))


def _frame(text: str) -> Timeframe | None:
    if text not in get_args(Timeframe):
        raise CommandError(f"--timeframe: {text!r} is none of {', '.join(get_args(Timeframe))}")
    return cast("Timeframe", text)


def _span(text: str) -> Span:
    from tradeagent.research.data.span import EVER, parse_span

    return parse_span(text) if text else EVER


def _one(
    catalogue: Catalogue,
    symbol: str,
    kind: Content | None,
    timeframe: Timeframe | None,
    *,
    makes: bool = False,
) -> Series:
    """Return the only series that is meant, or with `makes` the longest one it can be made of."""
    from tradeagent.messages import TIMEFRAMES

    found = _some(catalogue, [symbol], kind, None if makes else timeframe)
    if makes and timeframe is not None:
        length = TIMEFRAMES[timeframe]
        bars = [one for one in found if one.kind in ("bars", kind) and one.length]
        found = [one for one in bars if length % one.length == 0][-1:]
        if not found:
            there = ", ".join(map(str, bars)) or "no candles"
            raise CommandError(f"{symbol}: there is nothing to make {timeframe} of: {there}")
    if len(found) > 1:
        raise CommandError(
            f"{symbol} may be {' or '.join(map(str, found))}; say which by --kind and --timeframe"
        )
    return found[0]


def _some(
    catalogue: Catalogue, symbols: Sequence[str], kind: Content | None, timeframe: Timeframe | None
) -> list[Series]:
    """Return the series that are meant; raises CommandError when there is none of a symbol."""
    every = [
        one
        for one in catalogue.all_series()
        if kind in (None, one.kind) and timeframe in (None, one.timeframe)
    ]
    what = " ".join(filter(None, (timeframe, kind))) or "data"
    for symbol in symbols or ["any symbol"] * (not every):
        if all(one.symbol != symbol for one in every):
            known = ", ".join(map(str, catalogue.all_series())) or "nothing yet"
            raise CommandError(
                f"the catalogue {catalogue.root} has no {what} of {symbol or 'an empty symbol'}; "
                f"it has {known}; add to it by 'tradeagent data import' or 'download'"
            )
    return [one for one in every if not symbols or one.symbol in symbols]


def _file(path: Path, settings: Mapping[str, object]) -> RecordedFile:
    from pydantic import ValidationError

    from tradeagent.integrations.recorded import RecordedFile

    try:
        return RecordedFile.model_validate({"path": path, **settings})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise CommandError(f"{path.name}: {reason}") from error


def _renamed(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours or not theirs:
        raise CommandError(f"--column: {text!r} is no pair such as time=ts")
    return ours.strip(), theirs.strip()


def _grid(text: str | None) -> InstrumentSpec | None:
    from pydantic import ValidationError

    from tradeagent.integrations.recorded import InstrumentSpec

    if text is None:
        return None
    tick, _, lot = text.partition(",")
    try:
        return InstrumentSpec.model_validate({"tick": tick.strip(), "lot": lot.strip()})
    except ValidationError as error:
        raise CommandError(f"--grid: {text!r} is no pair of steps such as 0.5,0.001") from error
