"""The gate as a whole: limits hold in the worst case by an oracle, and every exit passes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agents.risk_desk import ETH, FREE, at, desk, fund, hold, judge, leave, request, update
from tests.harness import START, tick
from tradeagent.agents.pace import Pace, Wish
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    Incident,
    OrderBookUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Restriction,
    RiskAlert,
    RiskAssessment,
    Severity,
    Share,
    StopPlan,
    TradingMode,
    Vote,
)
from tradeagent.quant.protections import Lock

S = OrderStatus
D = Decimal
TINY: dict[str, Any] = {
    "max_order_qty": {"BTC": "0.0001"},
    "max_order_notional": "0.01",
    "max_position_notional": "0.01",
    "max_gross_ratio": "0.000001",
    "max_net_ratio": "0.000001",
    "max_group_ratio": "0.000001",
    "max_margin_ratio": "0.000001",
    "min_liquidation_distance_ratio": 1,
    "max_open_orders": 1,
    "max_orders_per_second": 1,
    "max_orders_per_minute": 1,
    "max_strategy_orders_per_minute": 1,
    "max_repeated_entries": 1,
    "max_daily_loss_ratio": "0.000001",
    "max_drawdown_ratio": "0.000001",
    "max_price_age_s": "0.001",
    "max_account_age_s": "0.001",
    "max_slippage_bp": "0.001",
    "max_mid_deviation_ratio": "0.000001",
}


def test_a_fixed_quantity_is_asked_for_whatever_equity_and_stop() -> None:
    """With fixed_quantity a full position is `quantity`, half a weight half of it."""
    limits = {**FREE, "require_stop": False}
    risk = desk(limits=limits, sizing="fixed_quantity", quantity="0.5")
    whole = judge(risk, request())
    half = judge(risk, request(intent_id="half", weight=0.5, stop_plan=None))

    assert [one.order.size for one in (whole, half) if one.order] == [D("0.5"), D("0.25")]


@settings(deadline=None)
@given(
    held=st.integers(1, 10**6),
    part=st.floats(0.001, 1),
    long=st.booleans(),
    mode=st.sampled_from([TradingMode.ACTIVE, TradingMode.REDUCE_ONLY, TradingMode.FLATTENING]),
    price=st.integers(50, 200),
    equity=st.sampled_from(["-5000", "0", "0.01", "10000"]),
    later=st.integers(0, 10**6),
    told=st.booleans(),
)
def test_no_exit_is_ever_blocked(
    held: int,
    part: float,
    long: bool,
    mode: TradingMode,
    price: int,
    equity: str,
    later: int,
    told: bool,
) -> None:
    """Every limit breached, locked, paused, restricted, stale, flooded, from an unknown source."""
    risk = desk(told=told, sources=(), limits=TINY)
    for number in range(5):
        judge(risk, request(intent_id=f"flood-{number}", size=D(1)))
    if told:
        fund(risk, equity)
    sign = 1 if long else -1
    hold(risk, str(sign * held), "1000")
    risk.quoted(tick(price))
    for scope in ("*", "BTC", "a"):
        risk.protections.add(Lock("COOLDOWN", scope, 2**62, "locked"))
        risk.protections.add(Lock("REPEATED", scope, 2**62, "paused"))
    risk.restricted(Restriction(restricted=("BTC",), allowed=("X",), max_orders_per_hour=1))
    risk.shown(OrderBookUpdate(symbol="BTC", time=START, bids=(), asks=()))
    risk.brake.mode = mode
    at(risk, later)
    size = max(D("0.0001"), (D(held) * D(repr(part))).quantize(D("0.0001")))
    wish = leave(str(size), side="sell" if long else "buy", price=D(price), strategy="gone")

    for number in range(3):
        verdict = judge(risk, wish.model_copy(update={"intent_id": f"exit-{number}"}))
        assert verdict.approved, verdict
        risk.ordered(update(verdict, S.CANCELED))


def test_an_exit_passes_before_any_price_is_known() -> None:
    """After a start, before the first tick, a position can be closed and nothing can be opened."""
    risk = desk()
    risk.exposure["BTC"].mark = 0.0
    hold(risk, "2", "150")

    assert judge(risk, leave("2")).approved
    assert judge(risk, request()).reasons == ("FRESH",)


def test_no_exit_waits_for_an_order_that_is_being_cancelled() -> None:
    """A resting buy at the bid holds up a sell that would meet it, until its cancel is asked."""
    risk = desk(limits=FREE)
    hold(risk, "2")
    resting = judge(risk, request(size=D(1), type="limit", limit=D("99.9")))
    risk.ordered(update(resting, S.OPEN))
    low = tick(99.95)  # its bid is 99.9
    risk.quoted(low)

    assert judge(risk, leave("2", price=D("99.9"))).reasons == ("SELF_TRADE",)
    risk.ordered(update(resting, S.PEND_CANCEL))
    assert judge(risk, leave("2", price=D("99.9"))).approved


class Oracle:
    """Adds up, the slow way, what could come of everything that was approved or told."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, str, Decimal]] = {}
        self.positions = {"BTC": D(0), "ETH": D(0)}
        self.marks = {"BTC": D(100), "ETH": D(100)}

    def pending(self, symbol: str, side: str) -> Decimal:
        """Return what may still fill on one side."""
        return sum((o[2] for o in self.orders.values() if o[:2] == (symbol, side)), D(0))

    def check(self, tight: str, most: Decimal) -> None:
        """Assert that no way the open orders can fill breaks the limit under test."""
        found = dict.fromkeys(TIGHT, D(0))
        long = short = D(0)
        for symbol, held in self.positions.items():
            up, down = held + self.pending(symbol, "buy"), held - self.pending(symbol, "sell")
            worth = max(abs(up), abs(down)) * self.marks[symbol]
            found["max_position_notional"] = max(found["max_position_notional"], worth)
            found["max_gross_ratio"] += worth / 10_000
            found["max_margin_ratio"] += worth / 5 / 10_000
            long += up * self.marks[symbol]
            short += down * self.marks[symbol]
        found["groups"] = found["max_gross_ratio"]  # both symbols are of one group
        found["max_net_ratio"] = max(long, -short) / 10_000
        found["max_open_orders"] = D(len(self.orders))
        assert found[tight] <= most


