"""Stop trading without asking anybody: a signal, a file named KILL, or a command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tradeagent.agents.states import falls
from tradeagent.app import Daemon
from tradeagent.log import log
from tradeagent.messages import RiskOverride, TradingMode, TradingState
from tradeagent.storage.directory import WATCHDOG

LOOK_EVERY = 0.25
"""Seconds of the wall between two looks for the file."""
LONGEST = 300
"""Characters of the file that are taken for the reason."""


def stop_trading(daemon: Daemon, reason: str, actor: str, mode: TradingMode) -> bool:
    """Say that trading stops, asking no agent; False where it has stopped as far already."""
    previous = daemon.tally.mode
    if "risk" not in daemon.supervisor.lives or not falls(previous, mode):
        return False
    state = TradingState(
        mode=mode, previous=previous, reason=reason, actor=actor, since=daemon.clock.now()
    )
    daemon.bus.publish(state, "operator")
    return True


def _halt(daemon: Daemon, reason: str, actor: str) -> None:
    """Stop trading, then ask Risk for it, who puts it on record as any operator's word."""
    mode = TradingMode.HALTED
    if stop_trading(daemon, reason, actor, mode):
        word = RiskOverride(rule="STATE", mode=mode, reason=reason, actor=actor)
        daemon.bus.publish(word, "operator")
        log.bind(agent="operator").warning("{} asked for {}: {}", actor, mode, reason)


def _made(daemon: Daemon) -> int:
    """Return when the file KILL was written, ns."""
    try:
        return daemon.directory.kill.stat().st_mtime_ns
    except OSError:
        return 0


def told_to_stop(daemon: Daemon) -> str:
    """Return why the file KILL says that nothing may trade, or nothing where there is none."""
    try:
        told = daemon.directory.kill.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:  # it is there: what cannot be read still means stop
        return f"the file KILL cannot be read: {error.strerror}"
    return " ".join(told.split())[:LONGEST] or "the file KILL"


@asynccontextmanager
async def serve(daemon: Daemon) -> AsyncIterator[None]:
    """Heed SIGUSR1 and the file KILL while the daemon runs, and leave a sign of life."""
    loop = asyncio.get_running_loop()
    look: asyncio.TimerHandle | None = None
    heeded = 0

    def heed() -> None:
        """Look now and again: a new file stops everything, one that is known lets flatten pass.

        One that a watchdog wrote asks for no more than entries that stop.
        """
        nonlocal look, heeded
        look = loop.call_later(LOOK_EVERY, heed)
        daemon.directory.beat()
        reason = told_to_stop(daemon)
        made = _made(daemon) if reason else 0
        spares = made == heeded or reason.startswith(WATCHDOG)
        if reason and not (spares and daemon.tally.mode is TradingMode.FLATTENING):
            _halt(daemon, reason, "KILL")
        heeded = made

    if not daemon.clock.simulated:
        loop.add_signal_handler(signal.SIGUSR1, _halt, daemon, "SIGUSR1", "signal")
        heed()
    try:
        yield
    finally:
        if look is not None:
            look.cancel()
            loop.remove_signal_handler(signal.SIGUSR1)
