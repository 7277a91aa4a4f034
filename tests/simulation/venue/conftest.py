"""What a test of the venue has opened is closed after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tradeagent.simulation.venue import Floor


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every floor, also where the test played its end as a kill."""
    floors: list[Floor] = []
    begin = Floor.__init__

    def noted(floor: Floor, *arguments: Any, **named: Any) -> None:
        begin(floor, *arguments, **named)
        floors.append(floor)

    monkeypatch.setattr(Floor, "__init__", noted)
    yield
    for floor in floors:
        floor.close()