LIMITS: dict[str, Any] = {
    **FREE,
    "max_open_orders": 10**6,
    "max_leverage": 5,
    "collar_ratio": 1,
    "max_slippage_bp": 10**6,
    "max_mid_deviation_ratio": 1,
}
TIGHT = {
    "max_position_notional": D(5_000),
    "max_gross_ratio": D("0.7"),
    "max_net_ratio": D("0.6"),
    "max_margin_ratio": D("0.15"),
    "max_open_orders": D(3),
    "groups": D("0.7"),
}
"""One limit at a time, so that no other one hides that it does not hold."""
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.sampled_from(["BTC", "ETH"]),
            st.sampled_from(["buy", "sell"]),
            st.integers(1, 70),
        ),
        st.tuples(
            st.just("step"),
            st.integers(0, 20),
            st.sampled_from([S.OPEN, S.UNKNOWN, S.PARTIAL, S.FILLED, S.CANCELED, S.PEND_CANCEL]),
            st.integers(1, 9),
        ),
    ),
    min_size=5,
    max_size=40,
)


@settings(deadline=None, max_examples=80)
@pytest.mark.parametrize("tight", TIGHT)
@given(steps=STEPS)
def test_limits_hold_in_the_worst_case_by_an_oracle(
    tight: str, steps: list[tuple[Any, ...]]
) -> None:
    """After each approval, whatever fills of all that is open or unknown, the limit holds."""
    most = TIGHT[tight]
    group = {"coins": {"symbols": ["BTC", "ETH"], "max_ratio": most}}
    risk = desk(limits={**LIMITS, tight: group if tight == "groups" else most})
    oracle, asked = Oracle(), {}
    for number, step in enumerate(steps):
        if step[0] == "ask":
            _, symbol, side, size = step
            stop = StopPlan(stop=D(95) if side == "buy" else D(105))
            wish = request(
                intent_id=f"i{number}", symbol=symbol, side=side, size=D(size), stop_plan=stop
            )
            verdict = judge(risk, wish)
            if verdict.order is not None:
                oracle.orders[verdict.order.intent_id] = (symbol, side, D(size))
                asked[verdict.order.intent_id] = (verdict, D(0))
                oracle.check(tight, most)
        elif asked:
            _step(risk, oracle, asked, *step[1:])


