"""What the command line of the tests offers besides pytest's own."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long, for the long forms of the suites that take hours."""
    parser.addoption("--long", action="store_true", help="run the long forms of the suites")
