"""Timers that ask first whether there is work: it is done when it would change something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.agents.risk_desk import FREE, desk, judge, leave, request
from tests.bus.desk import SetClock
from tests.harness import START, bar, tick
from tradeagent.agents.base import BaseAgent
from tradeagent.agents.compliance import Compliance, ComplianceSettings
from tradeagent.agents.monitor import Monitor, MonitorSettings
from tradeagent.agents.pace import Window
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    Fill,
    Message,
    RiskOverride,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.base import Settled
from tradeagent.supervisor.runtime import AgentRuntime

Say = Callable[[int], Message]
"""What makes a message at a time, ns."""
HOUR = 3600
RISK = desk(limits=FREE)
VERDICTS = [judge(RISK, request(size=Decimal(size))) for size in ("1", "0.00001")]
VERDICTS.append(judge(RISK, leave("1")))


def signal(now: int) -> TradeSignal:
    """Return a signal of that time."""
    return TradeSignal(
        symbol="BTC", strategy="a", direction="long", time=now, price=100.0, valid_until=now + 1
    )


def fill(now: int) -> Fill:
    """Return a fill of that time."""
    fields = {"symbol": "BTC", "side": "buy", "size": 1, "price": 100, "fee": 0, "time": now}
    return Fill.model_validate(
        {"cloid": "c", "intent_id": "i", "tid": "t", "liquidity": "taker", "strategy": "a"} | fields
    )


def mode(of: TradingMode) -> Say:
    """Return what tells of a trading state."""
    return lambda now: TradingState(
        mode=of, previous=TradingMode.ACTIVE, reason="r", actor="op", since=now
    )


def price(symbol: str) -> Say:
    """Return what tells a price of a symbol."""
    return lambda now: tick(100, (now - START) // SECOND, symbol=symbol)


def money(now: int) -> AccountUpdate:
    """Return an account of that time."""
    return AccountUpdate(balance=Decimal(1), equity=Decimal(1), time=now)


def word(_: int) -> RiskOverride:
    """Return an operator's word."""
    return RiskOverride(rule="GROSS", reason="r", actor="op")


SAYINGS: list[Say] = [
    price("BTC"),
    price("ETH"),
    lambda now: bar(100, (now - START) // SECOND // 60 - 1),
    signal,
    fill,
    money,
    word,
    *(lambda _, verdict=verdict: verdict for verdict in VERDICTS),
    *map(mode, (TradingMode.ACTIVE, TradingMode.HALTED)),
]
PAUSES = st.sampled_from([1, 60, 299, 301, HOUR, 5 * HOUR, 20 * HOUR, 50 * HOUR])
STEPS = st.lists(st.tuples(PAUSES, st.lists(st.sampled_from(SAYINGS), max_size=4)), max_size=30)


def known(agent: BaseAgent[Any]) -> dict[str, Any]:
    """Return all an agent knows."""
    kept = {name: one for name, one in vars(agent).items() if name not in ("_runtime", "_inlet")}
    return {
        name: list(one._times) if isinstance(one, Window) else one for name, one in kept.items()
    }


def beats(agent: BaseAgent[Any], steps: list[tuple[int, list[Say]]]) -> Iterator[tuple[bool, bool]]:
    """Let messages come and time pass; yield at each beat whether work is told of, and is done."""
    (timer, beat), clock = next(iter(agent.timers.items())), SetClock(simulated=True)
    clock.time = START
    agent.attach(
        AgentRuntime(clock, lambda _: Settled(), asyncio.create_task, lambda *_: None)  # type: ignore[arg-type]
    )
    for seconds, sayings in steps:
        for say in sayings:
            message = say(clock.time)
            if (method := agent.handles.get(type(message))) is not None:
                getattr(agent, method)(message)
        clock.time += seconds * SECOND
        before, told = deepcopy(known(agent)), getattr(agent, beat.when)()
        said = getattr(agent, timer)()
        event(f"{'work' if told else 'no work'}, {'said' if said else 'nothing said'}")
        yield told, bool(said or known(agent) != before)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_monitor_looks_when_something_went_wrong_or_right(
    steps: list[tuple[int, list[Say]]],
) -> None:
    """A beat is left out exactly where the look would say nothing and change nothing."""
    hasty = MonitorSettings(max_data_age_s=300, max_idle_hours=2, max_rejected_in_a_row=2)
    assert all(told is done for told, done in beats(Monitor(hasty), steps))


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_compliance_looks_when_a_day_is_over(steps: list[tuple[int, list[Say]]]) -> None:
    """A beat is left out exactly where there is no day to begin and none to report on."""
    officer = Compliance(ComplianceSettings())
    assert all(told is done for told, done in beats(officer, steps))
