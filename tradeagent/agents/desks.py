"""All desks of Trading, and who may have an opinion there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tradeagent.agents.blotter import VENUE
from tradeagent.agents.desk import OPERATOR, SIGNS, Desk, Mandate, Work
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.stops import is_managed
from tradeagent.agents.tickets import TradingSettings
from tradeagent.messages import TERMINAL, OrderStatus, OrderUpdate, StrategyState, TradeSignal
from tradeagent.storage.base import Past


class Desks:
    """One desk per symbol, the strategies' mandates, and the operator's words about them."""

    def __init__(self, mandates: Mapping[str, Mandate], settings: TradingSettings) -> None:
        """Hear each strategy within its mandate."""
        self.known: dict[str, Desk] = {}
        """Every desk there is, by symbol."""
        self._mandates = dict(mandates)
        self._weights = {name: one.weight for name, one in mandates.items()}
        self._voices = {name: one.agent for name, one in mandates.items() if one.agent}
        """The agent each strategy was last heard through."""
        self._words: dict[str, StrategyState] = {}
        self._paused: set[str] = set()
        self._settings = settings

    def __getitem__(self, symbol: str) -> Desk:
        """Return the desk of a symbol."""
        found = self.known.get(symbol)
        if found is None:
            found = self.known[symbol] = Desk(symbol, self._paused)
        return found

    def __iter__(self) -> Iterator[Desk]:
        """Yield every desk, in the order of their first mention."""
        return iter(self.known.values())

    # -- what is said -----------------------------------------------------------------------------

    def hears(self, signal: TradeSignal, voice: str) -> bool:
        """Tell whether a signal counts that an agent says, and note through whom it came."""
        if self._words and (signal.strategy in self._words or voice in self._words):
            return False
        if signal.confidence < self._settings.min_confidence:
            return False
        self._voices[signal.strategy] = voice
        return True

    def heed(self, word: StrategyState) -> None:
        """Take up what the operator says of a strategy, or of an agent and all it speaks for.

        Who is to close has no opinion any more, and no position that stays without one.
        """
        self._words.pop(word.strategy, None)
        if word.mode != "active":
            self._words[word.strategy] = word
        self._find_paused()
        if word.mode != "closed":
            return
        through = [name for name, voice in self._voices.items() if voice == word.strategy]
        for desk in self:
            desk.released = desk.released or word.strategy == OPERATOR
            for name in (word.strategy, *through):
                desk.opinions.pop(name, None)
                desk.adopted.pop(name, None)

    def _find_paused(self) -> None:
        """Work out whom the words about strategies and agents keep from opening anything."""
        words = self._words
        known = {**self._voices, **dict.fromkeys(words, "")}
        self._paused.clear()
        self._paused.update(
            name for name, voice in known.items() if name in words or voice in words
        )

    # -- what follows -----------------------------------------------------------------------------

    def target(self, desk: Desk, now: int) -> dict[str, float]:
        """Return the weight each strategy adds to a desk's target at `now` (ns)."""
        return desk.target(self._weights, self._settings.conflict, now)

    def idle(self, desk: Desk, work: Work) -> list[str]:
        """Return who would get more by a request and may not open anything any more."""
        names = self._paused.intersection(work.steps)
        return sorted(name for name in names if not desk.gives(name, work.steps[name]))

    # -- a start ----------------------------------------------------------------------------------

    def restore(self, past: Past) -> None:
        """Take up each strategy's positions, last opinions and what is under way."""
        self._words = {one.strategy: one for one in past.strategies if one.mode != "active"}
        self._find_paused()
        for held in past.positions:
            self[held.symbol].hold(held)
        for update in past.orders:
            _take_up(self[update.symbol], update, past.ts)
        for signal in past.signals:
            desk = self[signal.symbol]
            stopped = past.stopped.get((signal.strategy, signal.symbol), 0)
            if signal.time >= stopped and self._stands(signal, desk):
                desk.opinions[signal.strategy] = signal
        for desk in self:
            self._resume(desk, past.ts)

    def _resume(self, desk: Desk, now: int) -> None:
        """Work out what is held and adopted of what the opinions want, and what is under way."""
        wanted = self.target(desk, now)
        desk.held = {name: part for name, part in wanted.items() if name in desk.parts}
        known = {name for name, one in self._mandates.items() if one.covers(desk.symbol)}
        known.update(name for name, word in self._words.items() if word.mode == "closed")
        desk.take_over(known, adopt=self._settings.removed == "adopt")
        for name, word in self._words.items():
            if word.mode == "paused" and name in desk.parts and name not in wanted:
                desk.adopted[name] = desk.held[name]
        if desk.work is not None:
            steps = desk.changes(wanted)
            desk.work.steps = {name: steps.get(name, 0.0) for name in desk.work.steps}
        desk.alarm = desk.next_exit(now)

    def _stands(self, signal: TradeSignal, desk: Desk) -> bool:
        """Tell whether a signal from before the start is still its strategy's opinion.

        One that was heard while the strategy was paused is not; what it holds then has to show.
        """
        mandate = self._mandates.get(signal.strategy)
        if mandate is None or not mandate.covers(signal.symbol):
            return False
        if signal.confidence < self._settings.min_confidence:
            return False
        word, part = self._words.get(signal.strategy), desk.parts.get(signal.strategy)
        if word is None:
            return part is not None or desk.work is not None
        same_side = part is not None and SIGNS[signal.direction] * float(part) > 0
        return word.mode == "paused" and same_side


def _take_up(desk: Desk, update: OrderUpdate, now: int) -> None:
    """Put an order from before the start in its place: a leg, or the request under way."""
    order, ended = update.order, update.status in TERMINAL
    if order.type in PROTECTIVE:
        if not ended:
            desk.guard(update, managed=is_managed(update))
        elif update.filled:
            desk.closed_by = update
    elif not ended and update.strategy not in (OPERATOR, VENUE):
        names = dict.fromkeys((share.strategy for share in update.shares), 0.0)
        unsure = update.status is OrderStatus.UNKNOWN
        desk.work = Work(order.intent_id, now, names, order.limit, cloid=order.cloid, unsure=unsure)
