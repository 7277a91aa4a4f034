"""What the commands of the data catalogue are told, and what is meant by it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from tradeagent.errors import CommandError
from tradeagent.integrations.recorded.columns import Content, TimeUnit
from tradeagent.messages import TIMEFRAMES, Timeframe

if TYPE_CHECKING:
    from tradeagent.integrations.recorded import InstrumentSpec, RecordedFile
    from tradeagent.research.data.catalogue import Catalogue
    from tradeagent.research.data.series import Series
    from tradeagent.research.data.span import Span

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


def open_catalogue(root: Path | None) -> Catalogue:
    """Return the catalogue that is named, else the usual one."""
    from tradeagent.research.data.catalogue import Catalogue
    from tradeagent.research.data.root import usual_root

    return Catalogue(root or usual_root(os.environ))


def timeframe_of(text: str) -> Timeframe | None:
    """Return a timeframe; raises CommandError."""
    if text not in get_args(Timeframe):
        raise CommandError(f"--timeframe: {text!r} is none of {', '.join(get_args(Timeframe))}")
    return cast("Timeframe", text)


def span_of(text: str) -> Span:
    """Return a range of time; raises CommandError."""
    from tradeagent.research.data.span import EVER, parse_span

    return parse_span(text) if text else EVER


def one_series(
    catalogue: Catalogue,
    symbol: str,
    kind: Content | None,
    timeframe: Timeframe | None,
    *,
    makes: bool = False,
) -> Series:
    """Return the only series that is meant, or with `makes` the longest one it can be made of."""
    found = some_series(catalogue, [symbol], kind, None if makes else timeframe)
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


def some_series(
    catalogue: Catalogue, symbols: Sequence[str], kind: Content | None, timeframe: Timeframe | None
) -> list[Series]:
    """Return the series that are meant; raises CommandError when there is none of a symbol."""
    every = [
        one
        for one in catalogue.all_series()
        if kind in (None, one.kind) and timeframe in (None, one.timeframe)
    ]
    what = " ".join(filter(None, (timeframe, kind or "data")))
    for symbol in symbols or ["any symbol"] * (not every):
        if all(one.symbol != symbol for one in every):
            known = ", ".join(map(str, catalogue.all_series())) or "nothing yet"
            raise CommandError(
                f"the catalogue {catalogue.root} has no {what} of {symbol or 'an empty symbol'}; "
                f"it has {known}; add to it by 'tradeagent data import' or 'download'"
            )
    return [one for one in every if not symbols or one.symbol in symbols]


def recorded_file(path: Path, settings: Mapping[str, object]) -> RecordedFile:
    """Return a file and how to read it; raises CommandError."""
    from pydantic import ValidationError

    from tradeagent.integrations.recorded import RecordedFile

    try:
        return RecordedFile.model_validate({"path": path, **settings})
    except ValidationError as error:
        first = error.errors()[0]
        option = "".join(f"--{key}: " for key in first["loc"][:1])
        reason = first["msg"].removeprefix("Value error, ")
        raise CommandError(f"{path.name}: {option}{reason}") from error


def one_market(files: Sequence[Path], symbol: str | None) -> None:
    """Refuse an empty symbol, and without one files that share a guessed one.

    Those may be months of one market, or markets whose names begin alike: who imports them knows.
    Raises CommandError.
    """
    if symbol is not None:
        if not symbol.strip():
            raise CommandError("--symbol: it is empty; name one, such as BTC")
        return
    sharing: dict[str, list[str]] = {}
    for path in dict.fromkeys(files):
        sharing.setdefault(recorded_file(path, {}).listed, []).append(path.name)
    for shared, names in sharing.items():
        if len(names) > 1:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise CommandError(
                f"{', '.join(names[:3])}{more} would be kept together as {shared}, after how their "
                f"names begin; say --symbol {shared} if they are of one market, else import each "
                "market by itself with its own --symbol"
            )


def renamed(text: str) -> tuple[str, str]:
    """Return our name of a column and the file's; raises CommandError."""
    ours, equals, theirs = text.partition("=")
    if not equals or not ours or not theirs:
        raise CommandError(f"--column: {text!r} is no pair such as time=ts")
    return ours.strip(), theirs.strip()


def grid_of(text: str | None) -> InstrumentSpec | None:
    """Return the grid of two steps, None for none; raises CommandError."""
    from pydantic import ValidationError

    from tradeagent.integrations.recorded import InstrumentSpec

    if text is None:
        return None
    tick, _, lot = text.partition(",")
    try:
        return InstrumentSpec.model_validate({"tick": tick.strip(), "lot": lot.strip()})
    except ValidationError as error:
        raise CommandError(f"--grid: {text!r} is no pair of steps such as 0.5,0.001") from error
