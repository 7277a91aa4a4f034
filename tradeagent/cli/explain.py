"""`tradeagent explain`: why an order, a fill, a signal or a rejection came about."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tradeagent.cli.options import AsJson, Profile, State
from tradeagent.cli.places import Caller, state_path
from tradeagent.cli.story import picture, text
from tradeagent.errors import CommandError

explain = typer.Typer(name="explain", add_completion=False, rich_markup_mode=None)

Reference = Annotated[
    str,
    typer.Argument(
        help="The first characters of an order's or intent's id, a fill's tid (or ORDER:TID), the "
        "number of a row of the journal, `last` for the last fill, or `last:order`, `last:signal`, "
        "`last:rejection`. Where that is vague: `row:N`, `fill:TID`, `order:ID`, `intent:ID`, "
        "`signal:N`, or `signal:STRATEGY:SYMBOL` for its last one."
    ),
]
Mermaid = Annotated[
    bool, typer.Option("--mermaid", help="Print a Mermaid flowchart to paste into a page.")
]


@explain.command()
def show_explanation(
    reference: Reference = "last",
    state: State = None,
    profile: Profile = None,
    as_json: AsJson = False,
    mermaid: Mermaid = False,
) -> None:
    """Tell why: market data, signal, target, size, every rule, the order's life, fills, profit."""
    from tradeagent.explain import explain as find

    if as_json and mermaid:
        raise CommandError("--json and --mermaid exclude each other")
    with Caller(state_path(state, profile)).records() as records:
        found = find(records, reference)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    elif mermaid:
        sys.stdout.write(picture(found))
    else:
        sys.stdout.write(text(found))
