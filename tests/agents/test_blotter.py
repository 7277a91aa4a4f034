"""Orders fold as the venue's reports tell them, in any order, and each fill is booked once."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.test_execution import ALL, approval
from tests.harness import START
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.identity import cloid
from tradeagent.agents.lifecycle import LEGAL, advance
from tradeagent.errors import IllegalTransition
from tradeagent.messages import (
    TERMINAL,
    ExecutionReport,
    Fill,
    FundingPayment,
    Incident,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Severity,
    StopPlan,
)
from tradeagent.messages import Execution as Done

S = OrderStatus


def working(size: str = "10") -> tuple[Blotter, OrderUpdate]:
    blotter = Blotter("test", "execution")
    order = approval(size).order
    assert order is not None
    update = OrderUpdate(order=order, status=S.PREPARED, strategy="a", shares=ALL, expires_at=START)
    blotter.keep(update)
    return blotter, update


def report(update: OrderUpdate, status: S, tid: str = "", size: str = "1") -> ExecutionReport:
    done = (
        Done(tid=tid, price=Decimal(100), size=Decimal(size), fee=Decimal("0.1")) if tid else None
    )
    return ExecutionReport(
        cloid=update.order.cloid, symbol="BTC", status=status, time=START, execution=done
    )


@pytest.mark.parametrize("seed", range(50))
def test_reports_in_any_order_and_number_give_one_end(seed: int) -> None:
    """Acknowledgement, fills and repeats in any order end FILLED with each fill booked once."""
    blotter, update = working()
    reports = [report(update, S.OPEN), report(update, S.OPEN)]
    reports += [report(update, S.PARTIAL, tid=str(number), size="2") for number in range(5)] * 2
    random.Random(seed).shuffle(reports)

    said = [message for report in reports for message in blotter.book(report)]

    assert blotter.orders[update.order.cloid].status is S.FILLED
    assert blotter.books["BTC"].net.size == Decimal(10)
    assert sum(isinstance(message, Fill) for message in said) == 5
    assert not [message for message in said if isinstance(message, Incident)]


def test_an_unproven_outcome_staysworking() -> None:
    """UNKNOWN keeps the order among those that may still fill, and a later fill is booked."""
    blotter, update = working("1")

    blotter.book(report(update, S.UNKNOWN))
    assert update.order.cloid in blotter.working

    blotter.book(report(update, S.FILLED, tid="1"))
    assert blotter.orders[update.order.cloid].status is S.FILLED


def test_a_fill_after_a_cancel_is_booked_and_told() -> None:
    """A late fill counts, and says so."""
    blotter, update = working()
    blotter.book(report(update, S.OPEN))
    blotter.book(report(update, S.CANCELED))

    said = blotter.book(report(update, S.PARTIAL, tid="1"))

    assert blotter.books["BTC"].net.size == Decimal(1)
    assert [one.code for one in said if isinstance(one, Incident)] == ["LATE_FILL"]


def test_an_order_the_venue_shows_after_all_is_taken_back() -> None:
    """OPEN for an order we held to be NOT_PLACED books it again and is CRITICAL."""
    blotter, update = working()
    blotter.book(report(update, S.NOT_PLACED))

    said = blotter.book(report(update, S.OPEN))

    assert blotter.orders[update.order.cloid].status is S.RESURRECTED
    assert [one.severity for one in said if isinstance(one, Incident)] == ["CRITICAL"]


@pytest.mark.parametrize("status", [S.OPEN, S.PEND_CANCEL])
def test_a_venue_that_gives_no_answer_unproves_nothing(status: S) -> None:
    """UNKNOWN about an order that was seen changes nothing, and raises nothing."""
    blotter, update = working()
    blotter.book(report(update, S.OPEN))
    standing = blotter.orders[update.order.cloid]
    if status is S.PEND_CANCEL:
        blotter.keep(advance(standing, S.PEND_CANCEL))

    assert blotter.book(report(update, S.UNKNOWN)) == []
    assert blotter.orders[update.order.cloid].status is status


def test_a_cancel_that_overtakes_its_order_decides_nothing() -> None:
    """Never placed, said in answer to a cancel, leaves an order that may be on its way PREPARED."""
    blotter, update = working()
    early = report(update, S.NOT_PLACED).model_copy(update={"cancel_refused": True})

    assert blotter.book(early) == []
    assert blotter.orders[update.order.cloid].status is S.PREPARED


def stop_of(blotter: Blotter, entry: OrderUpdate) -> OrderUpdate:
    """Fill `entry` with a plan and return its stop."""
    planned = entry.model_copy(update={"stop_plan": StopPlan(stop=Decimal(95))})
    blotter.keep(planned)
    said = blotter.book(report(planned, S.FILLED, tid="1"))
    return next(one for one in said if isinstance(one, OrderUpdate) and one.order.type == "stop")


def test_a_stop_that_was_not_placed_is_placed_again_unless_it_was_unwanted() -> None:
    """While the position is open the next attempt is prepared under a cloid of its own."""
    blotter, update = working("1")
    stop = stop_of(blotter, update)

    said = blotter.book(report(stop, S.NOT_PLACED))
    again = [one for one in said if isinstance(one, OrderUpdate) and one.status is S.PREPARED]
    assert len(again) == 1
    assert again[0].order.cloid != stop.order.cloid
    assert again[0].order.intent_id == stop.order.intent_id

    blotter.unwanted.add(again[0].order.cloid)
    said = blotter.book(report(again[0], S.NOT_PLACED))
    assert [one.status for one in said if isinstance(one, OrderUpdate)] == [S.NOT_PLACED]


def test_a_refused_stop_is_an_incident() -> None:
    """A position whose stop the venue refuses is not left naked in silence."""
    blotter, update = working("1")
    stop = stop_of(blotter, update)

    said = blotter.book(report(stop, S.REJECTED))

    assert [one.code for one in said if isinstance(one, Incident)] == ["STOP_REJECTED"]


@pytest.mark.parametrize("status", [S.NOT_PLACED, S.REJECTED, S.CANCELED])
def test_a_stop_of_a_position_that_was_turned_over_is_not_missed(status: S) -> None:
    """It would open what it was to close: it is neither placed again nor an incident."""
    blotter, update = working("1")
    stop = stop_of(blotter, update)
    turn = {"cloid": cloid("turn", 0, 1), "side": "sell", "size": Decimal(3)}
    other = update.model_copy(update={"order": update.order.model_copy(update=turn)})
    blotter.keep(other)
    blotter.book(report(other, S.FILLED, tid="2", size="3"))

    said = blotter.book(report(stop, status))

    assert [type(one) for one in said] == [OrderUpdate]


def test_an_overfill_is_not_booked_but_halts() -> None:
    """More than was ordered is an incident of severity CRITICAL."""
    blotter, update = working("1")

    said = blotter.book(report(update, S.FILLED, tid="1", size="2"))

    assert [one.severity for one in said if isinstance(one, Incident)] == ["CRITICAL"]
    assert "BTC" not in blotter.books


def test_only_legal_moves_are_made() -> None:
    """Every move outside the table raises, every one inside is made."""
    _, update = working()
    for before in S:
        for after in S:
            standing = update.model_copy(update={"status": before})
            if after in LEGAL[before]:
                assert advance(standing, after).status is after
            else:
                with pytest.raises(IllegalTransition):
                    advance(standing, after)


def test_filled_sizes_never_shrink_or_overflow() -> None:
    """A smaller filled size, or one above the order's, raises."""
    _, update = working()
    half = advance(update, S.PARTIAL, filled=Decimal(5))

    for wrong in (Decimal(4), Decimal(11)):
        with pytest.raises(IllegalTransition):
            advance(half, S.PARTIAL, filled=wrong)


