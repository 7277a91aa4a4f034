"""What the command line of the tests offers besides pytest's own."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault(
    "TRADEAGENT_STRICT", "1"
)  # before ours is imported: every message is validated


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long, for the long forms of the suites that take hours."""
    parser.addoption("--long", action="store_true", help="run the long forms of the suites")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the long forms ten times as long."""
    for item in items if config.getoption("--long") else ():
        usual = item.get_closest_marker("timeout")
        if usual is not None:
            item.add_marker(pytest.mark.timeout(10 * usual.args[0]), append=False)
