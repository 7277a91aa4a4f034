"""No strategy sees the future, signals while warming up, or answers twice the same."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.messages import MarketData
from tradeagent.strategies import Strategy
from tradeagent.strategies.breakout import Breakout
from tradeagent.strategies.pairs import Pairs
from tradeagent.strategies.rsi_reversal import RsiReversal
from tradeagent.strategies.sma_cross import SmaCross
from tradeagent.strategies.trend_pullback import TrendPullback

from .candles import candles, in_time, run

MAKERS: dict[str, Callable[[], Strategy]] = {
    "breakout": lambda: Breakout("s", "BTC", Breakout.Params(entry_bars=4, exit_bars=2, atr=3)),
    "breakout_slow_range": lambda: Breakout(
        "s", "BTC", Breakout.Params(entry_bars=3, exit_bars=2, atr=6)
    ),
    "pairs": lambda: Pairs("s", "BTC", Pairs.Params(other="ETH", period=5, entry=1.2, atr=3)),
    "pairs_slow_range": lambda: Pairs(
        "s", "BTC", Pairs.Params(other="ETH", period=3, entry=1.2, atr=6)
    ),
    "rsi_reversal": lambda: RsiReversal("s", "BTC", RsiReversal.Params(period=4, atr=3)),
    "rsi_slow_range": lambda: RsiReversal("s", "BTC", RsiReversal.Params(period=2, atr=6)),
    "sma_cross": lambda: SmaCross("s", "BTC", SmaCross.Params(fast=2, slow=5, atr=3)),
    "sma_slow_range": lambda: SmaCross("s", "BTC", SmaCross.Params(fast=2, slow=3, atr=6)),
    "trend_pullback": lambda: TrendPullback(
        "s", "BTC", TrendPullback.Params(fast=3, trend=2, atr=3)
    ),
}
STEPS = st.lists(st.sampled_from([0.9, 0.97, 0.99, 1.0, 1.01, 1.03, 1.1]), min_size=40, max_size=80)

each_strategy = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def walk(steps: list[float], start: float = 1e6) -> list[float]:
    """Return the prices that the steps lead through."""
    prices = [start]
    for step in steps:
        prices.append(prices[-1] * step)
    return prices


def market(strategy: Strategy, steps: list[float]) -> list[MarketData]:
    """Return candles of all the strategy asks for, in the order in which they close."""
    inputs = strategy.inputs()
    prices = walk(steps)
    series = [candles(prices, timeframe=timeframe) for timeframe in inputs.bars]
    for symbol in inputs.symbols:
        series += [candles(walk(steps[::-1]), symbol=symbol, timeframe=t) for t in inputs.bars]
    if len(inputs.bars) > 1:
        series[-1] = candles(prices[::12], timeframe="1h")
    return in_time(*series)


@each_strategy
@settings(max_examples=40)
@given(steps=STEPS, other=STEPS, cut=st.integers(0, 160))
def test_the_future_changes_nothing_past(
    make: Callable[[], Strategy], steps: list[float], other: list[float], cut: int
) -> None:
    """Signals up to a candle are the same if all that follows is cut off or is otherwise."""
    events = market(make(), steps)
    cut = min(cut, len(events))
    changed = events[:cut] + market(make(), other)[cut:]
    whole = [found for found in run(make(), events) if found[0] < cut]

    assert run(make(), events[:cut]) == whole
    assert [found for found in run(make(), changed) if found[0] < cut] == whole


@each_strategy
@settings(max_examples=40)
@given(steps=STEPS)
def test_warm_up_is_silent(make: Callable[[], Strategy], steps: list[float]) -> None:
    """Nothing is signalled before the strategy has seen more candles than its warm-up."""
    strategy = make()
    events = market(strategy, steps)
    signals = run(strategy, events)
    warmup = strategy.inputs().warmup
    series = {(event.symbol, event.timeframe) for event in events}
    for at, _ in signals:
        shown = [(event.symbol, event.timeframe) for event in events[: at + 1]]
        own = ("BTC", strategy.inputs().bars[0])
        assert shown.count(own) > warmup
        assert set(shown) == series


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "trend_pullback"])
def test_warm_up_is_no_longer_than_needed(name: str) -> None:
    """The very next candle after the warm-up can bring a signal."""
    rng = random.Random(3)
    warmup = MAKERS[name]().inputs().warmup
    earliest = []
    for _ in range(200):
        strategy = MAKERS[name]()
        events = market(strategy, [rng.choice([0.9, 0.99, 1.01, 1.1]) for _ in range(warmup)])
        earliest += [events[at].time for at, _ in run(strategy, events)]
        last = events[-1].time

    assert set(earliest) == {last}


@each_strategy
@settings(max_examples=40)
@given(steps=STEPS)
def test_only_changes_are_signalled(make: Callable[[], Strategy], steps: list[float]) -> None:
    """Per symbol no direction follows itself; stops stand on the losing side, flat has none."""
    strategy = make()
    last: dict[str, str] = {}
    for _, signal in run(strategy, market(strategy, steps)):
        assert signal.direction != last.get(signal.symbol)
        last[signal.symbol] = signal.direction
        assert signal.rationale
        if signal.direction == "flat":
            assert signal.stop is None
        else:
            assert signal.stop is not None
            assert (signal.stop < signal.price) == (signal.direction == "long")


@each_strategy
def test_every_strategy_signals_at_all(make: Callable[[], Strategy]) -> None:
    """On a market that swings up and down each strategy goes both long and short."""
    steps = ([1.03] * 12 + [0.999] * 6 + [1.03] * 5 + [0.97] * 16 + [1.001] * 6 + [0.97] * 5) * 4
    strategy = make()
    directions = {signal.direction for _, signal in run(strategy, market(strategy, steps))}

    assert {"long", "short"} <= directions


@each_strategy
@settings(max_examples=20)
@given(steps=STEPS)
def test_equal_runs_are_equal(make: Callable[[], Strategy], steps: list[float]) -> None:
    """Objects shown the same events answer the same, whatever another was shown in between."""
    events = market(make(), steps)
    alone = run(make(), events)
    run(make(), events[::2] if make().inputs().symbols == () else events)

    assert run(make(), events) == alone
