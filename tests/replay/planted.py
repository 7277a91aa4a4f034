"""Agents that break the rules, and some that only look as if they did."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.messages import Analysis, MarketData, Message, TickerUpdate

FAR = 1 << 62


def view(agent: str, text: str) -> Analysis:
    """Return something an agent says."""
    return Analysis(symbol="BTC", analyst=agent, time=1, valid_until=FAR, evidence=text)


class Counter(BaseAgent):
    """Counts in its class, so what it says depends on what ran before in this process."""

    count: ClassVar[int] = 0

    @on(MarketData)
    def bar(self, bar: MarketData) -> Analysis:
        """Say how many candles there were."""
        type(self).count += 1
        return view(self.name, f"{self.count}")


class Unordered(BaseAgent):
    """Says what a set holds in the order of the set."""

    @on(MarketData)
    def bar(self, bar: MarketData) -> Analysis:
        """Say the parts of a candle."""
        return view(self.name, " ".join({"open", "high", "low", "close", bar.symbol}))


class Watchful(BaseAgent):
    """Reads the clock on the wall."""

    @on(MarketData)
    def bar(self, bar: MarketData) -> Analysis:
        """Say what time it is out there."""
        return view(self.name, f"{time.perf_counter_ns()}")


class Impatient(BaseAgent):
    """Asks the daemon's clock, not the message, what time it is."""

    @on(TickerUpdate)
    def tick(self, tick: TickerUpdate) -> Analysis:
        """Say how old the ticker is."""
        return view(self.name, f"{self.runtime.time() - self.now()}")


class Forgetful(BaseAgent):
    """Says one thing more each time it was made, which its journal does not tell."""

    made: ClassVar[int] = 0

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        type(self).made += 1

    @on(MarketData)
    def bar(self, bar: MarketData) -> list[Message]:
        """Speak the more often the more often it was made."""
        return [view(self.name, "again")] * min(self.made, 5)


class Stumbling(BaseAgent):
    """Raises now and then, for a reason of its own, and counts what it has seen since."""

    stumbles: ClassVar[int] = 0
    seen = 0

    @on(TickerUpdate)
    def tick(self, tick: TickerUpdate) -> Analysis | None:
        """Count tickers; stumble over the first few hundredths ones of this process."""
        self.seen += 1
        if self.seen % 20 == 0 and self.stumbles < 1:
            type(self).stumbles += 1
            raise ValueError("stumbled")
        return view(self.name, f"{self.seen}") if self.seen % 7 == 0 else None


class Thinking(BaseAgent):
    """Thinks about some messages for a while and counts others, which wait meanwhile."""

    seen = 0

    @on(MarketData)
    async def bar(self, bar: MarketData) -> Analysis:
        """Think, then say something; nobody can know when."""
        await asyncio.sleep(0.003)
        return view(self.name, f"{time.perf_counter_ns()}")

    @on(TickerUpdate)
    def tick(self, tick: TickerUpdate) -> Analysis:
        """Count tickers that were not replaced while it thought."""
        self.seen += 1
        return view(self.name, f"{self.seen} {tick.symbol} {tick.last} {self.now()}")

    @every(60)
    def report(self) -> Analysis:
        """Say how many there were."""
        return view(self.name, f"{self.seen} at {self.now()}")


class Hopeless(BaseAgent):
    """Raises on every candle."""

    seen = 0

    @on(TickerUpdate)
    def tick(self, tick: TickerUpdate) -> Analysis:
        """Count tickers, as long as it lasts."""
        self.seen += 1
        return view(self.name, f"{self.seen}")

    @on(MarketData)
    def bar(self, bar: MarketData) -> None:
        """Fail."""
        raise ValueError("hopeless")


class Mumbling(BaseAgent):
    """Answers some candles with what is no message, alone or in a list."""

    seen = 0

    @on(TickerUpdate)
    def tick(self, tick: TickerUpdate) -> Analysis:
        """Count tickers, as long as it lasts."""
        self.seen += 1
        return view(self.name, f"{self.seen}")

    @on(MarketData)
    def bar(self, bar: MarketData) -> Message | list[Message]:
        """Say nothing that anybody could hear."""
        wrong: object = 7 if bar.symbol == "BTC" else [view(self.name, "well"), "no message"]
        return wrong  # type: ignore[return-value]


class KeyedSettings(AgentSettings):
    """What it needs to be let in somewhere."""

    api_key: str
    source: str


class Keyed(BaseAgent[KeyedSettings]):
    """Has secrets among its settings."""
