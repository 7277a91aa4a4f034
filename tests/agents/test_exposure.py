"""Exposure keeps running totals; they are what a recount of everything would give."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.agents.risk_desk import FREE, desk, hold, judge, request
from tests.harness import START, tick
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.risk import Risk
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Side,
    StopPlan,
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
                exposure.claims.order(step, 0)
                recount.reserved.pop(step.order.intent_id, None)
                recount.orders.pop(step.order.cloid, None)
                unsure = step.status in (OrderStatus.UNKNOWN, OrderStatus.PEND_CANCEL)
                (recount.unsure.add if unsure else recount.unsure.discard)(step.order.cloid)
                if step.status not in TERMINAL:
                    left = step.order.size - step.filled
                    recount.orders[step.order.cloid] = (step.order, left)
            case (Order() as order, int() as until):
                exposure.claims.reserve(order, until)
                recount.reserved[order.intent_id] = (order, until)
            case int() as now:
                exposure.claims.expire(now)
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
                assert exposure.totals.others(other, exposure[other]).gross == worst * 100


@given(
    st.sampled_from(("buy", "sell")),
    st.integers(-20, 20),
    st.lists(st.tuples(st.integers(-19, 19), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(90, 110),
)
def test_what_is_approved_is_worth_as_much_afterwards(
    side: Side, held: int, limits: list[tuple[int, int]], later: int
) -> None:
    """For any position and resting limits, the symbol counts against others for what POSITION saw
    when the last was approved; and never for less than its limits cost when the mark moves."""
    risk = desk(limits={**FREE, "collar_ratio": 1, "max_slippage_bp": 10_000})
    if held:
        hold(risk, str(held))
    for number, (away, size) in enumerate(limits):
        price = Decimal(100) + Decimal(away) / 10
        stop = StopPlan(stop=Decimal(90 if side == "buy" else 110))
        asked = {"side": side, "size": Decimal(size), "type": "limit", "limit": price}
        verdict = judge(risk, request(intent_id=f"{number}", stop_plan=stop, **asked))
        assert verdict.approved, verdict.reasons
        (seen,) = [one.value for one in verdict.rules if one.rule == "POSITION"]
        assert others(risk) == seen

    risk.quoted(tick(later))
    dearest = max(Decimal(100) + Decimal(away) / 10 for away, _ in limits)
    assert others(risk) == risk.exposure["BTC"].worst * max(dearest, Decimal(later))


def others(risk: Risk) -> Decimal:
    """Return what all but ETH is worth at worst."""
    return risk.exposure.totals.others("ETH", risk.exposure["ETH"]).gross


def test_a_net_that_is_short_is_not_made_shorter_by_a_dear_limit() -> None:
    """10 short with a buy of 2 at 101: at least 800 short count as long, 1,000 at 101 as short."""
    risk = desk(limits=FREE)
    hold(risk, "-10")
    verdict = judge(risk, request(size=Decimal(2), type="limit", limit=Decimal(101)))
    assert verdict.approved

    worst = risk.exposure.totals.others("ETH", risk.exposure["ETH"])
    assert (worst.gross, worst.long, worst.short) == (1010, -800, -1010)
