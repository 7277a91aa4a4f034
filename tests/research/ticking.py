"""A strategy on quotes."""

from __future__ import annotations

from tradeagent.messages import TickerUpdate, TradeSignal
from tradeagent.strategies.base import Event, Inputs, Strategy, View


class Swing(Strategy):
    """Be on the side that the last twenty quotes went."""

    def prepare(self) -> None:
        """Have seen nothing."""
        self.before: list[float] = []
        self.up: bool | None = None

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Signal a turn."""
        assert isinstance(event, TickerUpdate)
        self.before.append(event.mid)
        if len(self.before) < 20:
            return None
        up = event.mid > self.before[-20]
        if up == self.up:
            return None
        self.up = up
        return self.signal(event, "long" if up else "short")
