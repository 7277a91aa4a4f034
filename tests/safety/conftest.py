"""How long the suites of order safety run, and that none of their processes outlives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.daemon import Process


@pytest.fixture
def cycles(request: pytest.FixtureRequest) -> int:
    """Return how often the daemon is killed in all; `--long` takes ten times as many."""
    return 1_000 if request.config.getoption("--long") else 100


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """End the daemons a test has started and not ended."""
    yield
    Process.end_all()
