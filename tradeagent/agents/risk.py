"""The Risk agent: the one gate between a wish for an order and the venue."""

from __future__ import annotations

from tradeagent.agents.base import BaseAgent, every, on
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.gate import (
    RiskSettings,
    approval,
    order_context,
    order_size,
    rejection,
    too_small,
    unknown,
)
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CONSEQUENCES,
    TIMEFRAMES,
    AccountUpdate,
    Fill,
    Incident,
    InstrumentUpdate,
    MarketData,
    Message,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    RuleVerdict,
    Severity,
    TickerUpdate,
    TradingMode,
    TradingState,
)
from tradeagent.messages.build import changed
from tradeagent.quant.rules import OrderContext, check_all
from tradeagent.storage.base import Past

RANK: dict[TradingMode, int] = {
    TradingMode.ACTIVE: 0,
    TradingMode.REDUCE_ONLY: 1,
    TradingMode.FLATTENING: 2,
    TradingMode.HALTED: 3,
    TradingMode.SAFE_MODE: 4,
    TradingMode.LOCKED: 5,
}
"""How far down each trading state is: down goes by itself, up takes an operator."""
FIXED = frozenset({"FINITE", "GRID", "STATE", "REDUCE"})
"""Rules that no override lifts."""


class Risk(BaseAgent[RiskSettings]):
    """Judge every request by every rule, in the worst case; keep the trading state.

    An approval carries the exact order and a seal over it. Any doubt about an increase is a no; no
    rule for increases ever stands in the way of an exit.
    """

    essential = True

    def __init__(self, settings: RiskSettings, seal_key: bytes, name: str = "risk") -> None:
        super().__init__(settings, name)
        self.mode = TradingMode.ACTIVE
        self.exposure = Exposure()
        self.instruments: dict[str, InstrumentUpdate] = {}
        self.overrides: dict[tuple[str, str], RiskOverride] = {}
        self._key = seal_key
        self._epoch = 0
        self._ttl = int(settings.approval_ttl_s * SECOND)

    def restore(self, past: Past) -> None:
        """Take up the trading state, overrides, positions, open orders and the day's opening."""
        self._epoch = past.epoch
        if past.trading_state is not None:
            self.mode = past.trading_state.mode
        self.instruments = {one.symbol: one for one in past.instruments}
        self.overrides = {(one.rule, one.scope): one for one in past.overrides}
        self.exposure.restore(past)

    # -- what is known ----------------------------------------------------------------------------

    @on(InstrumentUpdate)
    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument's grid."""
        self.instruments[instrument.symbol] = instrument

    @on(MarketData)
    def bar(self, bar: MarketData) -> list[Message] | None:
        """Mark the symbol at a candle's close, unless it has a ticker."""
        marked = self.exposure.price(bar.symbol, bar.close, TIMEFRAMES[bar.timeframe])
        return self.monitor_risk() if marked and self.exposure.holds else None

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> list[Message] | None:
        """Mark the symbol at its ticker."""
        self.exposure.quote(tick.symbol, tick.mark or tick.mid)
        return self.monitor_risk() if self.exposure.holds else None

    @on(PositionUpdate)
    def position(self, update: PositionUpdate) -> None:
        """Take over a position."""
        self.exposure.hold(update)

    @on(Fill)
    def filled(self, fill: Fill) -> list[Message]:
        """Look at the account again after each fill."""
        self.exposure.pay(fill.fee)
        return self.monitor_risk()

    @on(OrderUpdate)
    def ordered(self, update: OrderUpdate) -> None:
        """Keep what may still fill."""
        self.exposure.order(update)

    @on(AccountUpdate)
    def account(self, update: AccountUpdate) -> list[Message]:
        """Take over the venue's balance."""
        self.exposure.account(update)
        return self.monitor_risk()

    # -- the gate ---------------------------------------------------------------------------------

    @on(OrderRequest)
    def assess_risk(self, request: OrderRequest) -> RiskAssessment:
        """Size a request, judge it by every rule, and seal what is approved."""
        now, exposure = self.now(), self.exposure
        exposure.expire(now)
        instrument = self.instruments.get(request.symbol)
        standing = exposure[request.symbol]
        if instrument is None or not standing.mark:
            return rejection(request, now, (unknown(request.symbol),))
        equity = exposure.equity
        sized = order_size(request, instrument, standing, equity, self.settings)
        if sized.size <= 0:
            return rejection(request, now, (too_small(request, instrument),), sized.text)
        context = order_context(request, instrument, sized.size, exposure, equity, self.mode, now)
        verdicts = self.check_limits(context, request)
        if not all(verdict.passed for verdict in verdicts):
            return rejection(request, now, verdicts, sized.text)
        expires = now + self._ttl
        approved = approval(request, sized, verdicts, expires, self._key, self._epoch)
        assert approved.order is not None
        exposure.reserve(approved.order, expires)
        return approved

    def check_limits(self, context: OrderContext, request: OrderRequest) -> tuple[RuleVerdict, ...]:
        """Return the verdict of every rule that applies; a rule an override lifts passes."""
        verdicts = check_all(context, self.settings.limits)
        if not self.overrides:
            return verdicts
        return tuple(self._overridden(verdict, request) for verdict in verdicts)

    def _overridden(self, verdict: RuleVerdict, request: OrderRequest) -> RuleVerdict:
        if verdict.passed or verdict.rule in FIXED:
            return verdict
        for scope in (request.symbol, request.strategy, "*"):
            lifted = self.overrides.get((verdict.rule, scope))
            if lifted is not None and self.now() <= lifted.valid_until:
                text = f"{verdict.text}; lifted by {lifted.actor}: {lifted.reason}"
                return changed(verdict, passed=True, text=text)
        return verdict

    # -- the trading state ------------------------------------------------------------------------

    @on(RiskOverride)
    def override(self, change: RiskOverride) -> list[Message]:
        """Take an operator's word: a state to go to, or a rule to lift for a while."""
        if change.rule != "STATE":
            self.overrides[change.rule, change.scope] = change
            return []
        if change.mode is None or change.mode is self.mode:
            return []
        if self.mode is TradingMode.LOCKED:
            text = "LOCKED ends only with a restart and --unlock"
            return [RiskAlert(code="LOCKED", severity=Severity.WARNING, evidence=text)]
        return [self._go(change.mode, change.reason, change.actor)]

    @on(Incident)
    def incident(self, incident: Incident) -> list[Message]:
        """Go down as far as the incident's severity asks."""
        return self._descend(incident.severity, f"{incident.code}: {incident.text}")

    @on(RiskAlert)
    def alerted(self, alert: RiskAlert) -> list[Message]:
        """Go down as far as the alert's severity asks."""
        return self._descend(alert.severity, f"{alert.code}: {alert.evidence}")

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Follow a state that somebody else set, downward; what crossed it on its way is renewed.

        A halt that was set while we answered an operator comes first and our answer after it: then
        all but us would take the answer for the state.
        """
        hand = self.hand
        if hand is not None and hand.source == self.name:
            renewed = state.mode is not self.mode
            return [self._state(state.mode, "set meanwhile", self.name)] if renewed else []
        if RANK[state.mode] > RANK[self.mode]:
            self.mode = state.mode
        return []

    def _descend(self, severity: Severity, reason: str) -> list[Message]:
        mode = CONSEQUENCES[severity]
        if mode is None or RANK[mode] <= RANK[self.mode]:
            return []
        return [self._go(mode, reason, self.name)]

    def _go(self, mode: TradingMode, reason: str, actor: str) -> TradingState:
        previous, self.mode = self.mode, mode
        return self._state(previous, reason, actor)

    def _state(self, previous: TradingMode, reason: str, actor: str) -> TradingState:
        return TradingState(
            mode=self.mode, previous=previous, reason=reason, actor=actor, since=self.now()
        )

    # -- the continuous checks --------------------------------------------------------------------

    @every(300)
    def look(self) -> list[Message]:
        """Check the account now and then, and forget approvals that came to nothing."""
        self.exposure.expire(self.now())
        return self.monitor_risk()

    def monitor_risk(self) -> list[Message]:
        """Check the account as it stands; the day's loss limit leads to REDUCE_ONLY."""
        if self.mode is TradingMode.FLATTENING and self.exposure.is_flat:
            return [self._go(TradingMode.HALTED, "the account is flat", self.name)]
        loss, limit = self.exposure.day_loss_ratio, self.settings.limits.max_daily_loss_ratio
        if loss < float(limit) or self.mode is not TradingMode.ACTIVE:
            return []
        lifted = self.overrides.get(("DAILY_LOSS", "*"))
        if lifted is not None and self.now() <= lifted.valid_until:
            return []
        return [
            RiskAlert(
                code="DAILY_LOSS",
                severity=Severity.ERROR,
                evidence=f"the day lost {loss:.2%} of its opening equity, the limit is {limit:.2%}",
                value=loss,
                limit=float(limit),
            ),
        ]
