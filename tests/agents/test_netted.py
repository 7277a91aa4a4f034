"""What the operator, a flattening and opposite strategies leave of each other's parts."""

from __future__ import annotations

from decimal import Decimal

from tests.agents.script import Script, rig, size
from tests.agents.test_together import LONG, parts
from tests.harness import START, Rig
from tradeagent.clock import SECOND
from tradeagent.messages import Message, OrderRequest, RiskOverride, StopPlan, TradingMode

CALM = dict.fromkeys(range(300), 100.0)


def say(found: Rig, second: int, message: Message) -> None:
    """Have the operator say something at a second."""
    found.clock.call_at(START + second * SECOND, lambda: found.bus.publish(message, "operator"))


def go(found: Rig, second: int, mode: TradingMode) -> None:
    """Have the operator ask for a trading state at a second."""
    say(found, second, RiskOverride(rule="STATE", mode=mode, reason="so", actor="test"))


def buy(found: Rig, second: int, amount: int) -> None:
    """Have the operator buy by hand at a second, with a stop at 90."""
    now = START + second * SECOND
    wish = OrderRequest(
        intent_id=f"by-hand-{second}",
        symbol="BTC",
        side="buy",
        size=Decimal(amount),
        stop_plan=StopPlan(stop=Decimal(90)),
        price=Decimal(100),
        price_time=now,
        valid_until=now + 30 * SECOND,
    )
    say(found, second, wish)


async def test_what_was_adopted_and_flattened_takes_no_part_in_the_next_entry() -> None:
    """The strategy that opens after a flattening holds the whole position, the operator nothing."""
    found = rig(CALM, {150: {**LONG, "strength": 0.5}})
    buy(found, 5, 20)
    go(found, 20, TradingMode.FLATTENING)
    go(found, 100, TradingMode.ACTIVE)

    await found.run()

    assert parts(found) == {"operator": 0, "one": size(found)}
    assert size(found) > 0


async def test_what_an_operator_buys_while_an_entry_rests_stays_his() -> None:
    """The strategy that goes flat closes its own part alone."""
    prices = {second: 100.0 if second < 30 else 98.0 for second in range(200)}
    script: Script = {2: LONG, 100: {"direction": "flat"}}
    found = rig(prices, script, entry="limit", limit_offset_bp=100.0, reprice_s=600.0)
    buy(found, 5, 20)

    await found.run()

    assert parts(found) == {"operator": 20, "one": 0}
