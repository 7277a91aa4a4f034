"""Follow the trend when a fast average crosses a slow one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from tradeagent.messages import Direction, MarketData, Timeframe, TradeSignal
from tradeagent.quant.indicators import ATR, SMA
from tradeagent.strategies.base import (
    Event,
    Inputs,
    Opinions,
    Strategy,
    StrategyParams,
    View,
    stop_price,
)

if TYPE_CHECKING:
    from tradeagent.quant.curve import Prices

ROUNDING = 1e-12
"""Averages that differ by no more than this part are equal: rounding decides no trade."""


class SmaCross(Strategy):
    """Be long while the fast average is above the slow one, else short, or flat without shorts."""

    class Params(StrategyParams):
        """Periods in bars; the stop stands `stop_atr` average ranges away, none when 0."""

        timeframe: Timeframe = Field(default="1h", description="The candles it looks at.")
        fast: int = Field(
            default=20, ge=1, le=500, description="The period of the fast average, in bars."
        )
        slow: int = Field(
            default=50, ge=2, le=1000, description="The period of the slow average, in bars."
        )
        shorts: bool = Field(
            default=True, description="Whether it goes short; else it is flat instead."
        )
        atr: int = Field(
            default=14, ge=1, le=200, description="The period of the average range, in bars."
        )
        stop_atr: float = Field(
            default=2.0,
            ge=0,
            le=20,
            description="How far away the stop is, in average ranges; 0 for none.",
        )
        even_atr: float = Field(
            default=0.0,
            ge=0,
            le=20,
            description="After how much profit the stop goes to the entry, in average ranges; 0 "
            "leaves it where it is.",
        )

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
            return self

    params: Params

    def prepare(self) -> None:
        """Make both averages and the range."""
        self.fast = SMA(self.params.fast)
        self.slow = SMA(self.params.slow)
        self.atr = ATR(self.params.atr)
        self.above: bool | None = None

    def inputs(self) -> Inputs:
        """Ask for candles of one timeframe."""
        p = self.params
        return Inputs(bars=(p.timeframe,), warmup=max(p.slow, p.atr + 1))

    def screen(self, candles: Prices) -> Opinions | None:
        """Return where the averages cross, worked out over columns; None with stops."""
        import numpy as np

        from tradeagent.quant.columns import rolling_mean

        p = self.params
        if p.stop_atr or p.even_atr:
            return None
        begun = max(p.slow - 1, p.atr)
        if len(candles) <= begun:
            return Opinions(np.empty(0, np.int64), np.empty(0, np.int8))
        fast, slow = (rolling_mean(candles.close, one)[begun:] for one in (p.fast, p.slow))
        apart = np.flatnonzero(np.abs(fast - slow) > ROUNDING * slow)
        above = fast[apart] > slow[apart]
        crossed = np.flatnonzero(above[1:] != above[:-1]) + 1
        below = -1 if p.shorts else 0
        return Opinions(apart[crossed] + begun, np.where(above[crossed], 1, below).astype(np.int8))

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Signal when the averages cross."""
        if not isinstance(event, MarketData):
            return None
        fast, slow = self.fast.update(event.close), self.slow.update(event.close)
        atr = self.atr.update(event.high, event.low, event.close)
        if not (self.slow.ready and self.atr.ready) or abs(fast - slow) <= ROUNDING * slow:
            return None
        before, self.above = self.above, fast > slow
        if before is None or before == self.above:
            return None
        below: Direction = "short" if self.params.shorts else "flat"
        direction: Direction = "long" if self.above else below
        gain = self.params.even_atr * atr * (1 if direction == "long" else -1)
        distance = self.params.stop_atr * atr
        return self.signal(
            event,
            direction,
            break_even=max(event.close + gain, event.close / 100)
            if gain and direction != "flat"
            else None,
            stop=stop_price(event.close, direction, distance) if self.params.stop_atr else None,
            values={"fast": fast, "slow": slow, "atr": atr},
            rationale=f"SMA({self.params.fast}) {fast:.6g} crossed"
            f" {'above' if self.above else 'below'} SMA({self.params.slow}) {slow:.6g}",
        )
