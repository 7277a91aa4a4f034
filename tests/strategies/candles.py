"""Hand-made candles, and the loop of a host that shows them to a strategy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tradeagent.messages import TIMEFRAMES, MarketData, Timeframe, TradeSignal
from tradeagent.strategies import Event, Strategy, View

START = 1_700_006_400 * 1_000_000_000


def candle(
    index: int,
    close: float,
    *,
    symbol: str = "BTC",
    timeframe: Timeframe = "1h",
    spread: float = 1.0,
) -> MarketData:
    """Return the candle number `index`, from `spread` below to `spread` above its close."""
    return MarketData(
        symbol=symbol,
        timeframe=timeframe,
        time=START + index * TIMEFRAMES[timeframe],
        open=close,
        high=close + spread,
        low=close - spread,
        close=close,
        volume=1.0,
    )


def candles(
    closes: Sequence[float], *, symbol: str = "BTC", timeframe: Timeframe = "1h"
) -> list[MarketData]:
    """Return one candle for each close."""
    return [candle(i, x, symbol=symbol, timeframe=timeframe) for i, x in enumerate(closes)]


def in_time(*series: Iterable[MarketData]) -> list[MarketData]:
    """Return all candles in the order in which they closed, series by series at one instant."""
    return sorted((bar for bars in series for bar in bars), key=lambda bar: bar.close_time)


def run(strategy: Strategy, events: Iterable[Event]) -> list[tuple[int, TradeSignal]]:
    """Show `events` to the strategy as a host does; returns (event's number, signal) pairs."""
    view = View(strategy.symbol, strategy.inputs())
    signals: list[tuple[int, TradeSignal]] = []
    for number, event in enumerate(events):
        view.observe(event, event.close_time if isinstance(event, MarketData) else event.time)
        decision = strategy.decide(event, view)
        if isinstance(decision, TradeSignal):
            signals.append((number, decision))
        else:
            signals.extend((number, signal) for signal in decision or ())
    return signals


def story(strategy: Strategy, events: Iterable[Event]) -> list[tuple[int, str, str]]:
    """Return the signals in short: (event's number, symbol, direction)."""
    return [(at, signal.symbol, signal.direction) for at, signal in run(strategy, events)]
