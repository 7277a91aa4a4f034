"""What befalls an account on our own venue is told: parts, liquidation, other hands, its grid."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.integrations.hyperliquid.on_venue import (
    exchanging,
    executions,
)
from tradeagent.clock import SECOND
from tradeagent.errors import OrderRefused
from tradeagent.messages import (
    OrderStatus,
)
from tradeagent.simulation.venue import VenueSettings

S = OrderStatus


async def test_what_fills_in_part_ends_after_its_fills() -> None:
    """A market order of which the venue fills a third is cancelled for the rest."""
    async with exchanging() as venue:
        await venue.place_.switch("partial_fills", fraction=0.3)
        order = venue.order("buy", "0.01")
        report = await venue.place(order)

        assert report.status is S.CANCELED
        assert 0 < venue.filled(order) < order.size
        assert await venue.position() == venue.filled(order)


async def test_a_liquidation_is_told_as_such() -> None:
    """The venue closes a position: the fill names the order it made, and the position is gone."""
    async with exchanging() as venue:
        await venue.trade("buy", "0.01")
        stop = venue.order(
            "sell", "0.01", type="stop", trigger=Decimal(int(venue.mid / 2)), reduce_only=True
        )
        await venue.place(stop)
        await venue.place_.switch("liquidate", user=venue.user)
        await venue.until(lambda: any(one.order is not None for one in executions(venue)))
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(stop)))
        (closed,) = [one for one in executions(venue) if one.order is not None]
        asked = [one for one in await venue.exchange.get_fills(0) if one.order is not None]

        assert closed.execution is not None
        assert closed.execution.liquidation
        assert [one.order for one in asked] == [closed.order]
        assert await venue.position() == 0


async def test_a_changed_grid_is_learnt() -> None:
    """When sizes get coarser, what does not fit any more is refused here."""
    async with exchanging(listing_every=1.0) as venue:
        await venue.place_.switch("metadata", coin="BTC", szDecimals=2)
        async with asyncio.timeout(10):
            while (await venue.exchange.get_market_data())[0].lot != Decimal("0.01"):
                await asyncio.sleep(0.01)
        with pytest.raises(OrderRefused, match="GRID: size"):
            venue.exchange.prepare(venue.limit("buy", "0.011", 50_000.0))
        await venue.place_.switch("metadata", coin="BTC", isDelisted=True)
        async with asyncio.timeout(10):
            while "BTC" in {one.symbol for one in await venue.exchange.get_market_data()}:
                await asyncio.sleep(0.01)
        with pytest.raises(OrderRefused, match="UNLISTED"):
            venue.exchange.prepare(venue.limit("buy", "0.01", 50_000.0))


async def test_another_hand_on_the_account_is_seen() -> None:
    """Orders and fills that others make have their number for a name."""
    async with exchanging() as venue:
        wire = {"a": 0, "b": True, "p": "30000", "s": "0.01", "r": False}
        order = {**wire, "t": {"limit": {"tif": "Gtc"}}}
        action = {"type": "order", "orders": [order], "grouping": "na"}
        await venue.place_.switch("outsider", user=venue.user, action=action)
        taking = {**order, "p": str(int(venue.mid * 11 / 10)), "t": {"limit": {"tif": "Ioc"}}}
        await venue.place_.switch(
            "outsider", user=venue.user, action={**action, "orders": [taking]}
        )
        await venue.until(lambda: any(one.execution for one in executions(venue)))
        (fill,) = [one for one in executions(venue) if one.execution is not None]
        (resting,) = await venue.exchange.get_open_orders()
        cancelled = await venue.exchange.cancel_order("BTC", resting.cloid)

        assert fill.cloid == fill.oid
        assert fill.cloid.isdigit()
        assert fill.order is None
        assert cancelled.status is S.CANCELED
        assert await venue.position() == Decimal("0.01")


async def test_a_scheduled_cancel_ends_what_rests() -> None:
    """Where the volume is enough the venue cancels everything at the time, and that is told."""
    async with exchanging(settings=VenueSettings(schedule_volume=Decimal(0))) as venue:
        order = venue.resting()
        await venue.place(order)
        assert await venue.hyperliquid.schedule_cancel(venue.hyperliquid.time.now() + 6 * SECOND)
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(order)))

        assert venue.reports(order)[-1].reason == "scheduledCancel"
    async with exchanging(settings=VenueSettings(schedule_volume=Decimal(1_000_000))) as venue:
        assert not await venue.hyperliquid.schedule_cancel(None)
