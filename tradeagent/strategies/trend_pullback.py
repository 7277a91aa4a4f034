"""Enter a trend of one timeframe at the end of a pullback of a shorter one."""

from __future__ import annotations

from pydantic import Field

from tradeagent.messages import Direction, MarketData, TradeSignal
from tradeagent.quant.indicators import ATR, EMA
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View, stop_price


class TrendPullback(Strategy):
    """Buy when a 5m pullback ends while the hourly trend is up, sell its mirror image.

    The trend is the side of its average that the last hourly close is on; a pullback ends when the
    5m close crosses back over the fast average. When the trend turns, the strategy is flat.
    """

    class Params(StrategyParams):
        """Periods in bars of 5m (`fast`, `atr`) and 1h (`trend`); the stop in average ranges."""

        fast: int = Field(
            default=20, ge=2, le=200, description="The period of the fast average, in bars of 5m."
        )
        trend: int = Field(
            default=50, ge=2, le=500, description="The period of the trend average, in bars of 1h."
        )
        atr: int = Field(
            default=14, ge=1, le=200, description="The period of the average range, in bars of 5m."
        )
        stop_atr: float = Field(
            default=3.0, gt=0, le=20, description="How far away the stop is, in average ranges."
        )

    params: Params

    def prepare(self) -> None:
        """Make the averages and the range."""
        self.fast = EMA(self.params.fast)
        self.trend = EMA(self.params.trend)
        self.atr = ATR(self.params.atr)
        self.side: Direction = "flat"
        self.last_gap = 0.0
        self.direction: Direction = "flat"

    def inputs(self) -> Inputs:
        """Ask for candles of both timeframes."""
        p = self.params
        return Inputs(bars=("5m", "1h"), warmup=max(p.fast, p.trend, p.atr))

    def decide(self, event: Event, _: View) -> TradeSignal | None:
        """Learn the trend from hourly candles, signal on 5m candles."""
        if not isinstance(event, MarketData):
            return None
        if event.timeframe == "1h":
            trend = self.trend.update(event.close)
            if self.trend.ready and event.close != trend:
                self.side = "long" if event.close > trend else "short"
            return None
        atr = self.atr.update(event.high, event.low, event.close)
        gap = event.close - self.fast.update(event.close)
        direction = self._direction(gap) if self.atr.ready else self.direction
        if self.fast.ready:
            self.last_gap = gap
        if direction == self.direction:
            return None
        self.direction = direction
        fast, trend = self.fast.value, self.trend.value
        return self.signal(
            event,
            direction,
            stop=stop_price(event.close, direction, self.params.stop_atr * atr),
            values={"fast": fast, "trend": trend, "atr": atr},
            rationale=f"1h trend {self.side} of EMA({self.params.trend}) {trend:.6g}, 5m close"
            f" {event.close:.6g} against EMA({self.params.fast}) {fast:.6g}: {direction}",
        )

    def _direction(self, gap: float) -> Direction:
        if self.side == "long" and self.last_gap < 0 < gap:
            return "long"
        if self.side == "short" and self.last_gap > 0 > gap:
            return "short"
        return self.direction if self.direction == self.side else "flat"