def test_what_has_ended_stays_ended() -> None:
    """From a terminal status the table leads only to late fills and resurrections."""
    for status in TERMINAL:
        assert LEGAL[status] <= {S.CANCELED, S.RESURRECTED}


def test_a_payment_is_booked_once() -> None:
    """Funding told twice, as after a reconnect, is paid once."""
    blotter, update = working()
    blotter.book(report(update, S.FILLED, "1", "10"))
    payment = FundingPayment(
        symbol="BTC", time=START, rate=Decimal("0.0001"), payment=Decimal("0.1"), tid="f1"
    )
    told = blotter.fund(payment)
    assert told is not None
    assert told.funding == Decimal("0.1")
    assert blotter.fund(payment) is None


def test_a_liquidation_is_booked_as_the_venues_own_order() -> None:
    """It closes the position and every strategy's part, and trading halts."""
    blotter, update = working()
    blotter.book(report(update, S.FILLED, "1", "10"))
    order = Order(
        cloid="liquidation-7", intent_id="liquidation-7", symbol="BTC", side="sell",
        size=Decimal(10), type="market", reduce_only=True,
    )  # fmt: skip
    done = Done(tid="8", price=Decimal(50), size=Decimal(10), fee=Decimal("0.5"), liquidation=True)
    said = blotter.book(
        ExecutionReport(
            cloid=order.cloid,
            symbol="BTC",
            status=S.FILLED,
            time=START,
            execution=done,
            order=order,
        )
    )
    (held,) = [one for one in said if isinstance(one, PositionUpdate)]
    assert held.size == 0
    assert {part.strategy: part.size for part in held.parts if part.strategy != "venue"} == {"a": 0}
    (trouble,) = [one for one in said if isinstance(one, Incident)]
    assert (trouble.code, trouble.severity) == ("LIQUIDATED", Severity.CRITICAL)
    assert (
        blotter.book(
            ExecutionReport(
                cloid=order.cloid,
                symbol="BTC",
                status=S.FILLED,
                time=START,
                execution=done,
                order=order,
            )
        )
        == []
    )


