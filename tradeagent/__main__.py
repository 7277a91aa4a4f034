"""Start here: `python -m tradeagent`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the version is told without importing anything."""
    if sys.argv[1:] == ["--version"]:
        from tradeagent import __version__

        sys.stdout.write(f"tradeagent {__version__}\n")
        return
    from tradeagent.cli import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
