"""What every bus promises; a class per implementation inherits these claims."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.bus.desk import (
    START,
    Notes,
    Record,
    SetClock,
    alert,
    candle,
    listen,
    signal,
    ticker,
    trade,
    turn,
    until,
)
from tradeagent.bus.base import Bus, Subscriber
from tradeagent.bus.inbox import RING
from tradeagent.bus.memory import TURN
from tradeagent.messages import (
    MarketData,
    Message,
    RiskAlert,
    TickerUpdate,
    TradeSignal,
)


class BusParts:
    """What a bus is made of; the test class of an implementation adds the fixture `bus`."""

    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock()

    @pytest.fixture
    def host(self) -> Notes:
        return Notes()

    @pytest.fixture
    def record(self) -> Record:
        return Record()


class DeliveryClaims(BusParts):
    """In which order, to whom, and what may be dropped."""

    # -- order ------------------------------------------------------------------------------------

    async def test_all_hear_a_message_before_what_any_of_them_returns(self, bus: Bus) -> None:
        """A message reaches all its subscribers before any message they return."""
        heard: list[str] = []

        def first(message: MarketData) -> TradeSignal:
            heard.append("first candle")
            return signal(message.time)

        bus.subscribe(Subscriber("first", {MarketData: first}))
        bus.subscribe(Subscriber("second", {MarketData: lambda m: heard.append("second candle")}))
        bus.subscribe(Subscriber("third", {TradeSignal: lambda m: heard.append("signal")}))
        bus.publish(candle(1), "data")
        assert heard == ["first candle", "second candle", "signal"]

    async def test_subscribers_are_served_in_the_order_they_came(self, bus: Bus) -> None:
        """Of one message, whoever subscribed first hears first."""
        heard: list[str] = []
        for name in "cab":
            bus.subscribe(Subscriber(name, {MarketData: lambda m, name=name: heard.append(name)}))
        bus.publish(candle(1), "data")
        assert heard == ["c", "a", "b"]

    @pytest.mark.parametrize("seed", range(5))
    async def test_lossless_messages_keep_their_order(
        self, bus: Bus, host: Notes, seed: int
    ) -> None:
        """Idle, busy and slow agents all hear every lossless message in order per symbol."""
        dice = random.Random(seed)
        heard: dict[str, dict[str, list[int]]] = {
            name: defaultdict(list) for name in ("quick", "slow", "deriving")
        }

        def note(name: str) -> Callable[[Any], None]:
            return lambda m: heard[name][m.symbol].append(m.time)

        async def slow(message: MarketData) -> None:
            for _ in range(dice.randrange(3)):
                await turn()
            note("slow")(message)

        bus.subscribe(Subscriber("quick", {MarketData: note("quick")}))
        bus.subscribe(Subscriber("slow", {}, {MarketData: slow}))
        bus.subscribe(Subscriber("signals", {MarketData: lambda m: signal(m.time, m.symbol)}))
        bus.subscribe(Subscriber("deriving", {TradeSignal: note("deriving")}))
        for number in range(300):
            bus.publish(candle(number, dice.choice("ABC")), "data")
            if dice.random() < 0.1:
                await turn()
        await until(lambda: not host.tasks or len(host.tasks) == self.own_tasks)
        await until(lambda: sum(map(len, heard["slow"].values())) == 300)
        for name in heard:
            assert sum(map(len, heard[name].values())) == 300
            assert all(times == sorted(times) for times in heard[name].values())

    own_tasks = 0
    """Tasks the bus itself keeps."""

    async def test_urgent_messages_are_taken_first(self, bus: Bus) -> None:
        """A waiting urgent message is delivered before those that waited longer."""
        heard = listen(bus, MarketData, RiskAlert, name="b")
        bus.subscribe(
            Subscriber(
                "a", {TickerUpdate: lambda m: [candle(1), candle(2), alert("A"), alert("B")]}
            )
        )
        bus.publish(ticker(1), "data")
        assert heard == [alert("A"), alert("B"), candle(1), candle(2)]

    async def test_a_busy_agent_takes_urgent_messages_first(self, bus: Bus) -> None:
        """In an inbox, too, urgent messages come first, and in their order."""
        gate, heard = asyncio.Event(), []

        async def slow(message: Message) -> None:
            heard.append(message)
            await gate.wait()

        bus.subscribe(Subscriber("slow", {}, dict.fromkeys((MarketData, RiskAlert), slow)))
        for message in (candle(1), candle(2), alert("A"), candle(3), alert("B")):
            bus.publish(message, "data")
        gate.set()
        await until(lambda: len(heard) == 5)
        assert heard == [candle(1), alert("A"), alert("B"), candle(2), candle(3)]

    async def test_a_long_drain_lets_the_loop_breathe(self, bus: Bus) -> None:
        """After a portion of messages a live bus lets other work run, and then goes on."""
        heard = listen(bus, MarketData)
        burst = [candle(number) for number in range(TURN * 3)]
        bus.subscribe(Subscriber("burst", {TickerUpdate: lambda m: burst}))
        bus.publish(ticker(1), "data")
        assert TURN - 1 <= len(heard) < TURN * 3
        await until(lambda: len(heard) == TURN * 3)
        assert heard == burst

    # -- delivery classes -------------------------------------------------------------------------

    async def test_newer_replaces_older_in_the_run_queue(self, bus: Any) -> None:
        """Waiting latest-wins messages of one symbol become one, the newest, and are counted."""
        heard = listen(bus, TickerUpdate, name="b")
        burst = [ticker(1), ticker(2, "ETH"), ticker(3), ticker(4)]
        bus.subscribe(Subscriber("a", {MarketData: lambda m: burst}))
        bus.publish(candle(1), "data")
        assert heard == [ticker(4), ticker(2, "ETH")]
        assert bus.dropped["conflated"] == 2

    async def test_newer_replaces_older_in_an_inbox(self, bus: Bus) -> None:
        """A busy agent finds only the newest of each latest-wins class and symbol."""
        gate, heard = asyncio.Event(), []

        async def slow(message: Message) -> None:
            heard.append(message)
            await gate.wait()

        agent = Subscriber("slow", {}, dict.fromkeys((MarketData, TickerUpdate), slow))
        bus.subscribe(agent)
        messages = (candle(0), ticker(1), ticker(2, "ETH"), ticker(3), ticker(4), candle(5))
        for message in messages:
            bus.publish(message, "data")
        gate.set()
        await until(lambda: len(heard) == 4)
        assert heard == [candle(0), ticker(4), ticker(2, "ETH"), candle(5)]
        assert agent.inbox.dropped["conflated"] == 2

    async def test_a_ring_keeps_the_newest(self, bus: Bus) -> None:
        """Of a ring class a busy agent finds the newest, in order, and the rest are counted."""
        gate, heard = asyncio.Event(), []

        async def slow(message: Any) -> None:
            heard.append(message.time)
            await gate.wait()

        agent = Subscriber("slow", {}, dict.fromkeys((MarketData, type(trade(0))), slow))
        bus.subscribe(agent)
        bus.publish(candle(0), "data")
        for number in range(1, RING + 11):
            bus.publish(trade(number), "data")
        gate.set()
        await until(lambda: len(heard) == RING + 1)
        assert heard == [0, *range(11, RING + 11)]
        assert agent.inbox.dropped["ring"] == 10

    async def test_the_order_path_never_drops(self, bus: Bus, host: Notes) -> None:
        """An essential agent at its cap is reported and still gets every message."""
        gate, heard = asyncio.Event(), []

        async def slow(message: MarketData) -> None:
            await gate.wait()
            heard.append(message.time)

        bus.subscribe(Subscriber("risk", {}, {MarketData: slow}, cap=3, essential=True))
        for number in range(6):
            bus.publish(candle(number), "data")
        assert host.overflows == [("risk", candle(4)), ("risk", candle(5))]
        gate.set()
        await until(lambda: len(heard) == 6)
        assert heard == list(range(6))

    async def test_others_shed_the_expired_then_the_oldest(
        self, bus: Bus, host: Notes, clock: SetClock
    ) -> None:
        """Any other agent at its cap loses what has expired, else the oldest; both are counted."""
        gate, heard = asyncio.Event(), []

        async def slow(message: TradeSignal) -> None:
            heard.append(message.time)
            await gate.wait()

        agent = Subscriber("analyst", {}, {TradeSignal: slow}, cap=3)
        bus.subscribe(agent)
        for number in range(3):
            bus.publish(signal(number), "analysis")
        bus.publish(signal(3, valid_until=START + 1), "analysis")
        clock.time += 2
        bus.publish(signal(4), "analysis")
        bus.publish(signal(5), "analysis")
        gate.set()
        await until(lambda: len(heard) == 4)
        assert heard == [0, 2, 4, 5]
        assert agent.inbox.dropped == {"expired": 1, "oldest": 1}
        assert [name for name, _ in host.overflows] == ["analyst", "analyst"]

    async def test_nothing_expired_is_handed_over(self, bus: Any, clock: SetClock) -> None:
        """What is past its time is dropped when taken, from run queue or inbox, and counted."""
        gate, heard = asyncio.Event(), []

        async def slow(message: TradeSignal) -> None:
            heard.append(message.time)
            await gate.wait()

        bus.subscribe(Subscriber("analyst", {}, {TradeSignal: slow}))
        bus.publish(signal(1, valid_until=START - 1), "analysis")
        bus.publish(signal(2), "analysis")
        bus.publish(signal(3, valid_until=START + 5), "analysis")
        bus.publish(signal(4), "analysis")
        clock.time += 10
        gate.set()
        await until(lambda: len(heard) == 2)
        assert heard == [2, 4]
        assert bus.dropped["expired"] == 2
