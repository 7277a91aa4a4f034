"""Agents that make trouble, to be run in a real daemon."""

from __future__ import annotations

import asyncio

from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.messages import Analysis, MarketData, Sentiment, TickerUpdate

MEGABYTE = 1 << 20
AFTER = 5
"""Candles that go well before the trouble begins."""
TEN_MINUTES = 600


class Trouble(BaseAgent):
    """Behaves for the first candles of its life."""

    def __init__(self, settings: AgentSettings, name: str) -> None:
        super().__init__(settings, name)
        self.candles = 0

    def soon(self) -> bool:
        """Count a candle; tell whether it is time."""
        self.candles += 1
        return self.candles > AFTER


class Raising(BaseAgent):
    """Raises."""

    @on(MarketData)
    def watch(self, bar: MarketData) -> None:
        """Raise."""
        raise ValueError("trouble in watch")


class RaisingEssential(Raising):
    """Raises on the order path."""

    essential = True


class Endless(Trouble):
    """Loops for ever."""

    @on(MarketData)
    def watch(self, bar: MarketData) -> None:
        """Loop."""
        while self.soon():
            pass


class Hanging(Trouble):
    """Waits for what never comes."""

    @on(MarketData)
    async def watch(self, bar: MarketData) -> None:
        """Wait."""
        if self.soon():
            await asyncio.Event().wait()


class Leaking(Trouble):
    """Keeps all it sees, and much more."""

    def __init__(self, settings: AgentSettings, name: str) -> None:
        super().__init__(settings, name)
        self.kept: list[bytearray] = []

    @on(MarketData)
    def watch(self, bar: MarketData) -> None:
        """Keep eight megabytes."""
        self.kept.append(bytearray(b"x") * (8 * MEGABYTE))


class LeakingEssential(Leaking):
    """Leaks on the order path."""

    essential = True


class Sleeping(BaseAgent):
    """Sleeps ten minutes over each candle, then has an opinion."""

    @on(MarketData)
    async def watch(self, bar: MarketData) -> Analysis:
        """Sleep on it."""
        await self.runtime.sleep(TEN_MINUTES)
        return Analysis(symbol=bar.symbol, analyst=self.name, time=bar.time, valid_until=1 << 62)


class Unable(BaseAgent):
    """Cannot start."""

    async def setup(self) -> None:
        """Raise."""
        raise ValueError("no wind today")

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> Sentiment | None:
        """Never come to it."""
        return None
