"""The Risk agent: the one gate between a wish for an order and the venue."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite
from operator import attrgetter

from tradeagent.agents import alerts
from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.agents.brake import Brake
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.gate import (
    Ground,
    Histories,
    RiskSettings,
    entry_context,
    exit_context,
    order_size,
)
from tradeagent.agents.line import Line
from tradeagent.agents.lookout import Lookout
from tradeagent.agents.overrides import Overrides, objection
from tradeagent.agents.pace import Counts, Pace, strategies
from tradeagent.agents.standing import Standing
from tradeagent.agents.trips import Trips
from tradeagent.agents.verdicts import absurd, approval, rejection, too_small, unknown
from tradeagent.clock import SECOND
from tradeagent.messages import (
    AccountUpdate,
    Fill,
    Incident,
    InstrumentUpdate,
    MarketData,
    Message,
    OrderBookUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Release,
    Restriction,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    RuleVerdict,
    TickerUpdate,
    TrackRecord,
    TradingState,
    VenueBudget,
    VenueStatement,
    VenueStatus,
)
from tradeagent.quant.protections import REPEATED, Lock, Protections, Trip
from tradeagent.quant.rules import OrderContext, check_all
from tradeagent.quant.vitals import Watch
from tradeagent.storage.base import Past

PASSED = attrgetter("passed")
FILLING = (OrderStatus.FILLED, OrderStatus.PARTIAL)
UNSETTLING = (OrderStatus.UNKNOWN, OrderStatus.REJECTED)
"""What becomes of an order that changes how the account stands."""


class Risk(BaseAgent[RiskSettings]):
    """Judge every request by every rule, in the worst case; keep the trading state.

    An approval carries the exact order and a seal over it. Any doubt about an increase is a no; no
    rule for increases ever stands in the way of an exit.
    """

    essential = True

    def __init__(
        self,
        settings: RiskSettings,
        seal_key: bytes,
        name: str = "risk",
        sources: Collection[str] | None = None,
    ) -> None:
        """Take entries of the strategies in `sources` and of operators; None for any strategy."""
        super().__init__(settings, name)
        self.exposure = Exposure(settings.limits)
        self.pace = Pace(settings.limits)
        self.trips = Trips()
        self.histories = Histories(settings, self.trips)
        self.protections = Protections(settings.protections)
        self.overrides = Overrides()
        self.line = Line()
        self.restriction: Restriction | None = None
        self.lookout = self._lookout(1.0)
        self.brake = self._brake(1.0)
        self._sources = None if sources is None else frozenset((*sources, "operator"))
        self._key = seal_key
        self._epoch = 0
        self._known = 0
        """Up to which seq the journal was taken up: positions before it are old news."""
        self._missed: list[Message] = []
        """What ended unheard, to be told before the first message."""
        self._wants_stops = settings.limits.require_stop
        self._measures = settings.sizing == "volatility_target"
        self._ttl = int(settings.approval_ttl_s * SECOND)

    def restore(self, past: Past) -> None:
        """Take up the trading state, and all that limits and protections are counted from."""
        self._epoch, self._known = past.epoch, past.seq
        self.overrides.restore(past.overrides)
        self.exposure.restore(past)
        self.pace.restore(past.orders, self._ttl)
        self.trips.restore(past.records, past.positions)
        for update in past.orders:
            self.trips.order(update)
        self.protections.restore(
            self.trips.trips(),
            [
                Lock(alert.code, alert.scope, alert.until, alert.evidence)
                for alert in past.alerts
                if alert.until > past.ts
            ],
        )
        for closing in past.closings:
            self._missed += self._ended(self.trips.close(closing), past.ts)
        self.restriction = past.restriction
        if past.venue is not None:
            self.line.status(past.venue)
        speed = self._runtime.speed if self._runtime is not None else 1.0
        self.lookout = self._lookout(speed)
        self.brake = self._brake(speed)
        if past.trading_state is not None:
            self.brake.mode = past.trading_state.mode

    def _lookout(self, speed: float) -> Lookout:
        """Return who looks at the account beside a clock of a speed."""
        watch = Watch(self.settings.limits, self.settings.watch, speed)
        return Lookout(self.exposure, self.overrides, watch)

    def _brake(self, speed: float) -> Brake:
        """Return a brake that waits for a venue, which takes wall time however fast the clock."""
        longer = max(1.0, speed) if isfinite(speed) else 1.0
        patience = int(self.settings.watch.flatten_within_s * longer * SECOND)
        return Brake(self.name, patience, lambda: self.lookout.disturb())

    async def setup(self) -> None:
        """Tell of the round trips that ended while nobody listened."""
        missed, self._missed = self._missed, []
        for message in missed:
            self.publish(message)

    # -- what is known ----------------------------------------------------------------------------

    @on(InstrumentUpdate)
    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument's grid and margin."""
        self.exposure.listed(instrument)

    @on(MarketData)
    def bar(self, bar: MarketData) -> list[Message] | None:
        """Mark the symbol at a candle's close, unless it has a ticker."""
        exposure = self.exposure
        standing = exposure.price(bar)
        if exposure.hastened:
            exposure.hastened = False
            self.lookout.disturb()
        if self._measures:
            self.histories.bar(bar)
        return None if standing is None else self._marked(standing, standing.heard)

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> list[Message] | None:
        """Mark the symbol at its ticker."""
        return self._marked(self.exposure.quote(tick), tick.time)

    def _marked(self, standing: Standing, now: int) -> list[Message] | None:
        """Look at the account where a mark matters to it, or where it is time to."""
        if standing.units:
            quiet = self.lookout.is_quiet(standing, now)
        else:
            quiet = not (self.exposure.holds and self.lookout.is_overdue(now))
        return None if quiet else self.monitor_risk()

    @on(OrderBookUpdate)
    def shown(self, book: OrderBookUpdate) -> None:
        """Learn what stands behind the touch."""
        self.exposure.show(book)

    @on(PositionUpdate)
    def position(self, update: PositionUpdate) -> list[Message]:
        """Take over a position; round trips that it ended may lock what went wrong.

        One that waited while we were made anew is known already, and so are its trips.
        """
        hand = self.hand
        if hand is not None and 0 < hand.seq <= self._known:
            return []
        self.exposure.hold(update)
        self.lookout.disturb()
        records = self.trips.position(update)
        return [message for record in records for message in self._ended(record)]

    def _ended(self, record: TrackRecord, now: int = 0) -> list[Message]:
        """Return a round trip's record and the locks it led to that hold after `now` (UTC ns)."""
        last = record.recent[-1]
        trip = Trip(record.strategy, record.symbol, last.time, last.pnl, last.stopped)
        locks = self.protections.closed(trip)
        return [record, *(alerts.locked(lock) for lock in locks if lock.until > now)]

    @on(Fill)
    def filled(self, fill: Fill) -> None:
        """Take a fill's fee off; what it made of the position follows."""
        self.exposure.pay(fill.fee)
        self.trips.fill(fill)

    @on(OrderUpdate)
    def ordered(self, update: OrderUpdate) -> list[Message]:
        """Keep what may still fill; once the position of a fill is known, look at the account."""
        if update.status in UNSETTLING or self._wants_stops or self.exposure.claims.unknown:
            self.lookout.disturb()
        self.exposure.claims.order(update, self.now())
        self.trips.order(update)
        looks = update.status in FILLING or update.status in UNSETTLING
        return self.monitor_risk() if looks else []

    @on(AccountUpdate)
    def account(self, update: AccountUpdate) -> list[Message]:
        """Take over the venue's balance."""
        known = self.exposure.measured_by
        self.exposure.account(update, self.now())
        same = update.stands and known == self.exposure.measured_by
        return [] if same else self.monitor_risk()

    @on(VenueStatus)
    def reached(self, status: VenueStatus) -> None:
        """Learn whether the venue can be relied on."""
        self.line.status(status)

    @on(VenueStatement)
    def stated(self, statement: VenueStatement) -> None:
        """Learn that the venue has stated the account."""
        self.line.statement(statement)

    @on(VenueBudget)
    def allowed(self, budget: VenueBudget) -> None:
        """Learn how many actions the venue still allows."""
        self.line.budget(budget)

    @on(Restriction)
    def restricted(self, restriction: Restriction) -> None:
        """Take over what Compliance allows; it holds until the next, whatever becomes of it."""
        self.restriction = restriction

    # -- the gate ---------------------------------------------------------------------------------

    @on(OrderRequest)
    def assess_risk(self, request: OrderRequest) -> RiskAssessment | list[Message]:
        """Size a request, judge it by every rule, and seal what is approved."""
        now, exposure = self.now(), self.exposure
        exposure.claims.expire(now)
        instrument = exposure.instruments.get(request.symbol)
        standing = exposure[request.symbol]
        counts = None if request.reduce_only else self.pace.asked(request, now)
        if instrument is None or not (standing.mark or request.reduce_only):
            return rejection(request, now, (unknown(request.symbol),))
        try:
            return self._judge(request, instrument, standing, counts, now)
        except ArithmeticError as error:  # numbers so large or small that none comes of them
            return rejection(request, now, (absurd(error),))

    def _judge(
        self,
        request: OrderRequest,
        instrument: InstrumentUpdate,
        standing: Standing,
        counts: Counts | None,
        now: int,
    ) -> RiskAssessment | list[Message]:
        """Size and judge a request about a symbol that is known."""
        exposure = self.exposure
        equity = exposure.equity
        history = self.histories.of(request)
        sized = order_size(request, instrument, standing, equity, self.settings, history)
        if sized.size <= 0:
            return rejection(request, now, (too_small(request, instrument),), sized.text)
        ground = self._ground(request, now)
        if counts is None:
            context = exit_context(request, instrument, sized.size, ground)
        else:
            context = entry_context(request, instrument, sized.size, equity, counts, ground)
        verdicts = self.check_limits(context, request)
        if not all(map(PASSED, verdicts)):
            refusal = rejection(request, now, verdicts, sized.text)
            pauses = self._pause(request, counts, now) if REPEATED in refusal.reasons else []
            return [refusal, *pauses] if pauses else refusal
        expires = now + self._ttl
        approved = approval(request, sized, verdicts, expires, self._key, self._epoch)
        assert approved.order is not None
        exposure.claims.reserve(approved.order, expires)
        if counts is not None:
            price = request.limit or request.price
            self.pace.approved(approved.order, price, now, counts.wishes)
        return approved

    def check_limits(self, context: OrderContext, request: OrderRequest) -> tuple[RuleVerdict, ...]:
        """Return the verdict of every rule that applies; a rule an override lifts passes."""
        verdicts = check_all(context, self.settings.limits)
        if not self.overrides:
            return verdicts
        scopes = (request.symbol, request.strategy, "*")
        lift = self.overrides.lift
        return tuple([lift(verdict, scopes, context.now) for verdict in verdicts])

    def _ground(self, request: OrderRequest, now: int) -> Ground:
        known = self._sources is None or self._sources.issuperset(strategies(request))
        return Ground(
            self.brake.mode,
            now,
            known,
            self.exposure,
            self.pace,
            self.protections,
            self.restriction,
            self.line,
        )

    def _pause(self, request: OrderRequest, counts: Counts | None, now: int) -> list[Message]:
        """Pause every strategy behind a refused entry that repeats itself."""
        limits, told = self.settings.limits, list[Message]()
        window, until = limits.repeated_window_s, now + int(limits.repeated_pause_s * SECOND)
        for wish in counts.wishes if counts is not None else ():
            count = self.pace.repeats(wish, request.symbol, request.side, now) + 1
            paused = now < self.protections.until(REPEATED, wish.strategy)
            if paused or count <= limits.max_repeated_entries:
                continue
            text = f"{count} entries {request.side} {request.symbol} in {window:g} s"
            lock = Lock(REPEATED, wish.strategy, until, text)
            if self.protections.add(lock):
                told.append(alerts.locked(lock))
        return told

    # -- the trading state ------------------------------------------------------------------------

    @on(RiskOverride)
    def override(self, change: RiskOverride) -> list[Message]:
        """Take an operator's word: a state to go to, or a rule to lift for a while."""
        self.lookout.disturb()
        if change.rule == "STATE" and change.mode is not None:
            return self.brake.order(change, self.now())
        wrong = objection(change)
        if wrong:
            return [alerts.warning("OVERRIDE_REFUSED", wrong)]
        self.overrides.take(change)
        return []

    @on(Release)
    def released(self, word: Release) -> list[Message]:
        """Leave LOCKED or SAFE_MODE as the start of this run says; from no other state."""
        return self.brake.release(word, self.now())

    @on(Incident)
    def incident(self, incident: Incident) -> list[Message]:
        """Go down as far as the incident's severity asks."""
        return self.brake.pull(incident.severity, f"{incident.code}: {incident.text}", self.now())

    @on(RiskAlert)
    def alerted(self, alert: RiskAlert) -> list[Message]:
        """Lock what the alert locks, and go down as far as its severity asks, whoever tells it."""
        now = self.now()
        if alert.until > now:
            lock = Lock(alert.code, alert.scope, alert.until, alert.evidence)
            self.protections.add(lock)
        return self.brake.pull(alert.severity, f"{alert.code}: {alert.evidence}", now)

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Follow a state that somebody else set, downward; what crossed it on its way is renewed.

        A halt that was set while we answered an operator comes first and our answer after it: then
        all but us would take the answer for the state.
        """
        hand = self.hand
        if hand is not None and hand.source == self.name:
            return self.brake.renew(state, self.now())
        self.brake.follow(state)
        return []

    # -- the continuous checks --------------------------------------------------------------------

    @every(300, when="is_overdue")
    def look(self) -> list[Message]:
        """Check the account where nothing else asked for it."""
        return self.monitor_risk()

    def is_overdue(self) -> bool:
        """Tell whether time alone may have changed how the account stands since the last look."""
        return self.brake.flattens or self.lookout.is_overdue(self.runtime.time())

    def monitor_risk(self) -> list[Message]:
        """Check the account as it stands, without lost approvals; each crossing is told once."""
        now, flattens = self.now(), self.brake.flattens
        self.exposure.claims.expire(now)
        if flattens:
            flat, trouble = self.exposure.is_flat, bool(self.line.trouble)
            if over := self.brake.end_flattening(now, flat=flat, trouble=trouble):
                return over
        return [*self.lookout.look(now, rests=not flattens)]
