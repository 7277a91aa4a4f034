"""Killed at any moment, the daemon loses no order, doubles none, and makes none up."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine

from tests.bus.server import Server, running_server
from tests.safety.pair import PATIENCE, Pair, until
from tradeagent.crash import KILLED, VARIABLE
from tradeagent.storage import migrations

pytestmark = pytest.mark.timeout(600)
RARE = ("CP7", "CP8", "CP9")
"""Places that are reached seldom, or once in a life."""
PLACES = ("CP1", "CP2", "CP3", "CP4", "CP5", "CP6", "CP7", "CP8", "CP9")
Opening = Callable[..., Pair]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Start a venue; end it and what trades on it afterwards."""
    made: list[Pair] = []

    def start(**options: str) -> Pair:
        made.append(Pair(tmp_path, **options))
        return made[-1]

    yield start
    for pair in made:
        pair.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a Redis server of our own; skip where there is none."""
    yield from running_server()


def live(pair: Pair, seconds: float) -> None:
    """Let the daemon run for a while."""
    assert pair.daemon is not None
    with suppress(subprocess.TimeoutExpired):
        pair.daemon.process.wait(seconds)


def kill_at_random(pair: Pair, cycles: int, seed: int, redis: Server | None = None) -> None:
    """Kill the daemon again and again, and now and then the server that carries its messages."""
    chance = random.Random(seed)
    for _ in range(cycles):
        daemon = pair.start()
        if chance.random() < 0.8:
            daemon.until_said("running from")
            pair.carry_on()
        live(pair, chance.random() * 2)
        if redis is not None and chance.random() < 0.3:
            redis.kill()
            redis.start()
        elif redis is not None and chance.random() < 0.2:
            redis.client().flushall()
        daemon.kill()


def kill_at_places(pair: Pair, cycles: int, seed: int) -> None:
    """Let the daemon end itself at each named place, the first few times it comes there."""
    chance = random.Random(seed)
    for number in range(cycles):
        place = PLACES[number % len(PLACES)]
        times = 1 if place in RARE else 1 + chance.randrange(4)
        daemon = pair.start(**{VARIABLE: f"{place}:{times}"})
        patience = time.monotonic() + 150
        while daemon.process.poll() is None and time.monotonic() < patience:
            pair.carry_on()
            live(pair, 5.0)
        assert daemon.process.poll() is not None, f"{place} was never reached"
        status, said = daemon.ended()
        assert status == KILLED, said[-2000:]


def prove(pair: Pair, least: int, patience: float = PATIENCE) -> None:
    """Start the daemon once more, unharmed: its books come to agree with the venue's."""
    daemon = pair.start()

    def trades() -> bool:
        pair.carry_on()
        return "fill " in daemon.log.read_text()

    until(trades)
    assert pair.settle(patience) == []
    venue, _ = pair.books
    assert len(venue.fills) > least, "too little was traded"


@pytest.mark.parametrize("entry", ["market", "limit"])
def test_random_kills_lose_and_double_nothing(opened: Opening, entry: str, cycles: int) -> None:
    """Killed at random moments, whatever way it enters, every order and fill is accounted for."""
    pair = opened(entry=entry)
    kill_at_random(pair, cycles // 5, seed=1)
    prove(pair, cycles // 5)


def test_random_kills_over_redis_lose_and_double_nothing(
    opened: Opening, server: Server, cycles: int
) -> None:
    """The same over Redis, which is killed and emptied as well."""
    pair = opened(bus=server.url)
    kill_at_random(pair, cycles // 5, seed=2, redis=server)
    prove(pair, cycles // 5)


@pytest.mark.parametrize("entry", ["market", "limit"])
def test_kills_at_each_place_lose_and_double_nothing(
    opened: Opening, entry: str, cycles: int
) -> None:
    """Ended before and after each step of an order, of a fill, a cancel, a stop that moves and a
    reconciliation, every order and fill is accounted for.
    """
    pair = opened(entry=entry)
    kill_at_places(pair, cycles // 5, seed=3)
    prove(pair, 0)


def test_a_kill_during_a_migration_leaves_the_old_store_whole(opened: Opening) -> None:
    """A store of an older schema is brought up to date at the next start, and then traded on."""
    pair = opened()
    engine = create_engine(f"sqlite:///{pair.state / 'journal.db'}")
    config = migrations._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()

    assert pair.start(**{VARIABLE: "CP10"}).ended()[0] == KILLED

    prove(pair, 0)


def test_a_kill_while_entries_are_called_off_loses_nothing(opened: Opening) -> None:
    """Ended in the middle of an orderly stop, the next start knows what was cancelled."""
    pair = opened(entry="limit", on_stop="cancel")
    daemon = pair.start(**{VARIABLE: "CP11"})
    daemon.until_said("running from")
    daemon.until(lambda: "limit" in pair.ask("orders", "--open"))

    assert daemon.interrupt() == KILLED

    prove(pair, 0)
