"""What a message costs in memory: publish to one handler, a new message, each further listener.

Usage: python benchmarks/bus.py [--peer COMMAND ...]      (prints one JSON line)
Each round repeats each case, as the peer's does; the peer's command is run in turn with each of our
rounds and its line is shown beside ours.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SimulatedClock
from tradeagent.messages import Envelope, MarketData, Message
from tradeagent.messages.build import checked

ROUNDS = 5
REPEATS = 5
WARM = 2.0
"""Seconds of work before each round."""
MESSAGES = 200_000


class NoHost:
    """Whatever fails ends the benchmark."""

    def failed(self, _: Subscriber, __: Envelope[Message], error: Exception) -> None:
        """Raise it."""
        raise error

    def overflowed(self, subscriber: Subscriber, _: Envelope[Message]) -> None:
        """Raise."""
        raise RuntimeError(subscriber.name)

    def ran_away(self, envelope: Envelope[Message]) -> None:
        """Raise."""
        raise RuntimeError(envelope)

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Any]
    ) -> None:
        """Raise."""
        raise RuntimeError((subscriber, envelope, work))


def ignore(_: Message) -> None:
    """Do nothing with a message."""


def bus_with(listeners: int) -> MemoryBus:
    """Return a bus with so many listeners to signals and tickers."""
    clock = SimulatedClock(0)
    bus = MemoryBus(clock, NoHost())
    for number in range(listeners):
        bus.subscribe(
            Subscriber(
                f"agent{number}",
                {MarketData: ignore},
            )
        )
    return bus


candle = checked(MarketData)
"""Makes a new, validated message of eight fields, as the hot path does."""


def ready(bus: MemoryBus) -> float:
    """Return ns for publishing a ready message."""
    message = candle(
        symbol="BTC", timeframe="1m", time=1, open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0
    )
    publish, clock = bus.publish, bus._clock
    started = time.perf_counter_ns()
    for tick in range(MESSAGES):
        clock._now = tick  # type: ignore[attr-defined]
        publish(message, "bench")
    return (time.perf_counter_ns() - started) / MESSAGES


def new(bus: MemoryBus) -> float:
    """Return ns for making, validating and publishing a message of eight fields."""
    publish, clock = bus.publish, bus._clock
    started = time.perf_counter_ns()
    for tick in range(MESSAGES):
        clock._now = tick  # type: ignore[attr-defined]
        publish(
            candle(
                symbol="BTC",
                timeframe="1m",
                time=tick,
                open=1.0,
                high=1.0,
                low=1.0,
                close=1.0,
                volume=1.0,
            ),
            "bench",
        )
    return (time.perf_counter_ns() - started) / MESSAGES


def warm_up() -> None:
    """Work for a while: a processor that has waited for the peer is slow at first."""
    started = time.perf_counter()
    while time.perf_counter() - started < WARM:
        ready(bus_with(1))


def main(peer: list[str]) -> None:
    """Measure and print."""
    cases: dict[str, Callable[[], float]] = {
        "ready_1": lambda: ready(bus_with(1)),
        "ready_11": lambda: ready(bus_with(11)),
        "new_1": lambda: new(bus_with(1)),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    theirs: list[object] = []
    for _ in range(ROUNDS):
        warm_up()
        for name, case in cases.items():
            found[name].append(statistics.median(case() for _ in range(REPEATS)))
        if peer:
            shown = subprocess.run(peer, capture_output=True, text=True, check=True)
            theirs.append(json.loads(shown.stdout.splitlines()[-1]))
    medians = {name: statistics.median(values) for name, values in found.items()}
    result: dict[str, object] = {
        "bench": "bus",
        "ns": {name: round(value) for name, value in medians.items()},
        "per_s": {name: round(1e9 / value) for name, value in medians.items()},
        "further_listener_us": round((medians["ready_11"] - medians["ready_1"]) / 10e3, 3),
    }
    if theirs:
        result["peer"] = theirs
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[2:] if sys.argv[1:2] == ["--peer"] else [])
