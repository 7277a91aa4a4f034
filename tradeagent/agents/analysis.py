"""The Analysis agent: hosts strategies, warms them up and passes on their signals."""

from __future__ import annotations

from collections.abc import Sequence

from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.messages import Analysis as Opinion
from tradeagent.messages import (
    History,
    HistoryRequest,
    MarketData,
    PositionUpdate,
    Sentiment,
    TickerUpdate,
    Timeframe,
    TradeSignal,
)
from tradeagent.storage.base import Past
from tradeagent.strategies.base import Event, Strategy, View

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
        """Show the strategy an event; returns its signals once it is warm."""
        view = self.view
        view.observe(event, now)
        decision = self.strategy.decide(event, view)
        if not self.ready:
            self._count(event)
            return ()
        if decision is None:
            return ()
        return (decision,) if isinstance(decision, TradeSignal) else decision

    def _count(self, event: Event) -> None:
        if isinstance(event, MarketData) and event.symbol == self.strategy.symbol:
            self.seen[event.timeframe] += 1
            warmup = self.inputs.warmup
            self.ready = all(count >= warmup for count in self.seen.values())


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
        self._bars: dict[tuple[str, str], list[Hosted]] = {}
        self._quotes: dict[str, list[Hosted]] = {}
        self._opinions: dict[str, list[Hosted]] = {}
        self._waiting: dict[tuple[str, str], list[MarketData]] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._parts: dict[tuple[str, str], list[Hosted]] = {}
        for hosted in self.hosted:
            self._enter(hosted)

    def _enter(self, hosted: Hosted) -> None:
        strategy, inputs = hosted.strategy, hosted.inputs
        self._parts.setdefault((strategy.name, strategy.symbol), []).append(hosted)
        for symbol in (strategy.symbol, *inputs.symbols):
            for timeframe in inputs.bars:
                self._bars.setdefault((symbol, timeframe), []).append(hosted)
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
            self._waiting[symbol, timeframe] = []
            self.publish(HistoryRequest(symbol=symbol, timeframe=timeframe, count=MEMORY * count))

    @on(History)
    def warm_up(self, history: History) -> list[TradeSignal]:
        """Show the past, then the candles that came while it was fetched."""
        key = (history.symbol, history.timeframe)
        waited = self._waiting.pop(key, None)
        if waited is None:
            return []
        for bar in history.bars:
            self._show(bar)
        return [signal for bar in waited for signal in self._show(bar)]

    @on(MarketData)
    def bar(self, bar: MarketData) -> Sequence[TradeSignal] | None:
        """Show a closed candle to those that asked for it."""
        key = (bar.symbol, bar.timeframe)
        if key not in self._bars:
            return None
        if self._waiting and (waiting := self._waiting.get(key)) is not None:
            waiting.append(bar)
            return None
        return self._show(bar) or None

    def _show(self, bar: MarketData) -> list[TradeSignal]:
        key = (bar.symbol, bar.timeframe)
        if bar.time <= self._last.get(key, -1):
            return []
        self._last[key] = bar.time
        signals: list[TradeSignal] = []
        now = bar.close_time
        for hosted in self._bars[key]:
            signals.extend(hosted.show(bar, now))
        return signals

    @on(TickerUpdate)
    def quote(self, tick: TickerUpdate) -> list[TradeSignal] | None:
        """Show a ticker to those that asked for quotes."""
        hosts = self._quotes.get(tick.symbol)
        if not hosts:
            return None
        return [signal for hosted in hosts for signal in hosted.show(tick, self.now())]

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