WORDS = (
    S.OPEN, S.PARTIAL, S.TRIGGERED, S.FILLED, S.CANCELED, S.REJECTED, S.UNKNOWN, S.NOT_PLACED,
)  # fmt: skip
"""What a venue, or our line to it, can say of an order."""


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.booleans(), st.booleans()), max_size=12))
def test_no_word_of_a_venue_stops_the_books(told: list[tuple[S, bool, bool]]) -> None:
    """Whatever is said of an order, in any order, moves it legally or not at all."""
    blotter, update = working("5")
    for number, (status, fills, refused) in enumerate(told):
        word = report(update, status, tid=str(number) if fills else "")
        blotter.book(word.model_copy(update={"cancel_refused": refused}))
        assert blotter.orders[update.order.cloid].filled == min(
            5, sum(one[1] for one in told[: number + 1])
        )


@pytest.mark.parametrize("gone", [S.NOT_PLACED, S.REJECTED, S.DENIED, S.EXPIRED_LOCAL])
def test_what_was_held_for_gone_and_is_shown_lives_on(gone: S) -> None:
    """It is told as CRITICAL once, and can then rest, fill and be called off like any other."""
    blotter, update = working("5")
    blotter.keep(update.model_copy(update={"status": gone}))

    said = blotter.book(report(update, S.OPEN)) + blotter.book(report(update, S.OPEN))

    told = [(one.code, one.severity) for one in said if isinstance(one, Incident)]
    assert told == [("RESURRECTED", Severity.CRITICAL)]
    assert blotter.working[update.order.cloid].status is S.OPEN


def test_an_order_that_was_denied_and_is_shown_again_lives_on() -> None:
    """That the venue once did not know it is no end that lasts."""
    blotter, update = working("5")
    said = [
        one
        for status in (S.OPEN, S.NOT_PLACED, S.UNKNOWN, S.OPEN, S.OPEN)
        for one in blotter.book(report(update, status))
    ]

    assert [one.code for one in said if isinstance(one, Incident)] == [
        "ORDER_DENIED",
        "RESURRECTED",
    ]
    assert blotter.working[update.order.cloid].status is S.OPEN
