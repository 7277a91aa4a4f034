"""Trade back to the middle when an exaggerated move ends."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tradeagent.messages import TIMEFRAMES, Direction, MarketData, Timeframe, TradeSignal
from tradeagent.quant.indicators import ATR, RSI
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View, stop_price


class RsiReversal(Strategy):
    """Buy when RSI leaves oversold, sell when it leaves overbought, be flat at the middle."""

    class Params(StrategyParams):
        """RSI levels from 0 to 100; the stop stands `stop_atr` average ranges away."""

        timeframe: Timeframe = Field(default="15m", description="The candles it looks at.")
        period: int = Field(
            default=14, ge=2, le=200, description="The period of the index, in bars."
        )
        oversold: float = Field(
            default=30.0, gt=0, lt=100, description="The RSI that it buys on rising above."
        )
        middle: float = Field(
            default=50.0, gt=0, lt=100, description="The RSI at which it is flat again."
        )
        overbought: float = Field(
            default=70.0, gt=0, lt=100, description="The RSI that it sells short on falling below."
        )
        atr: int = Field(
            default=14, ge=1, le=200, description="The period of the average range, in bars."
        )
        stop_atr: float = Field(
            default=2.5, gt=0, le=20, description="How far away the stop is, in average ranges."
        )
        max_bars: int = Field(
            default=0,
            ge=0,
            le=10_000,
            description="How long a position is held at most, in bars; 0 for as long as it takes.",
        )

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if not self.oversold < self.middle < self.overbought:
                raise ValueError("oversold, middle and overbought must ascend")
            return self

    params: Params

    def prepare(self) -> None:
        """Make the index and the range."""
        self.rsi = RSI(self.params.period)
        self.atr = ATR(self.params.atr)
        self.direction: Direction = "flat"

    def inputs(self) -> Inputs:
        """Ask for candles of one timeframe."""
        p = self.params
        return Inputs(bars=(p.timeframe,), warmup=max(p.period, p.atr) + 1)

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Signal when RSI crosses a level."""
        if not isinstance(event, MarketData):
            return None
        before, rsi = self.rsi.value, self.rsi.update(event.close)
        ranged = self.atr.ready
        atr = self.atr.update(event.high, event.low, event.close)
        direction = self._direction(before, rsi) if ranged else self.direction
        if direction == self.direction:
            return None
        self.direction = direction
        held = self.params.max_bars * TIMEFRAMES[event.timeframe]
        return self.signal(
            event,
            direction,
            exit_at=event.close_time + held if held and direction != "flat" else None,
            stop=stop_price(event.close, direction, self.params.stop_atr * atr),
            values={"rsi": rsi, "before": before, "atr": atr},
            rationale=f"RSI({self.params.period}) went from {before:.1f} to {rsi:.1f}: {direction}",
        )

    def _direction(self, before: float, rsi: float) -> Direction:
        p = self.params
        if before < p.oversold <= rsi < p.middle:
            return "long"
        if before > p.overbought >= rsi > p.middle:
            return "short"
        if self.direction == "long" and rsi >= p.middle:
            return "flat"
        if self.direction == "short" and rsi <= p.middle:
            return "flat"
        return self.direction
