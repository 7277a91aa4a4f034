"""An exit that came to nothing is noticed and asked for again until nothing is held."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.agents.script import rig, size
from tests.agents.test_netted import CALM, FLAT, closed_at, go
from tests.agents.test_together import LONG
from tests.agents.test_trading import Desk, signal
from tests.harness import START, Rig
from tradeagent.agents.trading import AGAIN, LOST_AFTER
from tradeagent.clock import SECOND
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RiskAlert,
    TradingMode,
)

LEAVES = 40
"""The second at which the position should go."""
LATE = LOST_AFTER // SECOND


def lose_exits(found: Rig, fate: str, losses: int) -> list[int]:
    """Let so many market exits come to nothing at the venue; returns when each was placed."""
    place, placed = found.exchange.place_order, []

    async def placing(order: Order, submission: Any = None) -> ExecutionReport:
        if not order.reduce_only or order.type != "market":
            return await place(order, submission)
        now = found.clock.now()
        placed.append((now - START) // SECOND)
        if len(placed) > losses:
            return await place(order, submission)
        if fate in ERRORS:
            raise ERRORS[fate]("not now")
        status = OrderStatus.CANCELED
        return ExecutionReport(cloid=order.cloid, symbol="BTC", status=status, time=now, oid="1")

    found.exchange.place_order = placing  # type: ignore[method-assign]
    return placed


ERRORS: dict[str, type[Exception]] = {
    "refused": OrderRefused,
    "lost": VenueUnavailable,
    "not sent": NotSent,
}


@pytest.mark.parametrize("losses", [1, 3])
@pytest.mark.parametrize("why", ["signal", "flattening"])
@pytest.mark.parametrize("fate", [*ERRORS, "cancelled"])
async def test_an_exit_that_came_to_nothing_is_placed_again(
    fate: str, why: str, losses: int
) -> None:
    """Each try follows within a minute, without another signal, until one has filled."""
    found = rig(CALM, {2: LONG} if why == "flattening" else {2: LONG, LEAVES: FLAT})
    if why == "flattening":
        go(found, LEAVES, TradingMode.FLATTENING)
    placed = lose_exits(found, fate, losses)

    await found.run()

    assert size(found) == 0
    assert len(placed) == losses + 1
    assert placed[0] == LEAVES
    assert all(0 < later - one <= AGAIN for one, later in pairwise(placed))
    assert closed_at(found) == placed[-1:]


def leaving() -> tuple[Desk, OrderRequest]:
    """Return a desk that holds half a coin, and its request to sell it."""
    desk = Desk()
    desk.fill(desk.one(desk.agent.handle_signal(signal("a", "long"))), "0.5")
    return desk, desk.one(desk.agent.handle_signal(signal("a", "flat", 1)))


def look(desk: Desk, seconds: float) -> list[Message]:
    """Return what Trading says when it looks so many seconds after the start."""
    assert desk.agent.hand is not None
    desk.agent.hand.ts = START + int(seconds * SECOND)
    return desk.agent.look_again()


def sell(desk: Desk, request: OrderRequest, status: OrderStatus) -> list[Message]:
    """Let Execution tell how the order of a request stands."""
    order = Order(
        cloid="0xexit",
        intent_id=request.intent_id,
        symbol="BTC",
        side="sell",
        size=Decimal("0.5"),
        type="market",
        reduce_only=True,
    )
    update = OrderUpdate(
        order=order, status=status, strategy="a", shares=request.shares, expires_at=START
    )
    return desk.agent.ordered(update)


def test_an_exit_that_nobody_answers_is_asked_for_again() -> None:
    """A request without a verdict is told as lost once it is late, and no sooner; then renewed."""
    desk, first = leaving()

    assert look(desk, LATE - 1) == []
    (alert,) = look(desk, LATE + 1)
    assert isinstance(alert, RiskAlert)
    assert alert.code == "REQUEST_LOST"

    again = desk.one(look(desk, LATE + 1 + AGAIN))
    assert (again.side, again.size, again.reduce_only) == ("sell", Decimal("0.5"), True)
    assert again.intent_id != first.intent_id


def test_an_exit_that_never_ends_is_cancelled_and_asked_for_again() -> None:
    """What the venue took but does not fill is called back once it is late; then renewed."""
    desk, first = leaving()
    assert sell(desk, first, OrderStatus.OPEN) == []

    assert look(desk, LATE - 1) == []
    (wish,) = look(desk, LATE + 1)
    assert isinstance(wish, CancelRequest)
    assert wish.cloid == "0xexit"
    assert sell(desk, first, OrderStatus.CANCELED) == []

    again = desk.one(look(desk, LATE + 1 + AGAIN))
    assert (again.side, again.size, again.reduce_only) == ("sell", Decimal("0.5"), True)
    assert again.intent_id != first.intent_id
