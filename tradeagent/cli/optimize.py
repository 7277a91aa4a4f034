"""`tradeagent optimize`: look for parameters, and say whether what was found is luck."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tradeagent.cli import testing
from tradeagent.cli.options import AsJson, Files

if TYPE_CHECKING:
    from tradeagent.research.search import Optimization, Search, Told
    from tradeagent.research.tries import Try

RESULTS = Path("optimizations")
"""Where searches go that no --out names."""
INTERRUPTED = 130
SHOWN = 10
"""Tries shown at the end, the best first."""
optimize = typer.Typer(name="optimize", add_completion=False, rich_markup_mode=None)


@optimize.command()
def search(
    strategy: testing.Strategies = None,
    symbol: testing.Symbols = None,
    timeframe: testing.Timeframes = None,
    timerange: testing.Timerange = "",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p", help="What varies, as fast=5:30:5 or entry=a,b; or is fixed: slow=50. Repeatable."
        ),
    ] = None,
    sampler: Annotated[
        Literal["grid", "random", "tpe"], typer.Option("--sampler", help="How to choose.")
    ] = "tpe",
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            help="Tries at most, in each training range, too; else 100, or the whole grid.",
            min=1,
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option("--objective", help="A figure to make better; sharpe. Repeatable."),
    ] = None,
    walk_forward: Annotated[
        int,
        typer.Option(
            "--walk-forward", help="Also test on so many stretches after their training.", min=0
        ),
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Processes; else one for each core.", min=1)
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="Give up early what is far behind.")
    ] = True,
    screen: Annotated[
        bool,
        typer.Option("--screen", help="Work tries out over columns where that is as good."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another one chooses otherwise.")] = 0,
    config: Files = None,
    data: testing.Data = None,
    catalogue: testing.Catalogue = None,
    balance: testing.Balance = None,
    fee: testing.Fee = None,
    slippage_bp: testing.Slippage = None,
    latency_ms: testing.Latency = None,
    funding: testing.Funding = None,
    resume_daily: testing.Resume = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where every try is kept; the same folder goes on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try many parameters on all cores, and report whether the best of them is luck.

    Every try is kept. Interrupted, it finishes what is under way; the same command goes on.
    """
    from tradeagent.log import setup
    from tradeagent.research.search import Search
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
    wanted = Search(
        backtest=spec,
        sampler=sampler,
        trials=trials,
        objectives=testing.names(objective) or ("sharpe",),
        prune=prune,
        screen=screen,
        seed=seed,
        folds=walk_forward,
    )
    name = "-".join([*spec.strategies, *spec.symbols, *spec.timeframes]).replace(":", ".")
    _go(wanted, out or RESULTS / (name or "search"), jobs, as_json=as_json)


def _go(wanted: Search, out: Path, jobs: int | None, *, as_json: bool) -> None:
    from tradeagent.research.optimize import optimize as run
    from tradeagent.research.report.page import save_html

    with _interrupts() as stopped, _shown() as onlooker:
        found = run(wanted, out, jobs=jobs, onlooker=onlooker, stopped=stopped)
    if found.result is not None:
        save_html(found.result, out / "best" / "report.html")
    if as_json:
        sys.stdout.write(found.summary() + "\n")
    else:
        _tell(found, out)
    if found.interrupted:
        sys.stderr.write("stopped; the same command goes on where it was\n")
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C or SIGTERM stop new tries, and the second end all processes."""
    asked: list[int] = []

    def handle(number: int, _: object) -> None:
        if asked:
            os._exit(INTERRUPTED)  # its processes end with it
        asked.append(number)
        sys.stderr.write("\nfinishing what is under way; once more ends at once\n")

    before = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _shown() -> Iterator[Callable[[Told], None]]:
    """Yield what shows how far the search is, and the best so far, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("searching", total=None)

        def look(told: Told) -> None:
            where = f"training {told.fold}, " if told.fold else ""
            best = "nothing yet" if told.best is None else _line(told.best.values, told.best.params)
            shown.update(
                task, completed=told.done, total=told.wanted, description=f"{where}best {best}"
            )

        yield look


def _line(values: tuple[float | None, ...], params: Mapping[str, object]) -> str:
    figures = " ".join("-" if value is None else f"{value:.4g}" for value in values)
    return f"{figures} with {' '.join(f'{name}={value}' for name, value in params.items())}"


def _tell(found: Optimization, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    for text in found.told():
        console.print(f"! {text}")
    chosen = found.front if len(found.search.objectives) > 1 else _ranked(found)
    table = Table("try", "parameters", box=None, pad_edge=False)
    for name in (*found.search.objectives, "trades", "profit"):
        table.add_column(name, justify="right")
    for one in chosen[:SHOWN]:
        figures = (*one.values, one.metrics.trades, one.metrics.profit)
        told = ["-" if value is None else f"{value:,.4g}" for value in figures]
        words = " ".join(f"{name}={value}" for name, value in one.params.items())
        table.add_row(f"{one.number}", words, *told)
    console.print(table)
    for fold in found.forward:
        tested = fold.tested
        value = "-" if tested is None else _line(tested.values, tested.params)
        console.print(f"test {fold.number}, {fold.test}: {value}")
    if found.search.screen:
        played = [one for one in found.tries if not one.screened]
        reason = next((f": {one.refusal}" for one in played if one.refusal), "")
        console.print(f"{len(played):,} of {len(found.tries):,} tries were played whole{reason}")
    if failed := [one for one in found.tries if one.state == "failed"]:
        console.print(f"{len(failed):,} of {len(found.tries):,} tries failed: {failed[0].error}")
    report = f", the best in {out / 'best' / 'report.html'}" if found.result is not None else ""
    console.print(f"{len(found.tries):,} tries in {out / 'trials.csv'}{report}")


def _ranked(found: Optimization) -> tuple[Try, ...]:
    sign = found.search.signs[0]
    complete = [one for one in found.tries if one.complete and not one.fold]
    return tuple(sorted(complete, key=lambda one: -sign * (one.values[0] or 0.0)))
