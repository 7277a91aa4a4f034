"""Play a plan to its end under a simulated clock, from wherever it is called."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tradeagent.app import open_daemon
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SimulatedClock
from tradeagent.integrations.base import MarketFeed
from tradeagent.log import log
from tradeagent.parts import fast_loop
from tradeagent.plan import Plan
from tradeagent.tally import Summary

T = TypeVar("T")
Stop = Callable[[], None]


@dataclass
class Listening:
    """Who listens to a run, and what is done at which moment (UTC ns) of it.

    What is done gets the means to stop the run there.
    """

    ears: Sequence[Subscriber] = ()
    calls: list[tuple[int, Callable[[Stop], None]]] = field(default_factory=list)


async def play(
    plan: Plan, state: Path, feed: MarketFeed | None, listening: Listening
) -> tuple[int, Summary]:
    """Run `plan` in the folder `state`; returns when it began (UTC ns) and what it came to.

    `feed` is played in place of the plan's own. Raises an OperatorError with one line.
    """
    log.disable("tradeagent.app")  # that a run begins is no news to who asked for it
    async with open_daemon(plan, state, serve=(), feed=feed) as daemon:
        for ear in listening.ears:
            daemon.bus.subscribe(ear)
        clock = daemon.clock
        assert isinstance(clock, SimulatedClock)
        for when, call in listening.calls:
            clock.call_at(when, lambda call=call: call(daemon.stop))  # type: ignore[misc]
        with _undisturbed():
            summary = await daemon.run()
        return daemon.started, summary


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Spare what was loaded from every collection of garbage meanwhile."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def wait_for(work: Coroutine[object, object, T]) -> T:
    """Return what `work` comes to, run to its end here; in a running loop, in a thread of its own.

    So a notebook, whose loop always runs, may call what a script does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    with ThreadPoolExecutor(1, "backtest") as pool:
        return pool.submit(_run, work).result()


def _run(work: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        return runner.run(work)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tradeagent-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
