"""The Trading agent: many strategies' opinions become one target per symbol, and its orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from math import fsum

from tradeagent.agents.base import BaseAgent, on
from tradeagent.agents.desk import LEAST, NEVER, Desk, Mandate, Work
from tradeagent.agents.desks import Desks
from tradeagent.agents.entries import Entries
from tradeagent.agents.exits import Exits
from tradeagent.agents.legs import PROTECTIVE, oversized, spare
from tradeagent.agents.stops import is_managed, is_missing, moved_stop
from tradeagent.agents.tickets import Tickets, TradingSettings
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    TIMEFRAMES,
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
    StrategyState,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.base import Past

TOLERANCE = 0.05
"""A change of the target weight below this is not worth an order."""
LOST_AFTER = 120 * SECOND
AGAIN = 60.0
"""Seconds after which what changed is looked at once more."""
FLATTENED = "the account is being flattened"
OPENING = (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY)


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
        mandates: Mapping[str, Mandate],
        account: str,
        name: str = "trading",
    ) -> None:
        """Trade for each strategy within its mandate."""
        super().__init__(settings, name)
        self.mode = TradingMode.ACTIVE
        self.desks = Desks(mandates, settings)
        self.tickets = Tickets(account)
        self.entries = Entries(settings, self.tickets)
        self.exits = Exits(self.tickets)

    def restore(self, past: Past) -> None:
        """Take up each strategy's positions, last opinions and what is under way."""
        if past.trading_state is not None:
            self.mode = past.trading_state.mode
        self.tickets.instruments.update((one.symbol, one) for one in past.instruments)
        self.desks.restore(past)
        if self.mode is TradingMode.FLATTENING:
            for desk in self.desks:
                desk.alarm = 0  # goes on at the first price

    async def setup(self) -> None:
        """Look at once more, soon, what was under way."""
        self._remind()

    def _remind(self) -> None:
        self.remind("look_again", AGAIN, unless=self.is_calm)

    def _stir(self) -> None:
        for desk in self.desks:
            desk.stirred = True
        self._remind()

    def is_calm(self) -> bool:
        """Tell whether nothing is under way that time alone can change, and nothing is left."""
        if self.mode is TradingMode.FLATTENING:
            return False
        return not any(desk.stirred or self._is_busy(desk) for desk in self.desks)

    def _is_busy(self, desk: Desk) -> bool:
        if desk.work is not None and not self._waits(desk.work):
            return True
        if desk.alarm < NEVER or self.entries.is_entering(desk):
            return True
        return any(map(is_managed, desk.legs.values()))

    # -- what is known ----------------------------------------------------------------------------

    @on(InstrumentUpdate)
    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument's grid."""
        self.tickets.instruments[instrument.symbol] = instrument
        self.desks[instrument.symbol].stirred = True
        self._remind()

    @on(MarketData)
    def handle_market_data(self, bar: MarketData) -> list[Message] | None:
        """Keep the newest price of each symbol, and do what it or the hour calls for."""
        desk = self.desks.known.get(bar.symbol) or self.desks[bar.symbol]
        desk.price, desk.price_time = bar.close, bar.time + TIMEFRAMES[bar.timeframe]
        return self._look(desk) if desk.managed or desk.alarm < NEVER else None

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> list[Message] | None:
        """Keep the newest price of each symbol, and do what it or the hour calls for."""
        desk = self.desks.known.get(tick.symbol) or self.desks[tick.symbol]
        desk.price, desk.price_time = tick.last, tick.time
        return self._look(desk) if desk.managed or desk.alarm < NEVER else None

    @on(TradeSignal)
    def handle_signal(self, signal: TradeSignal) -> list[Message]:
        """Take up a strategy's new opinion and work out what follows."""
        hand = self.hand
        if not self.desks.hears(signal, hand.source if hand is not None else ""):
            return []
        self._remind()
        desk = self.desks[signal.symbol]
        if signal.price and signal.time > desk.price_time:
            desk.mark(signal.price, signal.time)
        desk.hear(signal)
        return self.generate_signals(desk)

    @on(StrategyState)
    def direct(self, word: StrategyState) -> list[Message]:
        """Pause a strategy, take it up again, or give up what it holds."""
        self._stir()
        self.desks.heed(word)
        if word.mode == "active":
            return []
        return [wish for desk in self.desks for wish in self.generate_signals(desk)]

    # -- targets ----------------------------------------------------------------------------------

    def generate_signals(self, desk: Desk) -> list[Message]:
        """Merge the live opinions on a symbol into one target; return the order to get there."""
        asked = self._ask(desk)
        desk.alarm = self._next(desk)
        if desk.work is not None or desk.alarm < NEVER:
            self._remind()
        return asked

    def _ask(self, desk: Desk) -> list[Message]:
        """Return what leads to the target: exits at once, increases when nothing is under way.

        An order of which nobody knows the outcome holds no exit back.
        """
        flattening = self.mode is TradingMode.FLATTENING
        if not flattening and self.mode not in OPENING:
            return []
        now, entries, exits, work = self.now(), self.entries, self.exits, desk.work
        wanted = {} if flattening else self.desks.target(desk, now)
        if work is not None and not work.unsure:
            return [] if flattening else self._call_back(desk, work, wanted)
        target, held = fsum(wanted.values()), fsum(desk.held.values())
        flat = abs(target) <= TOLERANCE and not desk.adopted
        if desk.size and (flat or target * float(desk.size) <= 0):
            leg, reason = ("flatten", FLATTENED) if flattening else ("close", "")
            return list(exits.close(desk, wanted, leg, reason, now))
        if desk.size and abs(target) < abs(held) - TOLERANCE:
            raised = work is None or work.size is None
            return list(exits.reduction(desk, wanted, now)) if raised else []
        if work is not None:
            return []
        if not desk.size:
            none = abs(target) <= TOLERANCE
            return [] if none else self._raise(desk, wanted, target, "open")
        least = LEAST if entries.is_entering(desk) else TOLERANCE
        more = abs(target) > abs(held) + least
        return self._raise(desk, wanted, target - held, "add") if more else []

    def _raise(
        self, desk: Desk, wanted: dict[str, float], weight: float, leg: str
    ) -> list[Message]:
        """Ask for `weight` more: a live opinion has to want it, or somebody who leaves."""
        now, steps = self.now(), desk.changes(wanted)
        leaving = {
            name: step
            for name, step in steps.items()
            if step * weight > 0 and desk.gives(name, step)
        }
        asked = self.entries.entry(desk, wanted, weight, leg, now) if leaving != steps else []
        if not asked and self.mode is TradingMode.ACTIVE:  # else it is refused, again and again
            asked = self.exits.release(desk, leaving, now)
        return list(asked)

    def _call_back(self, desk: Desk, work: Work, wanted: Mapping[str, float]) -> list[Message]:
        """Cancel a resting entry that leads where the target does not want to go any more."""
        if work.limit is None or work.cloid is None or work.moving:
            return []
        step, wish = fsum(work.steps.values()), fsum(desk.changes(wanted).values())
        idle = self.desks.idle(desk, work)
        if step * wish > 0 and abs(wish) > LEAST and not idle:
            return []
        work.moving = True
        reason = f"{', '.join(idle)} may not open any more" if idle else "it is not wanted any more"
        return [CancelRequest(cloid=work.cloid, reason=reason, actor=self.name)]

    def _next(self, desk: Desk) -> int:
        """Return when a desk falls due by itself: an exit, a slice, or a limit to be moved."""
        due = desk.next_exit(self.now())
        work, way = desk.work, desk.entry
        if work is not None:
            rests = work.limit is not None and not work.moving
            return min(due, work.since + self.entries.patience) if rests else due
        return min(due, way.due) if way is not None and self.entries.is_entering(desk) else due

    # -- what became of it ------------------------------------------------------------------------

    @on(RiskAssessment)
    def judged(self, verdict: RiskAssessment) -> None:
        """Let go of what Risk refused; the same signal is not tried again."""
        desk = self.desks[verdict.symbol]
        if desk.work is None or desk.work.intent != verdict.intent_id:
            return
        if verdict.approved:
            desk.work.approved = True
        elif not desk.work.approved:  # else it was refused because it is on its way already
            desk.stirred = True
            self._remind()
            desk.work = None
            desk.refuse(verdict.strategy)

    @on(PositionUpdate)
    def positioned(self, held: PositionUpdate) -> None:
        """Take over the position and each strategy's part of it."""
        self.desks[held.symbol].hold(held)
        self._remind()

    @on(OrderUpdate)
    def ordered(self, update: OrderUpdate) -> list[Message]:
        """Look at the target again when an order has ended."""
        desk = self.desks[update.symbol]
        work = desk.work
        ended = update.status in TERMINAL
        if ended or update.order.type in PROTECTIVE:
            desk.stirred = True
            self._remind()
        mine = work is not None and work.intent == update.order.intent_id
        late = desk.ended is not None and desk.ended.cloid == update.order.cloid
        if update.order.type in PROTECTIVE:
            desk.guard(update, managed=is_managed(update))
            if desk.size and is_missing(update):
                desk.doubt(update)
                return self.generate_signals(desk)
        if work is not None and mine:
            work.cloid, work.unsure = update.order.cloid, update.status is OrderStatus.UNKNOWN
            if work.unsure:
                self._remind()
            if not ended:
                return self.generate_signals(desk) if work.limit is not None else []
            desk.finish(update)
            if not update.filled and (work.moving or work.size is None):
                return self.generate_signals(desk)
        elif late:
            desk.count(update)
        elif ended and update.filled:
            desk.close_by(update)
        return self.manage_positions(desk) if ended and update.filled else []

    def manage_positions(self, desk: Desk) -> list[Message]:
        """Return what a changed position calls for: stops that protect nothing go, flips open."""
        gone: list[Message] = []
        if desk.work is None and desk.legs:
            reason = "what it protects is closed" if desk.size else "the position is closed"
            useless = spare(desk.legs.values(), desk.parts, desk.size)
            gone.extend(
                CancelRequest(cloid=one.order.cloid, reason=reason, actor=self.name)
                for one in useless
            )
            gone.extend(self._shrink_legs(desk, {one.order.cloid for one in useless}))
        wishes = gone + self.generate_signals(desk)
        desk.stirred = bool(wishes) or self._holds_too_much(desk)
        return wishes

    def _holds_too_much(self, desk: Desk) -> bool:
        """Tell whether less is wanted than is held, and nothing leads there yet."""
        if desk.work is not None or not desk.size:
            return False
        target = fsum(self.desks.target(desk, self.now()).values())
        held = fsum(desk.held.values())
        return target * held <= 0 or abs(target) < abs(held) - TOLERANCE

    def _shrink_legs(self, desk: Desk, going: Collection[str]) -> list[Message]:
        """Make stops and targets as small as what their strategies have left.

        What is `going` covers nothing any more.
        """
        instrument = self.tickets.instruments.get(desk.symbol)
        if instrument is None or not desk.size:
            return []
        wishes: list[Message] = []
        legs = [leg for name, leg in desk.legs.items() if name not in going]
        for leg, left in oversized(legs, desk.parts, desk.size, instrument.lot):
            cloid = leg.order.cloid
            desk.managed.pop(cloid, None)  # until Execution tells of it again
            if left:
                wishes.append(self.exits.shrink(desk, leg, left, self.now()))
            else:
                reason = "others protect what is left"
                wishes.append(CancelRequest(cloid=cloid, reason=reason, actor=self.name))
        return wishes

    def _look(self, desk: Desk) -> list[Message]:
        """Move stops that follow the price, and do what has fallen due."""
        messages: list[Message] = list(self._move_stops(desk)) if desk.managed else []
        now = self.now()
        if desk.alarm <= now:
            reason = self.entries.reprice(desk, now)
            if reason and desk.work is not None:
                messages.append(
                    CancelRequest(cloid=desk.work.cloid, reason=reason, actor=self.name)
                )
            messages.extend(self.generate_signals(desk))
        return messages

    def _move_stops(self, desk: Desk) -> list[Message]:
        instrument = self.tickets.instruments.get(desk.symbol)
        if instrument is None or not desk.size:
            return []
        price, moves = Decimal(repr(desk.price)), []
        for stop in list(desk.managed.values()):
            trigger = moved_stop(stop, price, desk.entry_of(stop.strategy), instrument)
            if trigger is not None and (desk.size > 0) is (stop.order.side == "sell"):
                del desk.managed[stop.order.cloid]  # until Execution tells of it again
                moves.append(self.exits.move(desk, stop, trigger, self.now()))
        return list(moves)

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Take over the trading state; FLATTENING closes every position."""
        self.mode = state.mode
        self._stir()
        return self._flatten() if state.mode is TradingMode.FLATTENING else []

    def _flatten(self) -> list[Message]:
        return [
            message
            for desk in self.desks
            if desk.work is None or desk.work.unsure
            for message in self.generate_signals(desk)
        ]

    def look_again(self) -> list[Message]:
        """Take up what got lost: orders without an end, and positions still to be flattened.

        Once nothing is under way, and nothing came of it, only a new event can change that.
        """
        messages: list[Message] = []
        for desk in self.desks:
            work = desk.work
            lost_after = LOST_AFTER
            if work is not None and work.limit is not None:
                lost_after = max(LOST_AFTER, 2 * self.entries.patience)
            if work is not None and self._is_late(work, lost_after):
                messages.extend(self._give_up(desk, work))
            elif desk.size or desk.legs or self.entries.is_entering(desk):
                messages.extend(self.manage_positions(desk))
            else:
                desk.stirred = False
            desk.managed.update((n, one) for n, one in desk.legs.items() if is_managed(one))
        if self.mode is TradingMode.FLATTENING:
            messages.extend(self._flatten())
        if messages or not self.is_calm():
            self._remind()
        return messages

    def _is_late(self, work: Work, lost_after: int) -> bool:
        """Tell whether an order should have ended by now."""
        return not self._waits(work) and self.now() - work.since > lost_after

    def _waits(self, work: Work) -> bool:
        """Tell whether an order may take all the time it needs.

        In a simulation nothing gets lost: a market order that is known to the venue waits for the
        price it meets, which may be candles of hours away, and its delay besides.
        """
        exact = self._runtime is not None and self._runtime.exact
        return exact and work.cloid is not None and work.limit is None and not work.unsure

    def _give_up(self, desk: Desk, work: Work) -> list[Message]:
        """Cancel an order that does not end, or forget a request that nobody answered."""
        if work.cloid is not None:
            work.since = self.now()
            return [
                CancelRequest(
                    cloid=work.cloid, reason="the order did not fill in time", actor=self.name
                )
            ]
        desk.work = None
        return [
            RiskAlert(
                code="REQUEST_LOST",
                severity=Severity.WARNING,
                symbol=desk.symbol,
                evidence=f"nobody answered the request {work.intent}",
            )
        ]
