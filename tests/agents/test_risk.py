"""Risk approves nothing in doubt, and never stands in the way of an exit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.agents.risk_desk import at
from tests.harness import BTC, KEY, START, bar, tick
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.identity import sealed
from tradeagent.agents.risk import Risk
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    Envelope,
    Incident,
    OrderRequest,
    PositionUpdate,
    RiskAlert,
    RiskOverride,
    Severity,
    StopPlan,
    TradingMode,
    TradingState,
    VenueStatement,
    VenueStatus,
)


def request(**changes: object) -> OrderRequest:
    """Return a buy at 100 with a stop at 95, for Risk to size."""
    return OrderRequest.model_validate(
        {
            "intent_id": "intent",
            "symbol": "BTC",
            "side": "buy",
            "strategy": "a",
            "price": Decimal(100),
            "price_time": START,
            "valid_until": START + 600 * SECOND,
            "stop_plan": StopPlan(stop=Decimal(95)),
            **changes,
        }
    )


def desk(*, now: int = START, **settings: object) -> Risk:
    """Return a Risk agent that knows the market at 100 and an account of 10,000."""
    risk = Risk(RiskSettings.model_validate(settings), KEY)
    inlet = Subscriber("risk", {})
    inlet.hand = Envelope(bar(100))
    inlet.hand.ts = now
    risk.attach(None, inlet)  # type: ignore[arg-type]
    risk.listed(BTC)
    risk.quoted(tick(100))
    risk.account(AccountUpdate(balance=Decimal(10_000), equity=Decimal(10_000), time=START))
    return risk


def hold(risk: Risk, size: str, entry: str = "100") -> None:
    """Give the account a position."""
    risk.position(
        PositionUpdate(symbol="BTC", size=Decimal(size), entry_price=Decimal(entry), time=START)
    )


def test_an_approval_carries_the_sized_order_and_its_seal() -> None:
    """0.5 % of 10,000 at a stop distance of 5 is a size of 10, sealed as it stands."""
    verdict = desk().assess_risk(request())

    assert verdict.verdict == "approved"
    assert verdict.order is not None
    assert verdict.order.size == Decimal(10)
    assert sealed(KEY, verdict.seal, verdict.order, verdict.stop_plan, verdict.expires_at)
    assert "10000 x 0.5% risk / stop distance 5" in verdict.sizing


@pytest.mark.parametrize(
    ("rule", "limits", "changes"),
    [
        ("POSITION", {"max_position_notional": "500"}, {}),
        ("GROSS", {"max_gross_ratio": "0.01"}, {}),
        ("STOP_PLAN", {}, {"stop_plan": None, "size": Decimal(1)}),
        ("GRID", {}, {"size": Decimal("0.00001")}),
        ("MIN_NOTIONAL", {}, {"size": Decimal("0.0500")}),
        ("COLLAR", {}, {"price": Decimal(110), "size": Decimal(1)}),
        ("FRESH", {}, {"price_time": START - 3600 * SECOND, "size": Decimal(1)}),
        ("FRESH", {}, {"valid_until": START - 1, "size": Decimal(1)}),
        ("MAX_QTY", {"max_order_qty": {"BTC": "1"}}, {"size": Decimal(2)}),
    ],
)
def test_an_increase_over_a_limit_is_rejected_with_its_code(
    rule: str, limits: dict[str, object], changes: dict[str, object]
) -> None:
    """Each rule says no by its own code, and no order comes with it."""
    verdict = desk(limits=limits).assess_risk(request(**changes))

    assert verdict.verdict == "rejected"
    assert rule in verdict.reasons
    assert verdict.order is None


def test_what_is_approved_counts_at_once() -> None:
    """A second request is judged with the first one's order as if it were filled."""
    risk = desk(limits={"max_position_notional": "1500"})

    assert risk.assess_risk(request()).approved
    second = request(intent_id="second", price=Decimal("100.01"))
    assert risk.assess_risk(second).reasons == ("POSITION",)


@pytest.mark.parametrize("mode", [TradingMode.REDUCE_ONLY, TradingMode.FLATTENING])
def test_an_exit_passes_every_limit(mode: TradingMode) -> None:
    """With all limits breached and the day lost, a reduce-only order is still approved."""
    risk = desk(limits={"max_position_notional": "1", "max_gross_ratio": "0.0001"})
    hold(risk, "10", "200")
    risk.override(RiskOverride(rule="STATE", mode=mode, reason="test", actor="operator"))
    leave = request(side="sell", size=Decimal(10), reduce_only=True, stop_plan=None, price_time=0)

    assert risk.assess_risk(leave).approved


def test_nothing_new_passes_while_halted() -> None:
    """HALTED refuses entries and ordinary exits alike."""
    risk = desk()
    hold(risk, "10")
    risk.override(RiskOverride(rule="STATE", mode=TradingMode.HALTED, reason="no", actor="op"))

    assert risk.assess_risk(request()).reasons == ("STATE",)
    leave = request(side="sell", size=Decimal(10), reduce_only=True, stop_plan=None)
    assert risk.assess_risk(leave).reasons == ("STATE",)


def test_an_unknown_symbol_is_refused() -> None:
    """Without an instrument or a price there is no approval."""
    assert desk().assess_risk(request(symbol="XYZ")).reasons == ("FRESH",)


def test_the_days_loss_leads_to_reduce_only() -> None:
    """An alert of severity ERROR is raised at the limit, and obeyed."""
    risk = desk(limits={"max_daily_loss_ratio": "0.05"})
    hold(risk, "10", "160")

    alerts = risk.monitor_risk()

    assert [one.code for one in alerts if isinstance(one, RiskAlert)] == ["DAILY_LOSS"]
    assert isinstance(alerts[0], RiskAlert)
    (state,) = risk.alerted(alerts[0])
    assert isinstance(state, TradingState)
    assert state.mode is TradingMode.REDUCE_ONLY


