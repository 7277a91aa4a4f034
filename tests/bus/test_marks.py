"""When somebody begins to take messages is on record, where it happened, and heard by nobody."""

from __future__ import annotations

from tests.bus.desk import Notes, Record, SetClock, signal, ticker
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.messages import Attendance, Message, Origin, TickerUpdate, TradeSignal


def test_who_comes_up_is_on_record_before_what_waited_is_served() -> None:
    """ATTENDANCE takes the next number; what waited leads to messages after it."""
    record, heard = Record(), list[Message]()
    bus = MemoryBus(SetClock(), Notes(), record)
    agent = Subscriber("agent", {TickerUpdate: lambda tick: signal(tick.time)})
    bus.subscribe(agent)
    bus.subscribe(Subscriber("ear", {Message: heard.append}, observer=True))
    agent.up = agent.idle = False
    bus.publish(ticker(1), "data")
    agent.up, agent.restored = True, 7

    bus.resume(agent)

    kinds = [(one.seq, type(one.payload)) for one in record]
    assert kinds == [(1, TickerUpdate), (2, Attendance), (3, TradeSignal)]
    assert record[1].payload == Attendance(agent="agent", state="up", restored=7)
    assert agent.restored is None
    assert [type(one) for one in heard] == [TickerUpdate, TradeSignal]
    assert record.settled[-1] == 3


def test_an_observer_leaves_no_mark() -> None:
    """Who decides nothing may come and go unrecorded."""
    record = Record()
    bus = MemoryBus(SetClock(), Notes(), record)
    ear = Subscriber("ear", {Message: lambda _: None}, observer=True)
    bus.subscribe(ear)

    bus.resume(ear)

    assert list(record) == []


def test_an_input_never_takes_the_place_of_what_was_derived() -> None:
    """Tickers of one symbol give way to newer ones, but only among inputs, or among derived."""
    record = Record()
    bus = MemoryBus(SetClock(), Notes(), record)

    def answer(_: TradeSignal) -> list[Message]:
        bus.publish(ticker(1), "elsewhere")
        bus.publish(ticker(2), "elsewhere")
        return [ticker(3), ticker(4)]

    bus.subscribe(Subscriber("agent", {TradeSignal: answer, TickerUpdate: lambda _: None}))

    bus.publish(signal(1), "test")

    tickers = [one for one in record if isinstance(one.payload, TickerUpdate)]
    assert [(one.payload.time, one.origin) for one in tickers] == [
        (2, Origin.INPUT),
        (4, Origin.DERIVED),
    ]
