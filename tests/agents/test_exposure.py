"""Exposure keeps running totals; they are what a recount of everything would give."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.harness import START, tick
from tradeagent.agents.exposure import Exposure
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
)

SYMBOLS = ("BTC", "ETH")
SIZES = st.integers(1, 50).map(Decimal)
NAMES = st.integers(0, 5)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Return one of a few orders, of any kind."""
    name = draw(NAMES)
    kind = draw(st.sampled_from(("market", "limit", "stop", "take_profit")))
    return Order(
        cloid=f"0x{name}",
        intent_id=f"i{name}",
        symbol=SYMBOLS[name % 2],
        side="buy" if name % 3 else "sell",
        size=Decimal(50),
        type=kind,
        reduce_only=draw(st.booleans()),
    )


@st.composite
def updates(draw: st.DrawFn) -> OrderUpdate:
    """Return a step of one of a few orders."""
    return OrderUpdate(
        order=draw(orders()),
        status=draw(st.sampled_from(list(OrderStatus))),
        filled=draw(SIZES),
        strategy="a",
        expires_at=START,
    )


STEPS = st.lists(
    st.one_of(
        updates(),
        st.tuples(orders(), st.integers(0, 100)),
        st.integers(0, 100),
        st.tuples(st.sampled_from(SYMBOLS), st.integers(-50, 50).map(Decimal)),
    ),
    max_size=40,
)


class Recount:
    """The obvious way: keep everything and add it up each time."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[Order, Decimal]] = {}
        self.reserved: dict[str, tuple[Order, int]] = {}
        self.sizes: dict[str, Decimal] = {}
        self.unsure: set[str] = set()

    def totals(self, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return buys, sells and exits of a symbol."""
        known = [(one, left, one.cloid in self.unsure) for one, left in self.orders.values()]
        coming = [(one, one.size, False) for one, _ in self.reserved.values()]
        buys = sells = exits = ZERO
        for order, left, unsure in known + coming:
            if order.symbol != symbol:
                continue
            if order.reduce_only:
                exits += left if order.type == "market" and not unsure else ZERO
            elif order.side == "buy":
                buys += left
            else:
                sells += left
        return buys, sells, exits


@given(STEPS)
def test_totals_are_what_a_recount_gives(steps: list[object]) -> None:
    """Whatever orders, approvals and positions come in whatever order, no claim is lost or kept."""
    exposure, recount = Exposure(), Recount()
    for step in steps:
        match step:
            case OrderUpdate():
                exposure.order(step, 0)
                recount.reserved.pop(step.order.intent_id, None)
                recount.orders.pop(step.order.cloid, None)
                unsure = step.status in (OrderStatus.UNKNOWN, OrderStatus.PEND_CANCEL)
                (recount.unsure.add if unsure else recount.unsure.discard)(step.order.cloid)
                if step.status not in TERMINAL:
                    left = step.order.size - step.filled
                    recount.orders[step.order.cloid] = (step.order, left)
            case (Order() as order, int() as until):
                exposure.reserve(order, until)
                recount.reserved[order.intent_id] = (order, until)
            case int() as now:
                exposure.expire(now)
                kept = {n: v for n, v in recount.reserved.items() if v[1] >= now}
                recount.reserved = kept
            case (str() as symbol, Decimal() as size):
                exposure.hold(PositionUpdate(symbol=symbol, size=size, time=START))
                exposure.quote(tick(100, symbol=symbol))
                recount.sizes[symbol] = size
        for symbol in SYMBOLS:
            standing, totals = exposure[symbol], recount.totals(symbol)
            assert (standing.buys, standing.sells, standing.exits) == totals
            held = recount.sizes.get(symbol, ZERO)
            worst = max(held + totals[0], totals[1] - held)
            assert standing.worst == worst
            other = next(name for name in SYMBOLS if name != symbol)
            if symbol in recount.sizes:
                assert exposure.others(other).gross == worst * 100
