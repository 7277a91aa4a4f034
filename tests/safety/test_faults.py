"""Whatever goes wrong between daemon and venue, their books agree once it is over."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.safety.judge import differences
from tests.safety.pair import PATIENCE, Pair, within
from tests.safety.test_kills import live

pytestmark = pytest.mark.timeout(900)
Switch = dict[str, object]
SECONDS = 1.2
"""How long a storm lasts, of the wall; twenty times as long by the clock of both."""

ALONE: list[Switch] = [
    {"switch": "lose", "path": "exchange", "p": 0.5, "seconds": 20},
    {"switch": "lose", "path": "info", "p": 0.5, "seconds": 20},
    {"switch": "time_out", "path": "exchange", "p": 0.5, "seconds": 20},
    {"switch": "bad_gateway", "path": "exchange", "p": 0.5},
    {"switch": "garbage", "path": "exchange", "p": 0.5, "form": "text"},
    {"switch": "garbage", "path": "exchange", "p": 0.5, "form": "empty"},
    {"switch": "garbage", "path": "exchange", "p": 0.5, "form": "bare"},
    {"switch": "garbage", "path": "info", "p": 0.5, "form": "bare"},
    {"switch": "delay_request", "path": "exchange", "p": 0.7, "seconds": 12},
    {"switch": "delay_answer", "path": "exchange", "p": 0.7, "seconds": 12},
    {"switch": "too_many_requests", "p": 0.5},
    {"switch": "maintenance"},
    {"switch": "post_only"},
    {"switch": "drop_event", "p": 0.5},
    {"switch": "duplicate_event", "p": 0.7},
    {"switch": "reorder_event", "p": 0.7},
    {"switch": "delay_event", "p": 0.5, "seconds": 8},
    {"switch": "stall", "new": True},
    {"switch": "cut_socket", "p": 0.02},
    {"switch": "drop_sockets"},
    {"switch": "lag_info", "seconds": 20},
    {"switch": "partial_fills", "fraction": 0.4},
    {"switch": "reject_stops", "count": -1},
    {"switch": "skew", "seconds": 8},
]
"""Every switch that strikes at what passes between the two, alone."""
OVER: list[Switch] = [
    {"switch": "lag_info", "seconds": 0},
    {"switch": "partial_fills", "fraction": 1},
    {"switch": "reject_stops", "count": 0},
    {"switch": "skew", "seconds": 0},
]
"""What ends the switches that a general end leaves on."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Start a venue and a daemon that trades on it."""
    made = Pair(tmp_path, entry="limit")
    try:
        made.start().until_said("fill ")
        yield made
    finally:
        made.close()


def turn(pair: Pair, switch: Switch) -> None:
    """Throw one switch."""
    more = {key: value for key, value in switch.items() if key != "switch"}
    pair.venue.switch(str(switch["switch"]), **more)


def weather(pair: Pair, switches: list[Switch], patience: float = PATIENCE) -> list[str]:
    """Let a storm pass over both; returns how they differ once it is over and trading rests."""
    for switch in switches:
        turn(pair, switch)
    live(pair, SECONDS)
    pair.venue.clear()
    for switch in OVER:
        turn(pair, switch)
    pair.call("halt", reason="the storm is over")
    left = within(patience, lambda: differences(*pair.books))
    pair.call("resume", reason="the next one comes")
    return left


@pytest.mark.parametrize("part", range(2))
def test_each_fault_alone_leaves_the_books_agreeing(pair: Pair, part: int) -> None:
    """After each fault, struck while much is traded, no fill is lost or made up."""
    for switch in ALONE[part::2]:
        assert weather(pair, [switch]) == [], switch


@pytest.mark.parametrize("part", range(4))
def test_faults_together_leave_the_books_agreeing(pair: Pair, part: int, cycles: int) -> None:
    """Two to four faults at once, drawn from a seed, do no more than each alone."""
    for seed in range(part, cycles, 4):
        chance = random.Random(seed)
        switches = chance.sample(ALONE, chance.randint(2, 4))
        assert weather(pair, switches) == [], f"seed {seed}: {switches}"
