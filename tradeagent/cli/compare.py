"""`tradeagent compare`: the figures of several backtests side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tradeagent.cli.options import AsJson

compare = typer.Typer(name="compare", add_completion=False, rich_markup_mode=None)


@compare.command()
def show_comparison(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders that `backtest --out` wrote.", metavar="RUN..."),
    ],
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Also write a page with the curves over one another."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the figures of backtests side by side, and what makes them hard to compare."""
    from tradeagent.research.comparison import compare as read
    from tradeagent.research.report.comparing import save_html, show

    found = read(runs)
    if html is not None:
        save_html(found, html)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        show(found)
