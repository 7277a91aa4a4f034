"""What every bus promises about identity and faults; see `tests.conformance.bus`."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.bus.desk import (
    START,
    Notes,
    Record,
    SetClock,
    alert,
    cancel,
    candle,
    heartbeat,
    listen,
    signal,
    ticker,
    trade,
    until,
)
from tests.conformance.bus import BusParts
from tradeagent.bus.base import Bus, Subscriber
from tradeagent.bus.memory import CHAIN, TURN
from tradeagent.messages import (
    Analysis,
    CancelRequest,
    Envelope,
    MarketData,
    Message,
    Origin,
    RiskAlert,
    TickerUpdate,
    Timer,
    TradeSignal,
)


class FaultClaims(BusParts):
    """Who a message is from, who is spared, and what happens when something fails."""

    # -- identity ---------------------------------------------------------------------------------

    async def test_a_wire_id_counts_once(self, bus: Any) -> None:
        """Of messages with one identity between processes only the first is delivered."""
        heard = listen(bus, MarketData)
        for number, wire_id in enumerate(("x", "y", "x", None, None)):
            envelope: Envelope[Message] = Envelope(candle(number), "other", 1)
            envelope.wire_id = wire_id
            bus.post(envelope)
        assert [message.time for message in heard] == [0, 1, 3, 4]
        assert bus.dropped["duplicate"] == 1

    async def test_messages_are_stamped(self, bus: Any, clock: SetClock, record: Record) -> None:
        """Number, time, cause, trace and origin tell where each message comes from."""
        bus.subscribe(Subscriber("analysis", {MarketData: lambda m: signal(m.time)}))
        bus.subscribe(Subscriber("trading", {TradeSignal: lambda m: alert()}))
        bus.publish(candle(1), "data")
        clock.time += 7
        bus.publish(candle(2), "data")
        stamps = [
            (one.source, one.seq, one.cause, one.trace, one.ts - START, one.origin)
            for one in record
        ]
        assert stamps == [
            ("data", 1, 0, 1, 0, Origin.INPUT),
            ("analysis", 2, 1, 1, 0, Origin.DERIVED),
            ("trading", 3, 2, 1, 0, Origin.DERIVED),
            ("data", 4, 0, 4, 7, Origin.INPUT),
            ("analysis", 5, 4, 4, 7, Origin.DERIVED),
            ("trading", 6, 5, 4, 7, Origin.DERIVED),
        ]

    async def test_observers_say_inputs(self, bus: Bus, record: Record) -> None:
        """What an observer returns is an input: replay does not compute it again."""
        bus.subscribe(Subscriber("venue", {MarketData: lambda m: alert()}, observer=True))
        bus.publish(candle(1), "data")
        assert [(one.payload.wire, one.origin) for one in record] == [
            ("MARKET_DATA", Origin.INPUT),
            ("RISK_ALERT", Origin.INPUT),
        ]

    async def test_what_follows_is_settled_with_its_cause(self, bus: Bus, record: Record) -> None:
        """The record is told it is whole only when all that follows from an input is in it."""
        follow = {MarketData: lambda m: [trade(m.time), signal(m.time)]}
        bus.subscribe(Subscriber("analysis", follow))
        bus.subscribe(Subscriber("trading", {TradeSignal: lambda m: [alert(), alert()]}))
        for number in range(40):
            bus.publish(candle(number), "data")
        await until(lambda: record.settled and record.settled[-1] == len(record))
        complete = set(range(0, len(record) + 1, 4))
        assert len(record) == 160
        assert set(record.settled) <= complete

    async def test_the_record_has_all_that_decides(self, bus: Bus, record: Record) -> None:
        """Lossless messages are recorded, and of the lossy ones those an agent decides on."""
        listen(bus, TickerUpdate, name="agent")
        bus.subscribe(Subscriber("api", {Message: lambda m: None}, observer=True))
        for message in (candle(1), ticker(2), heartbeat(3), alert()):
            bus.publish(message, "data")
        assert [one.payload for one in record] == [candle(1), ticker(2), alert()]

    async def test_a_timer_is_its_agents_own(self, bus: Bus) -> None:
        """A timer reaches the agent it names and observers, and nobody else."""
        mine, other = listen(bus, Timer, name="mine"), listen(bus, Timer, name="other")
        seen: list[Message] = []
        bus.subscribe(Subscriber("api", {Timer: seen.append}, observer=True))
        timer = Timer(agent="mine", method="report")
        bus.publish(timer, "timer")
        assert (mine, other, seen) == ([timer], [], [timer])

    # -- faults -----------------------------------------------------------------------------------

    async def test_what_is_no_message_is_its_handlers_failure(self, bus: Bus, host: Notes) -> None:
        """A handler that returns something else has failed, not the one that published."""
        for number, wrong in enumerate(("text", 7, [None])):
            bus.subscribe(Subscriber(f"agent{number}", {MarketData: lambda m, out=wrong: out}))
        heard, leaked = listen(bus, MarketData), listen(bus, RiskAlert, name="leak")
        bus.subscribe(Subscriber("half", {MarketData: lambda m: [alert(), "text"]}))
        bus.publish(candle(1), "data")
        assert heard == [candle(1)]
        assert leaked == []
        failed = [name for name, _, _ in host.failures]
        assert failed == ["agent0", "agent1", "agent2", "half"]

    async def test_a_handler_that_raises_harms_nobody_else(self, bus: Bus, host: Notes) -> None:
        """An exception is reported with its message; the others hear that and the next ones."""
        error = ValueError("no")

        def broken(message: MarketData) -> None:
            raise error

        bus.subscribe(Subscriber("broken", {MarketData: broken}))
        heard = listen(bus, MarketData)
        bus.publish(candle(1), "data")
        bus.publish(candle(2), "data")
        assert heard == [candle(1), candle(2)]
        assert host.failures == [("broken", candle(1), error), ("broken", candle(2), error)]

    async def test_what_is_down_gets_its_messages_later(self, bus: Bus) -> None:
        """Messages for an agent that is down wait in its inbox until it is resumed."""
        agent = Subscriber("agent", {MarketData: lambda m: heard.append(m.time)})
        heard: list[int] = []
        bus.subscribe(agent)
        agent.up = agent.idle = False
        for number in range(3):
            bus.publish(candle(number), "data")
        assert heard == []
        agent.up = True
        bus.resume(agent)
        bus.publish(candle(3), "data")
        assert heard == [0, 1, 2, 3]

    async def test_a_slow_handler_holds_its_inbox_only(self, bus: Bus) -> None:
        """While an agent works, its messages wait and everybody else's do not."""
        gate, slow_heard = asyncio.Event(), []

        async def slow(message: MarketData) -> Analysis:
            slow_heard.append(message.time)
            await gate.wait()
            return Analysis(symbol="BTC", analyst="slow", time=message.time, valid_until=1 << 62)

        agent = Subscriber("slow", {}, {MarketData: slow})
        bus.subscribe(agent)
        quick, analyses = listen(bus, MarketData), listen(bus, Analysis, name="other")
        for number in range(3):
            bus.publish(candle(number), "data")
        await until(lambda: slow_heard)
        assert (slow_heard, len(quick), len(agent.inbox)) == ([0], 3, 2)
        gate.set()
        await until(lambda: len(analyses) == 3)
        assert slow_heard == [message.time for message in analyses] == [0, 1, 2]

    async def test_rebound_handlers_take_over_at_resume(self, bus: Bus) -> None:
        """A restarted agent's new handlers get what waited and what comes."""
        old: list[int] = []
        new: list[int] = []
        agent = Subscriber("agent", {MarketData: lambda m: old.append(m.time)})
        bus.subscribe(agent)
        bus.publish(candle(0), "data")
        agent.up = agent.idle = False
        bus.publish(candle(1), "data")
        agent.rebind({MarketData: lambda m: new.append(m.time)}, {})
        agent.up = True
        bus.resume(agent)
        bus.publish(candle(2), "data")
        assert (old, new) == ([0], [1, 2])

    async def test_who_unsubscribed_hears_no_more(self, bus: Bus) -> None:
        """After its end a subscription delivers nothing; the others stay as they were."""
        heard: list[int] = []
        stop = bus.subscribe(Subscriber("a", {MarketData: lambda m: heard.append(m.time)}))
        others = listen(bus, MarketData)
        bus.publish(candle(1), "data")
        stop()
        bus.publish(candle(2), "data")
        assert heard == [1]
        assert others == [candle(1), candle(2)]

    async def test_a_chain_without_end_is_cut(self, bus: Any, host: Notes) -> None:
        """Messages that cause each other for ever are cut once, reported, and others go on."""
        bus.subscribe(Subscriber("a", {MarketData: lambda m: signal(1)}))
        bus.subscribe(Subscriber("b", {TradeSignal: lambda m: candle(1)}))
        bus.publish(candle(1), "data")
        await until(lambda: host.runaways)
        await until(lambda: bus.quiet)
        assert len(host.runaways) == 1
        assert bus.seq <= CHAIN + 1
        heard = listen(bus, RiskAlert, name="c")
        bus.publish(alert(), "operator")
        assert heard == [alert()]

    async def test_what_waits_is_delivered_before_the_end(self, bus: Any) -> None:
        """Closing delivers what was published before."""
        heard = listen(bus, MarketData)
        burst = [candle(number) for number in range(TURN + 10)]
        bus.subscribe(Subscriber("burst", {TickerUpdate: lambda m: burst}))
        bus.publish(ticker(1), "data")
        await bus.close()
        await until(lambda: len(heard) == len(burst))
        assert heard == burst

    async def test_cancels_pass_a_backlog(self, bus: Any) -> None:
        """A cancel published while much waits is delivered next."""
        order: list[str] = []
        bus.subscribe(
            Subscriber(
                "execution",
                {
                    MarketData: lambda m: order.append("candle"),
                    CancelRequest: lambda m: order.append("cancel"),
                },
            )
        )
        bus.subscribe(
            Subscriber("burst", {TickerUpdate: lambda m: [candle(n) for n in range(TURN * 2)]})
        )
        bus.publish(ticker(1), "data")
        before = len(order)
        assert before < TURN * 2
        bus.publish(cancel("now"), "operator")
        await until(lambda: bus.quiet)
        assert order.index("cancel") == before
