"""Nothing leaves but what was approved, once, and never more than the ceiling in a minute."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.harness import START, Rig, tick
from tradeagent.agents.execution import ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.sendgate import SendGate
from tradeagent.clock import SECOND
from tradeagent.messages import (
    Incident,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RiskAssessment,
    TradingMode,
    TradingState,
)
from tradeagent.quant.rules import Limits


def order(number: int, size: str = "1", **changes: object) -> Order:
    """Return a market buy."""
    fields = {
        "cloid": f"0x{number}", "intent_id": f"i{number}", "symbol": "BTC", "side": "buy",
        "size": Decimal(size), "type": "market", **changes,
    }  # fmt: skip
    return Order.model_validate(fields)


def approval(what: Order) -> RiskAssessment:
    """Return its approval, valued at 100 a unit."""
    return RiskAssessment(
        intent_id=what.intent_id, symbol="BTC", verdict="approved", order=what, strategy="a",
        price=Decimal(100), expires_at=START,
    )  # fmt: skip


def test_an_order_leaves_as_it_was_approved_and_once() -> None:
    """One that was never approved, was changed, or has left already, stays."""
    gate = SendGate(Decimal(10_000))
    gate.allow(approval(order(1)))
    gate.allow(approval(order(2)))
    assert "not approved" in gate.refusal(order(3), START)
    assert "not what Risk" in gate.refusal(order(2, "2"), START)
    assert gate.refusal(order(1), START) == ""
    assert "already" in gate.refusal(order(1), START)


def test_an_exit_always_leaves() -> None:
    """However full the minute is, what is reduce-only goes."""
    gate = SendGate(Decimal(1))
    assert gate.refusal(order(1, "1000", reduce_only=True), START) == ""


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 50)), max_size=60))
def test_no_minute_sees_more_than_the_ceiling(sent: list[tuple[int, int]]) -> None:
    """Over any 60 seconds, what left adds up to the ceiling at most; and it fills up to it."""
    gate, ceiling, now = SendGate(Decimal(6_000)), Decimal(6_000), START
    left: list[tuple[int, Decimal]] = []
    for number, (pause, size) in enumerate(sent):
        now += pause * SECOND
        one = order(number, str(size))
        gate.allow(approval(one))
        worth = Decimal(size * 100)
        within = sum(value for at, value in left if at > now - 60 * SECOND)
        passed = gate.refusal(one, now) == ""
        assert passed == (within + worth <= ceiling)
        if passed:
            left.append((now, worth))


async def test_a_gate_gone_mad_is_stopped_at_the_ceiling() -> None:
    """With every limit lifted by mistake, orders stop at the ceiling and trading halts."""
    mad = Limits(
        max_order_notional=Decimal(10**9),
        max_position_notional=Decimal(10**9),
        max_gross_ratio=Decimal(10**6),
    )
    rig = Rig(
        events=[(START + second * SECOND, tick(100.0, second)) for second in range(30)],
        risk=RiskSettings(limits=mad),
        execution=ExecutionSettings(max_notional_per_minute=Decimal(2_500)),
    )
    for number in range(10):
        rig.clock.call_at(
            START + (1 + number) * SECOND,
            lambda number=number: rig.bus.publish(  # type: ignore[misc]
                OrderRequest(
                    intent_id=f"i{number}",
                    symbol="BTC",
                    side="buy",
                    size=Decimal(10),
                    price=Decimal(100),
                    price_time=START + (1 + number) * SECOND,
                    valid_until=START + 60 * SECOND,
                    stop_plan={"stop": Decimal(95)},  # type: ignore[arg-type]
                ),
                "operator",
            ),
        )
    await rig.run()

    assert [one.code for one in rig.heard(Incident)] == ["SEND_GATE"]
    assert rig.heard(TradingState)[-1].mode is TradingMode.HALTED
    filled = {one.order.cloid for one in rig.heard(OrderUpdate) if one.status is OrderStatus.FILLED}
    assert len(filled) == 2
