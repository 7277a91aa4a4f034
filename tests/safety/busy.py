"""A strategy that changes its mind every few seconds, so that an order is always under way."""

from __future__ import annotations

from hashlib import sha256

from tradeagent.clock import SECOND
from tradeagent.messages import TickerUpdate, TradeSignal
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View


class Busy(Strategy):
    """Be long, short or flat by a digest of the time: equal times give equal opinions."""

    class Params(StrategyParams):
        """How long an opinion lasts, and how near its stop is."""

        seconds: int = 15
        stop: float = 0.003

    params: Params

    def inputs(self) -> Inputs:
        """Ask for quotes."""
        return Inputs(quotes=True)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Say a new opinion when its time has come."""
        if not isinstance(event, TickerUpdate):
            return None
        slot = event.time // (self.params.seconds * SECOND)
        if slot == getattr(self, "_slot", None):
            return None
        self._slot = slot
        draw = sha256(f"{self.name}|{self.symbol}|{slot}".encode()).digest()[0] % 5
        direction = ("long", "short", "flat", "long", "short")[draw]
        away = -self.params.stop if direction == "long" else self.params.stop
        return TradeSignal(
            symbol=self.symbol,
            strategy=self.name,
            direction=direction,  # type: ignore[arg-type]
            time=event.time,
            price=event.mid,
            stop=event.mid * (1 + away),
            target=event.mid * (1 - away) if draw > 2 else None,
            trail=event.mid * self.params.stop if draw < 2 else None,
            valid_until=event.time + 3 * self.params.seconds * SECOND,
        )
