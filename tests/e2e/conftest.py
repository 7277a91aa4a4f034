"""No daemon outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.daemon import Process


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """End the daemons a test has started and not ended."""
    yield
    Process.end_all()
