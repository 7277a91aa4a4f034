"""`tradeagent archive`: move old entries of the journal into a compressed file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tradeagent.cli.options import Profile, State
from tradeagent.cli.places import state_path
from tradeagent.errors import CommandError
from tradeagent.storage.directory import StateDirectory

archive = typer.Typer(name="archive", add_completion=False, rich_markup_mode=None)


@archive.command()
def move(
    before: Annotated[str, typer.Option("--before", help="Move what is older than this UTC time.")],
    state: State = None,
    profile: Profile = None,
) -> None:
    """Move old entries of a stopped daemon's journal into a file under segments/.

    The chain runs on through it: doctor and replay read it as long as it stays there.
    """
    from tradeagent.cli.replay import moment
    from tradeagent.storage.archive import archive as move_rows

    place = state_path(state, profile)
    if not place.is_dir():
        raise CommandError(f"{place}: no daemon has run here; name its folder with --state")
    until = moment("--before", before)
    with StateDirectory(place) as directory:
        if not directory.journal.exists():
            raise CommandError(f"{place}: holds no journal yet")
        moved = move_rows(directory.journal, until)
    if moved.path is None:
        sys.stdout.write("nothing to move: entries that old are gone, or among the last 1,000\n")
        return
    size = moved.path.stat().st_size
    sys.stdout.write(
        f"moved {moved.rows} entries, up to {moved.last}, to {moved.path} ({size} B)\n"
    )
    if moved.warning:
        sys.stderr.write(f"{moved.warning}\n")
