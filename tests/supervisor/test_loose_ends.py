"""Feeds, timers and operations of an agent that is made anew: ended, kept, or ignored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tests.bus.desk import turn, until
from tests.harness import tick
from tests.supervisor.house import (
    House,
    Slow,
    fast,
    mood,
    signal,
)
from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.messages import (
    Analysis,
    Sentiment,
    TickerUpdate,
    TradeSignal,
)


class Player(BaseAgent):
    """Plays a feed of its own, which breaks once."""

    made: ClassVar[int] = 0
    played: ClassVar[list[tuple[int, int]]] = []
    broken: ClassVar[bool]

    async def setup(self) -> None:
        """Play."""
        Player.made += 1
        self.life = Player.made
        self.runtime.play(self.name, self._events(), self._take)

    def _events(self) -> Iterator[tuple[int, int]]:
        for number in range(1, 1_000_000):
            if self.broken and self.life == 1 and number == 3:
                raise OSError("the feed broke")
            yield 60_000_000_000 * number, number

    def _take(self, number: int) -> None:
        self.played.append((self.life, number))

    @on(TickerUpdate)
    def watch(self, tick: TickerUpdate) -> None:
        """Fail the first agent."""
        if self.life == 1:
            raise ValueError("the first fails")


@pytest.mark.parametrize("broken", [True, False])
async def test_a_feed_ends_with_its_agent(broken: bool) -> None:
    """After a restart only the new agent's feed plays; one that breaks is its agent's failure."""
    Player.made, Player.broken = 0, broken
    Player.played.clear()
    async with House(Player, clock=fast(60_000)) as house:
        await until(lambda: len(Player.played) >= 2)
        if not broken:
            house.tell(tick(1))
        await until(lambda: Player.made == 2)
        then = len(Player.played)
        await until(lambda: len(Player.played) >= then + 5)

    assert {life for life, _ in Player.played[then + 1 :]} == {2}
    assert len(house.supervisor.lives["player"].restarts) == 1


class Ticking(BaseAgent):
    """Counts its timer; fails on a signal, and then prepares for as long as the test likes."""

    made: ClassVar[int] = 0
    ticks: ClassVar[list[int]] = []
    gate: ClassVar[asyncio.Event]

    async def setup(self) -> None:
        """Wait for the test, but the first time."""
        Ticking.made += 1
        self.life = Ticking.made
        if self.life > 1:
            await self.gate.wait()

    @every(60)
    def beat(self) -> None:
        """Count."""
        self.ticks.append(self.life)

    @on(TradeSignal)
    def fail(self, signal: TradeSignal) -> None:
        """Fail the first agent."""
        if self.life == 1:
            raise ValueError("the first fails")


async def test_timers_go_on_after_a_restart_without_making_up_for_it() -> None:
    """One timer beats for the new agent as for the old, and not for the time it was down."""
    Ticking.made, Ticking.gate = 0, asyncio.Event()
    Ticking.ticks.clear()
    house = House(Ticking, clock=fast(60 * 200))
    async with house:
        await until(lambda: len(Ticking.ticks) >= 2)
        house.tell(signal())
        await until(lambda: Ticking.made == 2)
        down = house.clock.now()
        await until(lambda: house.clock.now() - down > 20 * 60 * 10**9)
        waiting = house.supervisor.lives["ticking"].inlet.inbox
        assert [type(one.payload) for one in waiting] == [TradeSignal]
        Ticking.gate.set()
        up = house.clock.now()
        await until(lambda: Ticking.ticks[-1] == 2 and len(Ticking.ticks) >= 10)
        minutes = (house.clock.now() - up) / (60 * 10**9)

    assert Ticking.ticks.count(2) <= minutes + 2


class Grumpy(BaseAgent):
    """Starts an operation and fails before it has run a step."""

    lanes: ClassVar[list[str]] = []
    failed: ClassVar[bool]

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start to send, then fail the first time."""
        self.start(self._send(signal.symbol), lane="venue")
        if not Grumpy.failed:
            Grumpy.failed = True
            raise ValueError("once")

    async def _send(self, symbol: str) -> Analysis:
        return Analysis(symbol=symbol, analyst=self.name, time=1, valid_until=1 << 62)


async def test_an_operation_cancelled_before_it_began_frees_its_lane() -> None:
    """What a failing handler had just started neither runs nor blocks what the new agent starts."""
    Grumpy.failed = False
    async with House(Grumpy) as house:
        house.tell(signal())
        await until(lambda: house.heard(Analysis))

    assert len(house.heard(Analysis)) == 1
    assert not any("stop: drain" in line for line in house.log)


class Deaf(Slow):
    """Thinks; the first agent does not end when it is told to, and an operation of it fails."""

    made: ClassVar[int] = 0
    fuse: ClassVar[asyncio.Event]
    late: ClassVar[asyncio.Event]

    async def setup(self) -> None:
        """Count, and light the fuse."""
        Deaf.made += 1
        if Deaf.made == 1:
            self.start(self._burn())

    async def _burn(self) -> None:
        await self.fuse.wait()
        raise ValueError("burnt down")

    @on(Sentiment)
    async def think(self, sentiment: Sentiment) -> Analysis:
        """Wait for longer than is allowed."""
        try:
            return await super().think(sentiment)
        except asyncio.CancelledError:
            await self.late.wait()
            raise ValueError("this is nobody's failure any more") from None


async def test_a_handler_that_outlives_its_agent_changes_nothing() -> None:
    """Its message is handled again by the new agent, one at a time, and its own end is ignored."""
    Deaf.shut()
    Deaf.made, Deaf.fuse, Deaf.late = 0, asyncio.Event(), asyncio.Event()
    async with House(Deaf) as house:
        house.tell(mood("A"), mood("B"))
        await until(lambda: Deaf.began == ["A"])
        Deaf.fuse.set()
        await until(lambda: Deaf.began == ["A", "A"])
        Deaf.late.set()
        for _ in range(20):
            await turn()
        assert Deaf.began == ["A", "A"]
        Deaf.gate.set()
        await until(lambda: len(house.heard(Analysis)) == 2)

    life = house.supervisor.lives["deaf"]
    assert [one.symbol for one in house.heard(Analysis)] == ["A", "B"]
    assert (len(life.restarts), life.errors.total()) == (1, 1)
