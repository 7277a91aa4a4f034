"""What every exchange promises; a class per implementation inherits these claims.

Orders that are linked by a `group` are left out: Hyperliquid links no orders that were placed
apart, so the one who places them looks after them.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.stage import BTC, SYMBOL, Shown
from tests.conformance.venue import Venue
from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import ExecutionReport, OrderStatus

S = OrderStatus


class ExchangeClaims:
    """Orders, fills, positions and the account; an implementation adds the fixture `venue`."""

    # -- resting orders ---------------------------------------------------------------------------

    async def test_an_order_rests_until_it_is_cancelled(self, venue: Venue) -> None:
        """It is acknowledged, listed and shown as open, and after its cancel none of that."""
        order = venue.limit("buy", "0.01", 50_000.0)

        acknowledged = await venue.place(order)
        assert acknowledged.status is S.OPEN
        assert acknowledged.oid is not None
        assert await venue.open() == {order.cloid}
        shown = await venue.exchange.get_order_status(SYMBOL, order.cloid)
        assert shown is not None
        assert (shown.status, shown.oid) == (S.OPEN, acknowledged.oid)
        cancelled = await venue.exchange.cancel_order(SYMBOL, order.cloid)
        assert (cancelled.status, cancelled.cancel_refused) == (S.CANCELED, False)
        assert await venue.open() == set()
        assert await venue.ended(order) is S.CANCELED

    async def test_open_orders_are_told_as_they_were_placed(self, venue: Venue) -> None:
        """Side, size, kind, price and reduce-only come back; so does the trigger of a stop."""
        await venue.trade("buy", "0.01")
        orders = [
            venue.limit("buy", "0.01", 50_000.0, tif="ALO"),
            venue.limit("sell", "0.01", 70_000.0, reduce_only=True),
            venue.order("sell", "0.01", type="stop", trigger=Decimal(55_000), reduce_only=True),
            venue.order(
                "sell", "0.01", type="take_profit", trigger=Decimal(65_000), reduce_only=True
            ),
        ]
        for order in orders:
            assert (await venue.place(order)).status is S.OPEN

        listed = {one.cloid: one for one in await venue.exchange.get_open_orders()}
        assert set(listed) == {one.cloid for one in orders}
        for order in orders:
            found = listed[order.cloid]
            for name in ("side", "size", "type", "trigger", "reduce_only", "symbol"):
                assert getattr(found, name) == getattr(order, name), name
            if order.type == "limit":
                assert (found.limit, found.tif) == (order.limit, order.tif)

    async def test_a_limit_fills_when_the_market_reaches_it(self, venue: Venue) -> None:
        """A resting order is filled at its price, as maker."""
        order = venue.limit("buy", "0.01", 59_000.0)
        await venue.place(order)
        await venue.show(Shown(58_990.0, 58_992.0))
        await venue.until(lambda: venue.filled(order) == order.size)

        (report,) = [one for one in venue.reports(order) if one.execution is not None]
        assert report.execution is not None
        assert (report.execution.price, report.execution.liquidity) == (Decimal(59_000), "maker")
        assert await venue.ended(order) is S.FILLED

    # -- orders that fill at once -----------------------------------------------------------------

    async def test_each_fill_is_told_once_under_its_order(self, venue: Venue) -> None:
        """Listeners hear of a fill once; asked later, the exchange tells the very same."""
        order = await venue.trade("buy", "0.01")
        other = await venue.trade("sell", "0.004")

        told = [
            (one.cloid, one.execution.tid, one.execution.price, one.execution.size)
            for one in venue.told
            if isinstance(one, ExecutionReport) and one.execution is not None
        ]
        assert len(told) == len({tid for _, tid, _, _ in told})
        for one in (order, other):
            remembered = [(one.cloid, *fill) for fill in await venue.fills(one)]
            assert [entry for entry in told if entry[0] == one.cloid] == remembered
        assert await venue.ended(order) is S.FILLED
        assert await venue.position() == Decimal("0.006")

    async def test_fills_are_told_from_a_moment_on_oldest_first(self, venue: Venue) -> None:
        """What happened before it is left out, and what happened at it is not."""
        first = await venue.trade("buy", "0.01")
        await venue.show(Shown(60_010.0, 60_012.0))
        second = await venue.trade("sell", "0.01")

        both = [one for one in await venue.exchange.get_fills(0) if one.execution is not None]
        times = [one.time for one in both]
        assert times == sorted(times)
        since = max(times)
        assert await venue.fills(first, since) == []
        assert await venue.fills(second, since) == await venue.fills(second)

    async def test_an_ioc_without_a_match_ends_unfilled(self, venue: Venue) -> None:
        """It is cancelled, which is no refusal, and nothing is filled."""
        order = venue.limit("buy", "0.01", 59_000.0, tif="IOC")

        report = await venue.place(order)
        assert report.status is S.CANCELED
        assert await venue.open() == set()
        assert await venue.fills(order) == []

    async def test_an_ioc_fills_in_part_and_ends(self, venue: Venue) -> None:
        """What the book does not show is cancelled; its end comes after its fills."""
        await venue.show(Shown(size=0.004))
        order = venue.limit("buy", "0.01", 60_002.0, tif="IOC")
        report = await venue.place(order)
        if report.status is not S.CANCELED:
            await venue.until(lambda: venue.reports(order)[-1].status is S.CANCELED)

        assert venue.filled(order) == Decimal("0.004")
        assert await venue.ended(order) is S.CANCELED
        assert await venue.position() == Decimal("0.004")

    async def test_a_resting_order_fills_in_parts(self, venue: Venue) -> None:
        """A limit that takes what there is rests with what is left, and says so."""
        await venue.show(Shown(size=0.004))
        order = venue.limit("buy", "0.01", 60_002.0)
        await venue.place(order)
        await venue.until(lambda: venue.filled(order) == Decimal("0.004"))

        shown = await venue.exchange.get_order_status(SYMBOL, order.cloid)
        assert shown is not None
        assert shown.status is S.PARTIAL
        assert await venue.open() == {order.cloid}
        cancelled = await venue.exchange.cancel_order(SYMBOL, order.cloid)
        assert cancelled.status is S.CANCELED
        assert venue.filled(order) == Decimal("0.004")

    # -- refusals ---------------------------------------------------------------------------------

    async def test_a_post_only_order_never_takes(self, venue: Venue) -> None:
        """One that would match at once is refused whole."""
        order = venue.limit("buy", "0.01", 60_100.0, tif="ALO")

        assert (await venue.place(order)).status is S.REJECTED
        assert await venue.open() == set()
        assert await venue.position() == 0

    @pytest.mark.parametrize(
        ("size", "price", "changes"),
        [
            ("0.0001", 50_000.0, {}),
            ("0.01", 50_000.0, {"symbol": "NONE"}),
            ("0.000001", 50_000.0, {}),
            ("100", 50_000.0, {}),
            ("0.01", 50_000.0, {"reduce_only": True}),
        ],
        ids=["too small", "unlisted", "off the grid", "no margin", "nothing to reduce"],
    )
    async def test_what_cannot_be_is_refused(
        self, venue: Venue, size: str, price: float, changes: dict[str, object]
    ) -> None:
        """It is refused for certain, and nothing rests."""
        report = await venue.place(venue.limit("buy", size, price, **changes))

        assert report.status is S.REJECTED
        assert report.reason
        assert await venue.open() == set()

    async def test_reduce_only_never_turns_a_position(self, venue: Venue) -> None:
        """An exit that is too large closes what there is, and ends."""
        await venue.trade("buy", "0.01")
        order = venue.order("sell", "0.03", reduce_only=True)
        await venue.place(order)
        await venue.until(lambda: venue.filled(order) == Decimal("0.01"))

        assert await venue.ended(order) is S.CANCELED
        assert await venue.position() == 0

    # -- one order for one name -------------------------------------------------------------------

    async def test_a_part_below_the_smallest_value_is_not_closed_alone(self, venue: Venue) -> None:
        """Whole a position is closed whatever it is worth; a part as small is refused."""
        await venue.trade("buy", "0.00017")
        await venue.show(Shown(55_000.0, 55_002.0))
        part, whole = (
            venue.order("sell", size, type="market", reduce_only=True)
            for size in ("0.0001", "0.00017")
        )

        refused = await venue.place(part)
        await venue.place(whole)
        await venue.until(lambda: venue.filled(whole) == whole.size)

        assert refused.status is S.REJECTED

    async def test_a_name_is_never_a_second_order(self, venue: Venue) -> None:
        """Whatever is asked for again under a name, it is told how the first order stands."""
        order = venue.limit("buy", "0.01", 50_000.0)
        first = await venue.place(order)
        again = await venue.place(order)
        market = await venue.trade("buy", "0.01")
        await venue.place(market)

        assert (again.status, again.oid) == (first.status, first.oid)
        assert await venue.open() == {order.cloid}
        assert await venue.position() == Decimal("0.01")
        assert len(await venue.fills(market)) == len(venue.reports(market)) - sum(
            one.execution is None for one in venue.reports(market)
        )

    async def test_an_order_nobody_placed_is_unknown(self, venue: Venue) -> None:
        """It has no status, and its cancel is refused; nobody claims that it rests or has ended."""
        name = "0x" + "e" * 32

        assert await venue.exchange.get_order_status(SYMBOL, name) is None
        report = await venue.exchange.cancel_order(SYMBOL, name)
        assert report.cancel_refused
        assert report.status in (S.NOT_PLACED, S.UNKNOWN)

    async def test_the_cancel_of_an_ended_order_tells_its_end(self, venue: Venue) -> None:
        """Filled stays filled, and the cancel is refused."""
        order = await venue.trade("buy", "0.01")

        report = await venue.exchange.cancel_order(SYMBOL, order.cloid)
        assert (report.status, report.cancel_refused) == (S.FILLED, True)

    # -- replacing --------------------------------------------------------------------------------

    async def test_an_order_is_replaced_in_one_step(self, venue: Venue) -> None:
        """The new one rests under its own name; that the old one is cancelled is told."""
        old = venue.limit("buy", "0.01", 50_000.0)
        await venue.place(old)
        new = venue.limit("buy", "0.02", 51_000.0, replaces=old.cloid)
        report = await venue.exchange.modify_order(old.cloid, new, venue.exchange.prepare(new))
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(old)))

        assert (report.cloid, report.status) == (new.cloid, S.OPEN)
        assert await venue.open() == {new.cloid}
        assert await venue.ended(old) is S.CANCELED

    async def test_a_stop_is_moved(self, venue: Venue) -> None:
        """A stop takes the place of another, and protects from its own trigger on."""
        await venue.trade("buy", "0.01")
        stop = {"type": "stop", "reduce_only": True}
        old = venue.order("sell", "0.01", **stop, trigger=Decimal(55_000))
        await venue.place(old)
        new = venue.order("sell", "0.01", **stop, trigger=Decimal(59_000), replaces=old.cloid)
        await venue.exchange.modify_order(old.cloid, new, venue.exchange.prepare(new))
        await venue.show(Shown(58_000.0, 58_002.0))
        await venue.until(lambda: venue.filled(new) == Decimal("0.01"))

        assert await venue.position() == 0
        assert venue.filled(old) == 0

    async def test_what_has_ended_is_not_replaced(self, venue: Venue) -> None:
        """The new order is refused; nothing rests."""
        old = venue.limit("buy", "0.01", 50_000.0)
        await venue.place(old)
        await venue.exchange.cancel_order(SYMBOL, old.cloid)
        new = venue.limit("buy", "0.01", 51_000.0, replaces=old.cloid)

        report = await venue.exchange.modify_order(old.cloid, new, venue.exchange.prepare(new))
        assert report.status is S.REJECTED
        assert await venue.open() == set()

    # -- triggers ---------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("side", "kind", "trigger", "bid"),
        [
            ("buy", "stop", 59_000, 58_900.0),
            ("buy", "take_profit", 61_000, 61_100.0),
            ("sell", "stop", 61_000, 61_100.0),
            ("sell", "take_profit", 59_000, 58_900.0),
        ],
    )
    async def test_a_trigger_waits_for_the_mark(
        self, venue: Venue, side: str, kind: str, trigger: int, bid: float
    ) -> None:
        """It rests until the mark reaches it, then closes the position at the market."""
        await venue.trade(side, "0.01")
        exit_ = "sell" if side == "buy" else "buy"
        order = venue.order(exit_, "0.01", type=kind, trigger=Decimal(trigger), reduce_only=True)
        await venue.place(order)
        await venue.show(Shown(60_050.0, 60_052.0))
        assert venue.filled(order) == 0
        await venue.show(Shown(bid, bid + 2))
        await venue.until(lambda: venue.filled(order) == Decimal("0.01"))

        assert await venue.position() == 0
        assert await venue.ended(order) is S.FILLED

    async def test_what_has_nothing_left_to_reduce_goes(self, venue: Venue) -> None:
        """When the position is closed, a reduce-only order that rests ends, and that is told."""
        await venue.trade("buy", "0.01")
        target = venue.limit("sell", "0.01", 70_000.0, reduce_only=True)
        await venue.place(target)
        await venue.trade("sell", "0.01")
        await venue.until(lambda: any(one.status is S.CANCELED for one in venue.reports(target)))

        assert await venue.open() == set()

    # -- the account ------------------------------------------------------------------------------

    async def test_the_account_follows_its_fills(self, venue: Venue) -> None:
        """Balance falls by fees and moves with what is realised; equity adds what is not."""
        before = await venue.exchange.get_account_info()
        order = await venue.trade("buy", "0.01")
        ((_, price, _),) = await venue.fills(order)
        (report,) = [one for one in venue.reports(order) if one.execution is not None]
        assert report.execution is not None
        after = await venue.exchange.get_account_info()

        assert before.balance == before.equity == Decimal(10_000)
        assert abs(after.balance - (before.balance - report.execution.fee)) < Decimal("0.01")
        assert after.equity == after.balance + after.unrealised_pnl
        assert after.margin_used > after.maintenance_margin > 0
        (held,) = await venue.exchange.get_positions()
        assert (held.symbol, held.size, held.entry_price) == (SYMBOL, Decimal("0.01"), price)

    async def test_a_statement_is_of_one_moment(self, venue: Venue) -> None:
        """What is held, what rests and what it is worth come together, with the venue's time."""
        await venue.trade("buy", "0.01")
        order = venue.limit("buy", "0.01", 50_000.0)
        await venue.place(order)

        told = await venue.exchange.get_statement()
        assert [(one.symbol, one.size) for one in told.holdings] == [(SYMBOL, Decimal("0.01"))]
        assert [one.cloid for one in told.orders] == [order.cloid]
        assert told.account.equity > 9_000
        assert told.time == told.account.time

    async def test_what_is_listed_has_its_grid(self, venue: Venue) -> None:
        """Tick, lot and leverage are those of the market."""
        found = {one.symbol: one for one in await venue.exchange.get_market_data()}

        listed = found[SYMBOL]
        assert (listed.tick, listed.lot) == (BTC.tick, BTC.lot)
        assert (listed.significant, listed.max_leverage) == (5, 40)
        assert listed.min_notional == 10

    async def test_who_leaves_hears_no_more(self, venue: Venue) -> None:
        """Unsubscribing ends the reports, and nothing else."""
        heard: list[VenueEvent] = []
        leave = venue.exchange.subscribe(heard.append)
        await venue.trade("buy", "0.01")
        known = len(heard)
        leave()
        await venue.trade("sell", "0.01")

        assert known > 0
        assert len(heard) == known
