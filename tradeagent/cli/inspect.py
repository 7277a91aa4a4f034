"""`tradeagent status|agents|strategies|orders|positions|trades`: look, change nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tradeagent.api import views
from tradeagent.cli.options import AsJson, Profile, State
from tradeagent.cli.places import Caller, state_path

Limit = Annotated[int, typer.Option("--limit", help="How many rows.", min=1, max=10_000)]
Row = Mapping[str, object]


def _caller(state: Path | None, profile: str | None) -> Caller:
    return Caller(state_path(state, profile))


def _rows(found: object) -> Sequence[Row]:
    assert isinstance(found, list)
    return found


def _dump(found: Sequence[views.View]) -> Sequence[Row]:
    return [view.model_dump(mode="json") for view in found]


def _print(title: str, rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(list(rows), indent=2) + "\n")
        return
    if not rows:
        sys.stdout.write(f"no {title}\n")
        return
    table = Table(*rows[0].keys(), box=None)
    for row in rows:
        table.add_row(*(_cell(name, value) for name, value in row.items()))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(name: str, value: object) -> str:
    from tradeagent.app import iso

    return iso(value) if name == "time" and isinstance(value, int) else str(value)


def _group(name: str) -> typer.Typer:
    return typer.Typer(name=name, add_completion=False, rich_markup_mode=None)


status, agents, strategies = _group("status"), _group("agents"), _group("strategies")
orders, positions, trades = _group("orders"), _group("positions"), _group("trades")


@status.command()
def show_status(state: State = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Show where a running daemon stands."""
    found = _caller(state, profile).call("status")
    assert isinstance(found, dict)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:<20} {_cell(name, value)}\n")


@agents.command()
def show_agents(state: State = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the agents of a running daemon; of a stopped one, what they last were."""
    caller = _caller(state, profile)
    if caller.running:
        _print("agents", _rows(caller.call("agents")), as_json=as_json)
        return
    sys.stderr.write("the daemon is stopped; no agent runs\n")
    _print("agents", [], as_json=as_json)


@strategies.callback(invoke_without_command=True)
def show_strategies(
    context: typer.Context, state: State = None, profile: Profile = None, as_json: AsJson = False
) -> None:
    """List each strategy's part of the positions; pause, resume or close one."""
    if context.invoked_subcommand is not None:
        return
    with _caller(state, profile).records() as records:
        _print("strategies", _dump(views.strategies(records)), as_json=as_json)


@orders.command()
def show_orders(
    state: State = None,
    profile: Profile = None,
    limit: Limit = 50,
    open_only: Annotated[bool, typer.Option("--open", help="Working orders only.")] = False,
    costs: Annotated[
        bool, typer.Option("--costs", help="What each that filled cost: slippage, fees, shortfall.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first."""
    found: Sequence[views.View]
    with _caller(state, profile).records() as records:
        if costs:
            found = views.executions(records, limit)
        else:
            found = views.orders(records, open_only=open_only, limit=limit)
    _print("orders", _dump(found), as_json=as_json)


@positions.command()
def show_positions(state: State = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the position of each symbol."""
    with _caller(state, profile).records() as records:
        _print("positions", _dump(views.positions(records)), as_json=as_json)


@trades.command()
def show_trades(
    state: State = None, profile: Profile = None, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """List fills, newest first."""
    with _caller(state, profile).records() as records:
        _print("trades", _dump(views.trades(records, limit)), as_json=as_json)
