"""Follow a price that leaves its channel (Donchian; the Turtles' rule)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tradeagent.messages import Direction, MarketData, Timeframe, TradeSignal
from tradeagent.quant.indicators import ATR, Donchian
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View, stop_price


class Breakout(Strategy):
    """Buy above the highest high, sell below the lowest low, leave by a shorter channel.

    The channels are those of the bars before: the current bar is not part of them.
    """

    class Params(StrategyParams):
        """Channel lengths in bars; the stop stands `stop_atr` average ranges away."""

        timeframe: Timeframe = Field(default="1h", description="The candles it looks at.")
        entry_bars: int = Field(
            default=20, ge=2, le=500, description="The channel whose break is an entry, in bars."
        )
        exit_bars: int = Field(
            default=10, ge=1, le=500, description="The channel whose break is an exit, in bars."
        )
        atr: int = Field(
            default=14, ge=1, le=200, description="The period of the average range, in bars."
        )
        stop_atr: float = Field(
            default=2.0, gt=0, le=20, description="How far away the stop is, in average ranges."
        )
        trail_atr: float = Field(
            default=0.0,
            ge=0,
            le=20,
            description="How far the stop follows behind the best price, in average ranges; 0 "
            "leaves it where it is.",
        )

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.exit_bars > self.entry_bars:
                raise ValueError(
                    f"exit_bars ({self.exit_bars}) must not exceed entry_bars ({self.entry_bars})"
                )
            return self

    params: Params

    def prepare(self) -> None:
        """Make both channels and the range."""
        self.entry = Donchian(self.params.entry_bars)
        self.exit = Donchian(self.params.exit_bars)
        self.atr = ATR(self.params.atr)
        self.direction: Direction = "flat"

    def inputs(self) -> Inputs:
        """Ask for candles of one timeframe."""
        p = self.params
        return Inputs(bars=(p.timeframe,), warmup=max(p.entry_bars, p.atr))

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Signal when a close leaves the channel."""
        if not isinstance(event, MarketData):
            return None
        upper, lower = self.entry.upper, self.entry.lower
        direction = self._direction(event.close)
        self.entry.update(event.high, event.low)
        self.exit.update(event.high, event.low)
        atr = self.atr.update(event.high, event.low, event.close)
        if direction == self.direction or not self.atr.ready:
            return None
        self.direction = direction
        return self.signal(
            event,
            direction,
            stop=stop_price(event.close, direction, self.params.stop_atr * atr),
            trail=self.params.trail_atr * atr or None,
            values={"upper": upper, "lower": lower, "atr": atr},
            rationale=f"close {event.close:.6g} against the channel {lower:.6g} to {upper:.6g}"
            f" of {self.params.entry_bars} bars: {direction}",
        )

    def _direction(self, close: float) -> Direction:
        if close > self.entry.upper:
            return "long"
        if close < self.entry.lower:
            return "short"
        if self.direction == "long" and close < self.exit.lower:
            return "flat"
        if self.direction == "short" and close > self.exit.upper:
            return "flat"
        return self.direction
