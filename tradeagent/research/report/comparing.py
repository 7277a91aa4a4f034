"""Several results side by side: as a table in the terminal, and as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tradeagent.research.comparison import Comparison, table
from tradeagent.research.report.figures import STYLES, together
from tradeagent.research.report.page import environment, provenance, raw, write
from tradeagent.research.wording import counted

_FIRST, _EACH = 32, 18


def show(comparison: Comparison, console: Console | None = None) -> None:
    """Print the figures of each run in a column, the best of each marked by a star."""
    wanted = max(100, _FIRST + _EACH * len(comparison.runs))
    console = console or Console(width=None if sys.stdout.isatty() else wanted)
    console.print(_view(comparison))


def _view(comparison: Comparison) -> RenderableType:
    grid = Table(box=None, padding=(0, 1))
    grid.add_column("Figure", no_wrap=True)
    for run in comparison.runs:
        grid.add_column(Text(run.name), justify="right", overflow="fold")
    for heading, lines in table(comparison):
        grid.add_row(Text(heading, style="bold"))
        for line in lines:
            cells = [
                Text(f"* {text}" if place in line.best else text)
                for place, text in enumerate(line.texts)
            ]
            grid.add_row(Text(f"  {line.meaning.title}"), *cells)
    notes = [Text(f"! {note}") for note in comparison.notes]
    warned = [
        Text(f"{run.name}: {counted(len(run.summary.warnings), 'warning')}, see its report")
        for run in comparison.runs
        if run.summary.warnings
    ]
    return Group(*notes, grid, Text("* is the better one"), *warned)


def render(comparison: Comparison) -> str:
    """Return a page with the curves over one another and the figures side by side."""
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            names=[run.name for run in comparison.runs],
            titles=[run.summary.origin.title for run in comparison.runs],
            notes=comparison.notes,
            chart=together(comparison.curves()),
            keys=[_key(place) for place in range(len(comparison.runs))],
            groups=table(comparison),
            warnings=[(run.name, run.summary.warnings) for run in comparison.runs],
            origins=[(run.name, provenance(run.summary.origin)) for run in comparison.runs],
            style=raw("style.css"),
            scripts=[],
        )
    )


def _key(place: int) -> str:
    dashed = "" if place < len(STYLES) else " dashed"
    return f"{STYLES[place % len(STYLES)]}{dashed}"


def save_html(comparison: Comparison, path: Path) -> None:
    """Write the page; a file that is there is replaced when the new one is whole."""
    write(path, render(comparison))
