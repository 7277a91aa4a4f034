"""Whatever an agent raises while it is made anew is its own failure, and the daemon lives on."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tests.bus.desk import until
from tests.harness import tick
from tests.supervisor.house import (
    AT_ONCE,
    Counting,
    House,
)
from tradeagent.agents.base import BaseAgent, on
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import (
    RiskAlert,
    Severity,
    TickerUpdate,
)


class Starting(BaseAgent):
    """Fails in whatever part of its life `trouble` names, as often as `times` says."""

    trouble: ClassVar[str] = ""
    times: ClassVar[int] = 0
    error: ClassVar[type[Exception]] = ValueError
    lives: ClassVar[list[weakref.ref[Starting]]] = []
    let_go: ClassVar[int] = 0

    def __init__(self, *_: Any) -> None:
        super().__init__(None, "starting")
        self.lives.append(weakref.ref(self))
        self._fail("init")

    @classmethod
    def fail_in(cls, trouble: str, times: int, error: type[Exception] = ValueError) -> None:
        """Choose."""
        cls.trouble, cls.times, cls.error = trouble, times, error
        cls.let_go = 0
        cls.lives.clear()

    def _fail(self, where: str) -> None:
        if where == self.trouble and len(self.lives) > 1 and Starting.times > 0:
            Starting.times -= 1
            raise self.error(f"in {where}")

    def restore(self, past: object) -> None:
        """Fail, or not."""
        self._fail("restore")

    async def setup(self) -> None:
        """Fail, hang, or not."""
        self._fail("setup")
        if self.trouble == "operation" and len(self.lives) > 1:
            self.start(self._work())
            await asyncio.Event().wait() if Starting.times else None
        if self.trouble == "hang" and len(self.lives) == 2:
            await asyncio.Event().wait()

    async def _work(self) -> None:
        self._fail("operation")

    async def teardown(self) -> None:
        """Fail, or not."""
        Starting.let_go += 1
        if self.trouble == "teardown":
            raise self.error("in teardown")

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> RiskAlert:
        """Fail the first agent; let the others answer."""
        if len(self.lives) == 1:
            raise KeyError("the first fails")
        return RiskAlert(code="ANSWER", severity=Severity.WARNING)


@pytest.mark.parametrize("trouble", ["init", "restore", "setup", "operation"])
async def test_a_restart_that_fails_counts_against_the_budget(trouble: str) -> None:
    """Whatever an agent raises while it is made anew costs it a restart, and the daemon nothing."""
    Starting.fail_in(trouble, 2)
    async with House(Starting) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))

    life = house.supervisor.lives["starting"]
    assert (len(life.restarts), dict(life.errors)) == (3, {"KeyError": 1, "ValueError": 2})
    assert house.restarted("starting") == 1


async def test_an_agent_that_cannot_be_made_anew_is_given_up() -> None:
    """One whose restart always fails is given up like any other, and the daemon runs."""
    Starting.fail_in("setup", 99)
    Counting.seen.clear()
    async with House(Starting, Counting) as house:
        house.tell(tick(1))
        await until(lambda: house.incidents("AGENT_GIVEN_UP"))
        house.tell(tick(2))
        await until(lambda: Counting.seen == [1, 2])

    assert "in setup" in house.incidents("AGENT_GIVEN_UP")[0].text
    assert house.restarted("starting") == 0


async def test_a_teardown_that_fails_is_told_and_passed_over() -> None:
    """What an old agent raises when it is let go does not keep the new one from coming."""
    Starting.fail_in("teardown", 1)
    async with House(Starting) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))

    assert len(house.supervisor.lives["starting"].restarts) == 1
    assert Starting.let_go == 2
    assert sum("teardown failed: ValueError" in line for line in house.log) == 2


async def test_a_setup_that_hangs_is_a_failure() -> None:
    """A restart does not wait for ever for its agent to prepare."""
    Starting.fail_in("hang", 1)
    async with House(Starting, patience=replace(AT_ONCE, stuck=0.05)) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))

    assert any("setup did not end within" in line for line in house.log)
    assert len(house.supervisor.lives["starting"].restarts) == 2


async def test_a_restart_waits_for_a_venue_without_a_budget() -> None:
    """What only time can heal is tried for as long as it takes."""
    Starting.fail_in("setup", 7, VenueUnavailable)
    async with House(Starting) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))

    assert len(house.supervisor.lives["starting"].restarts) == 1
    assert sum("cannot restart yet: in setup" in line for line in house.log) == 7


class Anxious(BaseAgent):
    """Fails; its second life begins with work that fails while it waits for its venue."""

    made: ClassVar[int] = 0

    async def setup(self) -> None:
        """Begin, or wait for a venue."""
        Anxious.made += 1
        if Anxious.made == 2:
            self.start(self._fret())
            raise VenueUnavailable("away")

    async def _fret(self) -> None:
        raise ValueError("fretted")

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> RiskAlert:
        """Fail in the first life."""
        if Anxious.made == 1:
            raise KeyError("the first fails")
        return RiskAlert(code="ANSWER", severity=Severity.WARNING)


async def test_what_fails_while_a_restart_is_due_schedules_no_other() -> None:
    """There is one restart at a time, and no agent is made that nobody asked for."""
    Anxious.made = 0
    async with House(Anxious, patience=replace(AT_ONCE, backoff=(0.05,))) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))

    life = house.supervisor.lives["anxious"]
    assert (Anxious.made, len(life.restarts)) == (3, 1)
    assert life.errors == {"KeyError": 1, "ValueError": 1}


async def test_an_old_agent_is_let_go_of() -> None:
    """Nothing keeps an agent's memory after its restart, and it is torn down once."""
    Starting.fail_in("", 0)
    async with House(Starting) as house:
        house.tell(tick(1))
        await until(lambda: house.heard(RiskAlert))
        gc.collect()
        assert [one() is None for one in Starting.lives] == [True, False]
        assert Starting.let_go == 1

    assert Starting.let_go == 2
