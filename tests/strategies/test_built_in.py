"""Each built-in strategy signals on hand-made candles exactly where its idea says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tradeagent.errors import ConfigError
from tradeagent.strategies import Strategy, StrategyParams
from tradeagent.strategies.breakout import Breakout
from tradeagent.strategies.pairs import Pairs
from tradeagent.strategies.rsi_reversal import RsiReversal
from tradeagent.strategies.sma_cross import SmaCross
from tradeagent.strategies.trend_pullback import TrendPullback

from .candles import START, candle, candles, in_time, run, story

CROSSING = [10.0, 9, 8, 7, 9, 12, 13, 9, 5]


def sma_cross(shorts: bool = True) -> SmaCross:
    params = SmaCross.Params(fast=2, slow=3, atr=2, shorts=shorts)
    return SmaCross("cross", "BTC", params)


def test_sma_cross_signals_at_the_crosses() -> None:
    """The first relation of the averages is no cross, equality is none, each crossing is one."""
    assert story(sma_cross(), candles(CROSSING)) == [(5, "BTC", "long"), (7, "BTC", "short")]


def test_sma_cross_takes_a_touch_for_no_cross() -> None:
    """Averages that meet and part again to the same side have not crossed."""
    assert story(sma_cross(), candles([5, 7, 9, 5, 20])) == []


def test_sma_cross_without_shorts_goes_flat() -> None:
    """Where shorts are off, the cross below means flat, and flat carries no stop."""
    signals = run(sma_cross(shorts=False), candles(CROSSING))

    assert [signal.direction for _, signal in signals] == ["long", "flat"]
    assert signals[1][1].stop is None


def test_sma_cross_with_no_distance_carries_no_stop() -> None:
    """With a stop 0 ranges away no signal has a stop, in either direction."""
    params = SmaCross.Params(fast=2, slow=3, atr=2, stop_atr=0)
    signals = run(SmaCross("cross", "BTC", params), candles(CROSSING))

    assert [signal.direction for _, signal in signals] == ["long", "short"]
    assert [signal.stop for _, signal in signals] == [None, None]


def test_sma_cross_explains_itself() -> None:
    """The signal carries price, stop two ranges away, values and the numbers in words."""
    _, signal = run(sma_cross(), candles(CROSSING))[0]

    assert (signal.price, signal.timeframe, signal.strategy) == (12.0, "1h", "cross")
    assert signal.time == START + 6 * 3600 * 1_000_000_000
    assert signal.stop == pytest.approx(12 - 2 * 3.25)
    assert signal.values == pytest.approx({"fast": 10.5, "slow": 28 / 3, "atr": 3.25})
    assert signal.rationale == "SMA(2) 10.5 crossed above SMA(3) 9.33333"


def test_rsi_reversal_buys_the_return_and_leaves_at_the_middle() -> None:
    """Oversold alone is no signal: coming back from it is, the middle ends it; so on top."""
    closes = [100, 99, 98, 97, 97.6, 97.85, 98.85, 98.45, 98.37]
    strategy = RsiReversal("rsi", "BTC", RsiReversal.Params(timeframe="1h", period=2, atr=2))
    signals = run(strategy, candles(closes))

    assert [(at, signal.direction) for at, signal in signals] == [
        (4, "long"),
        (5, "flat"),
        (7, "short"),
        (8, "flat"),
    ]
    assert signals[0][1].rationale == "RSI(2) went from 0.0 to 37.5: long"
    assert signals[0][1].values["rsi"] == pytest.approx(37.5)


def test_rsi_reversal_does_not_buy_what_already_returned() -> None:
    """A leap from oversold past the middle leaves nothing to gain, so it is no signal."""
    strategy = RsiReversal("rsi", "BTC", RsiReversal.Params(timeframe="1h", period=2, atr=2))

    assert story(strategy, candles([100, 99, 98, 97, 100, 103])) == []
    strategy.prepare()
    assert story(strategy, candles([100, 101, 102, 103, 100, 97])) == []


def test_breakout_compares_with_the_bars_before() -> None:
    """A close beyond the channel of the bars before enters; the shorter one's other side exits."""
    closes = [10, 10, 10, 12, 13, 14, 11.5, 9, 14]
    params = Breakout.Params(entry_bars=3, exit_bars=2, atr=2)
    signals = run(Breakout("turtle", "BTC", params), candles(closes))

    assert [(at, signal.direction) for at, signal in signals] == [
        (3, "long"),
        (6, "flat"),
        (7, "short"),
        (8, "flat"),
    ]
    assert signals[0][1].rationale == "close 12 against the channel 9 to 11 of 3 bars: long"
    assert signals[0][1].stop == pytest.approx(12 - 2 * 2.5)


def test_breakout_needs_more_than_a_touch() -> None:
    """A close at the channel's edge stays inside it."""
    params = Breakout.Params(entry_bars=3, exit_bars=2, atr=2)

    assert story(Breakout("turtle", "BTC", params), candles([10, 10, 10, 11, 10])) == []


