"""`tradeagent check` and `tradeagent config show`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from tradeagent.cli.options import AsJson, Files, Profile, State
from tradeagent.cli.places import configuration, states
from tradeagent.errors import ConfigError
from tradeagent.plan import Plan, make_plan, unclaimed
from tradeagent.storage.records import SqlRecords

check = typer.Typer(name="check", add_completion=False, rich_markup_mode=None)
config = typer.Typer(
    name="config", add_completion=False, rich_markup_mode=None, no_args_is_help=True
)


@check.command()
def do_check(profile: Profile = None, files: Files = None, state: State = None) -> None:
    """Check the configuration; every mistake is one line, and the exit status is 2.

    Positions in the state directory whose strategy is configured no more are listed as well.
    """
    plan = make_plan(configuration(profile, files or []))
    place = state or states() / plan.identity
    held = _unclaimed(plan, place / "journal.db")
    if held and plan.removed == "refuse":
        raise ConfigError(
            f"{place}: {', '.join(held)} and is configured no more; configure it again, or "
            "say with agents.trading.removed whether to adopt or to close such positions"
        )
    names = ", ".join(
        f"{one.name} on {'/'.join(one.symbols) or 'nothing'}" for one in plan.strategies
    )
    sys.stdout.write(
        f"profile {plan.settings.profile} is fine\n"
        f"agents: {', '.join(one.name for one in plan.agents)}\n"
        f"strategies: {names or 'none'}\n"
    )
    if held:
        sys.stdout.write(f"without a strategy, to {plan.removed}: {', '.join(held)}\n")


def _unclaimed(plan: Plan, journal: Path) -> list[str]:
    if not journal.is_file():
        return []
    records = SqlRecords.read(journal)
    try:
        return unclaimed(plan, records.positions())
    finally:
        records.close()


@config.callback()
def group() -> None:
    """Show the configuration."""


@config.command()
def show(profile: Profile = None, files: Files = None, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it comes from; secrets are hidden."""
    loaded = configuration(profile, files or [])
    make_plan(loaded)
    rows = loaded.show()
    if as_json:
        found = [{"key": key, "value": value, "origin": origin} for key, value, origin in rows]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    widest = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        sys.stdout.write(f"{key:<{widest}}  {value}  # {origin}\n")
