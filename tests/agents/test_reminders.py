"""Trading forgets nothing: as long as it wants to act, a look is still to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.agents.script import RISK, Script, scripted
from tests.agents.test_netted import go, say
from tests.harness import START, Rig, tick
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.messages import (
    ExecutionReport,
    Order,
    OrderStatus,
    OrderUpdate,
    StrategyState,
    TickerUpdate,
    TradingMode,
)

STEP, STEPS = 10, 60
"""Seconds between two prices, and how many come."""
ERRORS = {"refused": OrderRefused, "silent": VenueUnavailable, "not sent": NotSent}
SIDES: tuple[dict[str, Any], ...] = (
    {"direction": "long", "stop": 95.0, "target": 104.0},
    {"direction": "long", "stop": 97.0, "trail": 2.0},
    {"direction": "short", "stop": 105.0, "target": 96.0, "strength": 0.5},
    {"direction": "short", "stop": 103.0, "break_even": 99.0},
    {"direction": "flat"},
)
WHEN = st.integers(1, STEPS - 15).map(lambda step: step * STEP)


def scripts(least: int) -> st.SearchStrategy[Script]:
    """Return what one strategy signals and when; some of it ends by itself a while later."""
    said = st.tuples(st.sampled_from(SIDES), st.sampled_from([None, None, 15, 75]))
    return st.dictionaries(WHEN, said, min_size=least, max_size=5).map(
        lambda found: {
            at: side if left is None else {**side, "exit_at": START + (at + left) * SECOND}
            for at, (side, left) in found.items()
        }
    )


LIVES = st.fixed_dictionaries(
    {
        "entry": st.sampled_from(["market", "limit", "twap", "iceberg"]),
        "conflict": st.sampled_from(["net", "strongest", "agree"]),
        "scripts": st.tuples(scripts(1), scripts(0)),
        "words": st.dictionaries(WHEN, st.sampled_from(["active", "paused", "closed"]), max_size=2),
        "modes": st.dictionaries(WHEN, st.sampled_from(TradingMode), max_size=2),
        "moves": st.lists(st.sampled_from([0, 0, -1, 1, -3, 3]), min_size=STEPS, max_size=STEPS),
        "fates": st.lists(st.sampled_from(["placed", "cancelled", *ERRORS]), max_size=12),
    }
)


def live(life: dict[str, Any]) -> Rig:
    """Return a daemon with two strategies, an operator and a venue that does as drawn."""
    kinds = [scripted(script) for script in life["scripts"]]
    price, prices = 100.0, []
    for step, move in enumerate(life["moves"]):
        price = max(50.0, price + move)
        prices.append((START + step * STEP * SECOND, tick(price, step * STEP)))
    found = Rig(
        strategies=lambda: [kinds[0]("one", "BTC"), kinds[1]("two", "BTC")],
        weights={"one": 0.6, "two": 0.4},
        events=prices,
        risk=RISK,
        trading=TradingSettings(entry=life["entry"], conflict=life["conflict"], slices=3),
    )
    for second, mode in life["modes"].items():
        go(found, second, mode)
    for second, mode in life["words"].items():
        say(found, second, StrategyState(strategy="one", mode=mode, reason="so", actor="test"))
    found.exchange.place_order = placing(found, iter(life["fates"]))  # type: ignore[method-assign]
    return found


def placing(found: Rig, fates: Iterator[str]) -> Callable[..., Any]:
    """Return how the venue takes orders: each as drawn, then all."""
    place = found.exchange.place_order

    async def take(order: Order, submission: Any = None) -> ExecutionReport:
        fate = next(fates, "placed")
        if fate == "placed":
            return await place(order, submission)
        if fate in ERRORS:
            raise ERRORS[fate]("not now")
        status, now = OrderStatus.CANCELED, found.clock.now()
        return ExecutionReport(cloid=order.cloid, symbol="BTC", status=status, time=now, oid="1")

    return take


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_whenever_trading_is_not_calm_a_reminder_is_pending(life: dict[str, Any]) -> None:
    """Whatever strategies, operator, prices and venue do: between any two prices that holds."""
    found = live(life)
    trading = found.supervisor.lives["trading"].agent
    pending = found.supervisor._runtime._reminders
    seen: list[tuple[bool, bool]] = []

    def watch(_: TickerUpdate) -> None:
        assert isinstance(trading, Trading)
        seen.append((trading.is_calm(), ("trading", "look_again") in pending))

    found.bus.subscribe(Subscriber("watch", {TickerUpdate: watch}, observer=True))
    asyncio.run(found.run())

    assert len(seen) == STEPS
    assert (False, False) not in seen
    event(f"calm at the end: {seen[-1][0]}")
    event(f"orders: {min(3, len({one.order.cloid for one in found.heard(OrderUpdate)}))}")
