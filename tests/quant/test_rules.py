"""The gate's rules say what they found, and no limit on new risk ever blocks an exit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.quant.orders import (
    BUY,
    EXIT,
    LIMITS,
    LOT,
    NOW,
    SECOND,
    SELL,
    failed,
    replace,
    verdict,
)
from tradeagent.messages import Restriction, RuleVerdict, TradingMode
from tradeagent.quant.rules import RULES, Limits, OrderContext, Rule, check_all

D = Decimal
NUMBERS = ("size", "price", "mark", "limit", "stop", "target")
SUMS = (
    "position",
    "open_buys",
    "open_sells",
    "other_exposure",
    "equity",
    "day_pnl",
    "other_long",
    "other_short",
    "group_others",
    "other_margin",
    "other_maintenance",
    "venue_margin",
    "high_water",
    "day_notional",
)
SIZES = st.decimals("0.001", "8", places=3)
BAD = ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "1E-13", "1E+13")


def test_a_sound_order_passes_every_rule() -> None:
    """A buy and a sell within all limits, and an exit, pass all the rules that judge them."""
    assert [verdict.rule for verdict in check_all(BUY, LIMITS)] == [rule.code for rule in RULES]
    assert failed(BUY) == failed(SELL) == failed(EXIT) == set()


def test_exits_meet_only_the_rules_for_all_orders() -> None:
    """A reduce-only order is judged by six rules alone, none of them about the account."""
    judged = [verdict.rule for verdict in check_all(EXIT, LIMITS)]

    assert judged == ["STATE", "FINITE", "GRID", "COLLAR", "SELF_TRADE", "REDUCE"]
    assert judged == [rule.code for rule in RULES if rule.judges == "all"]


BROKEN = {name: st.sampled_from([D("NaN"), D("-Infinity"), D(-1), D(10) ** 30]) for name in SUMS}


@given(
    st.fixed_dictionaries({}, optional=BROKEN),
    st.integers(0, 2**60),
    st.sampled_from([TradingMode.ACTIVE, TradingMode.REDUCE_ONLY, TradingMode.FLATTENING]),
    st.sampled_from([EXIT, replace(EXIT, side="buy", position=D(-1))]),
)
def test_nothing_about_the_account_blocks_an_exit(
    broken: dict[str, Decimal], number: int, mode: TradingMode, leave: OrderContext
) -> None:
    """Stale, expired, locked, paused, restricted, unknown, with the account's numbers broken."""
    bad = replace(leave, **{name: broken[name] for name in broken if name != "position"})
    bad = replace(
        bad,
        mode=mode,
        known_source=False,
        account_time=-number,
        price_time=-number,
        valid_until=0,
        mid=D(1),
        depth=D(0),
        open_orders=number,
        last_second=number,
        last_minute=number,
        strategy_minute=number,
        known_intent=True,
        twin_age=0,
        repeats=number,
        paused_until=2**62,
        locked_until=2**62,
        restriction=Restriction(restricted=("BTC",), max_orders_per_hour=1),
        hour_orders=number,
    )

    assert failed(bad) == set()


@given(st.sampled_from([rule for rule in RULES if rule.judges == "increases"]))
def test_an_exception_in_an_entry_rule_denies_entries_and_no_exit(broken: Rule) -> None:
    """Whichever rule breaks, an entry is refused by its name, and an exit does not meet it."""

    def explode(order: OrderContext, limits: Limits) -> None:
        raise RuntimeError("no such number")

    judge = broken.judge
    broken.judge = explode  # type: ignore[assignment]
    try:
        assert failed(BUY) == failed(SELL) == {broken.code}
        assert failed(EXIT) == set()
    finally:
        broken.judge = judge


def test_an_order_is_valued_at_its_limit() -> None:
    """What an order is worth and how far it is from the mark follow its limit, if it has one."""
    cheap = replace(BUY, size=LOT, limit=D("9999.9"))

    assert not verdict("MIN_NOTIONAL", cheap).passed
    assert not verdict("COLLAR", replace(BUY, limit=D(10_300))).passed


@pytest.mark.parametrize("equity", [D(0), D(-100)])
def test_an_account_without_equity_takes_no_risk(equity: Decimal) -> None:
    """With no equity left every rule about equity denies."""
    found = failed(replace(BUY, equity=equity, day_pnl=D(100)))

    assert {"GROSS", "NET", "GROUP", "LEVERAGE", "MARGIN", "FUNDS", "DAILY_LOSS"} <= found