def _step(
    risk: Any, oracle: Oracle, asked: dict[str, Any], which: int, status: S, tenth: int
) -> None:
    """Move one of the orders on, and book what it filled."""
    name = sorted(asked)[which % len(asked)]
    verdict, done = asked[name]
    order = verdict.order
    filled = {S.FILLED: order.size, S.PARTIAL: order.size * tenth / 10}.get(status, done)
    filled = max(filled, done)
    risk.ordered(update(verdict, status, filled))
    sign = 1 if order.side == "buy" else -1
    oracle.positions[order.symbol] += sign * (filled - done)
    hold(risk, str(oracle.positions[order.symbol]), symbol=order.symbol)
    if status in TERMINAL:
        del asked[name]
        del oracle.orders[name]
    else:
        asked[name] = (verdict, filled)
        oracle.orders[name] = (order.symbol, order.side, order.size - filled)


@settings(deadline=None)
@given(
    size=st.none() | st.decimals("0.000001", "1e30", places=6),
    price=st.decimals("0.000001", "1e20", places=6),
    stop=st.decimals("0.000001", "1e20", places=6),
    weight=st.floats(0, 1),
    equity=st.decimals("-1e15", "1e15", places=2),
    exits=st.booleans(),
)
def test_the_gate_always_answers(
    size: Decimal | None,
    price: Decimal,
    stop: Decimal,
    weight: float,
    equity: Decimal,
    exits: bool,
) -> None:
    """However absurd the numbers of a request, there is one verdict, and it is no exception."""
    risk = desk()
    fund(risk, str(equity))
    wish = request(
        size=size, price=price, stop_plan=StopPlan(stop=stop), weight=weight, reduce_only=exits
    )

    verdict = judge(risk, wish)
    assert verdict.approved == (verdict.order is not None)
    assert RiskAssessment.model_validate_json(verdict.model_dump_json()) == verdict


def test_an_approval_is_what_validation_gives() -> None:
    """Built without validation, approvals and refusals equal what validating them gives."""
    risk = desk()
    for wish in (request(), request(intent_id="again", size=D("0.00001"))):
        verdict = judge(risk, wish)
        body = verdict.model_dump_json()
        again = RiskAssessment.model_validate_json(body)
        assert again == verdict
        assert again.model_dump_json() == body
        assert again.model_fields_set == verdict.model_fields_set


@pytest.mark.parametrize(
    ("rule", "limits", "changes"),
    [
        ("SOURCE", {}, {"strategy": "stranger"}),
        ("MAX_NOTIONAL", {"max_order_notional": 50}, {"size": D(1)}),
        ("NET", {"max_net_ratio": "0.01"}, {}),
        ("GROUP", {"max_group_ratio": "0.01"}, {}),
        ("LEVERAGE", {"max_leverage": 1}, {"size": D(101)}),
        ("MARGIN", {"max_margin_ratio": "0.005"}, {}),
        ("LIQUIDATION", {"min_liquidation_distance_ratio": 1}, {"size": D(100)}),
        ("FUNDS", {"funds_reserve_ratio": "0.995"}, {}),
        ("SLIPPAGE", {"max_slippage_bp": "0.1"}, {}),
    ],
)
def test_what_the_agent_knows_reaches_the_rules(
    rule: str, limits: dict[str, object], changes: dict[str, object]
) -> None:
    """Each rule refuses by what Risk itself was told, for that reason alone or among others."""
    risk = desk(sources=("a",), limits={**FREE, **limits})

    assert rule in judge(risk, request(**changes)).reasons


