"""`tradeagent halt|resume|flatten|cancel|override`: act on a running daemon, with a reason."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from tradeagent.cli.inspect import strategies
from tradeagent.cli.options import Profile, Reason, State
from tradeagent.cli.places import Caller, state_path


def _group(name: str) -> typer.Typer:
    return typer.Typer(name=name, add_completion=False, rich_markup_mode=None)


halt, resume, flatten = _group("halt"), _group("resume"), _group("flatten")
cancel, override = _group("cancel"), _group("override")
reconcile = _group("reconcile")


Named = Annotated[
    str, typer.Argument(help="The strategy's name, or that of an agent for all it signals.")
]


def _ask(state: Path | None, profile: str | None, method: str, **params: object) -> None:
    answer = Caller(state_path(state, profile)).call(method, actor=getpass.getuser(), **params)
    assert isinstance(answer, dict)
    sys.stdout.write("  ".join(f"{name}: {value}" for name, value in answer.items()) + "\n")


@halt.command()
def do_halt(
    reason: Reason,
    lock: Annotated[
        bool, typer.Option("--lock", help="Until a restart with --unlock: no resume ends it.")
    ] = False,
    state: State = None,
    profile: Profile = None,
) -> None:
    """Stop all trading at once; protective stops stay in place."""
    _ask(state, profile, "halt", reason=reason, lock=lock)


@resume.command()
def do_resume(reason: Reason, state: State = None, profile: Profile = None) -> None:
    """Trade again."""
    _ask(state, profile, "resume", reason=reason)


@flatten.command()
def do_flatten(reason: Reason, state: State = None, profile: Profile = None) -> None:
    """Close every position, then halt."""
    _ask(state, profile, "flatten", reason=reason)


@cancel.command()
def do_cancel(
    reason: Reason,
    cloid: Annotated[str | None, typer.Option("--order", help="This order only.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of this symbol.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Of this strategy.")] = None,
    protective: Annotated[
        bool, typer.Option("--protective", help="Stops and targets as well.")
    ] = False,
    state: State = None,
    profile: Profile = None,
) -> None:
    """Cancel orders; without a choice all that are not protective."""
    _ask(
        state, profile, "cancel", reason=reason, cloid=cloid, symbol=symbol, strategy=strategy,
        protective=protective,
    )  # fmt: skip


@reconcile.command()
def do_reconcile(state: State = None, profile: Profile = None) -> None:
    """Ask the venue what was filled, what rests and what is held, and compare."""
    _ask(state, profile, "reconcile")


def _direct(name: str, mode: str, reason: str, state: Path | None, profile: str | None) -> None:
    _ask(state, profile, "strategy", strategy=name, mode=mode, reason=reason)


@strategies.command("pause")
def pause(name: Named, reason: Reason, state: State = None, profile: Profile = None) -> None:
    """Let a strategy open and add nothing; what it holds stays with its stops."""
    _direct(name, "paused", reason, state, profile)


@strategies.command("resume")
def take_up(name: Named, reason: Reason, state: State = None, profile: Profile = None) -> None:
    """Let a strategy trade again."""
    _direct(name, "active", reason, state, profile)


@strategies.command("close")
def close(name: Named, reason: Reason, state: State = None, profile: Profile = None) -> None:
    """Close what a strategy holds and let it open nothing."""
    _direct(name, "closed", reason, state, profile)


@override.command()
def do_override(
    rule: Annotated[str, typer.Argument(help="The rule's code, such as GROSS.")],
    reason: Reason,
    minutes: Annotated[float, typer.Option("--minutes", help="For how long.")] = 15.0,
    scope: Annotated[str, typer.Option("--scope", help="A symbol, a strategy, or *.")] = "*",
    limit: Annotated[
        str | None,
        typer.Option("--limit", help="Replace the limit by this, in the unit of its setting."),
    ] = None,
    state: State = None,
    profile: Profile = None,
) -> None:
    """Lift one risk rule, or loosen its limit, for a while; some cannot be lifted."""
    _ask(
        state, profile, "override", rule=rule, scope=scope, minutes=minutes, limit=limit,
        reason=reason,
    )  # fmt: skip
