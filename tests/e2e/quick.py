"""A strategy that trades on ticks, so that a short recording of them shows something."""

from __future__ import annotations

from tradeagent.messages import TickerUpdate, TradeSignal
from tradeagent.strategies.base import Event, Inputs, Strategy, View


class Quick(Strategy):
    """Turn around every few dozen ticks."""

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Go long and short in turns."""
        self.seen = getattr(self, "seen", 0) + 1
        if not isinstance(event, TickerUpdate) or self.seen % 40:
            return None
        long = self.seen % 80 == 0
        away = -0.01 if long else 0.01
        return TradeSignal(
            symbol=self.symbol,
            strategy=self.name,
            direction="long" if long else "short",
            time=event.time,
            price=event.mid,
            stop=event.mid * (1 + away),
            valid_until=event.time + 60 * 10**9,
        )
