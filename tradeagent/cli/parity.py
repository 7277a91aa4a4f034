"""`tradeagent parity`: would a backtest have done what a run did?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli import testing
from tradeagent.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from tradeagent.research.parity import Parity

SHOWN = 20
"""Differences shown at most."""
parity = typer.Typer(name="parity", add_completion=False, rich_markup_mode=None)


@parity.command()
def compare(
    run: Annotated[Path, typer.Argument(help="The state folder of a run, or a backtest's result.")],
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: exchange.order_delay_ms=250. Repeatable."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the recorded files are now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Trade a run's own market data again by its own settings, and compare every decision.

    Exit status 0 when all is equal, 1 where something differs.
    """
    from tradeagent.log import setup
    from tradeagent.research.parity import parity

    setup("console", "ERROR")
    found = parity(run, testing.pairs(change, "--set"), data)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        _tell(found)
    if found.differences:
        raise typer.Exit(1)


def _tell(found: Parity) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    console.print(f"{found.run}: profile {found.profile}, {found.clock} clock")
    console.print(f"{found.start} to {found.end}")
    for text in (*found.configuration, *found.notes):
        console.print(f"! {text}")
    console.print(_table(found))
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.kinds.items())
    console.print(f"{found.share:.2%} of all decisions are equal; differences: {kinds or 'none'}")
    for one in found.differences[:SHOWN]:
        console.print(f"{one.time} {one.kind}: {one.why}")
        console.print(f"  run:      {one.run or '-'}\n  backtest: {one.backtest or '-'}")
    if len(found.differences) > SHOWN:
        console.print(f"and {len(found.differences) - SHOWN:,} more: --json has them all")


def _table(found: Parity) -> Table:
    from rich.table import Table

    table = Table("decision", box=None, pad_edge=False)
    for name in ("run", "backtest", "equal", "identical"):
        table.add_column(name, justify="right")
    for kind, count in found.counts.items():
        numbers = (count.run, count.backtest, count.equal, count.identical)
        table.add_row(kind, *(f"{number:,}" for number in numbers))
    return table
