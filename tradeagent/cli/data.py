"""`tradeagent data import|list|show|check|download|export`: the catalogue of market data."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tradeagent.cli.data_options import (
    Allowed,
    Exchange,
    Frame,
    Frames,
    Grid,
    Kind,
    Network,
    Preferred,
    Range,
    Renamed,
    Root,
    Symbol,
    Turnover,
    Unit,
    grid_of,
    one_market,
    one_series,
    open_catalogue,
    recorded_file,
    renamed,
    some_series,
    span_of,
    timeframe_of,
)
from tradeagent.cli.options import AsJson
from tradeagent.cli.progress import progress
from tradeagent.errors import CommandError, DataError, VenueUnavailable

if TYPE_CHECKING:
    from tradeagent.integrations.base import PastMarket
    from tradeagent.research.data.catalogue import Catalogue
    from tradeagent.research.data.download import Downloaded
    from tradeagent.research.data.series import Series
    from tradeagent.research.data.span import Span

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended."""
data = typer.Typer(name="data", add_completion=False, rich_markup_mode=None, no_args_is_help=True)


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
    """Take files into the catalogue, and say what is wrong with them.

    What a file holds is told by its header. Rows are kept in order and each once: those that are
    there already change nothing, and those that differ from them are refused, unless --prefer says
    whose to keep. Several files whose names begin alike need --symbol.
    """
    from tradeagent.cli.data_tables import tell_intakes
    from tradeagent.log import setup
    from tradeagent.research.data.ingest import take_in

    setup("console", "WARNING")
    one_market(files, symbol)
    settings = {
        "symbol": symbol,
        "content": kind,
        "timeframe": timeframe,
        "columns": dict(renamed(one) for one in columns or ()),
        "time_unit": time_unit,
        "volume": "quote" if turnover else "base",
        "instrument": grid_of(grid),
    }
    catalogue, done, failed = open_catalogue(root), [], []
    for path in files:
        try:
            with progress(path.name) as watch:
                done.append(
                    (path.name, take_in(catalogue, recorded_file(path, settings), prefer, watch))
                )
        except DataError as error:
            failed.append(str(error))
    if done or as_json:
        tell_intakes(done, as_json=as_json)
    if failed:
        raise DataError("\n".join(failed))


@data.command("list")
def list_series(root: Root = None, as_json: AsJson = False) -> None:
    """List every series: how much of it there is, and what is missing."""
    from tradeagent.cli.data_tables import tell_series

    tell_series(open_catalogue(root), as_json=as_json)


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
    """Show one series: first rows, statistics, findings."""
    from tradeagent.cli.data_tables import tell_one

    catalogue = open_catalogue(root)
    series = one_series(catalogue, symbol, kind, timeframe)
    tell_one(catalogue, series, span_of(timerange), rows, as_json=as_json)


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
    """Check what is kept, and say what is wrong with it.

    Gaps, repeated and late rows, candles without volume, outliers and impossible prices are found.
    The exit status is 1 when something is found that --allow does not name.
    """
    from tradeagent.cli.data_tables import tell_findings
    from tradeagent.research.data.quality import MEANING, of_rows

    allowed = {word.strip() for one in allow or () for word in one.split(",")}
    if unknown := sorted(allowed - {*MEANING, "all"}):
        raise CommandError(f"--allow: {unknown[0]!r} is none of all, {', '.join(MEANING)}")
    catalogue, span = open_catalogue(root), span_of(timerange)
    every = some_series(catalogue, symbols or [], kind, timeframe)
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
    """Download what the catalogue does not have yet.

    Candles, funding rates and trades, from Hyperliquid or by ccxt. It keeps to the exchange's
    limits, asks again what got no answer, and keeps each page as it comes: interrupted, the same
    command goes on. Hyperliquid tells the last 5,000 candles.
    """
    from tradeagent.cli.data_tables import tell_downloads
    from tradeagent.log import setup
    from tradeagent.research.data.series import Series

    setup("console", "ERROR")
    if name is not None and len(symbols) > 1:
        raise CommandError("--as: it names one symbol; give one")
    if not all(symbol.strip() for symbol in symbols):
        raise CommandError("a symbol is empty; name one, such as BTC")
    span = span_of(timerange)
    if not span.start and not (exchange == "hyperliquid" and kind == "bars"):
        raise CommandError("--timerange: say from when, as 20260101-")
    frames = [timeframe_of(one) for one in timeframes or ["1m"]] if kind == "bars" else [None]
    wanted = [(one, Series(kind, name or one, frame)) for one in symbols for frame in frames]
    catalogue, done = open_catalogue(root), list["Downloaded"]()
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

        return CcxtPast(exchange.removeprefix("ccxt:"), WallClock(), url)
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
    """Write a series to a file.

    Candles of a longer timeframe are made of shorter ones. A period in which some are missing is
    made of those that are there, and counted; the last one is left out while its end is missing.
    """
    from tradeagent.research.data.export import export
    from tradeagent.research.wording import counted

    if out.exists() and not force:
        raise CommandError(f"{out} is there already; say --force to write over it")
    catalogue = open_catalogue(root)
    series = one_series(catalogue, symbol, kind, timeframe, makes=True)
    with progress(out.name) as watch:
        written = export(catalogue, series, out, span_of(timerange), timeframe, watch)
    if as_json:
        told = {"file": str(out), "rows": written.rows, "partial": written.partial}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    told_of = series._replace(timeframe=timeframe or series.timeframe)
    made = f", {written.partial:,} of them made of too few candles" if written.partial else ""
    sys.stdout.write(f"wrote {counted(written.rows, 'row')} of {told_of} to {out}{made}\n")