def test_a_price_from_the_future_is_not_fresh() -> None:
    """A price time ahead of now by more than the allowed age says that a clock is wrong."""
    assert verdict("FRESH", replace(BUY, price_time=NOW + 5 * SECOND)).passed
    assert not verdict("FRESH", replace(BUY, price_time=NOW + 6 * SECOND)).passed


def test_an_expired_request_is_not_fresh() -> None:
    """A request is good up to its last nanosecond, however new its price."""
    assert verdict("FRESH", replace(BUY, valid_until=NOW)).passed
    late = verdict("FRESH", replace(BUY, valid_until=NOW - SECOND))
    assert not late.passed
    assert late.text == "the request expired 1.000 s ago"


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", NUMBERS)
def test_no_senseless_number_passes_an_entry(name: str, bad: str) -> None:
    """NaN, infinite, zero, negative or absurd numbers fail FINITE and are named."""
    found = verdict("FINITE", replace(BUY, **{name: D(bad)}))  # type: ignore[arg-type]

    assert not found.passed
    assert name in found.text


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ["size", "price", "mark", "limit"])
def test_no_senseless_number_passes_an_exit(name: str, bad: str) -> None:
    """The numbers of an exit itself are judged as strictly."""
    assert "FINITE" in failed(replace(EXIT, **{name: D(bad)}))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", SUMS)
def test_no_infinite_sum_passes_an_entry(name: str, bad: str) -> None:
    """Sums of the account may be negative, but never NaN or infinite."""
    assert "FINITE" in failed(replace(BUY, **{name: D(bad)}))  # type: ignore[arg-type]


@given(st.floats(), st.sampled_from(NUMBERS))
def test_no_float_gets_past_finite(number: float, name: str) -> None:
    """A float where a Decimal belongs never passes, nor does its Decimal unless it is sound."""
    raw = replace(BUY, **{name: number})  # type: ignore[arg-type]
    exact = replace(BUY, **{name: D(repr(number))})  # type: ignore[arg-type]

    assert "FINITE" in failed(raw)
    assert ("FINITE" in failed(exact)) == (not 1e-12 <= number <= 1e12)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": D("0.1005")}, "size 0.1005 is no multiple of lot 0.001"),
        ({"limit": D("10000.05")}, "limit 10000.05 is off the price grid, tick 0.1"),
        ({"stop": D("9700.01")}, "stop 9700.01 is off the price grid, tick 0.1"),
        ({"target": D("10600.01")}, "target 10600.01 is off the price grid, tick 0.1"),
    ],
)
def test_what_is_off_the_grid_fails(change: dict[str, Decimal], text: str) -> None:
    """A size off the lot and each price off the tick fail GRID, naming the number."""
    found = verdict("GRID", replace(BUY, **change))  # type: ignore[arg-type]

    assert not found.passed
    assert found.text == text


@pytest.mark.parametrize(
    ("order", "allowed"),
    [
        (EXIT, True),
        (replace(EXIT, size=D("1.001")), False),
        (replace(EXIT, side="buy"), False),
        (replace(EXIT, position=D(0)), False),
        (replace(EXIT, position=D(-1)), False),
        (replace(EXIT, pending_reduces=D(2)), False),
    ],
)
def test_reduce_only_never_raises_or_flips(order: OrderContext, allowed: bool) -> None:
    """A reduce-only order is on the other side of the position and within what is left of it."""
    assert verdict("REDUCE", order).passed == allowed


PROTECTIVE = replace(EXIT, protective=True)


@pytest.mark.parametrize("mode", TradingMode)
def test_trading_states_let_pass(mode: TradingMode) -> None:
    """ACTIVE lets all pass, REDUCE_ONLY and FLATTENING exits, the rest protective exits alone."""
    exits = {TradingMode.ACTIVE, TradingMode.REDUCE_ONLY, TradingMode.FLATTENING}
    passed = [
        verdict("STATE", replace(order, mode=mode)).passed
        for order in (BUY, replace(BUY, protective=True), EXIT, PROTECTIVE)
    ]

    active = mode is TradingMode.ACTIVE
    assert passed == [active, active, mode in exits, True]


def test_stops_and_targets_stand_on_their_sides() -> None:
    """A stop on the winning side and a target on the losing side or at the price are refused."""
    assert "STOP_PLAN" in failed(replace(BUY, stop=D(10_300)))
    assert "STOP_PLAN" in failed(replace(SELL, stop=D(9_700)))
    assert "STOP_PLAN" in failed(replace(BUY, target=D(9_400)))
    assert "STOP_PLAN" in failed(replace(SELL, target=D(10_600)))
    assert "STOP_PLAN" in failed(replace(BUY, target=D(10_000)))


