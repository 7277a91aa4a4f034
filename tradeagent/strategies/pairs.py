"""Trade two symbols against each other when their ratio strays from its mean."""

from __future__ import annotations

from math import log
from typing import Self

from pydantic import Field, model_validator

from tradeagent.errors import ConfigError
from tradeagent.messages import Direction, MarketData, Timeframe, TradeSignal
from tradeagent.quant.indicators import ATR, ZScore
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View, stop_price

OPPOSITE: dict[Direction, Direction] = {"long": "short", "short": "long", "flat": "flat"}


class Pairs(Strategy):
    """Sell the dear and buy the cheap of two symbols by the z-score of their log price ratio.

    Candles of both with the same time count; a candle without its twin changes nothing.
    """

    class Params(StrategyParams):
        """The other leg, and levels in deviations; stops stand `stop_atr` average ranges away."""

        other: str = Field(min_length=1, description="The symbol of the other leg.")
        timeframe: Timeframe = Field(default="1h", description="The candles it looks at.")
        period: int = Field(
            default=60, ge=2, le=1000, description="The period of the score, in bars."
        )
        entry: float = Field(
            default=2.0, gt=0, le=10, description="The |score| of an entry, in deviations."
        )
        exit: float = Field(
            default=0.5, ge=0, le=10, description="The |score| of an exit, in deviations."
        )
        atr: int = Field(
            default=14, ge=1, le=200, description="The period of the average range, in bars."
        )
        stop_atr: float = Field(
            default=4.0, gt=0, le=20, description="How far away the stop is, in average ranges."
        )

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.exit >= self.entry:
                raise ValueError(f"exit ({self.exit}) must be below entry ({self.entry})")
            return self

    params: Params

    def prepare(self) -> None:
        """Make the score and a range for each leg; raises ConfigError for a pair of one."""
        if self.params.other == self.symbol:
            raise ConfigError(f"strategy {self.name}: other must not be {self.symbol} itself")
        self.score = ZScore(self.params.period)
        self.atr = {self.symbol: ATR(self.params.atr), self.params.other: ATR(self.params.atr)}
        self.direction: Direction = "flat"

    def inputs(self) -> Inputs:
        """Ask for candles of both legs."""
        p = self.params
        return Inputs(bars=(p.timeframe,), warmup=max(p.period, p.atr), symbols=(p.other,))

    def decide(self, event: Event, view: View) -> list[TradeSignal] | None:
        """Signal both legs when the score enters or leaves its bands."""
        if not isinstance(event, MarketData):
            return None
        self.atr[event.symbol].update(event.high, event.low, event.close)
        candles = [view.bars(event.timeframe, symbol) for symbol in self.atr]
        if not all(candles) or candles[0][-1].time != candles[1][-1].time:
            return None
        own, other = candles[0][-1], candles[1][-1]
        ready = self.score.ready
        score = self.score.update(log(own.close / other.close))
        direction = self._direction(score) if ready else self.direction
        if direction == self.direction or not all(atr.ready for atr in self.atr.values()):
            return None
        self.direction = direction
        return [self._leg(own, direction, score), self._leg(other, OPPOSITE[direction], score)]

    def _direction(self, score: float) -> Direction:
        if score >= self.params.entry:
            return "short"
        if score <= -self.params.entry:
            return "long"
        return "flat" if abs(score) <= self.params.exit else self.direction

    def _leg(self, candle: MarketData, direction: Direction, score: float) -> TradeSignal:
        atr = self.atr[candle.symbol].value
        return self.signal(
            candle,
            direction,
            stop=stop_price(candle.close, direction, self.params.stop_atr * atr),
            values={"zscore": score, "atr": atr},
            rationale=f"z-score {score:.2f} of ln({self.symbol}/{self.params.other}) over"
            f" {self.params.period} bars: {direction} {candle.symbol}",
        )
