"""Floods and endless chains: an analyst sheds, the order path halts, nothing runs away."""

from __future__ import annotations

from tests.bus.desk import until
from tests.supervisor.house import House, Slow, mood
from tests.supervisor.test_simulation import Echo
from tradeagent.messages import AgentState, RiskAlert, Severity, TradingMode


class Held(Slow):
    """An analyst on the order path, which none is: only its inbox matters here."""

    essential = True


async def test_a_flooded_analyst_is_degraded_and_sheds() -> None:
    """At its cap an analyst drops the oldest, counted, and is called DEGRADED."""
    Slow.shut()
    async with House(Slow, cap=5) as house:
        for number in range(20):
            house.tell(mood(f"S{number}"))
        life = house.supervisor.lives["slow"]
        assert len(life.inlet.inbox) == 5
        assert life.agent.state is AgentState.DEGRADED
        assert life.inlet.inbox.dropped["oldest"] == 14
        Slow.gate.set()


async def test_an_essential_inbox_at_its_cap_halts() -> None:
    """The order path never drops: at the cap trading is HALTED and every message kept."""
    Slow.shut()
    async with House(Held, cap=5) as house:
        for number in range(20):
            house.tell(mood(f"S{number}"))
        assert house.supervisor.mode is TradingMode.HALTED
        assert len(house.supervisor.lives["held"].inlet.inbox) == 19
        assert len(house.incidents("HALT")) == 1
        Slow.gate.set()


async def test_a_chain_without_end_is_cut_and_halts() -> None:
    """Messages that cause messages for ever are cut, and trading is HALTED."""
    async with House(Echo) as house:
        house.tell(RiskAlert(code="X", severity=Severity.WARNING))
        await until(lambda: house.supervisor.mode is TradingMode.HALTED)

    assert any("without end" in one.text for one in house.incidents("HALT"))
