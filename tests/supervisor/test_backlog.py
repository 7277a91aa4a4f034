"""What waits for the disk is bounded: feeds are held back, and an operator is told."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bus.desk import turn, until
from tests.supervisor.house import HASTY, House, fast
from tradeagent.agents.base import BaseAgent
from tradeagent.messages import Severity, TickerUpdate
from tradeagent.supervisor.watch import BACKLOG


class Player(BaseAgent):
    """Plays a hundred tickers, all due at once."""

    async def setup(self) -> None:
        """Begin to play."""
        self.runtime.play(self.name, self.events(), self.deliver)

    def events(self) -> Iterator[tuple[int, TickerUpdate]]:
        """Yield what is played."""
        for number in range(1, 101):
            tick = TickerUpdate(symbol=f"S{number}", time=number, bid=1, ask=2, last=1.5)
            yield number, tick

    def deliver(self, tick: TickerUpdate) -> None:
        """Say it."""
        self.runtime.publish(self.name, tick)


async def test_a_feed_waits_while_the_journal_is_behind() -> None:
    """Nothing more is played until enough was written, then all of it."""
    house = House(Player, clock=fast(1000.0))
    waiting = BACKLOG + 1
    house.supervisor.observe(lambda: waiting)
    async with house:
        for _ in range(20):
            await turn()
        assert house.heard(TickerUpdate) == []

        waiting = BACKLOG
        await until(lambda: len(house.heard(TickerUpdate)) == 100)


async def test_a_journal_that_falls_behind_is_told_once_each_time() -> None:
    """An incident that lets only exits through; again only after it had caught up."""
    house = House(patience=HASTY)
    waiting = BACKLOG + 1
    looks = 0

    def backlog() -> int:
        nonlocal looks
        looks += 1
        return waiting

    async def look() -> None:
        seen = looks
        await until(lambda: looks > seen + 2)

    house.supervisor.observe(backlog)
    async with house:
        await until(lambda: house.incidents("JOURNAL_BEHIND"))
        waiting = BACKLOG - 1
        await look()
        waiting = BACKLOG + 1
        await look()
        assert [one.severity for one in house.incidents("JOURNAL_BEHIND")] == [Severity.ERROR]

        waiting = 0
        await look()
        waiting = BACKLOG + 1
        await until(lambda: len(house.incidents("JOURNAL_BEHIND")) == 2)