def test_trend_pullback_needs_trend_and_pullback() -> None:
    """It buys the end of a dip in an hourly uptrend, and leaves when the trend has turned."""
    hours = [candle(i, x, timeframe="1h") for i, x in enumerate([100, 110, 100])]
    minutes = [
        candle(i, x, timeframe="5m")
        for i, x in zip((24, 25, 26, 27, 36, 37), (110, 109, 108, 109.5, 110, 108), strict=True)
    ]
    params = TrendPullback.Params(fast=2, trend=2, atr=2)
    strategy = TrendPullback("pullback", "BTC", params)
    signals = run(strategy, in_time(hours, minutes))

    assert [(at, signal.direction) for at, signal in signals] == [
        (5, "long"),
        (7, "flat"),
        (8, "short"),
    ]
    assert {signal.timeframe for _, signal in signals} == {"5m"}
    assert signals[0][1].rationale == (
        "1h trend long of EMA(2) 105, 5m close 109.5 against EMA(2) 109.167: long"
    )


@pytest.mark.parametrize(("sign", "direction"), [(1, "long"), (-1, "short")])
def test_trend_pullback_waits_for_the_pullback(sign: int, direction: str) -> None:
    """A trend that is joined late is entered at the end of the next dip, not at once."""
    hours = candles([100, 100 + sign * 10])
    moves = (10, 11, 12, 13, 11, 13)
    minutes = [candle(21 + i, 100 + sign * x, timeframe="5m") for i, x in enumerate(moves)]
    params = TrendPullback.Params(fast=2, trend=2, atr=2)
    strategy = TrendPullback("pullback", "BTC", params)

    assert story(strategy, in_time(hours, minutes)) == [(7, "BTC", direction)]


def test_trend_pullback_does_nothing_without_a_trend() -> None:
    """Five-minute candles alone, whatever they do, are no signal."""
    closes = [110, 109, 108, 109.5, 112, 104, 111]
    params = TrendPullback.Params(fast=2, trend=2, atr=2)
    strategy = TrendPullback("pullback", "BTC", params)

    assert story(strategy, candles(closes, timeframe="5m")) == []


PAIRS = Pairs.Params(other="ETH", period=3, entry=1.2, exit=0.5, atr=2)


def test_pairs_trades_both_legs_against_each_other() -> None:
    """A dear symbol is sold and the other bought; both are flat when the ratio is back."""
    own = candles([100, 100, 100, 110, 110, 110, 100])
    other = candles([50] * 7, symbol="ETH")
    signals = run(Pairs("pair", "BTC", PAIRS), in_time(own, other))

    assert [(at, signal.symbol, signal.direction) for at, signal in signals] == [
        (7, "BTC", "short"),
        (7, "ETH", "long"),
        (11, "BTC", "flat"),
        (11, "ETH", "flat"),
        (13, "BTC", "long"),
        (13, "ETH", "short"),
    ]
    assert [signal.price for _, signal in signals[:2]] == [110.0, 50.0]
    assert signals[1][1].rationale == "z-score 1.41 of ln(BTC/ETH) over 3 bars: long ETH"
    assert signals[1][1].stop == pytest.approx(50 - 4 * 2)


def test_pairs_waits_for_the_twin() -> None:
    """A candle whose twin of the same time is missing is not compared with an older one."""
    own = candles([100, 100, 100, 150])
    other = candles([50] * 3, symbol="ETH")

    assert story(Pairs("pair", "BTC", PAIRS), in_time(own, other)) == []


def test_a_pair_needs_two_symbols() -> None:
    """A symbol paired with itself is a mistake of configuration that is named."""
    with pytest.raises(ConfigError, match="strategy pair: other must not be ETH itself"):
        Pairs("pair", "ETH", PAIRS)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (SmaCross, {"fast": 50, "slow": 50}),
        (RsiReversal, {"oversold": 60}),
        (RsiReversal, {"middle": 80}),
        (Breakout, {"entry_bars": 5, "exit_bars": 6}),
        (Pairs, {"other": "ETH", "entry": 1.0, "exit": 1.0}),
        (Pairs, {}),
        (TrendPullback, {"fast": 1}),
    ],
)
def test_contradictory_params_are_refused(kind: type[Strategy], params: dict[str, object]) -> None:
    """Parameters that make no sense together never reach a strategy."""
    with pytest.raises(ValidationError):
        kind.Params.model_validate(params)


def test_defaults_make_sense() -> None:
    """Every strategy can be made with its defaults, and asks for enough history."""
    for kind in (SmaCross, RsiReversal, Breakout, TrendPullback):
        strategy = kind("s", "BTC")
        assert isinstance(strategy.params, StrategyParams)
        assert strategy.inputs().warmup >= 14