def test_the_depth_of_a_book_bounds_what_fills_at_once() -> None:
    """What stands within the slippage allowed must cover an order; an old book says nothing."""
    risk = desk(limits=FREE)
    asks = ((100.05, 1.0), (100.1, 2.0), (101.0, 50.0))
    risk.shown(OrderBookUpdate(symbol="BTC", time=START, bids=((99.95, 1.0),), asks=asks))

    assert judge(risk, request(size=D(3))).approved
    assert judge(risk, request(intent_id="b", size=D("3.0001"))).reasons == ("SLIPPAGE",)
    at(risk, 6)
    later = request(intent_id="c", size=D("3.0001"), price_time=START + 6 * SECOND)
    assert judge(risk, later).approved


def test_requests_count_whether_refused_or_not() -> None:
    """Refused entries use up the rate, exits do not, and a minute later it is free again."""
    risk = desk(limits={**FREE, "max_orders_per_minute": 3})
    hold(risk, "5")
    for number in range(3):
        refused = request(intent_id=f"{number}", size=D("0.00001"))
        assert "RATE" not in judge(risk, refused).reasons
    for number in range(5):
        assert judge(risk, leave("1", intent_id=f"exit-{number}")).approved

    assert judge(risk, request(intent_id="x")).reasons == ("RATE",)
    at(risk, 60)
    late = request(intent_id="y", price_time=START + 60 * SECOND)
    assert judge(risk, late).approved


def test_the_same_request_is_approved_once() -> None:
    """A redelivered request is refused as a duplicate, also after its order ended."""
    risk = desk(limits=FREE)
    first = judge(risk, request())
    risk.ordered(update(first, S.CANCELED))

    assert judge(risk, request()).reasons == ("DUPLICATE",)


def test_repeated_entries_pause_the_strategy_and_say_until_when() -> None:
    """The third entry on a side pauses its strategy on every symbol, for the time configured."""
    risk = desk(limits={**FREE, "max_repeated_entries": 2, "repeated_pause_s": 100})
    for number in range(2):
        assert judge(risk, request(intent_id=f"{number}")).approved

    refusal, alert = risk.assess_risk(request(intent_id="2"))  # type: ignore[misc]
    assert refusal.reasons == ("REPEATED",)
    assert isinstance(alert, RiskAlert)
    assert (alert.code, alert.scope, alert.until) == ("REPEATED", "a", START + 100 * SECOND)
    assert "3 entries buy BTC" in alert.evidence

    assert "REPEATED" in judge(risk, request(intent_id="3", symbol="ETH")).reasons
    assert judge(risk, request(intent_id="4", symbol="ETH", strategy="b")).approved
    at(risk, 700)
    late = {"price_time": START + 700 * SECOND, "valid_until": START + 800 * SECOND}
    assert judge(risk, request(intent_id="5", **late)).approved


