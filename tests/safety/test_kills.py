"""Killed at any moment, the daemon loses no order, doubles none, and makes none up."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.safety.pair import Pair

pytestmark = pytest.mark.timeout(600)
CYCLES = 25


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue; end it and what trades on it afterwards."""
    made = Pair(tmp_path)
    yield made
    made.close()


def live(pair: Pair, seconds: float) -> None:
    """Let the daemon run for a while."""
    assert pair.daemon is not None
    with suppress(subprocess.TimeoutExpired):
        pair.daemon.process.wait(seconds)


def test_random_kills_lose_and_double_nothing(pair: Pair) -> None:
    """Killed again and again at random moments, its books come to agree with the venue's."""
    chance = random.Random(1)
    for _ in range(CYCLES):
        daemon = pair.start()
        if chance.random() < 0.8:
            daemon.until_said("running from")
        live(pair, chance.random() * 2)
        daemon.kill()

    pair.start()
    live(pair, 4.0)

    assert pair.settle() == []
    venue, _ = pair.books
    assert len(venue.fills) > CYCLES, "too little was traded"
