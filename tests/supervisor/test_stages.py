"""A start that fails is one clear line, and a stop ends, whatever the agents do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from tests.bus.desk import until
from tests.supervisor.house import AT_ONCE, Counting, House, Simulation, fast, signal
from tests.supervisor.test_operations import HALT, Venue
from tradeagent.agents.base import BaseAgent, on
from tradeagent.clock import SECOND
from tradeagent.errors import ConfigError, OperatorError, VenueUnavailable
from tradeagent.messages import AgentState, RiskAlert, Severity, TradingMode
from tradeagent.storage.base import Past

BRIEF = replace(AT_ONCE, stage=0.02, stuck=0.02)


class Guest(BaseAgent):
    """Notes when it comes and goes."""

    diary: ClassVar[list[str]] = []

    async def setup(self) -> None:
        """Come."""
        self.diary.append(f"{self.name} came")

    async def teardown(self) -> None:
        """Go."""
        self.diary.append(f"{self.name} went")


class Second(Guest):
    """Comes after the first."""


class Stubborn(Guest):
    """Does not go."""

    how: ClassVar[str]

    async def teardown(self) -> None:
        """Raise or hang."""
        if self.how == "raises":
            raise ValueError("no")
        await asyncio.Event().wait()


class Broken(BaseAgent):
    """Cannot start."""

    part: ClassVar[str] = "setup"
    error: ClassVar[Exception | None]

    def restore(self, past: Past) -> None:
        """Fail, or not."""
        if self.part == "restore":
            assert self.error is not None
            raise self.error

    async def setup(self) -> None:
        """Fail or hang."""
        if self.error is None:
            await asyncio.Event().wait()
        elif self.part == "setup":
            raise self.error


@pytest.mark.parametrize("part", ["setup", "restore"])
@pytest.mark.parametrize("kind", [House, Simulation])
async def test_an_agent_that_cannot_start_ends_the_start_with_one_line(
    kind: type[House], part: str
) -> None:
    """The line names the agent, the error and its place; who had come is let go again."""
    Guest.diary.clear()
    Broken.part, Broken.error = part, ValueError("bad weather")
    house = kind(Guest, Broken, Second)

    with pytest.raises(OperatorError) as caught:
        await house.supervisor.run()

    line = (Broken.setup if part == "setup" else Broken.restore).__code__.co_firstlineno
    said = str(caught.value)
    assert said.startswith("agents.broken cannot start: ValueError: bad weather (test_stages.py:")
    assert line < int(said.split("test_stages.py:")[1].split(")")[0]) < line + 6
    assert "\n" not in said
    assert Guest.diary == (["guest came", "guest went"] if part == "setup" else [])


class Early(Guest):
    """Says something while it prepares."""

    async def setup(self) -> None:
        """Say it."""
        self.publish(RiskAlert(code="EARLY", severity=Severity.WARNING))


class Ready(Guest):
    """Notes what it hears."""

    @on(RiskAlert)
    def hear(self, alert: RiskAlert) -> None:
        """Note it."""
        self.diary.append(f"{self.name} heard {alert.code}")


@pytest.mark.parametrize("kind", [House, Simulation])
async def test_no_message_comes_before_its_agent_has_prepared(kind: type[House]) -> None:
    """What others say while they start waits for those that have not started yet."""
    Guest.diary.clear()
    house = kind(Early, Ready)
    running = asyncio.create_task(house.supervisor.run())
    await until(lambda: len(Guest.diary) >= 2)
    house.supervisor.stop()
    await running

    assert Guest.diary[:2] == ["ready came", "ready heard EARLY"]


async def test_a_start_that_hangs_ends_with_one_line() -> None:
    """An agent that never ends its preparation does not keep the daemon from saying so."""
    Broken.part, Broken.error = "setup", None
    house = House(Broken, patience=BRIEF)

    with pytest.raises(OperatorError, match=r"agents.broken cannot start: .*setup did not end"):
        await house.supervisor.run()


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ConfigError("agents.broken.url: missing"), "^agents.broken.url: missing$"),
        (VenueUnavailable("no answer"), "^agents.broken cannot start: VenueUnavailable: no answer"),
    ],
)
async def test_what_is_meant_for_the_operator_is_passed_on(error: Exception, shown: str) -> None:
    """An error that speaks to the operator is shown as it is, another of ours is named."""
    Broken.part, Broken.error = "setup", error

    with pytest.raises(OperatorError, match=shown):
        await House(Broken).supervisor.run()


@pytest.mark.parametrize("how", ["raises", "hangs"])
async def test_agents_stop_in_reverse_whoever_does_not_go(how: str) -> None:
    """A teardown that raises or hangs is named, and the others are let go all the same."""
    Guest.diary.clear()
    Stubborn.how = how
    async with House(Guest, Stubborn, Second, patience=BRIEF) as house:
        pass

    assert house.running.exception() is None
    assert Guest.diary[-2:] == ["second went", "guest went"]
    assert any("teardown failed" in line for line in house.log)
    states = [life.agent.state for life in house.supervisor.lives.values()]
    assert states == [AgentState.STOPPED] * 3


async def test_a_stop_names_what_is_stuck() -> None:
    """An operation that does not end is cancelled at the stage's deadline, with its line."""
    Venue.gate = asyncio.Event()
    async with House(Venue, patience=BRIEF) as house:
        house.tell(signal())

    line = Venue._send.__code__.co_firstlineno + 2
    assert any(
        "stop: drain took over" in said and f"venue._send (test_operations.py:{line})" in said
        for said in house.log
    )


async def test_a_stop_does_not_wait_for_a_restart() -> None:
    """An agent that waits to be made anew stays down when the daemon stops."""
    Guest.diary.clear()

    class Frail(Guest):
        """Fails on its first message."""

        @on(RiskAlert)
        def fail(self, alert: RiskAlert) -> None:
            """Fail."""
            raise ValueError("frail")

    async with House(Frail, patience=replace(AT_ONCE, backoff=(30.0,))) as house:
        house.tell(RiskAlert(code="X", severity=Severity.WARNING))
        assert house.supervisor.lives["frail"].agent.state is AgentState.FAILED

    assert Guest.diary == ["frail came", "frail went"]


def test_two_agents_of_one_name_are_refused() -> None:
    """A name is given once."""
    house = House(Counting)

    with pytest.raises(ValueError, match="two agents are called counting"):
        house.supervisor.add(Counting)


async def test_a_run_ends_at_its_hour() -> None:
    """A run until a time ends when the clock shows it, without a stop."""
    clock = fast(60_000)
    house = House(Counting, clock=clock)
    hour = clock.now() + 3600 * SECOND

    await house.supervisor.run(hour)

    assert 0 <= clock.now() - hour < 3600 * SECOND


async def test_a_halt_from_before_is_known_at_the_start() -> None:
    """The supervisor begins in the trading state that the journal holds."""
    async with House(Counting) as before:
        before.tell(HALT)

    async with House(Counting, store=before.store) as house:
        assert house.supervisor.mode is TradingMode.HALTED
