"""An agent that fails is made anew within its budget, whatever it fails in, and nobody else is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from tests.bus.desk import until
from tests.harness import tick
from tests.supervisor.house import (
    AT_ONCE,
    Counting,
    House,
    Never,
    NeverEssential,
    signal,
)
from tradeagent.agents.base import BaseAgent, on
from tradeagent.bus.base import Subscriber
from tradeagent.errors import IntegrityError
from tradeagent.messages import (
    AgentState,
    Incident,
    Message,
    Severity,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)


class Once(BaseAgent):
    """Raises on the first ticker it ever sees."""

    failures: ClassVar[list[float]] = []
    seen: ClassVar[list[float]] = []

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Fail once, then note."""
        if not self.failures:
            self.failures.append(tick.last)
            raise ValueError("once")
        self.seen.append(tick.last)


async def test_the_message_in_hand_is_retried_once_after_a_restart() -> None:
    """A failure that passes loses nothing, and what came meanwhile keeps its order."""
    Once.failures.clear()
    Once.seen.clear()
    async with House(Once) as house:
        house.tell(tick(1), tick(2), tick(3))
        await until(lambda: Once.seen and Once.seen[-1] == 3)

    assert Once.seen in ([1, 2, 3], [1, 3])
    assert house.states("once") == [AgentState.FAILED, AgentState.STARTING, AgentState.RUNNING]


async def test_others_go_on_while_one_fails() -> None:
    """The failure of one agent reaches no other."""
    Counting.seen.clear()
    async with House(Never, Counting) as house:
        house.tell(tick(1))
        house.tell(tick(2))
        await until(lambda: Counting.seen == [1, 2])

    assert house.supervisor.mode is TradingMode.ACTIVE


async def test_a_message_that_fails_twice_is_put_aside() -> None:
    """The second failure on one message makes it a dead letter, told and not tried again."""
    async with House(Never) as house:
        house.tell(tick(1))
        await until(lambda: house.restarted("never") == 2)

    (told,) = house.incidents("DEAD_LETTER")
    assert (told.severity, told.agent) == (Severity.WARNING, "never")
    assert "failed twice" in told.text
    assert "always" in told.text
    life = house.supervisor.lives["never"]
    assert (life.errors["ValueError"], len(life.inlet.inbox)) == (2, 0)


async def test_a_restart_budget_is_a_budget() -> None:
    """The fourth failure within a minute ends an agent for good; the rest lives on."""
    Counting.seen.clear()
    async with House(Never, Counting) as house:
        house.tell(tick(1))
        await until(lambda: house.restarted("never") == 2)
        house.tell(tick(2))
        await until(lambda: house.incidents("AGENT_GIVEN_UP"))
        house.tell(tick(3))
        await until(lambda: Counting.seen == [1, 2, 3])

        life = house.supervisor.lives["never"]
        assert life.errors["ValueError"] == 4
        assert len(life.restarts) == 3
        assert life.agent.state is AgentState.FAILED
        assert not [one for one in life.inlet.inbox if one.payload == tick(3)]
    assert house.restarted("never") == 3
    assert house.supervisor.mode is TradingMode.ACTIVE


async def test_failures_long_ago_do_not_count() -> None:
    """What failed before the window began is forgiven."""
    async with House(Never, patience=replace(AT_ONCE, window=0.0)) as house:
        for price in range(1, 6):
            house.tell(tick(price))
            await until(lambda price=price: house.restarted("never") == 2 * price)

    assert len(house.incidents("DEAD_LETTER")) == 5
    assert house.incidents("AGENT_GIVEN_UP") == []


async def test_the_order_path_failing_halts_trading() -> None:
    """A dead letter of an essential agent leads to HALTED, whoever else is alive."""
    async with House(NeverEssential) as house:
        house.tell(tick(1))
        await until(lambda: house.supervisor.mode is TradingMode.HALTED)

    assert house.heard(TradingState)[0].actor == "supervisor"


async def test_the_order_path_beyond_its_budget_ends_the_run() -> None:
    """An essential agent that cannot be kept alive halts trading and stops the daemon."""
    async with House(NeverEssential) as house:
        house.tell(tick(1))
        await until(lambda: house.restarted("neveressential") == 2)
        house.tell(tick(2))
        with pytest.raises(IntegrityError, match="neveressential failed 4 times within 60 s"):
            await house.running

    assert house.supervisor.mode is TradingMode.HALTED


class Crowd(BaseAgent):
    """Starts two operations that both fail, and one that fails when it is cancelled."""

    gate: ClassVar[asyncio.Event]

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start all three."""
        for number in range(2):
            self.start(self._fail(number))
        self.start(self._sulk())

    async def _fail(self, number: int) -> None:
        await self.gate.wait()
        raise ValueError(f"number {number}")

    async def _sulk(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("a cancelled operation's last words")


async def test_failures_at_one_time_are_one_failure() -> None:
    """Operations that fail while their agent is down already cost no further restart."""
    Crowd.gate = asyncio.Event()
    async with House(Crowd) as house:
        house.tell(signal())
        Crowd.gate.set()
        await until(lambda: house.restarted("crowd"))
        await until(lambda: not house.bus._draining)

    life = house.supervisor.lives["crowd"]
    assert (len(life.restarts), life.errors["ValueError"]) == (1, 1)
    assert house.states("crowd") == [AgentState.FAILED, AgentState.STARTING, AgentState.RUNNING]


async def test_an_observer_that_always_fails_halts_once() -> None:
    """A listener that is no agent and raises on every message halts trading; it is told once."""

    def deaf(_: Message) -> None:
        raise ValueError("deaf")

    Counting.seen.clear()
    async with House(Counting) as house:
        house.bus.subscribe(Subscriber("narrator", {Message: deaf}, observer=True))
        house.tell(tick(1))
        await until(lambda: house.supervisor.mode is TradingMode.HALTED)
        house.tell(tick(2))
        await until(lambda: Counting.seen == [1, 2])

    assert len(house.heard(Incident)) == 1
