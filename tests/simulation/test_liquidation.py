"""Margin and liquidation, worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tradeagent.messages import InstrumentUpdate, OrderStatus
from tradeagent.simulation import Ledger

from .desk import ETH, FREE, INSTRUMENT, SYMBOL, Desk

FILLED, CANCELED = OrderStatus.FILLED, OrderStatus.CANCELED
TIGHT = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})


@pytest.mark.parametrize(
    ("notional", "margin"), [(0, 0), (100, 5), (1000, 50), (2000, 150), (5000, 750)]
)
def test_maintenance_margin_by_tier(notional: int, margin: int) -> None:
    """10x up to 1000 keep a twentieth, 5x up to 3000 a tenth, 2x beyond a quarter of the part."""
    tiers = ((Decimal(1000), 5), (Decimal(3000), 2))
    tiered = INSTRUMENT.model_copy(update={"margin_tiers": tiers})

    assert tiered.maintenance(Decimal(notional)) == margin


async def test_large_positions_get_less_leverage() -> None:
    """An order into a higher tier needs the margin of that tier."""
    tiered = INSTRUMENT.model_copy(update={"margin_tiers": ((Decimal(5000), 2),)})
    desk = Desk(TIGHT, (tiered,))
    desk.tick(100, 100)

    assert (await desk.place("buy", 51)).status is OrderStatus.REJECTED
    assert (await desk.place("buy", 50)).status is OrderStatus.OPEN


async def test_an_isolated_margin_like_the_venue_s() -> None:
    """The liquidation price of a recorded isolated long of the venue is met.

    size 0.0335, mark 2985.9, margin used 4.967826 of a 50x asset: the venue said 2866.26936529.
    """
    eth = InstrumentUpdate(
        symbol=SYMBOL, tick=Decimal("0.1"), lot=Decimal("0.0001"), max_leverage=50
    )
    free = FREE.model_copy(update={"leverage": 20, "isolated": (SYMBOL,)})
    desk = Desk(free, (eth,))
    desk.tick(2985.9, 2985.9)
    await desk.place("buy", "0.0335")
    margin = desk.exchange._clearing.margin
    held = desk.exchange._clearing.account.position(SYMBOL)
    assert held.margin == Decimal("5.0013825")

    found = margin.liquidation_price(held.paid(held.margin - Decimal("4.967826")))
    assert found is not None
    assert abs(found - Decimal("2866.26936529")) < Decimal("0.0002")


async def test_a_cross_account_is_liquidated_when_its_equity_is_below_maintenance() -> None:
    """At the mark where equity meets the maintenance margin nothing happens; one lower, it does.

    100 long from 100 with 1000: equity 1000 - 100 d, maintenance 5 (100 - d): equal at d = 100/19.
    """
    desk = Desk(TIGHT)
    desk.tick(100, 100)
    await desk.place("buy", 100)
    await desk.place("sell", 100, "stop", 50)
    (held,) = await desk.exchange.get_positions()
    assert held.liquidation_price is not None
    assert round(held.liquidation_price, 6) == round(Decimal(9000) / 95, 6)
    desk.reports.clear()

    desk.tick(95, 95)
    assert desk.reports == []
    desk.tick(94, 95, mark=94)

    stop, closing = desk.reports
    assert (stop.cloid, stop.status) == ("c2", CANCELED)
    assert closing.execution is not None
    assert closing.execution.liquidation
    assert (closing.status, closing.execution.price, closing.execution.size) == (FILLED, 94, 100)
    order = closing.order
    assert order is not None
    assert (order.cloid, order.side, order.size) == (closing.cloid, "sell", 100)
    assert await desk.position() == 0
    assert (await desk.exchange.get_account_info()).balance == 400
    assert await desk.exchange.get_order_status(SYMBOL, closing.cloid) is not None
    assert (await desk.exchange.get_fills(0))[-1] == closing


async def test_a_cross_liquidation_takes_all_cross_positions() -> None:
    """One account backs all cross positions: they go together, and an isolated one stays."""
    sol = INSTRUMENT.model_copy(update={"symbol": "SOL"})
    desk = Desk(TIGHT.model_copy(update={"isolated": ("SOL",)}), (INSTRUMENT, ETH, sol))
    for symbol in (SYMBOL, "ETH", "SOL"):
        desk.tick(100, 100, symbol=symbol)
    await desk.place("buy", 40)
    await desk.place("sell", 30, symbol="ETH")
    await desk.place("buy", 10, symbol="SOL")
    desk.reports.clear()

    desk.tick(80, 80)

    closed = [(one.symbol, one.execution.size) for one in desk.reports if one.execution]
    assert closed == [(SYMBOL, 40), ("ETH", 30)]
    assert await desk.position("SOL") == 10


async def test_an_isolated_position_goes_alone_and_at_its_own_margin() -> None:
    """Ten times leverage keeps half of a tenth: an isolated long goes below about 94.7.

    The rest of the account, which could bear it, is not asked.
    """
    desk = Desk(FREE.model_copy(update={"leverage": 10, "isolated": (SYMBOL,)}), (INSTRUMENT, ETH))
    for symbol in (SYMBOL, "ETH"):
        desk.tick(100, 100, symbol=symbol)
        await desk.place("buy", 10, symbol=symbol)
    desk.reports.clear()

    desk.tick(95, 95)
    assert desk.reports == []
    desk.tick(94, 94)
    desk.tick(50, 50, symbol="ETH")

    assert [one.symbol for one in desk.reports] == [SYMBOL]
    assert await desk.position("ETH") == 10


async def test_a_stop_before_the_margin_runs_out_saves_the_rest() -> None:
    """Inside a bar a stop nearer than the liquidation price is met first, a farther one is not."""
    for trigger, how in ((97, False), (91, True)):
        desk = Desk(TIGHT)
        desk.bar(100, 100, 100, 100)
        await desk.place("buy", 100)
        desk.bar(100, 100, 100, 100)
        desk.bar(100, 100, 100, 100)
        await desk.place("sell", 100, "stop", trigger)
        await desk.place("sell", 100, "take_profit", 105)

        desk.bar(100, 110, 90, 100)

        fills = [one.execution for one in desk.reports if one.execution]
        assert [one.liquidation for one in fills] == [False, how]
        assert fills[-1].price == (94 if how else 97)


async def test_liquidation_survives_a_restart_as_it_was_told(tmp_path: Path) -> None:
    """The ledger tells of a liquidation again exactly as the exchange did."""
    desk = Desk(TIGHT, path=tmp_path / "ledger.sqlite")
    desk.tick(100, 100)
    await desk.place("buy", 100)
    desk.tick(90, 90)
    told = desk.reports[-1]
    await desk.exchange.close()

    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.fills(0)[-1] == told
    assert ledger.open_orders() == []
    ledger.close()
