"""Whether the daemon lives, and whether it is fit to trade, with the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence

from tradeagent.app import Daemon
from tradeagent.clock import SECOND
from tradeagent.messages import AgentState

DEAD_AFTER = 10.0
LATE_AFTER = 2.0
STALE_AFTER = 60.0


def lag(daemon: Daemon) -> float:
    """Return how many seconds the event loop is late."""
    return daemon.supervisor.watch.lag


def alive(daemon: Daemon) -> bool:
    """Tell whether the event loop turns."""
    return lag(daemon) < DEAD_AFTER


def obstacles(daemon: Daemon) -> Sequence[str]:
    """Return why the daemon is not ready; nothing when it is."""
    found = [
        f"agent {name} is {life.agent.state.value}"
        for name, life in daemon.supervisor.lives.items()
        if life.agent.state is not AgentState.RUNNING
    ]
    if lag(daemon) > LATE_AFTER:
        found.append(f"the event loop is {lag(daemon):.1f} s late")
    if not daemon.bus.connected:
        found.append("the bus is not connected")
    if daemon.store.journal.failure:
        found.append(f"journal: {daemon.store.journal.failure}")
    if daemon.tally.line.trouble:
        found.append(daemon.tally.line.trouble)
    return [*found, *_stale(daemon)]


def _stale(daemon: Daemon) -> list[str]:
    marks, clock = daemon.tally.marks, daemon.clock
    if not marks:
        return ["no market data yet"]
    limit = STALE_AFTER * max(1.0, clock.speed)
    ages = {symbol: (clock.now() - time) / SECOND for symbol, (_, time) in marks.items()}
    return [f"{symbol} is {age:.0f} s old" for symbol, age in ages.items() if age > limit]
