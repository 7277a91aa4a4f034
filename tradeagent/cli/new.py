"""`tradeagent new strategy|agent NAME`: a file, its test and its configuration, ready to run."""

from __future__ import annotations

import re
import sys
from importlib import resources
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

import typer

from tradeagent.errors import CommandError
from tradeagent.plan import BUILT_IN

new = typer.Typer(name="new", add_completion=False, rich_markup_mode=None, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name: lower case letters, digits, underscores.")]
Folder = Annotated[Path, typer.Option("--in", help="The folder to write to.")]


@new.callback()
def group() -> None:
    """Write a new strategy or agent to start from."""


@new.command()
def strategy(name: Name, folder: Folder = Path()) -> None:
    """Write a strategy, its test and a configuration that runs it."""
    _write("strategy", name, folder)


@new.command()
def agent(name: Name, folder: Folder = Path()) -> None:
    """Write an agent, its test and a configuration that runs it."""
    _write("agent", name, folder)


def _write(kind: str, name: str, folder: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise CommandError(f"{name!r} is no name; use lower case letters, digits, underscores")
    words = {"NAME": name, "CLASS": "".join(part.capitalize() for part in name.split("_"))}
    files = {
        folder / f"{name}.py": f"{kind}.py.txt",
        folder / f"test_{name}.py": f"test_{kind}.py.txt",
        folder / f"{name}.yaml": f"{kind}.yaml.txt",
    }
    for path in files:
        if path.exists():
            raise CommandError(f"{path} is there already; nothing was written")
    if name in BUILT_IN or iskeyword(name) or find_spec(name) is not None:
        raise CommandError(f"{name!r} means something else already; choose another name")
    try:
        _fill(files, words)
    except OSError as error:
        raise CommandError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder with --in"
        ) from error
    sys.stdout.write(
        f"test it:  cd {folder} && python -m pytest test_{name}.py\n"
        f"run it:   PYTHONPATH={folder} tradeagent -c {folder / (name + '.yaml')}\n"
    )


def _fill(files: dict[Path, str], words: dict[str, str]) -> None:
    """Write each file from its template; one that is there already is not touched."""
    templates = resources.files("tradeagent.cli") / "templates"
    for path, template in files.items():
        text = (templates / template).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        sys.stdout.write(f"wrote {path}\n")