def test_an_entry_carries_a_stop_unless_told_otherwise() -> None:
    """Without a stop an entry is denied; where none is required, a senseless one still is."""
    free = LIMITS.model_copy(update={"require_stop": False})
    bare = replace(BUY, stop=None, target=None)

    assert failed(bare) == {"STOP_PLAN"}
    assert failed(bare, free) == set()
    assert failed(replace(BUY, stop=D(10_300)), free) == {"STOP_PLAN"}


def test_a_broken_rule_is_a_denial_that_names_the_exception() -> None:
    """Whatever is raised inside a rule fails the order and says what it was."""
    broken = verdict("COLLAR", replace(BUY, mark=D(0)))
    assert not broken.passed
    assert "DivisionByZero" in broken.text


@given(
    st.sampled_from([BUY, SELL, EXIT]),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([*NUMBERS, *SUMS, "pending_reduces"]),
)
def test_the_check_always_answers(order: OrderContext, number: Decimal, name: str) -> None:
    """Whatever number stands anywhere, every rule that judges the order gives a verdict."""
    verdicts = check_all(replace(order, **{name: number}), LIMITS)  # type: ignore[arg-type]

    assert len(verdicts) == (6 if order.reduce_only else len(RULES))


@given(SIZES, SIZES, SIZES, st.sampled_from([BUY, SELL]))
def test_no_order_of_fills_exceeds_the_position_limit(
    held: Decimal, buys: Decimal, sells: Decimal, order: OrderContext
) -> None:
    """When POSITION passes, no subset of this and the open orders leads beyond the limit."""
    asked = replace(order, position=held - 4, open_buys=buys, open_sells=sells)
    longest = asked.position + buys + (asked.size if asked.side == "buy" else 0)
    shortest = asked.position - sells - (asked.size if asked.side == "sell" else 0)
    worst = max(abs(x) for x in (longest, shortest, asked.position, asked.position + buys - sells))

    assert verdict("POSITION", asked).passed == (worst * asked.price <= D(50_000))


VERDICTS = TypeAdapter(tuple[RuleVerdict, ...])


def test_verdicts_survive_their_way_as_numbers() -> None:
    """Read back from JSON, verdicts are equal, with the same numbers, and say the same again."""
    for order in (BUY, EXIT, replace(BUY, mark=D("NaN"), size=D("0.0001"), stop=None)):
        found = check_all(order, LIMITS)
        body = VERDICTS.dump_json(found)
        again = VERDICTS.validate_json(body)
        assert again == found
        assert [list(map(type, one)) for one in again] == [list(map(type, one)) for one in found]
        assert VERDICTS.dump_json(again) == body


def test_what_passes_tells_its_numbers_and_no_words() -> None:
    """Value and limit stand in the verdict in the unit of the setting; words are for refusals."""
    entry = replace(BUY, other_exposure=D(50_000))

    assert verdict("GROSS", entry) == RuleVerdict("GROSS", True, D("0.51"), D(2), "")
    assert verdict("MARGIN", entry).value == D("0.002")
    assert verdict("OPEN_ORDERS", entry)[2:4] == (1, 100)
    assert {one.text for one in check_all(entry, LIMITS)} == {""}
    refused = verdict("GROSS", replace(entry, equity=D(1_000)))
    assert refused.text == "all exposure could be 51.0 of equity, at most 2"


def test_ratios_are_rounded_to_the_side_of_caution() -> None:
    """What is the least bit over a limit never rounds to it."""
    most = D(200_000) - LOT * BUY.price

    assert verdict("GROSS", replace(BUY, size=LOT, other_exposure=most)).passed
    over = verdict("GROSS", replace(BUY, size=LOT, other_exposure=most + D("1e-9")))
    assert not over.passed
    assert over.value == D("2.000000001")


@pytest.mark.parametrize(
    "limits",
    [
        {"max_order_notonal": 5},
        {"collar_ratio": 0},
        {"collar_ratio": 1.5},
        {"max_gross_ratio": "NaN"},
        {"max_price_age_s": float("inf")},
        {"max_order_qty": {"BTC": -1}},
        {"min_stop_distance_ratio": 0.3, "max_stop_distance_ratio": 0.2},
    ],
)
def test_senseless_limits_are_refused(limits: dict[str, object]) -> None:
    """A misspelt, non-positive, infinite or contradictory limit never becomes a Limits."""
    with pytest.raises(ValidationError):
        Limits.model_validate(limits)
