"""The strategies of the backtest's benchmark: long while a fast average is above a slow one."""

from __future__ import annotations

from tradeagent.messages import MarketData, TickerUpdate
from tradeagent.quant.indicators import SMA
from tradeagent.strategies import Event, Inputs, Strategy, View
from tradeagent.strategies.base import Decision

FAST, SLOW = 10, 30


class SmaCross(Strategy):
    """Be long while the average of 10 closes is above that of 30, else flat."""

    def prepare(self) -> None:
        """Make the averages."""
        self.fast, self.slow = SMA(FAST), SMA(SLOW)
        self.long = False

    def inputs(self) -> Inputs:
        """Ask for candles of a minute, from the first on."""
        return Inputs(bars=("1m",), warmup=0)

    def decide(self, event: Event, view: View) -> Decision:
        """Signal when the averages have crossed."""
        del view
        assert isinstance(event, MarketData)
        fast, slow = self.fast.update(event.close), self.slow.update(event.close)
        if not self.slow.ready or (fast > slow) is self.long:
            return None
        self.long = not self.long
        return self.signal(event, "long" if self.long else "flat")


class Onlooker(SmaCross):
    """Reckon as SmaCross does and never trade."""

    def decide(self, event: Event, view: View) -> Decision:
        """Signal nothing."""
        super().decide(event, view)
        return None


class EmaCross(Strategy):
    """Be long while the exponential average of 10 quotes' middles is above that of 30, else flat.

    Both start from the first middle, as the other programs' do, and count once 30 were seen.
    """

    def prepare(self) -> None:
        """Begin with nothing seen."""
        self.fast = self.slow = 0.0
        self.seen = 0
        self.long = False

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, view: View) -> Decision:
        """Signal when the averages have crossed."""
        del view
        assert isinstance(event, TickerUpdate)
        price = event.mid
        if not self.seen:
            self.fast = self.slow = price
        self.seen += 1
        self.fast += (price - self.fast) * 2 / (FAST + 1)
        self.slow += (price - self.slow) * 2 / (SLOW + 1)
        if self.seen < SLOW or (self.fast > self.slow) is self.long:
            return None
        self.long = not self.long
        return self.signal(event, "long" if self.long else "flat")