def test_a_repetition_counts_for_all_who_want_the_order() -> None:
    """Two strategies lead in turn and want each order both: each has entered three times, so the
    third is the last of both, after a restart as before it; one outweighed is not counted."""
    risk = desk(limits={**FREE, "max_repeated_entries": 2, "repeated_pause_s": 100})
    parts = {"a": "0.7", "b": "0.6", "c": "-0.3"}
    shares = tuple(Share(strategy=name, part=D(part)) for name, part in parts.items())

    def wish(number: int, leader: str) -> OrderRequest:
        votes = (Vote(strategy=leader, weight=1, time=START + number),)
        more = {"strategy": leader, "shares": shares, "votes": votes, "size": D(1 + number)}
        return request(intent_id=f"{number}", **more)

    for number, leader in enumerate("ab"):
        assert judge(risk, wish(number, leader)).approved
    refusal, *alerts = risk.assess_risk(wish(2, "a"))  # type: ignore[misc]

    assert refusal.reasons == ("REPEATED",)
    assert [(one.code, one.scope) for one in alerts] == [("REPEATED", "a"), ("REPEATED", "b")]
    for strategy, refused in (("a", True), ("b", True), ("c", False)):
        alone = judge(risk, request(intent_id=strategy, symbol="ETH", strategy=strategy))
        assert ("REPEATED" in alone.reasons) is refused

    again = Pace(risk.settings.limits)
    entries = [
        OrderUpdate(
            order=verdict.order, status=S.OPEN, strategy=leader, shares=shares,
            expires_at=START + number,
        )
        for number, leader in enumerate("ab")
        if (verdict := judge(desk(limits=FREE), wish(number, leader))).order is not None
    ]  # fmt: skip
    again.restore(entries, 0)
    counts = [again.repeats(Wish(name, 9), "BTC", "buy", START + 9) for name in "abc"]
    assert counts == [2, 2, 0]


def test_a_strategy_keeps_its_pace_whoever_leads() -> None:
    """An entry counts towards RATE for each strategy that wants it."""
    risk = desk(limits={**FREE, "max_strategy_orders_per_minute": 2})
    both = (Share(strategy="a", part=D("0.5")), Share(strategy="b", part=D("0.5")))
    for number, leader in enumerate("ab"):
        wish = request(intent_id=f"{number}", size=D(1 + number), strategy=leader, shares=both)
        assert judge(risk, wish).approved

    assert judge(risk, request(intent_id="2", size=D(3), strategy="b")).reasons == ("RATE",)


def test_unknown_orders_count_and_are_told() -> None:
    """An order without proof of its outcome stays in the worst case; four of them are told."""
    risk = desk(limits={**FREE, "max_position_notional": 500})
    alerts = []
    for number in range(4):
        verdict = judge(risk, request(intent_id=f"{number}", size=D(1)))
        alerts += risk.ordered(update(verdict, S.UNKNOWN))

    assert judge(risk, request(intent_id="x", size=D(2))).reasons == ("POSITION",)
    assert [one.code for one in alerts if isinstance(one, RiskAlert)] == ["UNKNOWN_ORDERS"]
    at(risk, 61)
    assert [one.code for one in risk.monitor_risk() if isinstance(one, RiskAlert)] == [
        "UNKNOWN_LONG"
    ]


@pytest.mark.parametrize("sizes", [("1", "0", "1"), ("1", "0", "-1"), ("1", "-1")])
def test_the_wait_for_a_stop_begins_with_each_position(sizes: tuple[str, ...]) -> None:
    """One that was closed before its stop rested leaves nothing behind for the next."""
    risk = desk()
    for number, size in enumerate(sizes):
        at(risk, 50 * number)
        hold(risk, size)
        assert risk.monitor_risk() == []

    at(risk, 50 * len(sizes))
    assert risk.monitor_risk() == []
    at(risk, 50 * len(sizes) + 11)
    assert [one.code for one in risk.monitor_risk() if isinstance(one, RiskAlert)] == [
        "UNPROTECTED"
    ]


def test_a_position_without_a_stop_is_told_and_nothing_new_opened() -> None:
    """From a minute on REDUCE_ONLY follows, unless stops of its size rest."""
    risk = desk()
    hold(risk, "1")
    assert risk.monitor_risk() == []
    at(risk, 61)
    (alert,) = risk.monitor_risk()

    assert isinstance(alert, RiskAlert)
    assert (alert.code, alert.severity) == ("UNPROTECTED", Severity.ERROR)

    guarded = desk()
    hold(guarded, "1")
    order = judge(guarded, leave("1")).order
    assert order is not None
    stop = order.model_copy(update={"cloid": "0xstop", "type": "stop", "trigger": D(95)})
    guarded.ordered(OrderUpdate(order=stop, status=S.OPEN, strategy="a", expires_at=START))
    at(guarded, 10)
    guarded.monitor_risk()
    at(guarded, 100)
    assert guarded.monitor_risk() == []


