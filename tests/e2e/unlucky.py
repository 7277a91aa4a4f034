"""A strategy that knows its market's future, and uses it to be stopped out soon."""

from __future__ import annotations

from itertools import islice

from tradeagent.messages import TickerUpdate, TradeSignal
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.settings import MarketSettings
from tradeagent.strategies.base import Event, Inputs, Strategy, View

MARKET = {
    "seed": 1,
    "tick_seconds": 5,
    "listings": [
        {
            "instrument": {"symbol": "BTC", "tick": 0.1, "lot": 0.00001, "max_leverage": 40},
            "price": 60_000,
            "volatility": 0.2,
        }
    ],
}
"""A wild market of one symbol that speaks every five seconds."""
NEAR = 0.0001


class Unlucky(Strategy):
    """Open once, against what the next ticks bring, with a stop that they reach."""

    done = False

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Go long before a fall, short before a rise."""
        if self.done or not isinstance(event, TickerUpdate) or event.mark is None:
            return None
        market = GeneratedMarket(MarketSettings.model_validate(MARKET)).events(event.time + 1)
        marks = [tick.mark for _, tick in islice(market, 12) if isinstance(tick, TickerUpdate)]
        known = [mark for mark in marks if mark is not None]
        low = min(event.bid, event.mark) * (1 - NEAR)
        high = max(event.ask, event.mark) * (1 + NEAR)
        if low <= min(known) and max(known) <= high:
            return None
        self.done = True
        falls = min(known) < low
        return TradeSignal(
            symbol=self.symbol,
            strategy=self.name,
            direction="long" if falls else "short",
            time=event.time,
            price=event.mid,
            stop=low if falls else high,
            valid_until=event.time + 60 * 10**9,
        )
