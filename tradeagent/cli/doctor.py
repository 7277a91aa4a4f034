"""`tradeagent doctor`: is the journal whole, and do the tables say what it says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tradeagent.cli.options import Profile, State
from tradeagent.cli.places import Caller, state_path
from tradeagent.storage.proof import flaw, rebuild, verify

doctor = typer.Typer(name="doctor", add_completion=False, rich_markup_mode=None)


@doctor.command()
def examine(
    rebuilds: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the tables and compare them.")
    ] = False,
    state: State = None,
    profile: Profile = None,
) -> None:
    """Check every row of the journal; exit status 1 where something is wrong."""
    with Caller(state_path(state, profile)).records() as records:
        found = flaw(records)
        if found:
            sys.stdout.write(f"journal: the file is damaged ({found}); restore a backup\n")
            raise typer.Exit(1)
        broken = verify(records)
        if broken is not None:
            sys.stdout.write(f"journal: broken at entry {broken}; restore a backup\n")
            raise typer.Exit(1)
        head = records.head()
        sys.stdout.write(f"journal: whole, {head.entries} entries, {head.hash}\n")
        if not rebuilds:
            return
        differences = rebuild(records)
    for line in differences:
        sys.stdout.write(f"{line}\n")
    if differences:
        raise typer.Exit(1)
    sys.stdout.write("tables: equal to what the journal gives\n")
