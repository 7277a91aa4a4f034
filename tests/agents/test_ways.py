"""Ways into a position and out of it: limits, slices, moving stops, time exits."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agents.script import S, rig, size, stops
from tests.harness import BTC, START
from tradeagent.agents.stops import moved_stop
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CancelRequest,
    Fill,
    Incident,
    Order,
    OrderRequest,
    OrderUpdate,
    StopPlan,
)

# -- stops ----------------------------------------------------------------------------------------


async def test_a_trailing_stop_follows_and_then_closes() -> None:
    """It rises with the price by its distance, never falls, and its fill closes the position."""
    climb = {second: 100.0 + second for second in range(11)}
    fall = {11 + step: 110.0 - step for step in range(8)}
    found = rig({**climb, **fall}, {0: {"direction": "long", "stop": 95.0, "trail": 5.0}})

    await found.run()

    moved = stops(found)
    assert moved[0] == 95
    assert moved[-1] == Decimal("105.0")
    assert all(one < after for one, after in pairwise(moved))
    assert size(found) == 0
    assert found.heard(Fill)[-1].price > 104
    assert await found.exchange.get_open_orders() == []
    assert found.heard(Incident) == []


async def test_a_stop_goes_to_the_entry_once_the_price_has_come_far_enough() -> None:
    """Before `break_even` it stays; from there on the position cannot lose but for slippage."""
    prices = {0: 100.0, 1: 104.0, 2: 105.0, 3: 103.0, 4: 99.0}
    found = rig(prices, {0: {"direction": "long", "stop": 90.0, "break_even": 105.0}})

    await found.run()

    entry = found.heard(Fill)[0].price
    assert stops(found) == [90, entry.quantize(Decimal("0.1"))]
    assert size(found) == 0


@pytest.mark.parametrize("direction", ["long", "short"])
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.integers(-3, 3), min_size=5, max_size=60))
async def test_a_held_position_has_one_stop_that_never_retreats(
    direction: str, steps: list[int]
) -> None:
    """Whatever the path, one stop rests while a position is held, and none when it is flat."""
    price, prices = 100.0, {0: 100.0}
    for second, step in enumerate(steps, 1):
        price += step * 0.5
        prices[second] = price
    sign = 1 if direction == "long" else -1
    wish = {"direction": direction, "stop": 100.0 - 4 * sign, "trail": 2.0}
    found = rig(prices, {0: wish})

    await found.run()

    triggers = [trigger * sign for trigger in stops(found)]
    assert all(one < after for one, after in pairwise(triggers))
    resting = [one for one in await found.exchange.get_open_orders() if one.type == "stop"]
    assert len(resting) == (1 if size(found) else 0)
    assert sum(one.size for one in resting) == abs(size(found))
    assert found.heard(Incident) == []


@given(
    price=st.decimals(50, 200, places=1),
    trigger=st.decimals(50, 200, places=1),
    side=st.sampled_from(["buy", "sell"]),
    even=st.none() | st.decimals(50, 200, places=1),
)
def test_a_moved_stop_protects_more_and_is_not_yet_reached(
    price: Decimal, trigger: Decimal, side: Any, even: Decimal | None
) -> None:
    """A stop moves with the position only, stays on its side of the price, and on the grid."""
    order = Order(
        cloid="0x1", intent_id="i", symbol="BTC", side=side, size=Decimal(1), type="stop",
        trigger=trigger, reduce_only=True,
    )  # fmt: skip
    plan = StopPlan(stop=trigger, trail=Decimal(3), break_even=even)
    update = OrderUpdate(
        order=order, status=S.OPEN, strategy="one", stop_plan=plan, expires_at=START
    )
    sign = 1 if side == "sell" else -1
    moved = moved_stop(update, price, Decimal(100), BTC)
    if moved is not None:
        assert (moved - trigger) * sign > 0
        assert (price - moved) * sign > 0
        assert BTC.price_fits(moved)


async def test_a_position_ends_with_its_time() -> None:
    """At `exit_at` the opinion ends: the position is closed at the next price, stop and all."""
    prices = dict.fromkeys(range(10), 100.0)
    wish = {"direction": "long", "stop": 95.0, "exit_at": START + 5 * SECOND}
    found = rig(prices, {0: wish})

    await found.run()

    opened, closed = found.heard(Fill)
    assert (opened.side, closed.side, size(found)) == ("buy", "sell", 0)
    assert closed.time == START + 5 * SECOND
    assert await found.exchange.get_open_orders() == []


# -- entries --------------------------------------------------------------------------------------


async def test_twap_enters_in_equal_parts_over_its_time() -> None:
    """Six parts, evenly spaced, add up to what one order would have been, each with its stop."""
    prices = dict.fromkeys(range(80), 100.0)
    found = rig(
        prices, {0: {"direction": "long", "stop": 90.0}}, entry="twap", slices=6, twap_s=60.0
    )

    await found.run()

    fills = found.heard(Fill)
    assert [(fill.time - START) // SECOND for fill in fills] == [0, 10, 20, 30, 40, 50]
    assert max(fill.size for fill in fills) < min(fill.size for fill in fills) * Decimal("1.01")
    whole = Decimal(10_000) / Decimal(100)
    assert abs(size(found) - whole) < whole * Decimal("0.01")
    stopped = [one.size for one in await found.exchange.get_open_orders()]
    assert sum(stopped) == size(found)


async def test_twap_ends_with_its_signal() -> None:
    """A new opinion in the middle ends it: what has come in goes out, and no slice follows."""
    prices = dict.fromkeys(range(80), 100.0)
    script = {0: {"direction": "long", "stop": 90.0}, 25: {"direction": "flat"}}
    found = rig(prices, script, entry="twap", slices=6, twap_s=60.0)

    await found.run()

    sides = [fill.side for fill in found.heard(Fill)]
    assert sides == ["buy", "buy", "buy", "sell"]
    assert size(found) == 0


async def test_an_iceberg_shows_one_part_at_a_time() -> None:
    """Each limit is placed when the one before has filled; at no time do two entries rest."""
    prices = {second: 100.0 - second * 0.2 for second in range(40)}
    found = rig(
        prices, {0: {"direction": "long", "stop": 85.0}}, entry="iceberg", slices=4, reprice_s=600.0
    )

    await found.run()

    entries = [one for one in found.heard(OrderUpdate) if one.order.type == "limit"]
    resting: set[str] = set()
    for update in entries:
        (resting.add if update.status is S.OPEN else resting.discard)(update.order.cloid)
        assert len(resting) <= 1
    fills = found.heard(Fill)
    assert len(fills) == 4
    assert max(fill.size for fill in fills) < size(found) / 3


async def test_a_limit_entry_is_moved_after_the_price_and_at_last_given_up() -> None:
    """It is cancelled and placed again at the new price, as often as allowed."""
    prices = {second: 100.0 + second * 0.1 for second in range(400)}
    script = {0: {"direction": "long", "stop": 90.0}}
    found = rig(prices, script, entry="limit", reprice_s=20.0, reprices=2)

    await found.run()

    placed = [one.limit for one in found.heard(OrderRequest)]
    assert len(placed) == 3
    assert placed == sorted(set(placed))
    wishes = [one.reason for one in found.heard(CancelRequest)]
    assert ["placed again" in wish for wish in wishes] == [True, True, False]
    assert found.heard(Fill) == []
    assert await found.exchange.get_open_orders() == []
