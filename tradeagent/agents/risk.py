"""The Risk agent: the one gate between a wish for an order and the venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.identity import cloid, seal
from tradeagent.clock import SECOND
from tradeagent.messages import (
    CONSEQUENCES,
    AccountUpdate,
    Fill,
    Incident,
    InstrumentUpdate,
    MarketData,
    Message,
    Order,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    RuleVerdict,
    Severity,
    Share,
    TickerUpdate,
    TradingMode,
    TradingState,
)
from tradeagent.quant.rules import Limits, OrderContext, check_all
from tradeagent.quant.sizing import Sizing, fixed_fraction, risk_per_trade
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


class RiskSettings(AgentSettings):
    """How orders are sized, what is allowed, and how long an approval holds.

    `fraction` of equity makes a full position with `fixed_fraction`; with `risk_per_trade` a full
    position loses `risk` of equity at its stop.
    """

    sizing: Literal["fixed_fraction", "risk_per_trade"] = "risk_per_trade"
    fraction: Decimal = Field(default=Decimal("0.2"), gt=0, le=10)
    risk: Decimal = Field(default=Decimal("0.005"), gt=0, le=1)
    approval_ttl_s: float = Field(default=2.0, gt=0, le=60)
    limits: Limits = Limits()


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
        if self.exposure.price(bar.symbol, bar.close, bar.close_time) and self.exposure.holds:
            return self.monitor_risk()
        return None

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> list[Message] | None:
        """Mark the symbol at its ticker."""
        self.exposure.quote(tick.symbol, tick.mark or tick.mid, tick.time)
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
        self.exposure.expire(self.now())
        instrument = self.instruments.get(request.symbol)
        mark = self.exposure.mark(request.symbol)
        if instrument is None or mark is None:
            return self._reject(request, (_unknown(request.symbol),), "")
        size, sizing, resized = self._size(request, instrument)
        if size <= 0:
            return self._reject(request, (_too_small(request, instrument),), sizing)
        context = self._context(request, instrument, size, mark)
        verdicts = self.check_limits(context, request)
        if not all(verdict.passed for verdict in verdicts):
            return self._reject(request, verdicts, sizing)
        return self._approve(request, context, verdicts, sizing, resized=resized)

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
                return verdict.model_copy(update={"passed": True, "text": text})
        return verdict

    def _size(
        self, request: OrderRequest, instrument: InstrumentUpdate
    ) -> tuple[Decimal, str, bool]:
        """Return size, arithmetic, and whether the limits per order made it smaller."""
        if request.size is not None:
            return request.size, "size as requested", False
        if request.reduce_only:
            return abs(self.exposure.position(request.symbol)), "the whole position", False
        wanted = self._sizing(request)
        quantity = wanted.quantity * Decimal(repr(request.weight))
        text = f"{wanted.explanation}; x weight {request.weight:g}"
        limits = self.settings.limits
        most = limits.max_order_notional / (request.limit or request.price)
        most = min(most, limits.max_order_qty.get(request.symbol, most))
        size = instrument.fit_size(min(quantity, most))
        return size, f"{text} = {size.normalize():f}", quantity > most

    def _sizing(self, request: OrderRequest) -> Sizing:
        settings, equity = self.settings, self.exposure.equity
        price = request.limit or request.price
        plan = request.stop_plan
        if settings.sizing == "fixed_fraction" or plan is None or plan.stop == price:
            return fixed_fraction(equity, settings.fraction, price)
        return risk_per_trade(equity, settings.risk, price, plan.stop)

    def _context(
        self, request: OrderRequest, instrument: InstrumentUpdate, size: Decimal, mark: Decimal
    ) -> OrderContext:
        exposure, plan = self.exposure, request.stop_plan
        buys, sells, reduces = exposure.pending(request.symbol)
        return OrderContext(
            instrument=instrument,
            side=request.side,
            size=size,
            price=request.price,
            limit=request.limit,
            reduce_only=request.reduce_only,
            protective=False,
            stop=plan.stop if plan is not None else None,
            target=plan.target if plan is not None else None,
            mode=self.mode,
            position=exposure.position(request.symbol),
            open_buys=buys,
            open_sells=sells,
            pending_reduces=reduces,
            other_exposure=exposure.others(request.symbol),
            equity=exposure.equity,
            day_pnl=exposure.day_pnl,
            mark=mark,
            now=self.now(),
            price_time=request.price_time,
            valid_until=request.valid_until,
            bar_length=exposure.bar_length(request.symbol),
        )

    def _approve(
        self,
        request: OrderRequest,
        context: OrderContext,
        verdicts: tuple[RuleVerdict, ...],
        sizing: str,
        *,
        resized: bool,
    ) -> RiskAssessment:
        order = Order(
            cloid=cloid(request.intent_id, 0, self._epoch),
            intent_id=request.intent_id,
            symbol=request.symbol,
            side=request.side,
            size=context.size,
            type=request.type,
            limit=request.limit,
            tif=request.tif,
            reduce_only=request.reduce_only,
        )
        expires = self.now() + self._ttl
        self.exposure.reserve(order, expires)
        return RiskAssessment(
            intent_id=request.intent_id,
            symbol=request.symbol,
            verdict="resized" if resized else "approved",
            rules=verdicts,
            sizing=sizing,
            order=order,
            stop_plan=request.stop_plan,
            strategy=request.strategy,
            shares=request.shares or (Share(strategy=request.strategy, part=Decimal(1)),),
            expires_at=expires,
            seal=seal(self._key, order, request.stop_plan, expires),
        )

    def _reject(
        self, request: OrderRequest, verdicts: tuple[RuleVerdict, ...], sizing: str
    ) -> RiskAssessment:
        return RiskAssessment(
            intent_id=request.intent_id,
            symbol=request.symbol,
            verdict="rejected",
            reasons=tuple(verdict.rule for verdict in verdicts if not verdict.passed),
            rules=verdicts,
            sizing=sizing,
            strategy=request.strategy,
            shares=request.shares,
            expires_at=self.now(),
        )

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
    def obey(self, state: TradingState) -> None:
        """Follow a state that somebody else set, downward."""
        hand = self.hand
        if hand is not None and hand.source == self.name:
            return
        if RANK[state.mode] > RANK[self.mode]:
            self.mode = state.mode

    def _descend(self, severity: Severity, reason: str) -> list[Message]:
        mode = CONSEQUENCES[severity]
        if mode is None or RANK[mode] <= RANK[self.mode]:
            return []
        return [self._go(mode, reason, self.name)]

    def _go(self, mode: TradingMode, reason: str, actor: str) -> TradingState:
        previous, self.mode = self.mode, mode
        return TradingState(
            mode=mode, previous=previous, reason=reason, actor=actor, since=self.now()
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


def _unknown(symbol: str) -> RuleVerdict:
    return RuleVerdict(
        rule="FRESH", passed=False, text=f"no instrument or no price is known for {symbol}"
    )


def _too_small(request: OrderRequest, instrument: InstrumentUpdate) -> RuleVerdict:
    text = f"the size of {request.symbol} rounds to nothing on lot {instrument.lot}"
    return RuleVerdict(
        rule="MIN_NOTIONAL",
        passed=False,
        value="0",
        limit=str(instrument.min_notional),
        text=text,
    )
