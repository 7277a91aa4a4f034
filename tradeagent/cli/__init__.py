"""The command line: one file for each group of commands."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from tradeagent.errors import CommandError, OperatorError, TradeAgentError

if TYPE_CHECKING:
    import typer

COMMANDS = {
    "run": ("run:run", "Run the daemon; this is also what happens without a command."),
    "check": ("configuration:check", "Check the configuration and say all that is wrong with it."),
    "config": ("configuration:config", "Show the configuration and where each value comes from."),
    "secrets": ("secrets:secrets", "Keep API keys in an age-encrypted file."),
    "status": ("inspect:status", "Show where the daemon stands."),
    "agents": ("inspect:agents", "List the agents."),
    "strategies": (
        "operate:strategies",
        "List the strategies and what they hold; pause or close one.",
    ),
    "orders": ("inspect:orders", "List orders."),
    "positions": ("inspect:positions", "List positions."),
    "trades": ("inspect:trades", "List fills."),
    "explain": ("explain:explain", "Tell why: the whole chain behind an order, fill or refusal."),
    "halt": ("operate:halt", "Stop all trading now; stops stay in place."),
    "resume": ("operate:resume", "Trade again."),
    "flatten": ("operate:flatten", "Close every position, then halt."),
    "cancel": ("operate:cancel", "Cancel orders."),
    "reconcile": ("operate:reconcile", "Compare the venue with our books now."),
    "override": ("operate:override", "Lift a risk rule for a while."),
    "watchdog": (
        "watchdog:watchdog",
        "Cancel entries at the venue when the daemon gives no sign of life.",
    ),
    "doctor": ("doctor:doctor", "Check the journal and what was derived from it."),
    "backtest": (
        "backtest:backtest",
        "Trade recorded data on a simulated exchange, and report how it went.",
    ),
    "optimize": (
        "optimize:optimize",
        "Try many parameters of a strategy, and say whether the best is luck.",
    ),
    "parity": (
        "parity:parity",
        "Trade a run's market data again in a backtest, and compare every decision.",
    ),
    "replay": (
        "replay:replay",
        "Prove that a journal follows from its inputs, or step through it.",
    ),
    "compare": ("compare:compare", "Show the figures of several backtests side by side."),
    "exchange": (
        "exchange:exchange",
        "Serve a simulated venue that speaks Hyperliquid's protocol.",
    ),
    "data": (
        "data:data",
        "Keep market data: import, list, show, check, download, export.",
    ),
    "archive": ("archive:archive", "Move old entries of the journal into a compressed file."),
    "new": ("new:new", "Write a new strategy or agent to start from."),
}
"""Each command: where it is, imported when it is called, and its line of help."""
FAULT = 1
"""The exit status of a run that a fault ended."""


USAGE = """Usage: tradeagent [COMMAND] [OPTIONS]

A crypto trading daemon of small agents. Without a command it runs the demo.

Commands:
"""


def usage() -> str:
    """Return the list of commands."""
    lines = [f"  {name:<12} {text}\n" for name, (_, text) in COMMANDS.items()]
    return f"{USAGE}{''.join(lines)}\n'tradeagent COMMAND --help' tells more.\n"


def command(name: str) -> typer.Typer:
    """Return a command, imported now; raises CommandError for an unknown one."""
    if name not in COMMANDS:
        close = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "'tradeagent --help' lists them"
        raise CommandError(f"there is no command {name!r}; {hint}")
    module, _, attribute = COMMANDS[name][0].partition(":")
    found: typer.Typer = getattr(import_module(f"tradeagent.cli.{module}"), attribute)
    return found


def main() -> None:
    """Run the command line; a mistake, or what ended a run, is one line and an exit status."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(usage())
        return
    if not arguments or arguments[0].startswith("-"):
        arguments = ["run", *arguments]
    try:
        command(arguments[0])(args=arguments[1:], prog_name=f"tradeagent {arguments[0]}")
    except TradeAgentError as error:
        sys.stderr.write("".join(f"error: {line}\n" for line in str(error).splitlines()))
        sys.exit(error.exit_status if isinstance(error, OperatorError) else FAULT)
