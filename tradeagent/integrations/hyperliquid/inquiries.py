"""Ask the venue in the background what a stream has left open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.clock import Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.budget import NoRoom

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
Work = Callable[[], Coroutine[Any, Any, None]]
PAUSE = 1.0
"""How long after it found no room to ask an inquiry is tried again, in seconds."""


class Inquiries:
    """Does work that asks the venue; `lost` is called with the reason when it does not answer.

    Where this side has no weight left to ask, the venue is not to blame: the work is begun anew.
    """

    def __init__(self, clock: Clock, spawn: Spawn, lost: Callable[[str], None]) -> None:
        self._clock = clock
        self._spawn = spawn
        self.lost = lost

    def later(self, work: Work) -> None:
        """Do `work` as a task."""
        self._spawn(self._carefully(work), "hyperliquid.account")

    async def _carefully(self, work: Work) -> None:
        while True:
            try:
                return await work()
            except NoRoom:
                await self._clock.sleep(PAUSE)
            except VenueUnavailable as error:
                return self.lost(str(error))
