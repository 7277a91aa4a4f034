"""Where prices come rarely, an order waits for the next one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.agents.script import RISK
from tests.harness import START, Rig
from tradeagent.clock import SECOND
from tradeagent.messages import Fill, MarketData, OrderStatus, OrderUpdate, TradeSignal
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.strategies.base import Event, Inputs, Strategy, View

HOUR = 3600 * SECOND


class Once(Strategy):
    """Be long from the first candle on."""

    def inputs(self) -> Inputs:
        """Ask for candles of an hour."""
        return Inputs(bars=("1h",))

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Signal at the first candle."""
        assert isinstance(event, MarketData)
        return self.signal(event, "long", stop=90.0) if event.time == START else None


def hour(number: int, price: float) -> MarketData:
    """Return a candle of an hour that opens at `price`."""
    return MarketData(
        symbol="BTC",
        timeframe="1h",
        time=START + number * HOUR,
        open=price,
        high=price + 1,
        low=price - 1,
        close=price,
        volume=1.0,
    )


@pytest.mark.parametrize("delay_ms", [1, 60_000])
async def test_an_order_on_its_way_waits_as_well(delay_ms: int) -> None:
    """With a delay it meets the first open after its arrival, and is not called back before."""
    bars = [hour(number, 100.0 + number) for number in range(5)]
    rig = Rig(
        strategies=lambda: [Once("one", "BTC")],
        weights={"one": 1.0},
        events=[(bar.close_time, bar) for bar in bars],
        risk=RISK,
        exchange_settings=ExchangeSettings(order_delay_ms=delay_ms),
    )
    await rig.run()

    fill = rig.heard(Fill)[0]
    assert fill.time == START + 2 * HOUR
    assert fill.price >= Decimal(102)


async def test_an_order_waits_for_the_next_candle_however_long_that_takes() -> None:
    """An entry on candles of an hour is not taken for lost within it: it meets the next open."""
    bars = [hour(0, 100.0), hour(1, 101.0), hour(2, 102.0)]
    rig = Rig(
        strategies=lambda: [Once("one", "BTC")],
        weights={"one": 1.0},
        events=[(bar.close_time, bar) for bar in bars],
        risk=RISK,
    )
    await rig.run()

    (fill,) = rig.heard(Fill)
    assert fill.time == START + HOUR
    assert Decimal(101) <= fill.price <= Decimal("101.1")
    ended = [one.status for one in rig.heard(OrderUpdate) if one.order.type == "market"]
    assert OrderStatus.CANCELED not in ended
