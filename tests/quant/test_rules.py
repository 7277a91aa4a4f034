"""The gate's rules hold at their limits, and no limit on new risk ever blocks an exit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tradeagent.messages import InstrumentUpdate, RuleVerdict, TradingMode
from tradeagent.quant.rules import RULES, Limits, OrderContext, Rule, check_all

D = Decimal
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = 1_700_000_000 * SECOND
LOT = D("0.001")
NUMBERS = ("size", "price", "mark", "limit", "stop", "target")
SUMS = ("position", "open_buys", "open_sells", "other_exposure", "equity", "day_pnl")
SIZES = st.decimals("0.001", "8", places=3)
BAD = ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "1E-13", "1E+13")

BTC = InstrumentUpdate(symbol="BTC", tick=D("0.1"), lot=LOT, significant=6)
LIMITS = Limits(
    max_order_qty={"BTC": D(1)},
    max_order_notional=D(20_000),
    max_position_notional=D(50_000),
    max_gross_ratio=D(2),
)


def replace(order: OrderContext, **changes: Any) -> OrderContext:
    """Return an order that differs in `changes`."""
    return order._replace(**changes)


BUY = OrderContext(
    instrument=BTC,
    side="buy",
    size=D("0.1"),
    price=D(10_000),
    limit=None,
    reduce_only=False,
    protective=False,
    stop=D(9_700),
    target=D(10_600),
    mode=TradingMode.ACTIVE,
    position=D(0),
    open_buys=D(0),
    open_sells=D(0),
    pending_reduces=D(0),
    other_exposure=D(0),
    equity=D(100_000),
    day_pnl=D(0),
    mark=D(10_000),
    now=NOW,
    price_time=NOW - SECOND,
    valid_until=NOW + SECOND,
)
SELL = replace(BUY, side="sell", stop=D(10_300), target=D(9_400))
EXIT = replace(SELL, reduce_only=True, stop=None, target=None, position=D(1))


def verdict(rule: str, order: OrderContext, limits: Limits = LIMITS) -> RuleVerdict:
    (found,) = [verdict for verdict in check_all(order, limits) if verdict.rule == rule]
    return found


def failed(order: OrderContext, limits: Limits = LIMITS) -> set[str]:
    return {verdict.rule for verdict in check_all(order, limits) if not verdict.passed}


def test_a_sound_order_passes_every_rule() -> None:
    """A buy and a sell within all limits, and an exit, pass all the rules that judge them."""
    assert [verdict.rule for verdict in check_all(BUY, LIMITS)] == [rule.code for rule in RULES]
    assert failed(BUY) == failed(SELL) == failed(EXIT) == set()


def test_exits_meet_only_the_rules_for_all_orders() -> None:
    """A reduce-only order is judged by STATE, FINITE, GRID, COLLAR and REDUCE alone."""
    judged = [verdict.rule for verdict in check_all(EXIT, LIMITS)]

    assert judged == ["STATE", "FINITE", "GRID", "COLLAR", "REDUCE"]
    assert judged == [rule.code for rule in RULES if rule.judges == "all"]


def test_nothing_about_the_account_blocks_an_exit() -> None:
    """Stale, expired, tiny, over every limit, with the account's numbers broken: an exit passes."""
    nan = D("NaN")
    bad = replace(
        EXIT,
        size=LOT,
        mode=TradingMode.REDUCE_ONLY,
        open_buys=nan,
        open_sells=nan,
        other_exposure=nan,
        equity=nan,
        day_pnl=nan,
        price_time=0,
        valid_until=0,
    )

    assert failed(bad) == set()


@pytest.mark.parametrize("lots", [-1, 0, 1])
@pytest.mark.parametrize(
    ("rule", "order", "size_at_limit"),
    [
        ("MAX_QTY", BUY, D(1)),
        ("MAX_QTY", replace(BUY, instrument=BTC.model_copy(update={"symbol": "ETH"})), D(2)),
        ("POSITION", BUY, D(5)),
        ("POSITION", replace(BUY, position=D(2), open_buys=D("1.5")), D("1.5")),
        ("POSITION", replace(BUY, position=D(-2)), D(7)),
        ("POSITION", replace(SELL, position=D(-2), open_sells=D(1)), D(2)),
        ("POSITION", replace(SELL, position=D(2), open_buys=D(1)), D(7)),
        ("GROSS", replace(BUY, other_exposure=D(195_000)), D("0.5")),
        ("GROSS", replace(SELL, other_exposure=D(150_000), position=D(-3), open_sells=D(1)), D(1)),
        ("REDUCE", EXIT, D(1)),
        ("REDUCE", replace(EXIT, pending_reduces=D("0.4")), D("0.6")),
        ("REDUCE", replace(EXIT, side="buy", position=D(-3), pending_reduces=D(1)), D(2)),
    ],
)
def test_sizes_at_the_limit(rule: str, order: OrderContext, size_at_limit: D, lots: int) -> None:
    """One lot below the limit and the limit itself pass, one lot above fails."""
    found = verdict(rule, replace(order, size=size_at_limit + lots * LOT))

    assert found.passed == (lots <= 0)
    assert found.passed or (found.value in found.text and found.limit in found.text)


