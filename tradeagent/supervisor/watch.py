"""All that is watched while the daemon runs: the event loop, silent agents, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tradeagent.clock import WallClock
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.loop import LoopWatch
from tradeagent.supervisor.memory import MemoryWatch
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.restarts import Restarts
from tradeagent.supervisor.silence import Silence


class Watch:
    """Watches the event loop from a thread, and from within the loop silence and memory."""

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

    async def _look(self) -> None:
        wall = WallClock()
        while True:
            self.silence.look()
            self._memory.look()
            await wall.sleep(self._patience.look)
