"""The Analysis agent: hosts strategies, warms them up and passes on their signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.messages import (
    TIMEFRAMES,
    History,
    HistoryRequest,
    MarketData,
    PositionUpdate,
    Sentiment,
    TickerUpdate,
    Timeframe,
    TradeSignal,
)
from tradeagent.messages import Analysis as Opinion
from tradeagent.storage.base import Past
from tradeagent.strategies.base import Decision, Event, Strategy, View

MEMORY = 25
"""How many times its warm-up a strategy is shown: by then 1e-9 is left of Wilder's first value."""


class Hosted:
    """One strategy at work: its view, and how much of its warm-up it has seen."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.inputs = strategy.inputs()
        self.view = View(strategy.symbol, self.inputs)
        self.seen: dict[str, int] = dict.fromkeys(self.inputs.bars, 0)
        self.ready = not self.inputs.bars or self.inputs.warmup == 0

    def show(self, event: Event, now: int) -> Sequence[TradeSignal]:
        """Show the strategy what is no candle; returns its signals once it is warm."""
        view = self.view
        view.observe(event, now)
        decision = self.strategy.decide(event, view)
        if not self.ready:
            return ()
        if decision is None:
            return ()
        return (decision,) if isinstance(decision, TradeSignal) else decision

    def count(self, bar: MarketData) -> None:
        """Count a candle of its own symbol towards its warm-up."""
        if bar.symbol == self.strategy.symbol:
            self.seen[bar.timeframe] += 1
            warmup = self.inputs.warmup
            self.ready = all(count >= warmup for count in self.seen.values())


class Seat(NamedTuple):
    """One strategy before one row of candles: its view, that row in it, and how it decides."""

    hosted: Hosted
    view: View
    add: Callable[[MarketData], None]
    decide: Callable[[Event, View], Decision]


class Audience:
    """The strategies that look at one symbol's candles of one timeframe.

    Until the history they asked for has come, candles are `waiting`.
    """

    __slots__ = ("_key", "_last", "_length", "_seats", "waiting")

    def __init__(self, symbol: str, timeframe: Timeframe) -> None:
        self.waiting: list[MarketData] | None = None
        self._key = (symbol, timeframe)
        self._length = TIMEFRAMES[timeframe]
        self._last = -1
        self._seats: list[Seat] = []

    def seat(self, hosted: Hosted) -> None:
        """Let a strategy look, after those that came before it."""
        symbol, timeframe = self._key
        add = hosted.view.bars(timeframe, symbol).append
        self._seats.append(Seat(hosted, hosted.view, add, hosted.strategy.decide))

    def show(self, bar: MarketData) -> list[TradeSignal] | None:
        """Show a candle to all, once; returns what they signal, if they do."""
        if bar.time <= self._last:
            return None
        self._last = bar.time
        signals: list[TradeSignal] | None = None
        now = bar.time + self._length
        for hosted, view, add, decide in self._seats:
            view.now = now
            add(bar)
            decision = decide(bar, view)
            if not hosted.ready:
                hosted.count(bar)
            elif decision is not None:
                found = (decision,) if isinstance(decision, TradeSignal) else decision
                signals = [*(signals or ()), *found]
        return signals


class Analysis(BaseAgent[AgentSettings]):
    """Show each strategy its inputs in order and publish what it signals.

    Candles that come before the history they continue wait for it.
    """

    def __init__(
        self,
        settings: AgentSettings,
        strategies: Sequence[Strategy],
        name: str = "analysis",
    ) -> None:
        super().__init__(settings, name)
        self.hosted = [Hosted(strategy) for strategy in strategies]
        self._bars: dict[tuple[str, str], Audience] = {}
        self._quotes: dict[str, list[Hosted]] = {}
        self._opinions: dict[str, list[Hosted]] = {}
        self._parts: dict[tuple[str, str], list[Hosted]] = {}
        for hosted in self.hosted:
            self._enter(hosted)

    def _enter(self, hosted: Hosted) -> None:
        strategy, inputs = hosted.strategy, hosted.inputs
        self._parts.setdefault((strategy.name, strategy.symbol), []).append(hosted)
        for symbol in (strategy.symbol, *inputs.symbols):
            for timeframe in inputs.bars:
                key = (symbol, timeframe)
                self._bars.setdefault(key, Audience(symbol, timeframe)).seat(hosted)
            if inputs.quotes:
                self._quotes.setdefault(symbol, []).append(hosted)
            if inputs.analyses or inputs.sentiment:
                self._opinions.setdefault(symbol, []).append(hosted)

    def restore(self, past: Past) -> None:
        """Take up each strategy's own position."""
        for held in past.positions:
            self.positioned(held)

    async def setup(self) -> None:
        """Ask for the candles each strategy needs to warm up on.

        An indicator that smooths remembers its whole past, ever more faintly: with so many times
        its warm-up it stands after a restart where it would have stood without one.
        """
        wishes: dict[tuple[str, Timeframe], int] = {}
        for hosted in self.hosted:
            for symbol in (hosted.strategy.symbol, *hosted.inputs.symbols):
                for timeframe in hosted.inputs.bars:
                    wish = (symbol, timeframe)
                    wishes[wish] = max(wishes.get(wish, 0), hosted.inputs.warmup)
        for (symbol, timeframe), count in sorted(wishes.items()):
            self._bars[symbol, timeframe].waiting = []
            self.publish(HistoryRequest(symbol=symbol, timeframe=timeframe, count=MEMORY * count))

    @on(History)
    def warm_up(self, history: History) -> list[TradeSignal]:
        """Show the past, then the candles that came while it was fetched."""
        audience = self._bars.get((history.symbol, history.timeframe))
        if audience is None or audience.waiting is None:
            return []
        waited, audience.waiting = audience.waiting, None
        for bar in history.bars:
            audience.show(bar)
        return [signal for bar in waited for signal in audience.show(bar) or ()]

    @on(MarketData)
    def bar(self, bar: MarketData) -> Sequence[TradeSignal] | None:
        """Show a closed candle to those that asked for it."""
        audience = self._bars.get((bar.symbol, bar.timeframe))
        if audience is None:
            return None
        if audience.waiting is not None:
            audience.waiting.append(bar)
            return None
        return audience.show(bar)

    @on(TickerUpdate)
    def quote(self, tick: TickerUpdate) -> list[TradeSignal] | None:
        """Show a ticker to those that asked for quotes."""
        hosts = self._quotes.get(tick.symbol)
        if not hosts:
            return None
        signals: list[TradeSignal] | None = None
        now = self.now()
        for hosted in hosts:
            if found := hosted.show(tick, now):
                signals = [*(signals or ()), *found]
        return signals

    @on(Opinion)
    def analysis(self, view: Opinion) -> list[TradeSignal] | None:
        """Show another analyst's view to those that asked for views."""
        hosts = [one for one in self._opinions.get(view.symbol, ()) if one.inputs.analyses]
        return [signal for hosted in hosts for signal in hosted.show(view, self.now())]

    @on(Sentiment)
    def sentiment(self, sentiment: Sentiment) -> list[TradeSignal] | None:
        """Show sentiment to those that asked for it."""
        hosts = [one for one in self._opinions.get(sentiment.symbol, ()) if one.inputs.sentiment]
        return [signal for hosted in hosts for signal in hosted.show(sentiment, self.now())]

    @on(PositionUpdate)
    def positioned(self, held: PositionUpdate) -> None:
        """Show each strategy its own part of the position."""
        for part in held.parts:
            for hosted in self._parts.get((part.strategy, held.symbol), ()):
                hosted.view.position = float(part.size)
