"""The matching rules against the slow reference venue, over random lives of both."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .desk import FREE, MINUTE, SECOND, SYMBOL, Desk
from .reference import Bar, ReferenceVenue, Told, Wish

SLIPPING = FREE.model_copy(update={"slippage_bp": Decimal(100), "slippage_cap": Decimal("0.5")})

PRICES = st.integers(96, 104)
WISHES = st.tuples(
    st.just("place"),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 3),
    st.sampled_from(["market", "limit", "limit", "stop", "stop", "take_profit"]),
    PRICES,
    st.sampled_from(["GTC", "GTC", "IOC", "ALO"]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([None, None, None, "g", "h"]),
)
BARS = st.tuples(st.just("bar"), st.tuples(*[PRICES] * 4))
TICKS = st.tuples(st.just("tick"), PRICES, st.integers(1, 3), st.integers(-3, 3))
OTHERS = st.one_of(st.tuples(st.just("cancel"), st.integers(1, 20)), st.tuples(st.just("wait")))
ON_BARS = st.lists(st.one_of(WISHES, WISHES, BARS, BARS, OTHERS), min_size=12, max_size=40)
ON_QUOTES = st.lists(st.one_of(WISHES, WISHES, TICKS, TICKS, OTHERS), min_size=12, max_size=40)
FIRST_BARS = st.tuples(ON_BARS, ON_QUOTES).map(lambda both: both[0] + both[1])


Actions = st.SearchStrategy[list[tuple[Any, ...]]]


class Pair:
    """Both venues, living through the same actions."""

    def __init__(self) -> None:
        self.fast = Desk(SLIPPING)
        self.slow = ReferenceVenue(slippage_percent=1)
        self.placed = 0

    async def live(self, kind: str, *values: Any) -> None:
        """Carry out one action on both."""
        self.slow.now = self.fast.now
        if kind == "place":
            await self.place(*values)
        elif kind == "cancel":
            await self.fast.exchange.cancel_order(SYMBOL, f"c{values[0]}")
            self.slow.cancel(f"c{values[0]}")
        elif kind == "wait":
            if self.fast.now % MINUTE < 40 * SECOND:
                self.fast.now += 20 * SECOND
        elif kind == "tick":
            bid, spread, off = values
            self.slow.now += SECOND
            self.slow.tick(bid, bid + spread, bid + off)
            self.fast.tick(bid, bid + spread, bid + off)
        else:
            self.bar(*values[0])
        assert await self.fast.position() == self.slow.position

    async def place(
        self, side: str, size: int, type_: str, price: int, tif: str, flag: bool, group: str | None
    ) -> None:
        """Place one order on both; they must agree on the acknowledgement."""
        self.placed += 1
        priced = None if type_ == "market" else price
        flag = flag or type_ in ("stop", "take_profit")
        wish = Wish(f"c{self.placed}", side, size, type_, priced, tif, flag, group)
        ack = await self.fast.place(
            side, size, type_, priced, tif=tif, reduce_only=flag, group=group
        )
        assert ack.status == self.slow.place(wish)

    def bar(self, open_: int, high: int, low: int, close: int) -> None:
        """Show one minute to both; its extremes are those of the four prices."""
        prices = (open_, high, low, close)
        bar = Bar(self.fast.now - self.fast.now % MINUTE, open_, max(prices), min(prices), close)
        self.slow.now = bar.time + MINUTE
        self.slow.bar(bar)
        self.fast.bar(bar.open, bar.high, bar.low, bar.close)

    def told(self) -> list[Told]:
        """Return the fast venue's reports in the reference's words."""
        return [
            (
                report.cloid,
                report.status.value,
                None if report.execution is None else int(report.execution.price),
                None if report.execution is None else int(report.execution.size),
                report.time,
            )
            for report in self.fast.reports
        ]


@pytest.mark.parametrize("actions", [ON_BARS, ON_QUOTES, FIRST_BARS])
def test_every_report_equals_that_of_the_reference_venue(actions: Actions) -> None:
    """Over random orders, cancels, bars and quotes both venues report the same, in one order."""

    async def live(chosen: list[tuple[Any, ...]]) -> None:
        pair = Pair()
        for kind, *values in chosen:
            await pair.live(kind, *values)
        assert pair.told() == pair.slow.told

    @settings(max_examples=250, deadline=None)
    @given(actions)
    def compare(chosen: list[tuple[Any, ...]]) -> None:
        asyncio.run(live(chosen))

    compare()
