"""What the bus tests share: a clock that is set, a host that takes notes, messages, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.bus.base import Bus, Out, Subscriber
from tradeagent.messages import (
    CancelRequest,
    Envelope,
    Heartbeat,
    MarketData,
    MarketTrade,
    Message,
    RiskAlert,
    Severity,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.messages.system import AgentState

START = 1_700_000_000_000_000_000
FAR = 1 << 62


class SetClock:
    """A live clock that shows what the test says."""

    simulated = False
    speed = 1.0

    def __init__(self, simulated: bool = False) -> None:
        self.time = START
        self.simulated = simulated

    def now(self) -> int:
        return self.time

    async def sleep_until(self, when: int) -> None:
        await turn()

    async def sleep(self, seconds: float) -> None:
        await turn()

    def hold(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


class Record(list[Envelope[Message]]):
    """What was dispatched, and how much of it whenever it was settled."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: list[int] = []

    def settle(self) -> None:
        self.settled.append(len(self))


class Notes:
    """A host that writes down what it is told and runs slow handlers as tasks."""

    def __init__(self) -> None:
        self.bus: Bus | None = None
        self.failures: list[tuple[str, Message, Exception]] = []
        self.overflows: list[tuple[str, Message]] = []
        self.runaways: list[Message] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        self.failures.append((subscriber.name, envelope.payload, error))

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        self.overflows.append((subscriber.name, envelope.payload))

    def ran_away(self, envelope: Envelope[Message]) -> None:
        self.runaways.append(envelope.payload)

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Out]
    ) -> None:
        async def run() -> None:
            out = await work
            assert self.bus is not None
            for message in () if out is None else (out,) if isinstance(out, Message) else out:
                self.bus.publish(message, subscriber.name, envelope)
            self.bus.resume(subscriber)

        self.spawn(run(), subscriber.name)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task and own it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


async def turn() -> None:
    """Let everything that is ready run once."""
    ready = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ready.set_result, None)
    await ready


async def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Let the loop work until `holds`; raises TimeoutError when it never does."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while not holds():
            later = loop.create_future()
            loop.call_later(0.002, lambda future=later: future.done() or future.set_result(None))
            await later


def listen(bus: Bus, *kinds: type[Message], name: str = "listener") -> list[Any]:
    """Subscribe to `kinds` and return the list that what arrives is added to."""
    heard: list[Any] = []
    bus.subscribe(Subscriber(name, dict.fromkeys(kinds, heard.append)))
    return heard


def candle(number: int, symbol: str = "BTC") -> MarketData:
    """Return a candle told apart by its time."""
    return MarketData(
        symbol=symbol, timeframe="1m", time=number, open=1, high=1, low=1, close=1, volume=1
    )


def ticker(number: int, symbol: str = "BTC") -> TickerUpdate:
    """Return a ticker told apart by its time."""
    return TickerUpdate(symbol=symbol, time=number, bid=1, ask=2, last=1)


def trade(number: int, symbol: str = "BTC") -> MarketTrade:
    """Return a public trade told apart by its time."""
    return MarketTrade(symbol=symbol, time=number, price=1, size=1, side="buy")


def signal(number: int, symbol: str = "BTC", valid_until: int = FAR) -> TradeSignal:
    """Return a signal told apart by its time."""
    return TradeSignal(
        symbol=symbol,
        strategy="test",
        direction="long",
        time=number,
        price=1,
        valid_until=valid_until,
    )


def alert(code: str = "TEST") -> RiskAlert:
    """Return an alert, which is urgent."""
    return RiskAlert(code=code, severity=Severity.WARNING)


def cancel(reason: str) -> CancelRequest:
    """Return a wish to cancel, which is urgent."""
    return CancelRequest(reason=reason)


def heartbeat(number: int) -> Heartbeat:
    """Return a heartbeat, which is lossy."""
    return Heartbeat(agent="test", state=AgentState.RUNNING, waiting=0, last_seq=number)
