"""Agents that give no sign of life are named with the line they wait at, freed, and told of."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from tests.bus.desk import until
from tests.harness import tick
from tests.supervisor.house import HASTY, Counting, House, Slow, mood, signal
from tests.supervisor.test_operations import Venue
from tradeagent.clock import SECOND
from tradeagent.messages import AgentState, AgentStatus, Analysis, TradingMode, TradingState


class Order(Slow):
    """Thinks on the order path, where nobody should."""

    essential = True


async def test_a_stuck_agent_is_named_and_restarted_and_its_message_tried_once_more() -> None:
    """First the place it waits at, then a restart; what it was stuck on twice is put aside."""
    Slow.shut()
    Counting.seen.clear()
    async with House(Slow, Counting, patience=HASTY) as house:
        house.tell(mood("A"), mood("B"))
        await until(lambda: house.incidents("DEAD_LETTER"))
        house.tell(tick(1))
        await until(lambda: Counting.seen == [1])
        Slow.gate.set()
        await until(lambda: len(house.heard(Analysis)) == 1)

    (named, again) = house.incidents("AGENT_SILENT")[:2]
    line = Slow.think.__code__.co_firstlineno + 4
    assert f"in slow.think (house.py:{line})" in named.text
    assert named.agent == again.agent == "slow"
    assert Slow.began == ["A", "A", "B"]
    assert house.heard(Analysis)[0].symbol == "B"
    assert house.states("slow")[:4] == [
        *(AgentState.DEGRADED, AgentState.FAILED),
        *(AgentState.STARTING, AgentState.RUNNING),
    ]
    (reason, *_) = [
        one.reason for one in house.heard(AgentStatus) if one.state is AgentState.FAILED
    ]
    assert f"slow.think (house.py:{line}) took 0 s" in reason
    assert house.supervisor.mode is TradingMode.ACTIVE


async def test_a_silent_agent_of_the_order_path_halts() -> None:
    """Nobody on the order path is waited for: the supervisor halts by itself."""
    Slow.shut()
    async with House(Order, patience=replace(HASTY, stuck=60.0)) as house:
        house.tell(mood())
        await until(lambda: house.supervisor.mode is TradingMode.HALTED)
        Slow.gate.set()

    assert len(house.incidents("AGENT_SILENT")) == 1
    assert "order.think" in house.heard(TradingState)[0].reason


async def test_an_agent_that_answers_again_is_running_again() -> None:
    """One that was late, and not stuck, keeps its life and its work."""
    Slow.shut()
    async with House(Slow, patience=replace(HASTY, stuck=60.0)) as house:
        house.tell(mood())
        await until(lambda: house.states("slow") == [AgentState.DEGRADED])
        Slow.gate.set()
        await until(lambda: house.states("slow") == [AgentState.DEGRADED, AgentState.RUNNING])
        await until(lambda: len(house.heard(Analysis)) == 1)

    assert len(house.supervisor.lives["slow"].restarts) == 0


async def test_time_in_which_nothing_ran_counts_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a machine was suspended nobody is called silent for it."""
    patience = replace(HASTY, silent=5.0, stuck=10.0)
    async with House(Counting, patience=patience) as house:
        for part in ("silence", "life"):
            monkeypatch.setattr(
                f"tradeagent.supervisor.{part}.monotonic",
                lambda: time.perf_counter_ns() + 3600 * SECOND,
            )
        beats = len(house.said)
        await until(lambda: len(house.said) > beats + 5)

    assert house.states("counting") == []


async def test_a_stop_that_takes_long_calls_nobody_silent() -> None:
    """Agents that are being stopped are not asked for signs of life, nor missed."""
    Venue.gate = asyncio.Event()
    async with House(Venue, Counting, patience=replace(HASTY, stage=0.2)) as house:
        house.tell(signal())

    assert house.incidents("AGENT_SILENT") == []
    assert house.supervisor.mode is TradingMode.ACTIVE
