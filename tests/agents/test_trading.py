"""Trading turns opinions into one target per symbol and attributes every fill."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.harness import BTC, START, bar, tick
from tradeagent.agents.desk import Mandate
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CancelRequest,
    Direction,
    Envelope,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RiskAssessment,
    Share,
    StopPlan,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.quant.portfolio import Books

STOP = Order(
    cloid="0xstop",
    intent_id="stop",
    symbol="BTC",
    side="sell",
    size=Decimal("0.5"),
    type="stop",
    trigger=Decimal(95),
    reduce_only=True,
)
MANDATES = {"a": Mandate(0.5), "b": Mandate(0.3)}


def signal(strategy: str, direction: Direction, second: int = 0) -> TradeSignal:
    """Return a signal at the price of 100."""
    stop = {"long": 95.0, "short": 105.0, "flat": None}[direction]
    return TradeSignal(
        symbol="BTC",
        strategy=strategy,
        direction=direction,
        time=START + second * SECOND,
        price=100.0,
        stop=stop,
        valid_until=START + 10_000 * SECOND,
    )


class Desk:
    """A Trading agent whose orders fill as asked for."""

    def __init__(self, **settings: Any) -> None:
        self.agent = Trading(TradingSettings(**settings), MANDATES, "test")
        inlet = Subscriber("trading", {})
        inlet.hand = Envelope(bar(100))
        inlet.hand.ts = START
        self.agent.attach(None, inlet)  # type: ignore[arg-type]
        self.agent.listed(BTC)
        self.agent.handle_market_data(bar(100))
        self.tid = 0
        self.books = Books("BTC")

    def fill(self, request: OrderRequest, size: str) -> list[Message]:
        """Fill a request whole; returns what Trading says then."""
        self.tid += 1
        order = Order(
            cloid=f"0x{self.tid}",
            intent_id=request.intent_id,
            symbol="BTC",
            side=request.side,
            size=Decimal(size),
            type="market",
            reduce_only=request.reduce_only,
        )
        self.books.fill(
            order.size if order.side == "buy" else -order.size,
            Decimal(100),
            Decimal("0.1"),
            request.shares,
        )
        self.agent.positioned(self.books.update(START))
        return self.agent.ordered(
            OrderUpdate(
                order=order,
                status=OrderStatus.FILLED,
                filled=order.size,
                strategy=request.strategy,
                shares=request.shares,
                expires_at=START,
            )
        )

    def protect(self, entry: OrderRequest) -> None:
        """Place the stop of a filled entry."""
        self.agent.ordered(
            OrderUpdate(
                order=STOP,
                status=OrderStatus.PREPARED,
                strategy=entry.strategy,
                shares=entry.shares,
                expires_at=START,
            )
        )

    def one(self, said: list[Message]) -> OrderRequest:
        """Return the one request among what was said."""
        requests = [message for message in said if isinstance(message, OrderRequest)]
        assert len(requests) == 1, said
        return requests[0]

    def parts(self) -> dict[str, Decimal]:
        """Return what each strategy holds."""
        return self.agent.desks["BTC"].parts


def test_an_opinion_opens_a_position_of_its_weight() -> None:
    """The first long signal asks for a buy that Risk shall size, with the signal's stop."""
    desk = Desk()

    request = desk.one(desk.agent.handle_signal(signal("a", "long")))

    assert (request.side, request.size, request.weight) == ("buy", None, 0.5)
    assert request.stop_plan is not None
    assert request.stop_plan.stop == Decimal("95.0")


def test_the_same_signal_twice_is_one_order() -> None:
    """A repeated signal asks for nothing while its order is under way; its intent is the same."""
    desk, again = Desk(), Desk()

    first = desk.one(desk.agent.handle_signal(signal("a", "long")))

    assert desk.agent.handle_signal(signal("a", "long")) == []
    assert again.one(again.agent.handle_signal(signal("a", "long"))).intent_id == first.intent_id


def test_a_second_opinion_adds_its_own_part() -> None:
    """Two agreeing strategies hold their own parts of one netted position."""
    desk = Desk()
    desk.fill(desk.one(desk.agent.handle_signal(signal("a", "long"))), "0.5")

    added = desk.one(desk.agent.handle_signal(signal("b", "long", 1)))
    desk.fill(added, "0.3")

    assert added.weight == pytest.approx(0.3)
    assert desk.parts() == {"a": Decimal("0.5"), "b": Decimal("0.3")}


