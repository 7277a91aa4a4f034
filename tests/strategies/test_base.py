"""The contract of a strategy is checked when its class is made, and its parts do what they say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tradeagent.messages import Analysis, MarketData, Sentiment, TickerUpdate, TradeSignal
from tradeagent.strategies import Bars, Event, Inputs, Strategy, StrategyParams, View, stop_price

from .candles import START, candle, candles

HOUR = 3600 * 1_000_000_000


class Echo(Strategy):
    """Want what the last candle did."""

    class Params(StrategyParams):
        """How strong the signal is."""

        strength: float = 0.5

    params: Params

    def prepare(self) -> None:
        """Count what was decided."""
        self.decided = 0

    def inputs(self) -> Inputs:
        """Ask for hourly candles of two symbols and for quotes."""
        return Inputs(bars=("1h",), warmup=3, symbols=("ETH",), quotes=True)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal on every candle and ticker."""
        self.decided += 1
        if not isinstance(event, MarketData | TickerUpdate):
            return None
        return self.signal(event, "long", strength=self.params.strength, values={"x": 1.0})


def ticker(last: float, time: int = START) -> TickerUpdate:
    return TickerUpdate(symbol="BTC", time=time, bid=last - 1, ask=last + 1, last=last)


def test_a_signal_rests_on_its_candle() -> None:
    """A signal carries its candle's symbol, close time and price, and stands for two more bars."""
    bar = candle(0, 100.0)
    signal = Echo("echo", "BTC").decide(bar, View("BTC", Inputs()))

    assert signal == TradeSignal(
        symbol="BTC",
        strategy="echo",
        direction="long",
        time=START + HOUR,
        price=100.0,
        strength=0.5,
        timeframe="1h",
        values={"x": 1.0},
        valid_until=START + 3 * HOUR,
    )


def test_a_signal_on_a_ticker_is_short_lived() -> None:
    """A signal on a ticker rests on its last price and stands for ten seconds."""
    signal = Echo("echo", "BTC").decide(ticker(50.0), View("BTC", Inputs()))

    assert signal is not None
    assert (signal.time, signal.price, signal.timeframe) == (START, 50.0, "")
    assert signal.valid_until == START + 10_000_000_000


def test_params_are_frozen_and_closed() -> None:
    """Parameters cannot be changed, misspelt, or be those of another strategy."""
    strategy = Echo("echo", "BTC", Echo.Params(strength=0.2))

    assert strategy.params.strength == 0.2
    with pytest.raises(ValidationError, match="frozen"):
        strategy.params.strength = 1.0
    with pytest.raises(ValidationError, match="stength"):
        Echo.Params.model_validate({"stength": 1})
    with pytest.raises(TypeError, match=r"Echo takes Echo\.Params"):
        Echo("echo", "BTC", StrategyParams())


def test_a_class_without_a_docstring_is_refused() -> None:
    """A strategy that does not say its idea cannot be defined."""
    with pytest.raises(TypeError, match="Mute needs a docstring"):

        class Mute(Echo):
            pass


def test_a_class_with_foreign_params_is_refused() -> None:
    """Params that are no StrategyParams cannot be those of a strategy."""
    with pytest.raises(TypeError, match=r"Odd\.Params must be a subclass of StrategyParams"):

        class Odd(Echo):
            """Have the wrong parameters."""

            Params = dict  # type: ignore[assignment]


def test_a_class_that_decides_asynchronously_is_refused() -> None:
    """Deciding does no I/O, so an async decide cannot be defined."""
    with pytest.raises(TypeError, match=r"Slow\.decide must be a plain def"):

        class Slow(Echo):
            """Wait before deciding."""

            async def decide(self, event: Event, view: View) -> None:  # type: ignore[override]
                """Decide too late."""


def test_a_class_without_decide_cannot_be_made() -> None:
    """Inputs and decide are what a strategy must have."""

    class Half(Strategy):
        """Want nothing in particular."""

        def inputs(self) -> Inputs:
            """Ask for nothing."""
            return Inputs()

    with pytest.raises(TypeError, match="decide"):
        Half("half", "BTC")  # type: ignore[abstract]


def test_inputs_must_exist() -> None:
    """An unknown timeframe and a negative warm-up are refused."""
    with pytest.raises(ValueError, match="unknown timeframe '7m'; known: 1m"):
        Inputs(bars=("7m",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="warmup"):
        Inputs(warmup=-1)


def test_bars_keep_the_newest() -> None:
    """The history forgets its oldest candle, and reads oldest first."""
    bars = Bars(3)
    for bar in candles([1.5, 2.5, 3.5, 4.5]):
        bars.append(bar)

    assert len(bars) == 3
    assert bars.close == [2.5, 3.5, 4.5]
    assert bars[-1].close == 4.5
    assert [bar.close for bar in bars] == bars.close


def test_a_view_shows_what_was_observed() -> None:
    """History is kept by symbol and timeframe, opinions and tickers as the latest of each kind."""
    view = View("BTC", Echo("echo", "BTC").inputs())
    for bar in candles([1.5, 2.5, 3.5, 4.5]):
        view.observe(bar, bar.close_time)
    view.observe(candle(0, 9.0, symbol="ETH"), START + HOUR)
    view.observe(ticker(5.0), 7)
    view.observe(ticker(6.0), 8)
    mood = Sentiment(symbol="BTC", analyst="a", time=1, score=0.5, confidence=1.0, valid_until=9)
    view.observe(mood, 9)

    assert view.bars("1h").close == [2.5, 3.5, 4.5]
    assert view.bars("1h", "ETH")[-1].close == 9.0
    assert view.latest(TickerUpdate) == ticker(6.0)
    assert view.latest(Sentiment) == mood
    assert view.latest(Sentiment, "ETH") is None
    assert view.latest(Analysis) is None
    assert (view.now, view.position) == (9, 0.0)
    with pytest.raises(KeyError):
        view.bars("5m")


def test_stops_stand_on_the_losing_side() -> None:
    """A stop is below a long, above a short, nowhere for flat, and never at or below zero."""
    assert stop_price(100.0, "long", 5.0) == 95.0
    assert stop_price(100.0, "short", 5.0) == 105.0
    assert stop_price(100.0, "flat", 5.0) is None
    assert stop_price(100.0, "long", 250.0) == 1.0
