"""Round trips are what the books gained from flat to flat, and sizes and locks rest on them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.agents.risk_desk import FREE, at, desk, hold, judge, request
from tests.harness import START, bar
from tradeagent.agents.trips import Edge, Trips
from tradeagent.clock import SECOND
from tradeagent.messages import (
    Fill,
    Order,
    OrderStatus,
    OrderUpdate,
    RiskAlert,
    Share,
    TrackRecord,
)
from tradeagent.messages.build import changed
from tradeagent.quant.portfolio import Books

D = Decimal


@given(
    st.lists(
        st.tuples(st.integers(-3, 3).filter(bool), st.integers(90, 110), st.sampled_from("ab")),
        max_size=40,
    ),
    st.integers(0, 40),
)
def test_trips_add_up_to_the_books(fills: list[tuple[int, int, str]], restart: int) -> None:
    """Whenever a strategy is flat, its trips add up to its books after fees, restarts or not."""
    books, trips = Books("BTC"), Trips()
    for number, (size, price, strategy) in enumerate(fills):
        if number == restart:
            records = list(trips.records.values())
            trips = Trips()
            trips.restore(records, [books.update(number)])
        books.fill(D(size), D(price), D("0.1"), (Share(strategy=strategy, part=D(1)),))
        update = books.update(number)
        trips.position(update)
        for part in update.parts:
            record = trips.records.get((part.strategy, "BTC"))
            if not part.size and record is not None:
                gained = part.realised_pnl - part.fees - part.funding
                assert record.won - record.lost == record.net == gained
                assert trips.edge(part.strategy).trades == record.trades
                assert len(record.recent) == min(record.trades, 20)


def test_a_stop_that_ends_a_position_counts_as_one_and_locks() -> None:
    """The second stop within the window is told as a lock with its end, and entries are refused."""
    guard = {"stop_guard_stops": 2, "stop_guard_lock_s": 600}
    risk = desk(limits=FREE, protections=guard)
    stop = Order(
        cloid="0x1", intent_id="s", symbol="BTC", side="sell", size=D(1), type="stop",
        trigger=D(95), reduce_only=True,
    )  # fmt: skip
    gone = OrderUpdate(
        order=stop, status=OrderStatus.FILLED, filled=D(1), strategy="a", expires_at=START
    )
    closing = Fill(
        cloid="0x1", intent_id="s", tid="1", symbol="BTC", side="sell", size=D(1), price=D(95),
        fee=D(0), liquidity="taker", time=START, strategy="a",
    )  # fmt: skip
    said = []
    for number in (1, 2):
        hold(risk, "1", pnl=f"{-5 * (number - 1)}")
        risk.ordered(changed(gone, status=OrderStatus.OPEN, filled=D(0)))
        at(risk, number)
        risk.filled(closing)
        said = hold(risk, "0", pnl=f"{-5 * number}")
        risk.ordered(gone)

    record, alert = said
    assert isinstance(record, TrackRecord)
    assert (record.trades, record.wins, record.lost) == (2, 0, D(10))
    assert [one.stopped for one in record.recent] == [True, True]
    assert isinstance(alert, RiskAlert)
    assert (alert.code, alert.scope, alert.until) == (
        "STOP_GUARD", "BTC", START + 602 * SECOND,
    )  # fmt: skip
    assert judge(risk, request()).reasons == ("COOLDOWN",)
    assert judge(risk, request(intent_id="x", symbol="ETH")).approved


def test_kelly_rests_on_the_strategys_own_trips() -> None:
    """Two wins of 20 to one loss of 10 bet 2/3 - 1/3 / 2, half of equity; less history does not."""
    risk = desk(limits=FREE, sizing="capped_kelly", kelly_min_trades=3, max_weight="0.6")
    verdict = judge(risk, request())
    assert "0 wins in 0 of 3 round trips, too little for Kelly: equity" in verdict.sizing
    assert verdict.order is not None
    assert verdict.order.size == 10

    total = 0
    for pnl in (20, 20, -10):
        hold(risk, "1", pnl=f"{total}")
        total += pnl
        hold(risk, "0", pnl=f"{total}")
    assert risk.trips.edge("a") == Edge(3, 2, D(40), D(10))
    verdict = judge(risk, request(intent_id="x"))

    assert verdict.sizing.startswith("Kelly 66.67% - 33.33% / 2 = 0.5; equity")
    assert verdict.order is not None
    assert D(50) < verdict.order.size < D("50.3")
    other = judge(risk, request(intent_id="y", strategy="b"))
    assert "0 wins in 0 of 3" in other.sizing


def test_a_strategy_that_loses_is_given_no_size() -> None:
    """A negative edge is no bet, and the refusal says why."""
    risk = desk(limits=FREE, sizing="capped_kelly", kelly_min_trades=2)
    total = 0
    for pnl in (5, -20):
        hold(risk, "1", pnl=f"{total}")
        total += pnl
        hold(risk, "0", pnl=f"{total}")

    verdict = judge(risk, request())
    assert verdict.reasons == ("MIN_NOTIONAL",)
    assert "held to 0" in verdict.sizing


def test_a_volatile_symbol_gets_less() -> None:
    """Once the window is full, a full position is target over volatility; before, as ever."""
    risk = desk(limits=FREE, sizing="volatility_target", volatility_bars=10, max_weight=10)
    assert "0 of 10 returns known for its volatility: equity" in judge(risk, request()).sizing
    for minute in range(12):
        risk.bar(bar(100 + minute % 2, minute))

    verdict = judge(risk, request(intent_id="x"))

    assert verdict.sizing.startswith("target 20% / volatility ")
    assert verdict.order is not None
    assert verdict.order.size < 10
