"""All that is watched while the daemon runs: the event loop, silent agents, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tradeagent.clock import WallClock
from tradeagent.messages import Severity
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.loop import LoopWatch
from tradeagent.supervisor.memory import MemoryWatch
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.restarts import Restarts
from tradeagent.supervisor.silence import Silence

BACKLOG = 100_000
"""Rows that may wait for the disk; orders wait behind them."""


class Watch:
    """Watches the event loop from a thread, and from within it silence, memory and the journal."""

    def __init__(
        self,
        lives: Mapping[str, Life],
        alarms: Alarms,
        restarts: Restarts,
        memory_limit: int,
        patience: Patience,
    ) -> None:
        self.silence = Silence(lives, alarms, restarts, patience)
        self._memory = MemoryWatch(lives, alarms, restarts, memory_limit)
        self.backlog: Callable[[], int] = lambda: 0
        self._alarms = alarms
        self._behind = False
        self._patience = patience
        self._loop: LoopWatch | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def lag(self) -> float:
        """Return how many seconds the event loop is late; 0 while nobody watches."""
        return self._loop.lag if self._loop is not None else 0.0

    def start(self, spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]) -> None:
        """Begin to watch."""
        self._loop = LoopWatch(self._patience.late, self._patience.dead)
        self._loop.start()
        self._task = spawn(self._look(), "supervisor.look")

    def look_away(self) -> None:
        """Judge nobody any more: agents that are being stopped give no signs of life."""
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """Let the event loop go unwatched, too."""
        if self._loop is not None:
            self._loop.stop()

    def _look_at_journal(self) -> None:
        """Speak up once while too much waits for the disk."""
        waiting = self.backlog()
        if waiting > BACKLOG and not self._behind:
            text = f"{waiting} entries wait to be written; orders wait behind them"
            self._alarms.incident("JOURNAL_BEHIND", Severity.ERROR, "journal", text)
        self._behind = waiting > (BACKLOG // 2 if self._behind else BACKLOG)

    async def _look(self) -> None:
        wall = WallClock()
        while True:
            self.silence.look()
            self._memory.look()
            self._look_at_journal()
            await wall.sleep(self._patience.look)
