"""An agent that leaks is named and made anew; one on the order path halts; nobody else suffers."""

from __future__ import annotations

import gc
from array import array
from dataclasses import replace
from typing import ClassVar

import pytest

from tests.bus.desk import turn, until
from tests.harness import tick
from tests.supervisor.house import AT_ONCE, Counting, House
from tradeagent.agents.base import BaseAgent, on
from tradeagent.messages import Heartbeat, RiskAlert, Severity, TickerUpdate, TradingMode
from tradeagent.supervisor import memory
from tradeagent.supervisor.memory import affordable_bytes, resident_bytes, weigh

MEGABYTE = 1 << 20
QUICK = replace(AT_ONCE, look=0.005, heartbeat=0.01)


class Leak(BaseAgent):
    """Keeps 40 MB for each ticker."""

    def __init__(self, *_: object) -> None:
        super().__init__(None, "leak")
        self.kept: list[bytearray] = []

    @on(TickerUpdate)
    def keep(self, tick: TickerUpdate) -> RiskAlert:
        """Keep it, and say how much there is."""
        self.kept.append(bytearray(b"x") * (40 * MEGABYTE))
        return RiskAlert(code="KEPT", severity=Severity.WARNING, value=len(self.kept))


class OrderLeak(Leak):
    """Leaks on the order path."""

    essential = True


def room() -> int:
    """Return a limit that two tickers pass, whatever earlier tests have left."""
    gc.collect()
    return resident_bytes() + 60 * MEGABYTE


async def test_a_leaking_agent_is_named_and_made_anew() -> None:
    """The heaviest agent is told with its weight and restarted, and its memory is given back."""
    async with House(Counting, Leak, patience=QUICK, memory_limit=room()) as house:
        before = resident_bytes()
        house.tell(tick(1))
        for _ in range(20):
            await turn()
        assert house.incidents("MEMORY") == []
        house.tell(tick(2))
        await until(lambda: house.restarted("leak"))
        assert resident_bytes() < before + 40 * MEGABYTE
        house.tell(tick(3))

    (told,) = house.incidents("MEMORY")
    assert (told.agent, told.severity) == ("leak", Severity.WARNING)
    assert "leak holds about 80 MB" in told.text
    assert [one.value for one in house.heard(RiskAlert)] == [1, 2, 1]
    assert house.restarted("counting") == 0
    assert house.supervisor.mode is TradingMode.ACTIVE


async def test_a_leak_that_comes_back_is_found_again_and_given_up() -> None:
    """The limit stays the limit: the watch works after the first leak as it did before."""
    async with House(Leak, patience=QUICK, memory_limit=room()) as house:
        for time in range(1, 4):
            house.tell(tick(1), tick(2))
            await until(lambda time=time: house.restarted("leak") == time)
            beats = len(house.heard(Heartbeat))
            await until(lambda beats=beats: len(house.heard(Heartbeat)) > beats + 2)
        house.tell(tick(1), tick(2))
        await until(lambda: house.incidents("AGENT_GIVEN_UP"))

    assert len(house.incidents("MEMORY")) == 4


async def test_a_leak_on_the_order_path_halts() -> None:
    """Trading stops before an essential agent is made anew."""
    async with House(OrderLeak, patience=QUICK, memory_limit=room()) as house:
        house.tell(tick(1), tick(2))
        await until(lambda: house.supervisor.mode is TradingMode.HALTED)
        await until(lambda: house.restarted("leak"))

    assert house.incidents("MEMORY")[0].severity is Severity.CRITICAL


async def test_memory_that_no_agent_holds_is_told_of_and_restarts_nobody() -> None:
    """Who does not hold it cannot give it back; it is told once, not each second."""
    async with House(Counting, patience=QUICK, memory_limit=MEGABYTE) as house:
        await until(lambda: house.incidents("MEMORY"))
        await until(lambda: len(house.heard(Heartbeat)) > 5)

    (told,) = house.incidents("MEMORY")
    assert "no agent holds much" in told.text
    assert house.restarted("counting") == 0


class Slotted:
    """Holds things in slots."""

    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held


class Plain:
    """Holds things in its dictionary."""

    def __init__(self, held: object) -> None:
        self.held = held


@pytest.mark.parametrize(
    "thing",
    [
        bytearray(10 * MEGABYTE),
        [bytes(1_000 + number % 2) for number in range(10_000)],
        {number: bytes(1_000) + bytes(number % 2) for number in range(10_000)},
        Slotted(Plain([bytearray(MEGABYTE) for _ in range(10)])),
        array("d", bytes(10 * MEGABYTE)),
    ],
    ids=["bytes", "list", "dict", "objects", "array"],
)
def test_a_thing_is_weighed(thing: object) -> None:
    """Ten megabytes weigh about ten, however they are held, though only a part is looked at."""
    assert weigh(thing, most=3_000) == pytest.approx(10 * MEGABYTE, rel=0.15)


def test_what_is_held_twice_weighs_once() -> None:
    """A thing that knows itself ends, and shared things count once."""
    shared = bytearray(MEGABYTE)
    ring: list[object] = [shared, shared]
    ring.append(ring)

    assert weigh(ring) == pytest.approx(MEGABYTE, rel=0.01)


class Group:
    """What the container is allowed."""

    text: ClassVar[str] = ""

    def read_text(self, **_: str) -> str:
        """Return it."""
        return self.text


@pytest.mark.parametrize(
    ("said", "limit"), [(str(600 * MEGABYTE), 300 * MEGABYTE), ("max", None), ("", None)]
)
def test_half_of_what_there_is_is_the_limit(
    monkeypatch: pytest.MonkeyPatch, said: str, limit: int | None
) -> None:
    """A container's own limit counts; without one the machine's memory does, up to a gigabyte."""
    Group.text = said
    monkeypatch.setattr(memory, "GROUP_LIMIT", Group())

    found = affordable_bytes()

    assert found == limit if limit else MEGABYTE < found <= 1 << 30
