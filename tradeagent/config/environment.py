"""Variables from the environment and from `.env` files, each with where it was set."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import parse_stream

PREFIX = "TRADEAGENT__"
"""What the variables that are settings begin with."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is set, where, and whether its value must never be shown."""

    name: str
    value: str = field(repr=False)
    origin: str
    hidden: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """Return the setting it names, as written; empty when it names none."""
        if not self.name.startswith(PREFIX):
            return ()
        return tuple(self.name.removeprefix(PREFIX).split("__"))


def read_environ(environ: Mapping[str, str]) -> list[Variable]:
    """Return what is set in the environment, by name; an empty variable counts as not set."""
    return [
        Variable(name, value, f"environment {name}")
        for name, value in sorted(environ.items())
        if value
    ]


def read_env_file(path: Path | None, mistakes: list[str]) -> list[Variable]:
    """Return what a `.env` file sets; what is wrong with it goes to `mistakes`, a line each.

    A file that is not there sets nothing. Values are taken as written: `$` has no meaning.
    """
    if path is None or not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        mistakes.append(f"{path}: is not UTF-8 text; save it as UTF-8")
        return []
    except OSError as error:
        mistakes.append(f"{path}: cannot be read: {error.strerror}")
        return []
    variables: dict[str, Variable] = {}
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string
        blank = written[: len(written) - len(written.lstrip())].count("\n")
        where = f"{path}:{binding.original.line + blank}"
        if binding.error:
            mistakes.append(f"{where}: is no NAME=value; correct or remove the line")
        elif binding.key is not None and binding.value:
            variables[binding.key] = Variable(binding.key, binding.value, where)
    return [variables[name] for name in sorted(variables)]
