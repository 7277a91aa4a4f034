"""The report in a terminal: at most 100 columns, and nothing in it rests on colour."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tradeagent.quant.luck import deflated
from tradeagent.quant.meanings import MEANINGS
from tradeagent.research.result import Summary
from tradeagent.research.wording import figure, percent

WIDTH = 100
BLOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Result",
        ("start_equity", "end_equity", "profit", "total_return", "cagr", "duration"),
    ),
    (
        "Risk",
        ("max_drawdown", "max_drawdown_length", "underwater", "volatility", "var_95", "worst_day"),
    ),
    (
        "Ratios and luck",
        ("sharpe", "sortino", "calmar", "psr", "minimum_track_record", "sharpe_freqtrade"),
    ),
    (
        "Trades",
        ("trades", "win_rate", "profit_factor", "expectancy", "sqn", "average_holding"),
    ),
    (
        "Exposure and costs",
        ("exposure", "turnover", "fees", "funding", "breakeven_cost", "rejected"),
    ),
    (
        "Market",
        ("market_change", "buy_and_hold", "excess_return", "market_drawdown", "beta"),
    ),
)
"""What is shown, two blocks side by side."""


def show(summary: Summary, console: Console | None = None) -> None:
    """Print the summary; without a terminal it is as wide as in one."""
    console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(view(summary), width=min(console.width, WIDTH))


def view(summary: Summary) -> RenderableType:
    """Return the summary: what was run, the warnings, and the figures that matter most."""
    origin = summary.origin
    head = Text(origin.title, style="bold")
    played = Text(f"{origin.start} to {origin.end}, money in quote currency, days in UTC")
    made = [Text(f"Checked: {one}") for one in summary.checks]
    warned = _warnings(summary.warnings)
    return Group(head, played, Text(), warned, *made, Text(), _figures(summary))


def _warnings(said: Sequence[str]) -> RenderableType:
    if not said:
        return Text("No known warning applies; results of a simulation promise nothing.")
    rows = Table.grid(padding=(0, 1))
    for one in said:
        rows.add_row(Text("!", style="bold yellow"), Text(one))
    return Group(Text("Before you believe it", style="bold"), rows)


def _figures(summary: Summary) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    blocks = [_block(summary, heading, fields) for heading, fields in BLOCKS]
    for left, right in zip(blocks[::2], blocks[1::2], strict=True):
        grid.add_row(Padding(left, (0, 0, 1, 0)), Padding(right, (0, 0, 1, 0)))
    return grid


def _block(summary: Summary, heading: str, fields: Sequence[str]) -> Table:
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(heading, style="bold"), Text())
    for field in fields:
        table.add_row(Text(MEANINGS[field].title), Text(figure(summary.metrics, field)))
    if "psr" in fields and summary.trials is not None:
        found = deflated(summary.metrics, summary.trials)
        told = f"Deflated Sharpe ({summary.trials.count:,} tries)"
        table.add_row(Text(told), Text("-" if found is None else percent(found)))
    return table
