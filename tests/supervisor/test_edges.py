"""What happens in the moments before an agent is there and after it was told to go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from tests.bus.desk import ticker, turn, until
from tests.supervisor.house import AT_ONCE, House, mood, signal
from tradeagent.agents.base import BaseAgent, on
from tradeagent.errors import JournalError
from tradeagent.messages import (
    RiskAlert,
    Sentiment,
    Severity,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.storage.base import Past, Settled

BRIEF = replace(AT_ONCE, backoff=(0.05, 0.05), stage=0.1)


class Gate(BaseAgent):
    """Notes whether it had its past when each signal came."""

    essential = True
    taken: ClassVar[list[tuple[str, bool]]] = []
    restored = False

    def restore(self, past: Past) -> None:
        """Take up the past."""
        self.restored = True

    @on(TradeSignal)
    def take(self, wish: TradeSignal) -> None:
        """Note it."""
        Gate.taken.append((wish.symbol, self.restored))


async def test_what_comes_before_the_start_waits_for_it() -> None:
    """A message that arrives while the bus is joined is handled with the past taken up."""
    Gate.taken.clear()
    house = House(Gate)

    async def join() -> None:
        house.tell(signal("EARLY"))
        await turn()

    house.supervisor.prepare = join
    async with house:
        house.tell(signal("LATER"))
        await until(lambda: len(Gate.taken) == 2)

    assert Gate.taken == [("EARLY", True), ("LATER", True)]


class Feeder(BaseAgent):
    """Plays a feed without end; an operation of its fails once it is asked to."""

    made: ClassVar[list[int]] = []
    gate: ClassVar[asyncio.Event]

    async def setup(self) -> None:
        """Begin to play."""
        Feeder.made.append(1)
        now = self.runtime.time()
        endless: Iterator[tuple[int, int]] = ((now + n * 10**7, n) for n in range(10**9))
        self.runtime.play(self.name, endless, lambda _: None)

    @on(Sentiment)
    def go(self, _: Sentiment) -> None:
        """Begin what will fail."""
        self.start(self._fail())

    async def _fail(self) -> None:
        await Feeder.gate.wait()
        raise OSError("the disk is gone")


async def test_who_fails_while_all_stop_is_not_made_anew() -> None:
    """An agent that fails in the drain stays down, and the stop ends."""
    Feeder.made.clear()
    Feeder.gate = asyncio.Event()
    async with House(Feeder, patience=BRIEF) as house:
        house.tell(mood())
        await turn()
        house.supervisor.stop()
        await turn()
        Feeder.gate.set()
        await asyncio.wait_for(asyncio.shield(house.running), 5)

    assert len(Feeder.made) == 1


class Planner(BaseAgent):
    """Wants to be reminded, at once and in an hour, of each ticker, and when it goes."""

    fired: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]

    @on(Sentiment)
    def begin(self, _: Sentiment) -> None:
        """Keep the stop waiting."""
        self.start(self._linger())

    async def _linger(self) -> None:
        await Planner.gate.wait()

    @on(TickerUpdate)
    def plan(self, _: TickerUpdate) -> None:
        """Ask for both."""
        self._ask()

    def _ask(self) -> None:
        self.remind("soon", 0.0)
        self.remind("late", 3600.0)

    async def teardown(self) -> None:
        """Ask for both."""
        self._ask()

    def soon(self) -> None:
        """Note it."""
        Planner.fired.append("soon")

    def late(self) -> None:
        """Note it."""
        Planner.fired.append("late")


async def test_a_reminder_from_while_all_stop_neither_fires_nor_holds_the_stop() -> None:
    """Those set before the stop, in its drain and at the end of an agent come to nothing."""
    Planner.fired.clear()
    Planner.gate = asyncio.Event()
    async with House(Planner) as house:
        house.tell(mood(), ticker(1))
        await until(lambda: Planner.fired == ["soon"])
        house.supervisor.stop()
        await turn()
        house.tell(ticker(2))
        for _ in range(10):
            await turn()
        Planner.gate.set()
        await asyncio.wait_for(house.running, 5)

    assert Planner.fired == ["soon"]


class Fragile(BaseAgent):
    """Fails on every ticker."""

    @on(TickerUpdate)
    def watch(self, _: TickerUpdate) -> None:
        """Fail."""
        raise ValueError("always")


async def test_a_stop_ends_though_the_journal_has_failed() -> None:
    """An agent that waits for a journal which will not come back holds up no stop."""
    house = House(Fragile, patience=BRIEF)
    house.supervisor._runtime.committed = lambda _: Settled(JournalError("the disk is full"))  # type: ignore[method-assign]
    async with house:
        house.tell(ticker(1))
        await until(lambda: any("cannot restart yet" in line for line in house.log))
        house.supervisor.stop()
        await asyncio.wait_for(asyncio.shield(house.running), 5)

    assert house.running.done()
    assert house.restarted("fragile") == 0


class Chatter(BaseAgent):
    """Answers one ticker with more than a turn of the bus can deliver."""

    @on(TickerUpdate)
    def watch(self, heard: TickerUpdate) -> list[RiskAlert] | None:
        """Say much, once."""
        many = [RiskAlert(code=f"A{n}", severity=Severity.WARNING) for n in range(200)]
        return many if heard.time == 1 else None


class Late(BaseAgent):
    """Plays a feed that is all due at once."""

    count: ClassVar[int] = 5_000

    async def setup(self) -> None:
        """Begin to play."""
        events = ((1, ticker(n, f"S{n}")) for n in range(1, self.count + 1))
        self.runtime.play(self.name, events, self.publish)


async def test_commits_keep_up_with_a_late_feed() -> None:
    """However far a feed is behind, what it led to is settled in small parts on the way."""
    house = House(Chatter, Late)
    sizes: list[int] = []
    settle = house.store.journal.settle

    def noted() -> None:
        sizes.append(house.store.journal.head().entries)
        settle()

    house.store.journal.settle = noted  # type: ignore[method-assign]
    async with house:
        await until(lambda: len(house.heard(TickerUpdate)) == Late.count)

    steps = [later - earlier for earlier, later in zip([0, *sizes], sizes, strict=False)]
    assert max(steps) < 1_000
