"""The command line: one file for each group of commands."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
import typer
from typer.core import TyperGroup

from tradeagent.errors import OperatorError

COMMANDS = {
    "run": ("run:run", "Run the daemon; this is also what happens without a command."),
    "check": ("configuration:check", "Check the configuration and say all that is wrong with it."),
    "config": ("configuration:config", "Show the configuration and where each value comes from."),
    "secrets": ("secrets:secrets", "Keep API keys in an age-encrypted file."),
    "status": ("inspect:status", "Show where the daemon stands."),
    "agents": ("inspect:agents", "List the agents."),
    "strategies": ("inspect:strategies", "List the strategies and what they hold."),
    "orders": ("inspect:orders", "List orders."),
    "positions": ("inspect:positions", "List positions."),
    "trades": ("inspect:trades", "List fills."),
    "halt": ("operate:halt", "Stop all trading now; stops stay in place."),
    "resume": ("operate:resume", "Trade again."),
    "flatten": ("operate:flatten", "Close every position, then halt."),
    "cancel": ("operate:cancel", "Cancel orders."),
    "override": ("operate:override", "Lift a risk rule for a while."),
    "doctor": ("doctor:doctor", "Check the journal and what was derived from it."),
    "new": ("new:new", "Write a new strategy or agent to start from."),
}
"""Each command: where it is, imported when it is called, and its line of help."""


class LazyCommands(TyperGroup):
    """Imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        place, _ = COMMANDS[cmd_name]
        module, _, name = place.partition(":")
        made = getattr(import_module(f"tradeagent.cli.{module}"), name)
        return made if isinstance(made, click.Command) else typer.main.get_command(made)

    def format_commands(self, ctx: click.Context, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def main() -> None:
    """Run the command line; an operator's mistake is one line and an exit status."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["run", *arguments]
    try:
        group(args=arguments, prog_name="tradeagent")
    except OperatorError as error:
        sys.stderr.write("".join(f"error: {line}\n" for line in str(error).splitlines()))
        sys.exit(error.exit_status)


group = LazyCommands(
    name="tradeagent",
    help="A crypto trading daemon of small agents. Without a command it runs the demo.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
