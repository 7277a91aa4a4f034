"""`tradeagent secrets init|set|list`: API keys in an age-encrypted file."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from tradeagent.cli.places import secrets_file, secrets_key
from tradeagent.config import secrets as store
from tradeagent.errors import CommandError

secrets = typer.Typer(
    name="secrets", add_completion=False, rich_markup_mode=None, no_args_is_help=True
)


@secrets.callback()
def group() -> None:
    """Keep API keys in a file that only your key opens; values are never shown."""


@secrets.command("init")
def make() -> None:
    """Make a key and an empty encrypted file."""
    recipient = store.init(secrets_file(), secrets_key())
    sys.stdout.write(
        f"wrote {secrets_file()} for {recipient}\n"
        f"the key is {secrets_key()}: back it up apart from the file, and show it to nobody\n"
    )


@secrets.command("set")
def put(name: Annotated[str, typer.Argument(help="The secret's name, as in .env.")]) -> None:
    """Store one secret; its value is asked for, or read from standard input."""
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not value:
        raise CommandError(f"{name}: an empty value is no secret; nothing was stored")
    store.set_secret(secrets_file(), secrets_key(), name, value)
    sys.stdout.write(f"stored {name}\n")


@secrets.command("list")
def names() -> None:
    """List the names of what is stored."""
    for name in store.list_names(secrets_file(), secrets_key()):
        sys.stdout.write(f"{name}\n")