def test_a_deep_fall_flattens_before_it_liquidates() -> None:
    """Near its liquidation the account is flattened: 250 of equity left for 10,000 of long."""
    risk = desk(limits=FREE)
    hold(risk, "100", "197.5")

    codes = {one.code: one for one in risk.monitor_risk() if isinstance(one, RiskAlert)}
    assert codes["LIQUIDATION_NEAR"].severity is Severity.EMERGENCY
    (state,) = risk.alerted(codes["LIQUIDATION_NEAR"])
    assert risk.brake.mode is TradingMode.FLATTENING
    assert state.wire == "TRADING_STATE"


def test_an_incident_never_leads_up() -> None:
    """FLATTENING asked for by an incident does not lead out of HALTED."""
    risk = desk()
    risk.incident(Incident(code="X", severity=Severity.CRITICAL))

    assert risk.incident(Incident(code="Y", severity=Severity.EMERGENCY)) == []
    assert risk.brake.mode is TradingMode.HALTED


def test_eth_is_listed() -> None:
    """The desk of these tests knows two symbols, so that other symbols' exposure is met."""
    risk = desk(limits={**FREE, "max_gross_ratio": "0.2"})
    hold(risk, "15", symbol=ETH.symbol)

    assert judge(risk, request(size=D(5))).approved
    assert judge(risk, request(intent_id="x", size=D("0.2"))).reasons == ("GROSS",)


def test_a_symbol_held_is_waited_for_from_the_start_on() -> None:
    """A position in a symbol not heard of since a start is told five minutes on, not at once."""
    risk = desk(limits={"require_stop": False})
    risk.exposure["BTC"].heard = 0
    hold(risk, "1")
    at(risk, 500)
    assert risk.monitor_risk() == []

    at(risk, 801)
    codes = {one.code for one in risk.monitor_risk() if isinstance(one, RiskAlert)}
    assert codes == {"ACCOUNT_STALE", "HOLDING_BLIND"}


def test_parts_of_one_decision_do_not_repeat_each_other() -> None:
    """Slices of one signal may be alike and many; a third decision on the side is one too many."""
    risk = desk(limits={**FREE, "max_repeated_entries": 2, "duplicate_window_s": 2})

    def part(number: int, decision: int) -> RiskAssessment:
        votes = ({"strategy": "a", "weight": 1.0, "time": START + decision},)
        return judge(risk, request(intent_id=f"{number}", size=D(1), votes=votes))

    assert all(part(number, 1).approved for number in range(4))
    assert part(4, 2).reasons == ("DUPLICATE",)
    at(risk, 3)
    assert part(5, 2).approved
    assert part(6, 2).approved
    at(risk, 6)
    assert "REPEATED" in part(7, 3).reasons


def test_a_stop_that_moves_is_judged_as_one_that_protects() -> None:
    """It passes while halted, meets nobody's order, and its trigger stands on the grid."""
    risk = desk(limits=FREE)
    hold(risk, "2")
    resting = judge(risk, request(size=D(1), type="limit", limit=D("100")))
    risk.ordered(update(resting, S.OPEN))
    risk.brake.mode = TradingMode.HALTED
    move = {"type": "stop", "replaces": "0xold", "intent_id": "move"}

    assert judge(risk, leave("2", trigger=D(97), **move)).approved
    assert judge(risk, leave("2", trigger=D("97.05"), **move)).reasons == ("GRID",)
    assert judge(risk, leave("2", intent_id="plain")).reasons == ("STATE", "SELF_TRADE")