def test_a_flip_closes_first_and_opens_once_flat() -> None:
    """The opposite signal closes the whole position reduce-only; the open follows the fill."""
    desk = Desk()
    entry = desk.one(desk.agent.handle_signal(signal("a", "long")))
    desk.fill(entry, "0.5")
    desk.protect(entry)

    close = desk.one(desk.agent.handle_signal(signal("a", "short", 1)))
    assert (close.side, close.size, close.reduce_only) == ("sell", Decimal("0.5"), True)

    said = desk.fill(close, "0.5")
    opened = desk.one(said)
    assert (opened.side, opened.reduce_only) == ("sell", False)
    assert any(isinstance(message, CancelRequest) for message in said)


def test_opposite_opinions_net_out() -> None:
    """With `net`, what remains of two opposite opinions is the position, attributed to both."""
    desk = Desk()
    desk.fill(desk.one(desk.agent.handle_signal(signal("a", "long"))), "0.5")

    reduce = desk.one(desk.agent.handle_signal(signal("b", "short", 1)))
    desk.fill(reduce, str(reduce.size))

    assert reduce.reduce_only
    assert reduce.size == Decimal("0.3")
    assert desk.parts() == {"a": Decimal("0.5"), "b": Decimal("-0.3")}
    assert desk.agent.desks["BTC"].size == Decimal("0.2")


@pytest.mark.parametrize(("rule", "weight"), [("strongest", 0.5), ("agree", None)])
def test_conflict_rules(rule: str, weight: float | None) -> None:
    """`strongest` follows the heavier opinion, `agree` stays out while opinions differ."""
    desk = Desk(conflict=rule)
    desk.agent.desks["BTC"].opinions["b"] = signal("b", "short")

    said = desk.agent.handle_signal(signal("a", "long", 1))

    assert [getattr(one, "weight", None) for one in said] == ([weight] if weight else [])


def test_a_refused_signal_is_not_tried_again() -> None:
    """After a rejection the same signal asks for nothing; a newer one does."""
    desk = Desk()
    request = desk.one(desk.agent.handle_signal(signal("a", "long")))

    desk.agent.judged(
        RiskAssessment(
            intent_id=request.intent_id,
            symbol="BTC",
            verdict="rejected",
            reasons=("GROSS",),
            strategy="a",
            expires_at=START,
        )
    )

    assert desk.agent.handle_signal(signal("a", "long")) == []
    assert desk.one(desk.agent.handle_signal(signal("a", "long", 60)))


def test_a_position_that_a_stop_closed_stays_closed() -> None:
    """A protective fill ends the opinions; only a new signal opens again."""
    desk = Desk()
    request = desk.one(desk.agent.handle_signal(signal("a", "long")))
    desk.fill(request, "0.5")
    desk.books.fill(Decimal("-0.5"), Decimal(95), Decimal(0), request.shares, protective=True)
    desk.agent.positioned(desk.books.update(START))
    said = desk.agent.ordered(
        OrderUpdate(
            order=STOP,
            status=OrderStatus.FILLED,
            filled=Decimal("0.5"),
            strategy="a",
            shares=request.shares,
            expires_at=START,
        )
    )

    assert not [message for message in said if isinstance(message, OrderRequest)]
    assert desk.agent.desks["BTC"].size == 0


def test_flattening_closes_every_position() -> None:
    """The state FLATTENING asks for a reduce-only order of the whole position."""
    desk = Desk()
    desk.fill(desk.one(desk.agent.handle_signal(signal("a", "long"))), "0.5")

    said = desk.agent.obey(
        TradingState(
            mode=TradingMode.FLATTENING,
            previous=TradingMode.ACTIVE,
            reason="test",
            actor="operator",
            since=START,
        )
    )

    assert (desk.one(said).size, desk.one(said).reduce_only) == (Decimal("0.5"), True)


def test_a_doubtful_signal_does_not_count() -> None:
    """Signals below the confidence threshold are not taken up."""
    desk = Desk(min_confidence=0.6)
    doubtful = signal("a", "long").model_copy(update={"confidence": 0.5})

    assert desk.agent.handle_signal(doubtful) == []


def test_a_stop_that_follows_the_price_is_never_left_alone() -> None:
    """While one rests Trading looks again each minute, also where moving it was refused."""
    desk = Desk()
    (wish,) = desk.agent.handle_signal(signal("a", "long"))
    assert isinstance(wish, OrderRequest)
    desk.fill(wish, "1")
    stop = STOP.model_copy(update={"size": Decimal(1)})
    told = OrderUpdate(
        order=stop,
        status=OrderStatus.OPEN,
        strategy="a",
        shares=(Share(strategy="a", part=Decimal(1)),),
        stop_plan=StopPlan(stop=Decimal(95), trail=Decimal(5)),
        expires_at=START,
    )
    desk.agent.ordered(told)

    moves = desk.agent.quoted(tick(110)) or []

    assert [one.type for one in moves if isinstance(one, OrderRequest)] == ["stop"]
    desk.agent.desks["BTC"].stirred = False  # what the move stirred was looked at
    assert not desk.agent.is_calm()
