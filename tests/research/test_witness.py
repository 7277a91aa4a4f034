"""What the reader hears of orders that came to nothing, and how they are counted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradeagent.messages import Order, OrderStatus, OrderUpdate, RiskAssessment
from tradeagent.messages.build import typed
from tradeagent.research.witness import Witness

S = OrderStatus
_order, _update, _verdict = typed(Order), typed(OrderUpdate), typed(RiskAssessment)


def heard(*messages: OrderUpdate | RiskAssessment) -> Witness:
    """Return a witness of some messages."""
    witness = Witness()
    for one in messages:
        witness.subscriber.handlers[type(one)](one)
    return witness


def order(
    name: str, status: OrderStatus, filled: int = 0, reason: str = "", **of: object
) -> OrderUpdate:
    """Return where an order to buy one stands."""
    wanted = {"cloid": name, "intent_id": name, "symbol": "BTC", "side": "buy", "type": "market"}
    return _update(
        order=_order(**wanted, size=Decimal(1), **of),
        status=status,
        filled=Decimal(filled),
        strategy="cross",
        expires_at=1,
        reason=reason,
    )


def refused(*reasons: str) -> RiskAssessment:
    """Return a verdict against an order."""
    return RiskAssessment(
        intent_id="i",
        symbol="BTC",
        strategy="cross",
        verdict="rejected",
        reasons=reasons,
        expires_at=1,
    )


def test_what_the_venue_refuses_is_counted_with_what_rules_refuse() -> None:
    """Each has its line, once for each order, however often it was told of."""
    witness = heard(
        order("a", S.OPEN),
        order("a", S.REJECTED, reason="not enough margin"),
        order("a", S.REJECTED, reason="not enough margin"),
        refused("GROSS", "MARGIN"),
    )

    assert witness.rejected == 2
    assert list(witness.told()) == [
        "1 order was refused, by rule (one may break several): GROSS 1, MARGIN 1.",
        "1 order was refused by the venue: not enough margin 1.",
    ]
    assert list(heard(refused("GROSS"), refused("GROSS")).told()) == [
        "2 orders were refused, by rule: GROSS 2."
    ]


@pytest.mark.parametrize(
    ("update", "ended", "unfilled"),
    [
        (order("a", S.FILLED, 1), 1, 0),
        (order("a", S.CANCELED, 1), 1, 0),
        (order("a", S.CANCELED), 1, 1),
        (order("a", S.CANCELED, reduce_only=True), 1, 0),
        (order("a", S.CANCELED, trigger=Decimal(9), reduce_only=True), 0, 0),
        (order("a", S.OPEN), 0, 0),
        (order("a", S.REJECTED), 0, 0),
    ],
)
def test_orders_that_end_without_a_fill_are_counted(
    update: OrderUpdate, ended: int, unfilled: int
) -> None:
    """To enter, not to leave or to guard a position, and not while they may still be filled."""
    witness = heard(update)

    assert (len(witness.ended), witness.unfilled) == (ended, unfilled)
