"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="Which profile to use; demo by default.")
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="A configuration file; later ones win. Repeatable."),
]
State = Annotated[
    Path | None, typer.Option("--state", help="The folder that everything is written to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes on record.")]
