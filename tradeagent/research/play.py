"""Play a plan to its end under a simulated clock, from wherever it is called."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from tradeagent.app import Daemon, open_daemon
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SimulatedClock
from tradeagent.errors import BrokenRun, TradeAgentError, fault
from tradeagent.integrations.base import MarketFeed
from tradeagent.log import log
from tradeagent.parts import fast_loop
from tradeagent.plan import Plan
from tradeagent.tally import Summary

T = TypeVar("T")
Call = tuple[int, Callable[[Daemon], None]]
"""What is done to a run at a moment of it (UTC ns)."""

USUAL, SELDOM = gc.get_threshold(), (10_000, 10, 1_000)
"""When garbage is collected (see `gc`), and when in a run: less, and all of it hardly ever."""


@dataclass(frozen=True)
class Listening:
    """Who listens to a run, what is done at its moments, and when it ends (UTC ns) if not by
    itself.
    """

    ears: Sequence[Subscriber] = ()
    calls: Sequence[Call] = ()
    until: int | None = None


async def play(
    plan: Plan, state: Path | None, feed: MarketFeed | None, listening: Listening
) -> tuple[int, Summary]:
    """Run `plan` in the folder `state`; returns when it began (UTC ns) and what it came to.

    Without a folder its journal is not kept. `feed` is played in place of the plan's own. Raises
    an OperatorError with one line, and BrokenRun for an exception in what was played.
    """
    log.disable("tradeagent.app")  # that a run begins is no news to who asked for it
    with scratch() if state is None else nullcontext(state) as place:
        try:
            return await _play(plan, place, feed, listening, keep=state is not None)
        except TradeAgentError:
            raise
        except Exception as error:
            raise BrokenRun(f"the run was ended by {fault(error)}") from error


async def _play(
    plan: Plan, place: Path, feed: MarketFeed | None, listening: Listening, *, keep: bool
) -> tuple[int, Summary]:
    async with open_daemon(plan, place, serve=(), feed=feed, keep=keep) as daemon:
        for ear in listening.ears:
            daemon.bus.subscribe(ear)
        clock = daemon.clock
        assert isinstance(clock, SimulatedClock)
        for when, call in listening.calls:
            clock.call_at(when, partial(call, daemon))
        left = None if listening.until is None else listening.until - clock.now()
        with _undisturbed():
            summary = await daemon.run(left)
        return daemon.started, summary


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Spare what was loaded, and what listeners keep, from every collection of garbage meanwhile.

    Each full one would walk through all they kept so far, so a long run would become slower.
    """
    gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*USUAL)
        gc.unfreeze()


def wait_for(work: Coroutine[object, object, T]) -> T:
    """Return what `work` comes to, run to its end here; in a running loop, in a thread of its own.

    So a notebook, whose loop always runs, may call what a script does.
    """
    if not _loop_runs():
        return _run(work)
    with ThreadPoolExecutor(1, "backtest") as pool:
        return pool.submit(_run, work).result()


def _loop_runs() -> bool:
    with suppress(RuntimeError):
        return asyncio.get_running_loop() is not None
    return False


def _run(work: Coroutine[object, object, T]) -> T:
    found: list[T] = []

    async def keep() -> None:
        found.append(await work)  # a result of the task itself would be written out, for nobody

    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        runner.run(keep())
    return found[0]


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tradeagent-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
