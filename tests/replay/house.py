"""Runs of whole daemons in this process, to be played again."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

from tradeagent.app import Daemon, open_daemon
from tradeagent.clock import SECOND, SimulatedClock, breathe
from tradeagent.config.load import load
from tradeagent.messages import Message
from tradeagent.plan import Plan, make_plan
from tradeagent.replay import Report, verify
from tradeagent.storage.directory import StateDirectory

HOUR = 3600 * SECOND


def plan(*, seed: int = 3, profile: str = "demo", **settings: object) -> Plan:
    """Return a plan; in names of settings, __ stands for the dot."""
    overrides = {name.replace("__", "."): value for name, value in settings.items()}
    overrides.setdefault("clock.mode", "simulated")
    return make_plan(load(profile, [], overrides, {}, None, None), seed)


def probe(name: str) -> dict[str, object]:
    """Return the settings that add a planted agent."""
    return {"agents__probe__type": f"tests.replay.planted:{name}"}


async def _run(
    made: Plan,
    state: Path,
    length: int | None,
    meanwhile: Callable[[Daemon], Awaitable[None]] | None,
) -> None:
    async with open_daemon(made, state, serve=()) as daemon:
        if meanwhile is None:
            await daemon.run(length)
            return
        running = asyncio.create_task(daemon.run(length))
        await meanwhile(daemon)
        daemon.stop()
        await running


def record(
    made: Plan,
    state: Path,
    hours: float | None = 4,
    meanwhile: Callable[[Daemon], Awaitable[None]] | None = None,
) -> Path:
    """Run a daemon for `hours` of its clock, or as long as `meanwhile` lasts; returns `state`."""
    length = None if meanwhile is not None or hours is None else int(hours * HOUR)
    asyncio.run(_run(made, state, length, meanwhile))
    return state


def verified(state: Path, data: Path | None = None) -> Report:
    """Return what a verification says."""
    return asyncio.run(verify(StateDirectory(state), data))


def query(state: Path, text: str, *values: object) -> list[tuple[object, ...]]:
    """Ask, or change, a journal file behind everybody's back."""
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as connection:
        return connection.execute(text, values).fetchall()


def rehearsed(made: Plan, state: Path, hours: float, orders: Iterable[tuple[int, Message]]) -> Path:
    """Run a simulated daemon for `hours`; an operator says each message at its minute."""

    async def run() -> None:
        async with open_daemon(made, state, serve=()) as daemon:
            clock = daemon.clock
            assert isinstance(clock, SimulatedClock)
            for minute, message in orders:
                say = partial(daemon.bus.publish, message, "operator")
                clock.call_at(clock.now() + minute * 60 * SECOND, say)
            await daemon.run(int(hours * HOUR))

    asyncio.run(run())
    return state


LIVE: dict[str, object] = {"clock__mode": "accelerated", "clock__speed": 4000.0}
"""A clock that waits for nobody, fast enough for a test."""


async def until(daemon: Daemon, bars: int) -> None:
    """Return when so many candles were seen."""
    while daemon.tally.bars < bars:
        await breathe()


async def a_while(daemon: Daemon) -> None:
    """Let a daemon run for some hours of its clock."""
    await until(daemon, 300)


def copy(state: Path, place: Path) -> Path:
    """Return a copy of a state directory."""
    return Path(shutil.copytree(state, place))
