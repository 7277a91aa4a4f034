"""The live status in a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tradeagent.app import Daemon, iso
from tradeagent.cli.narrate import sentence

EVERY = 0.5
EVENTS = 12
COLOURS = {"ACTIVE": "green", "REDUCE_ONLY": "yellow", "FLATTENING": "yellow"}


@contextmanager
def shown(daemon: Daemon) -> Iterator[None]:
    """Show the daemon's status, twice a second, while the context lasts."""
    loop = asyncio.get_running_loop()
    with Live(console=Console(), auto_refresh=False, screen=False, transient=False) as live:
        timer: list[asyncio.TimerHandle] = []

        def refresh() -> None:
            live.update(picture(daemon), refresh=True)
            timer[:] = [loop.call_later(EVERY, refresh)]

        refresh()
        try:
            yield
        finally:
            timer[0].cancel()
            live.update(picture(daemon), refresh=True)


def picture(daemon: Daemon) -> Group:
    """Return the status as rich draws it."""
    return Group(_head(daemon), _positions(daemon), _events(daemon))


def _head(daemon: Daemon) -> Text:
    tally = daemon.tally
    text = Text()
    text.append(f"tradeagent {daemon.plan.settings.profile} ", style="bold")
    text.append(f"{tally.mode} ", style=f"bold {COLOURS.get(tally.mode.value, 'red')}")
    text.append(f"{iso(daemon.clock.now())}  x{daemon.clock.speed:g}\n")
    account = tally.account
    if account is not None:
        pnl = account.equity - tally.day_open
        text.append(f"equity {account.equity:.2f}  ")
        text.append(f"day {pnl:+.2f}", style="green" if pnl >= 0 else "red")
        text.append(f"  fees {tally.fees:.2f}\n")
    refused = ", ".join(f"{rule} {count}" for rule, count in sorted(tally.rejections.items()))
    text.append(
        f"{tally.bars} bars  {tally.ticks} ticks  {tally.signals} signals  {tally.approvals}"
        f" approvals  {tally.fills} fills  rejections: {refused or 'none'}\n"
    )
    return text


def _positions(daemon: Daemon) -> Table:
    table = Table("symbol", "position", "entry", "mark", "unrealised", title="", box=None)
    tally = daemon.tally
    for symbol, (mark, _) in sorted(tally.marks.items()):
        held = tally.positions.get(symbol)
        if held is None or not held.size:
            table.add_row(symbol, "flat", "", f"{mark:.6g}", "")
            continue
        pnl = float(held.size) * (mark - float(held.entry_price))
        style = "green" if pnl >= 0 else "red"
        table.add_row(
            symbol, f"{held.size:f}", f"{held.entry_price:.6g}", f"{mark:.6g}",
            Text(f"{pnl:+.2f}", style=style),
        )  # fmt: skip
    return table


def _events(daemon: Daemon) -> Text:
    text = Text("\n")
    for when, message in list(daemon.tally.events)[-EVENTS:]:
        line = sentence(message, daemon.tally)
        style = "red" if line.startswith(("rejected", "incident", "alert")) else ""
        text.append(f"{iso(when)[11:19]} {line[:150]}\n", style=style)
    return text