@pytest.mark.parametrize(
    ("severity", "mode"),
    [
        (Severity.WARNING, TradingMode.ACTIVE),
        (Severity.ERROR, TradingMode.REDUCE_ONLY),
        (Severity.CRITICAL, TradingMode.HALTED),
        (Severity.EMERGENCY, TradingMode.FLATTENING),
    ],
)
def test_incidents_lead_down_by_one_table(severity: Severity, mode: TradingMode) -> None:
    """An incident's severity decides the state; a lesser one later changes nothing."""
    risk = desk()

    risk.incident(Incident(code="X", severity=severity))
    assert risk.brake.mode is mode

    risk.incident(Incident(code="Y", severity=Severity.ERROR))
    assert risk.brake.mode in (mode, TradingMode.REDUCE_ONLY)
    if mode is not TradingMode.ACTIVE:
        assert risk.brake.mode is mode


def test_only_an_operator_leads_up() -> None:
    """An override of STATE takes the account back to ACTIVE."""
    risk = desk()
    risk.incident(Incident(code="X", severity=Severity.CRITICAL))

    (state,) = risk.override(
        RiskOverride(rule="STATE", mode=TradingMode.ACTIVE, reason="looked", actor="operator")
    )

    assert isinstance(state, TradingState)
    assert (state.previous, state.mode) == (TradingMode.HALTED, TradingMode.ACTIVE)


def test_an_override_lifts_one_rule_until_it_expires() -> None:
    """GROSS is lifted for its scope and time; FINITE cannot be lifted at all."""
    risk = desk(limits={"max_gross_ratio": "0.01"})
    lift = RiskOverride(
        rule="GROSS", reason="once", actor="operator", valid_until=START + 10 * SECOND
    )
    risk.override(lift)
    risk.override(lift.model_copy(update={"rule": "GRID"}))

    assert risk.assess_risk(request()).approved
    assert risk.assess_risk(request(size=Decimal("0.00001"))).reasons[0] == "GRID"

    late = desk(now=START + 11 * SECOND, limits={"max_gross_ratio": "0.01"})
    late.override(lift)
    assert "GROSS" in late.assess_risk(request()).reasons


def test_a_halt_that_crosses_a_resume_holds_for_everybody() -> None:
    """When ACTIVE of ours comes after somebody's HALTED, HALTED is said once more."""
    risk = desk()
    assert risk.hand is not None
    halted = TradingState(
        mode=TradingMode.HALTED,
        previous=TradingMode.ACTIVE,
        reason="stuck",
        actor="supervisor",
        since=START,
    )
    assert risk.obey(halted) == []
    ours = halted.model_copy(update={"mode": TradingMode.ACTIVE, "actor": "operator"})
    risk.hand.source = "risk"

    (renewed,) = risk.obey(ours)

    assert isinstance(renewed, TradingState)
    assert (renewed.mode, risk.brake.mode) == (TradingMode.HALTED, TradingMode.HALTED)
    assert risk.obey(renewed) == []


def test_flattening_ends_halted() -> None:
    """Once flat, FLATTENING becomes HALTED by itself."""
    risk = desk()
    hold(risk, "1")
    risk.override(RiskOverride(rule="STATE", mode=TradingMode.FLATTENING, reason="x", actor="op"))
    assert risk.monitor_risk() == []

    hold(risk, "0")
    (state,) = risk.monitor_risk()

    assert isinstance(state, TradingState)
    assert state.mode is TradingMode.HALTED


def test_a_flattening_without_end_is_given_up() -> None:
    """After five minutes in which the venue was there the operator is told, once, and it ends."""
    risk = desk(watch={"max_unprotected_s": 1e6, "max_blind_s": 1e6})
    hold(risk, "1")
    risk.override(RiskOverride(rule="STATE", mode=TradingMode.FLATTENING, reason="x", actor="op"))
    risk.monitor_risk()
    at(risk, 200)
    risk.reached(VenueStatus(state="down", reason="no answer", time=START))
    risk.monitor_risk()
    risk.reached(VenueStatus(state="up", time=START))
    account = AccountUpdate(balance=Decimal(10_000), equity=Decimal(10_000), time=START)
    risk.stated(VenueStatement(asked=START, time=START, account=account))
    at(risk, 500)
    assert risk.monitor_risk() == []

    at(risk, 500.1)
    alert, state = risk.monitor_risk()

    assert isinstance(alert, RiskAlert)
    assert isinstance(state, TradingState)
    assert (alert.code, state.mode) == ("NOT_FLAT", TradingMode.HALTED)
    assert risk.monitor_risk() == []


def test_a_candle_is_fresh_for_its_own_length() -> None:
    """Where a symbol has candles alone, a decision may be as old as the shortest is long."""
    risk = Risk(RiskSettings(), KEY)
    inlet = Subscriber("risk", {})
    inlet.hand = Envelope(bar(100))
    risk.attach(None, inlet)  # type: ignore[arg-type]
    risk.listed(BTC)
    risk.account(AccountUpdate(balance=Decimal(10_000), equity=Decimal(10_000), time=START))
    risk.bar(bar(100).model_copy(update={"timeframe": "1h"}))

    for minutes, approved in ((59, True), (61, False)):
        inlet.hand.ts = START + minutes * 60 * SECOND
        risk.account(
            AccountUpdate(balance=Decimal(10_000), equity=Decimal(10_000), time=inlet.hand.ts)
        )
        wish = request(intent_id=f"{minutes}", valid_until=inlet.hand.ts + SECOND)
        assert risk.assess_risk(wish).approved is approved
