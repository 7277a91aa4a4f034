"""Under simulated time operations, timers and streams share one time, and trouble ends the run."""

from __future__ import annotations

import asyncio

import pytest

from tests.bus.desk import turn
from tests.harness import tick
from tests.supervisor.house import Never, Simulation, signal
from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.errors import Runaway
from tradeagent.messages import RiskAlert, Severity, TradeSignal

PAUSE, NAP = 10, 600
"""Seconds of the simulated clock."""


class Echo(BaseAgent):
    """Answers every alert with an alert."""

    @on(RiskAlert)
    def answer(self, alert: RiskAlert) -> RiskAlert:
        """Never stop."""
        return alert


class Sleeper(BaseAgent):
    """Sends three slices ten seconds apart."""

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start to slice."""
        self.start(self._slices(signal.symbol))

    async def _slices(self, symbol: str) -> None:
        for number in range(3):
            self.publish(RiskAlert(code=f"{symbol}{number}", severity=Severity.WARNING))
            await self.runtime.sleep(PAUSE)


class Ticking(BaseAgent):
    """Says so each five seconds."""

    @every(5)
    def tick(self) -> RiskAlert:
        """Tick."""
        return RiskAlert(code="tick", severity=Severity.WARNING)


class Patient(BaseAgent):
    """Asks a service, with a deadline of its own."""

    @on(TradeSignal)
    async def ask(self, signal: TradeSignal) -> RiskAlert:
        """Answer once the service has."""
        async with asyncio.timeout(5):
            await turn()
        return RiskAlert(code=signal.symbol, severity=Severity.WARNING)


def code(alert: RiskAlert) -> str:
    """Return what an alert is called."""
    return alert.code


async def test_a_failed_agent_stops_a_simulation() -> None:
    """Under a simulated clock an exception is not healed but raised."""
    house = Simulation(Never)

    with pytest.raises(ValueError, match="always"):
        await house.play([(1, tick(1)), (2, tick(2))])


async def test_an_endless_chain_stops_a_simulation() -> None:
    """Messages that cause messages for ever are an error there."""
    house = Simulation(Echo)
    alert = RiskAlert(code="X", severity=Severity.WARNING)

    with pytest.raises(Runaway):
        await house.play([(1, alert), (2, alert)])


async def test_sleepers_timers_and_streams_share_one_simulated_time() -> None:
    """Slices of a sleeping operation and ticks of a timer come at their times, in order."""
    house = Simulation(Sleeper, Ticking)
    heard = house.note(RiskAlert, code)

    await house.play([(2, signal("S")), (26, signal("T"))])

    assert heard[:8] == [
        *((2, "S0"), (5, "tick"), (10, "tick"), (12, "S1")),
        *((15, "tick"), (20, "tick"), (22, "S2"), (25, "tick")),
    ]


async def test_a_slow_handler_may_use_deadlines_in_a_simulation() -> None:
    """What an analyst awaits works under simulated time, and time waits for its answer."""
    house = Simulation(Patient)
    heard = house.note(RiskAlert, code)

    await house.play([(5, signal("A")), (6, signal("B"))])

    assert heard == [(5, "A"), (6, "B")]


class Acting(BaseAgent):
    """Does something beside the loop."""

    @on(TradeSignal)
    def begin(self, signal: TradeSignal) -> None:
        """Start it."""
        self.start(self._act())

    async def _act(self) -> RiskAlert:
        return RiskAlert(code="done", severity=Severity.WARNING)


class Talking(BaseAgent):
    """Answers at once."""

    @on(TradeSignal)
    def answer(self, signal: TradeSignal) -> RiskAlert:
        """Answer."""
        return RiskAlert(code="said", severity=Severity.WARNING)


class Dozing(BaseAgent):
    """Sleeps ten minutes over each signal."""

    @on(TradeSignal)
    async def doze(self, signal: TradeSignal) -> None:
        """Sleep on it."""
        await self.runtime.sleep(NAP)


async def test_who_sleeps_changes_the_order_of_nothing() -> None:
    """Results of operations come after what was said at once, whether others sleep or not."""
    found = []
    for builds in ((Acting, Talking), (Acting, Talking, Dozing), (Dozing, Acting, Talking)):
        house = Simulation(*builds)
        heard = house.note(RiskAlert, code)
        await house.play([(second, signal("S")) for second in range(1, 900, 300)])
        found.append(heard)

    assert found[0] == [(second, word) for second in (1, 301, 601) for word in ("said", "done")]
    assert found[0] == found[1] == found[2]