@pytest.mark.parametrize("lots", [-1, 0, 1])
@pytest.mark.parametrize("limit", [None, D(10_000)])
def test_min_notional_at_the_limit(limit: D | None, lots: int) -> None:
    """An order worth exactly the minimum passes, one lot less fails."""
    size = D("0.001") + lots * D("0.0001")
    fine = BTC.model_copy(update={"lot": D("0.0001")})
    found = verdict("MIN_NOTIONAL", replace(BUY, instrument=fine, size=size, limit=limit))

    assert found.passed == (lots >= 0)
    words = f"the order is worth {size * 10_000}, at least 10"
    assert found.text == ("" if found.passed else words)


def test_an_order_is_valued_at_its_limit() -> None:
    """What an order is worth and how far it is from the mark follow its limit, if it has one."""
    cheap = replace(BUY, size=LOT, limit=D("9999.9"))

    assert not verdict("MIN_NOTIONAL", cheap).passed
    assert not verdict("COLLAR", replace(BUY, limit=D(10_300))).passed


@pytest.mark.parametrize("ticks", [-1, 0, 1])
@pytest.mark.parametrize("order", [BUY, EXIT])
@pytest.mark.parametrize("side", [-1, 1])
def test_collar_at_the_limit(side: int, order: OrderContext, ticks: int) -> None:
    """A limit 2 % from the mark on either side passes, one tick farther fails, for exits too."""
    limit = D(10_000) + side * (D(200) + ticks * D("0.1"))

    assert verdict("COLLAR", replace(order, limit=limit)).passed == (ticks <= 0)
    assert verdict("COLLAR", replace(order, price=limit)).passed == (ticks <= 0)


@pytest.mark.parametrize("cents", [-1, 0, 1])
def test_daily_loss_at_the_limit(cents: int) -> None:
    """A loss of 5 % of what the day began with passes, one cent more fails."""
    loss = D(5_000) + cents * D("0.01")
    order = replace(BUY, equity=D(100_000) - loss, day_pnl=-loss)

    assert verdict("DAILY_LOSS", order).passed == (cents <= 0)


def test_an_account_without_equity_takes_no_risk() -> None:
    """With no equity left both GROSS and DAILY_LOSS deny."""
    assert {"GROSS", "DAILY_LOSS"} <= failed(replace(BUY, equity=D(0), day_pnl=D(100)))


@pytest.mark.parametrize("late", [-1, 0, 1])
@pytest.mark.parametrize(("bar_length", "allowed"), [(0, 5 * SECOND), (HOUR, HOUR)])
def test_freshness_at_the_limit(bar_length: int, allowed: int, late: int) -> None:
    """A tick is fresh for the seconds configured, a closed bar for one more bar."""
    order = replace(BUY, bar_length=bar_length, price_time=NOW - allowed - late)

    assert verdict("FRESH", order).passed == (late <= 0)


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


@pytest.mark.parametrize("ticks", [-1, 0, 1])
@pytest.mark.parametrize(("side", "order"), [(-1, BUY), (1, SELL)])
def test_stop_distance_at_the_limits(side: int, order: OrderContext, ticks: int) -> None:
    """A stop at the nearest and farthest distance passes, one tick out of reach fails."""
    tick = ticks * D("0.1")
    near = verdict("STOP_PLAN", replace(order, stop=D(10_000) + side * (D(10) + tick)))
    far = verdict("STOP_PLAN", replace(order, stop=D(10_000) + side * (D(2_000) + tick)))

    assert near.passed == (ticks >= 0)
    assert far.passed == (ticks <= 0)


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

    def explode(order: OrderContext, limits: Limits) -> None:
        raise RuntimeError("no such number")

    found = Rule("NEW", "increases", explode).check(BUY, LIMITS)
    assert found == RuleVerdict(
        rule="NEW", passed=False, text="NEW broke: RuntimeError('no such number')"
    )


@given(
    st.sampled_from([BUY, SELL, EXIT]),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([*NUMBERS, *SUMS, "pending_reduces"]),
)
def test_the_check_always_answers(order: OrderContext, number: Decimal, name: str) -> None:
    """Whatever number stands anywhere, every rule that judges the order gives a verdict."""
    verdicts = check_all(replace(order, **{name: number}), LIMITS)  # type: ignore[arg-type]

    assert len(verdicts) == (5 if order.reduce_only else 12)


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


def test_verdicts_equal_validated_ones() -> None:
    """The fast way to build a verdict gives what validation gives: equal, hashed and printed so."""
    for order in (BUY, EXIT, replace(BUY, mark=D("NaN"), size=D("0.0001"), stop=None)):
        for found in check_all(order, LIMITS):
            again = RuleVerdict.model_validate_json(found.model_dump_json())
            assert again == found
            assert hash(again) == hash(found)
            assert repr(again) == repr(found)
            assert found.model_fields_set == set(RuleVerdict.model_fields) or found.value == ""


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
