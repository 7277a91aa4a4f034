"""`tradeagent backtest`: strategies over recorded data, by the agents that trade."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli import testing
from tradeagent.cli.options import AsJson, Files
from tradeagent.cli.progress import progress

if TYPE_CHECKING:
    from tradeagent.research.backtest import Check
    from tradeagent.research.result import Result
    from tradeagent.research.spec import Backtest

RESULTS = Path("backtests")
"""Where results go that no --out names."""
backtest = typer.Typer(name="backtest", add_completion=False, rich_markup_mode=None)


@backtest.command()
def play(
    strategy: testing.Strategies = None,
    symbol: testing.Symbols = None,
    timeframe: testing.Timeframes = None,
    timerange: testing.Timerange = "",
    param: Annotated[
        list[str] | None,
        typer.Option("-p", help="A parameter: fast=10, or sma_cross.fast=10. Repeatable."),
    ] = None,
    config: Files = None,
    data: testing.Data = None,
    catalogue: testing.Catalogue = None,
    balance: testing.Balance = None,
    fee: testing.Fee = None,
    slippage_bp: testing.Slippage = None,
    latency_ms: testing.Latency = None,
    funding: testing.Funding = None,
    resume_daily: testing.Resume = False,
    look_ahead: Annotated[
        bool,
        typer.Option("--check-lookahead", help="Cut the future off and see what changes."),
    ] = False,
    warm_up: Annotated[
        bool, typer.Option("--check-warmup", help="Begin later and see what changes.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The result's folder; else one of its own in backtests/."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over another result, or beside other files.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Trade recorded data on a simulated exchange, and report how it went.

    Data comes from --data, from a recording that -c names, or from the catalogue.
    """
    from tradeagent.log import setup
    from tradeagent.research.spec import Backtest

    setup("console", "ERROR")
    spec = Backtest(
        strategies=testing.names(strategy),
        symbols=testing.names(symbol),
        timeframes=testing.names(timeframe),
        timerange=timerange,
        params=testing.pairs(param),
        data=tuple(data or ()),
        catalogue=catalogue,
        config=tuple(config or ()),
        settings=testing.terms(balance, fee, slippage_bp, latency_ms, funding),
        resume_daily=resume_daily,
    )
    asked: dict[Check, bool] = {"lookahead": look_ahead, "warmup": warm_up}
    checks = [name for name, wanted in asked.items() if wanted]
    _tell(*_played(spec, out, checks, force=force), as_json=as_json)


def _played(
    spec: Backtest, out: Path | None, checks: list[Check], *, force: bool
) -> tuple[Result, Path]:
    """Return the result, saved, and its folder."""
    from tradeagent.research.backtest import prepare
    from tradeagent.research.folder import REPORT, save
    from tradeagent.research.report.page import save_html

    prepared = prepare(spec)
    folder = out if out is not None else RESULTS / prepared.name
    state = prepared.claim(folder, force=force)
    with progress("backtest") as done:
        result = prepared.run(state, done, checks)
    save(result, folder)
    save_html(result, folder / REPORT)
    return result, folder


def _tell(result: Result, folder: Path, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(result.summary.model_dump_json(indent=2) + "\n")
        return
    from tradeagent.research.report.terminal import show

    show(result.summary)
    sys.stdout.write(f"\n{folder / 'report.html'}\n")
