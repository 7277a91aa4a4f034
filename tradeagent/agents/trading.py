"""The Trading agent: many strategies' opinions become one target per symbol, and its orders."""

from __future__ import annotations

from collections.abc import Mapping

from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.agents.desk import Desk
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.tickets import Tickets, TradingSettings
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    CancelRequest,
    InstrumentUpdate,
    MarketData,
    Message,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    Severity,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.base import Past

TOLERANCE = 0.05
"""A change of the target weight below this is not worth an order."""
LOST_AFTER = 120 * SECOND
FLATTENED = "the account is being flattened"


class Trading(BaseAgent[TradingSettings]):
    """Keep one target per symbol, ask for the orders that lead to it, attribute every fill.

    A strategy's weight is its share of a full position. One order per symbol is under way at a
    time; what changes meanwhile is looked at when it has ended. A flip closes first and opens once
    flat. A position that a stop or target closed stays closed until a new signal comes.
    """

    essential = True

    def __init__(
        self,
        settings: TradingSettings,
        weights: Mapping[str, float],
        account: str,
        name: str = "trading",
    ) -> None:
        """Give each strategy of `weights` its share of a full position."""
        super().__init__(settings, name)
        self.mode = TradingMode.ACTIVE
        self.desks: dict[str, Desk] = {}
        self.tickets = Tickets(settings, account)
        self._weights = dict(weights)

    def desk(self, symbol: str) -> Desk:
        """Return the desk of a symbol."""
        found = self.desks.get(symbol)
        if found is None:
            found = self.desks[symbol] = Desk(symbol)
        return found

    def restore(self, past: Past) -> None:
        """Take up each strategy's positions, last opinions and what is under way."""
        if past.trading_state is not None:
            self.mode = past.trading_state.mode
        self.tickets.instruments.update((one.symbol, one) for one in past.instruments)
        for held in past.positions:
            desk = self.desk(held.symbol)
            desk.hold(held)
            desk.mark(float(held.entry_price), held.time)
        self._restore_orders(past)
        for signal in past.signals:
            desk = self.desk(signal.symbol)
            if signal.strategy in desk.parts or desk.working is not None:
                desk.opinions[signal.strategy] = signal
        for desk in self.desks.values():
            desk.wanted = desk.target(self._weights, self.settings.conflict)
            desk.held = {name: part for name, part in desk.wanted.items() if name in desk.parts}

    def _restore_orders(self, past: Past) -> None:
        for update in past.orders:
            desk = self.desk(update.symbol)
            if update.status in TERMINAL:
                if update.order.type in PROTECTIVE and update.filled:
                    desk.closed_by = update
            elif update.order.type in PROTECTIVE:
                desk.protected = True
            else:
                desk.working, desk.working_since = update.order.intent_id, past.ts
                desk.cloid = update.order.cloid

    # -- what is known ----------------------------------------------------------------------------

    @on(InstrumentUpdate)
    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument's grid."""
        self.tickets.instruments[instrument.symbol] = instrument

    @on(MarketData)
    def handle_market_data(self, bar: MarketData) -> None:
        """Keep the newest price of each symbol."""
        (self.desks.get(bar.symbol) or self.desk(bar.symbol)).mark(bar.close, bar.close_time)

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> None:
        """Keep the newest price of each symbol."""
        (self.desks.get(tick.symbol) or self.desk(tick.symbol)).mark(tick.last, tick.time)

    @on(TradeSignal)
    def handle_signal(self, signal: TradeSignal) -> list[Message]:
        """Take up a strategy's new opinion and work out what follows."""
        if signal.confidence < self.settings.min_confidence:
            return []
        desk = self.desk(signal.symbol)
        if signal.price and signal.time > desk.price_time:
            desk.mark(signal.price, signal.time)
        desk.hear(signal)
        return self.generate_signals(desk)

    # -- targets ----------------------------------------------------------------------------------

    def generate_signals(self, desk: Desk) -> list[Message]:
        """Merge the live opinions on a symbol into one target; return the order to get there."""
        if desk.working is not None or self.mode not in (
            TradingMode.ACTIVE,
            TradingMode.REDUCE_ONLY,
        ):
            return []
        wanted = desk.target(self._weights, self.settings.conflict)
        target, now, tickets = sum(wanted.values()), self.now(), self.tickets
        if not desk.size:
            flat = abs(target) <= TOLERANCE
            return [] if flat else list(tickets.entry(desk, wanted, target, "open", now))
        if target * float(desk.size) <= 0 or abs(target) <= TOLERANCE:
            return list(tickets.close(desk, wanted, "close", "", now))
        held = sum(desk.held.values())
        if abs(target) > abs(held) + TOLERANCE:
            return list(tickets.entry(desk, wanted, target - held, "add", now))
        if abs(target) < abs(held) - TOLERANCE:
            return list(tickets.reduction(desk, wanted, 1 - target / held, now))
        return []

    # -- what became of it ------------------------------------------------------------------------

    @on(RiskAssessment)
    def judged(self, verdict: RiskAssessment) -> None:
        """Let go of what Risk refused; the same signal is not tried again."""
        desk = self.desks.get(verdict.symbol)
        if desk is None or desk.working != verdict.intent_id or verdict.approved:
            return
        desk.working = None
        desk.refuse(verdict.strategy)

    @on(PositionUpdate)
    def positioned(self, held: PositionUpdate) -> None:
        """Take over the position and each strategy's part of it."""
        self.desk(held.symbol).hold(held)

    @on(OrderUpdate)
    def ordered(self, update: OrderUpdate) -> list[Message]:
        """Look at the target again when an order has ended."""
        desk = self.desk(update.symbol)
        protective = update.order.type in PROTECTIVE
        if protective and update.status is OrderStatus.PREPARED:
            desk.protected = True
        if update.status not in TERMINAL:
            if update.order.intent_id == desk.working:
                desk.cloid = update.order.cloid
            return []
        if protective and update.filled:
            desk.close_by(update)
        elif desk.working == update.order.intent_id:
            desk.working = None
            if update.filled:
                desk.held = desk.wanted
            else:
                desk.refuse(update.strategy)
        return self.manage_positions(desk) if update.filled else []

    def manage_positions(self, desk: Desk) -> list[Message]:
        """Return what a changed position calls for: stops that protect nothing go, flips open."""
        gone: list[Message] = []
        if desk.working is None and desk.size == 0 and desk.protected:
            desk.protected = False
            gone.append(
                CancelRequest(
                    symbol=desk.symbol,
                    keep_protective=False,
                    reason="the position is closed",
                    actor=self.name,
                )
            )
        return gone + self.generate_signals(desk)

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Take over the trading state; FLATTENING closes every position."""
        self.mode = state.mode
        return self._flatten() if state.mode is TradingMode.FLATTENING else []

    def _flatten(self) -> list[Message]:
        return [
            message
            for desk in self.desks.values()
            if desk.size and desk.working is None
            for message in self.tickets.close(desk, {}, "flatten", FLATTENED, self.now())
        ]

    @every(60)
    def look_again(self) -> list[Message]:
        """Take up what got lost: orders without an end, and positions still to be flattened."""
        messages: list[Message] = []
        for desk in self.desks.values():
            if desk.working is not None and self.now() - desk.working_since > LOST_AFTER:
                messages.extend(self._give_up(desk))
            elif desk.size:
                messages.extend(self.generate_signals(desk))
        if self.mode is TradingMode.FLATTENING:
            messages.extend(self._flatten())
        return messages

    def _give_up(self, desk: Desk) -> list[Message]:
        """Cancel an order that does not end, or forget a request that nobody answered."""
        if desk.cloid is not None:
            wish = CancelRequest(
                cloid=desk.cloid, reason="the order did not fill in time", actor=self.name
            )
            desk.working_since = self.now()
            return [wish]
        lost, desk.working = desk.working, None
        return [
            RiskAlert(
                code="REQUEST_LOST",
                severity=Severity.WARNING,
                symbol=desk.symbol,
                evidence=f"nobody answered the request {lost}",
            )
        ]
