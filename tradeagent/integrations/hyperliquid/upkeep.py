"""Keep what is known of the venue fresh: its time, its listing, its prices, what is left to use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tradeagent.clock import Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.budget import Actions
from tradeagent.integrations.hyperliquid.inquiries import Spawn
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.integrations.hyperliquid.market import Market
from tradeagent.integrations.hyperliquid.questions import AccountQuestions, MarketQuestions
from tradeagent.log import log
from tradeagent.messages import VenueBudget

POLLED = 2.0
"""How often the middles are asked for while the stream does not tell them, in seconds."""
NOTED = 0.5
"""A difference of the clocks that an operator should know of, in seconds."""


class Rounds:
    """Tasks that do one thing over and over; a venue that does not answer is asked again later."""

    def __init__(self, clock: Clock, spawn: Spawn) -> None:
        self._clock = clock
        self._spawn = spawn
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Tell whether any task was started and not ended."""
        return bool(self._tasks)

    def every(self, seconds: float, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Do `work` every so many seconds, first after that time."""
        self.start(self._repeat(seconds, work), name)

    def start(self, work: Awaitable[None], name: str) -> None:
        """Do `work` once, as a task."""
        self._tasks.append(self._spawn(_run(work), f"hyperliquid.{name}"))

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            with suppress(VenueUnavailable):
                await work()

    async def end(self) -> None:
        """End all tasks."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(work: Awaitable[None]) -> None:
    await work


class Upkeep:
    """What is asked for regularly."""

    def __init__(
        self,
        clock: Clock,
        venue: MarketQuestions,
        account: AccountQuestions,
        market: Market,
        actions: Actions,
        tell: Callable[[VenueBudget], None],
    ) -> None:
        self._clock = clock
        self._venue = venue
        self._account = account
        self._market = market
        self._actions = actions
        self._tell = tell
        self._noted = False

    async def measure(self) -> None:
        """Learn the venue's time, and what is left of the account's actions where it changed."""
        skew = await self._venue.time()
        if abs(skew) > NOTED and not self._noted:
            log.warning("this machine's clock is {:+.2f} s off hyperliquid's", skew)
        self._noted = abs(skew) > NOTED
        if self._actions.touched or self._actions.allowed is None:
            self._actions.learn(await self._account.rate_limit())
            self._tell(self.budget())

    def budget(self) -> VenueBudget:
        """Return the account's actions as they are known."""
        actions = self._actions
        return VenueBudget(used=actions.used, allowed=actions.allowed or 0, time=self._clock.now())

    async def list(self) -> None:
        """Learn what trades on which grid."""
        self._market.list(Listing(await self._venue.meta()))

    async def poll(self) -> None:
        """Ask for prices that the stream does not tell, so that positions can be closed."""
        if self._market.age > POLLED:
            self._market.price(await self._venue.mids())
