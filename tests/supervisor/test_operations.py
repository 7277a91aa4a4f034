"""I/O beside the message loop: it holds up nobody, keeps its order, and fails for its agent."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from tests.bus.desk import turn, until
from tests.harness import tick
from tests.supervisor.house import Counting, House, Slow, mood, signal
from tradeagent.agents.base import BaseAgent, on
from tradeagent.messages import (
    Analysis,
    Message,
    RiskAlert,
    Sentiment,
    Severity,
    TradeSignal,
    TradingMode,
    TradingState,
)

HALT = TradingState(
    mode=TradingMode.HALTED,
    previous=TradingMode.ACTIVE,
    reason="now",
    actor="operator",
    since=1,
)


class Venue(BaseAgent):
    """Starts an operation that hangs, and hears of a halt meanwhile."""

    essential = True
    gate: ClassVar[asyncio.Event]
    order: ClassVar[list[str]] = []

    @on(TradeSignal)
    def send(self, signal: TradeSignal) -> None:
        """Start to send an order."""
        self.start(self._send(signal.symbol), lane="venue")

    async def _send(self, symbol: str) -> RiskAlert:
        if symbol != "QUICK":
            await self.gate.wait()
        self.order.append(symbol)
        return RiskAlert(code=symbol, severity=Severity.WARNING)

    @on(TradingState)
    def obey(self, state: TradingState) -> None:
        """Note the state."""
        self.order.append(state.mode)


async def test_a_halt_is_handled_while_a_venue_hangs() -> None:
    """An operation that waits for the venue holds up no message of its own agent."""
    Venue.gate = asyncio.Event()
    Venue.order.clear()
    async with House(Venue) as house:
        house.tell(signal("BTC"), HALT)
        assert Venue.order == [TradingMode.HALTED]
        Venue.gate.set()
        await until(lambda: "BTC" in Venue.order)


async def test_a_lane_keeps_its_order() -> None:
    """Operations of one lane run one after the other, as they were started."""
    Venue.gate = asyncio.Event()
    Venue.order.clear()
    async with House(Venue) as house:
        house.tell(signal("BTC"), signal("QUICK"))
        for _ in range(10):
            await turn()
        assert Venue.order == []
        Venue.gate.set()
        await until(lambda: len(house.heard(RiskAlert)) == 2)

    assert Venue.order == ["BTC", "QUICK"]
    assert [one.code for one in house.heard(RiskAlert)] == ["BTC", "QUICK"]


async def test_a_slow_analyst_holds_up_nobody() -> None:
    """While an analyst waits, others get every message; its answer comes when it comes."""
    Slow.shut()
    Counting.seen.clear()
    async with House(Slow, Counting) as house:
        house.tell(mood(), tick(1), tick(2))
        await until(lambda: Counting.seen == [1, 2])
        assert house.heard(Analysis) == []
        Slow.gate.set()
        await until(lambda: len(house.heard(Analysis)) == 1)


class Babbler(BaseAgent):
    """Gives back what is no message."""

    words: ClassVar[Any]

    @on(Sentiment)
    async def think(self, sentiment: Sentiment) -> Message:
        """Give back anything."""
        found: Message = self.words
        return found


@pytest.mark.parametrize("words", [True, "text", {"a": 1}, ["text"]])
async def test_an_operation_that_gives_no_message_fails(words: object) -> None:
    """What cannot be published is the failure of the agent that gave it, and of nobody else."""
    Babbler.words = words
    Counting.seen.clear()
    async with House(Babbler, Counting) as house:
        house.tell(mood())
        await until(lambda: house.restarted("babbler") == 2)
        house.tell(tick(1))
        await until(lambda: Counting.seen == [1])

    assert house.supervisor.lives["babbler"].errors == {"TypeError": 2}
