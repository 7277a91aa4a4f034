"""Every rule is judged one step below its limit, at it, and one step above."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from tests.quant.orders import BTC, BUY, EXIT, HOUR, LIMITS, LOT, NOW, SECOND, SELL, replace
from tradeagent.messages import Restriction, TradingMode
from tradeagent.quant.rules import RULES, Limits, OrderContext, check_all

D = Decimal
TICK = D("0.1")
CENT = D("0.01")
FREE = Limits(
    max_order_notional=D(10**9),
    max_position_notional=D(10**9),
    max_gross_ratio=D(1000),
    max_net_ratio=D(1000),
    max_group_ratio=D(1000),
    max_leverage=1000,
    max_margin_ratio=D(1),
    min_liquidation_distance_ratio=D("1e-9"),
    funds_reserve_ratio=D(0),
)
"""Limits that nothing here meets, for the one under test to be the only one."""
WIDE = BTC.model_copy(update={"max_leverage": 1000})


class Case(NamedTuple):
    """An order at the limit of a rule, moved by whole steps; above 0 it is refused."""

    rule: str
    at: Callable[[int], OrderContext]
    limits: Limits = LIMITS


def sized(rule: str, order: OrderContext, at: str, limits: Limits = LIMITS) -> Case:
    """Return a case whose steps are lots."""
    return Case(rule, lambda lots: replace(order, size=D(at) + lots * LOT), limits)


def less(rule: str, order: OrderContext, at: str, limits: Limits = LIMITS) -> Case:
    """Return a case whose steps are lots less."""
    return Case(rule, lambda lots: replace(order, size=D(at) - lots * LOT), limits)


def moved(rule: str, order: OrderContext, limits: Limits = LIMITS, **steps: Any) -> Case:
    """Return a case that changes fields: each is (at the limit, by how much a step)."""
    return Case(
        rule,
        lambda count: replace(
            order, **{name: at + count * step for name, (at, step) in steps.items()}
        ),
        limits,
    )


def free(**changes: Any) -> Limits:
    return FREE.model_copy(update=changes)


ETH = BTC.model_copy(update={"symbol": "ETH"})
RICH = replace(BUY, instrument=WIDE, equity=D(10**9), high_water=D(10**9), margin_rate=D("0.001"))
ALLOWED = Restriction(max_orders_per_hour=3, max_notional_per_day=D(5_000))

CASES = (
    Case(
        "STATE",
        lambda step: replace(
            BUY, mode=TradingMode.REDUCE_ONLY if step > 0 else TradingMode.ACTIVE
        ),
    ),
    Case("SOURCE", lambda step: replace(BUY, known_source=step <= 0)),
    moved("FRESH", BUY, price_time=(NOW - 5 * SECOND, -1)),
    moved("FRESH", BUY, price_time=(NOW + 5 * SECOND, 1)),
    moved("FRESH", replace(BUY, bar_length=HOUR), price_time=(NOW - HOUR, -1)),
    moved("FRESH", BUY, valid_until=(NOW, -1)),
    moved("FRESH", BUY, account_time=(NOW - 600 * SECOND, -1)),
    Case("FRESH", lambda step: replace(BUY, venue_trouble="it is away" if step > 0 else "")),
    sized("FINITE", BUY, "1e12"),
    sized("FINITE", EXIT, "1e12"),
    moved("FINITE", BUY, size=(D("1e-12"), D("-1e-13"))),
    Case("GRID", lambda step: replace(BUY, size=D("0.1") + (step * LOT if step < 1 else LOT / 2))),
    Case("GRID", lambda step: replace(BUY, limit=D(10_000) + (step * TICK if step < 1 else CENT))),
    less("MIN_NOTIONAL", BUY, "0.001"),
    less("MIN_NOTIONAL", replace(BUY, limit=D(5_000)), "0.002"),
    sized("MAX_QTY", BUY, "1"),
    sized("MAX_NOTIONAL", replace(BUY, instrument=ETH), "2"),
    sized("MAX_NOTIONAL", replace(BUY, limit=D(20_000)), "1"),
    moved("COLLAR", BUY, limit=(D(10_200), TICK)),
    moved("COLLAR", BUY, limit=(D(9_800), -TICK)),
    moved("COLLAR", BUY, price=(D(10_200), TICK)),
    moved("COLLAR", EXIT, limit=(D(9_800), -TICK)),
    moved("COLLAR", BUY, mid=(D(10_100), CENT)),
    moved("COLLAR", BUY, mid=(D(9_900), -CENT)),
    moved("SLIPPAGE", BUY, touch=(D(10_050), TICK)),
    moved("SLIPPAGE", SELL, touch=(D(9_950), -TICK)),
    moved("SLIPPAGE", BUY, limit=(D(10_050), TICK)),
    moved("SLIPPAGE", SELL, limit=(D(9_950), -TICK)),
    sized("SLIPPAGE", replace(BUY, depth=D("0.5")), "0.5"),
    sized("POSITION", BUY, "5"),
    sized("POSITION", replace(BUY, position=D(2), open_buys=D("1.5")), "1.5"),
    sized("POSITION", replace(BUY, position=D(-2)), "7"),
    sized("POSITION", replace(SELL, position=D(-2), open_sells=D(1)), "2"),
    sized("POSITION", replace(SELL, position=D(2), open_buys=D(1)), "7"),
    sized("GROSS", replace(BUY, other_exposure=D(195_000)), "0.5"),
    sized("GROSS", replace(SELL, other_exposure=D(150_000), position=D(-3), open_sells=D(1)), "1"),
    sized("NET", replace(BUY, other_long=D(140_000)), "1"),
    sized("NET", replace(SELL, other_short=D(-130_000), position=D(-1)), "1"),
    sized("NET", replace(BUY, other_long=D(-20_000), position=D(16)), "1"),
    sized("GROUP", replace(BUY, group_others=D(50_000), group_ratio=D("0.6")), "1"),
    sized("GROUP", RICH, "50000", free(max_group_ratio=D("0.5"))),
    sized("LEVERAGE", replace(BUY, equity=D(10_000)), "5", FREE.model_copy(
        update={"max_leverage": 5})),
    sized("LEVERAGE", replace(BUY, equity=D(1_000)), "1", FREE),
    sized("MARGIN", replace(BUY, other_margin=D(40_000)), "5", free(max_margin_ratio=D("0.5"))),
    # (10,000 - 0.05 x 50,000) / 50,000 is 0.15
    sized("LIQUIDATION", replace(BUY, equity=D(10_000)), "5",
        free(min_liquidation_distance_ratio=D("0.15"))),
    sized("LIQUIDATION",
        replace(BUY, equity=D(20_000), other_exposure=D(40_000), other_maintenance=D(2_500)),
        "6", free(min_liquidation_distance_ratio=D("0.145"))),
    moved("OPEN_ORDERS", BUY, open_orders=(99, 1)),
    moved("RATE", BUY, last_second=(50, 1)),
    moved("RATE", BUY, last_minute=(300, 1)),
    moved("RATE", BUY, strategy_minute=(100, 1)),
    moved("DUPLICATE", BUY, twin_age=(2 * SECOND, -1)),
    Case("DUPLICATE", lambda step: replace(BUY, known_intent=step > 0)),
    moved("REPEATED", BUY, repeats=(4, 1)),
    moved("REPEATED", BUY, paused_until=(NOW, 1)),
    moved("SELF_TRADE", replace(BUY, limit=D(10_000)), own_opposite=(D(10_000) + TICK, -TICK)),
    moved("SELF_TRADE", BUY, own_opposite=(D(10_000) + TICK, -TICK)),
    moved("SELF_TRADE", SELL, own_opposite=(D(10_000) - TICK, TICK)),
    moved("SELF_TRADE", EXIT, own_opposite=(D(10_000) - TICK, TICK)),
    sized("REDUCE", EXIT, "1"),
    sized("REDUCE", replace(EXIT, pending_reduces=D("0.4")), "0.6"),
    sized("REDUCE", replace(EXIT, side="buy", position=D(-3), pending_reduces=D(1)), "2"),
    moved("DAILY_LOSS", BUY, equity=(D(95_000), -CENT), day_pnl=(D(-5_000), -CENT)),
    moved("DRAWDOWN", BUY, equity=(D(75_000), -CENT)),
    moved("COOLDOWN", BUY, locked_until=(NOW, 1)),
    moved("STOP_PLAN", BUY, stop=(D(9_990), TICK)),
    moved("STOP_PLAN", BUY, stop=(D(8_000), -TICK)),
    moved("STOP_PLAN", SELL, stop=(D(10_010), -TICK)),
    moved("STOP_PLAN", SELL, stop=(D(12_000), TICK)),
    moved("STOP_PLAN", BUY, target=(D(10_000) + TICK, -TICK)),
    Case("STOP_PLAN", lambda step: replace(BUY, stop=None if step > 0 else D(9_700))),
    sized("FUNDS", replace(BUY, other_margin=D(96_000)), "1"),
    sized("FUNDS", replace(BUY, venue_margin=D(94_000)), "2"),
    moved("VENUE_BUDGET", BUY, actions_left=(501, -1)),
    moved("COMPLIANCE", replace(BUY, restriction=ALLOWED), hour_orders=(2, 1)),
    sized("COMPLIANCE", replace(BUY, restriction=ALLOWED, day_notional=D(2_000)), "0.3"),
    Case("COMPLIANCE", lambda step: replace(
        BUY, restriction=Restriction(restricted=("BTC",) if step > 0 else ("ETH",)))),
    Case("COMPLIANCE", lambda step: replace(
        BUY, restriction=Restriction(allowed=("ETH",) if step > 0 else ("BTC",)))),
)  # fmt: skip


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_refuses_from_one_step_above_its_limit(case: Case, step: int) -> None:
    """One lot (or tick, cent, count, nanosecond) below the limit and at it pass, above fails."""
    order = case.at(step)
    (found,) = [one for one in check_all(order, case.limits) if one.rule == case.rule]

    assert found.passed == (step <= 0), found
    assert bool(found.text) == (not found.passed)


def test_no_rule_lacks_boundary_tests() -> None:
    """Each rule, and each limit a rule reads, is met at its boundary by a case above."""
    assert [rule.code for rule in RULES if rule.code not in {case.rule for case in CASES}] == []


def test_no_rule_lacks_its_setting_and_no_limit_its_rule() -> None:
    """Each setting a rule names is a limit with a description, and each limit has its rule."""
    fields = Limits.model_fields
    named = [name for rule in RULES for name in rule.settings]

    assert [name for name in named if not (name in fields and fields[name].description)] == []
    assert [name for name in fields if name not in named] == []


def test_rules_without_settings_have_no_limit_of_ours() -> None:
    """What needs no setting is a yes or no, or the venue's or another agent's number."""
    bare = {rule.code for rule in RULES if not rule.settings}

    assert bare == {
        "STATE", "SOURCE", "FINITE", "GRID", "MIN_NOTIONAL", "SELF_TRADE", "REDUCE", "COOLDOWN",
        "COMPLIANCE",
    }  # fmt: skip


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("minute", [9 * 60, 16 * 60])
def test_trading_hours_begin_and_end_on_the_minute(minute: int, step: int) -> None:
    """Open from 09:00 to 16:00 on that day of the week alone; a nanosecond decides."""
    midnight = NOW - NOW % (24 * HOUR)
    hours = {"weekday": 1, "opens": 9 * 60, "closes": 16 * 60}
    limits = Restriction.model_validate({"hours": [hours]})
    now = midnight + minute * 60 * SECOND + step
    order = replace(BUY, restriction=limits, now=now)
    (found,) = [one for one in check_all(order, LIMITS) if one.rule == "COMPLIANCE"]

    assert found.passed == (step >= 0 if minute == 9 * 60 else step < 0)
    tomorrow = replace(order, now=now + 24 * HOUR)
    (found,) = [one for one in check_all(tomorrow, LIMITS) if one.rule == "COMPLIANCE"]
    assert not found.passed
