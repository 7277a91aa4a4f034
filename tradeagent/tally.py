"""Counts what happens on the bus: for the summary, the live status and the metrics."""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from tradeagent.agents.line import Line
from tradeagent.bus.base import Subscriber
from tradeagent.clock import SECOND
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    AgentState,
    AgentStatus,
    AuditReport,
    ExecutionReport,
    Fill,
    FundingPayment,
    Heartbeat,
    Incident,
    MarketData,
    Message,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Origin,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
    VenueBudget,
    VenueStatement,
    VenueStatus,
)


class Summary(BaseModel):
    """What a run came to; money in quote currency, as strings in JSON; times are ISO-8601 UTC.

    `state_hash` is empty where the state was not folded, as in a backtest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bars: int
    ticks: int
    signals: int
    requests: int
    approvals: int
    rejections: dict[str, int]
    orders: int
    fills: int
    fees: Decimal
    funding: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    start_equity: Decimal
    end_equity: Decimal
    journal_entries: int
    journal_hash: str
    state_hash: str
    seed: int
    started: str
    ended: str


MISMATCHES = frozenset(
    {"POSITION_MISMATCH", "CASH_MISMATCH", "UNKNOWN_ORDER", "FOREIGN_ORDER", "RESURRECTED"}
)
"""Incidents that tell of a difference between the venue and our books."""


class Tally:
    """Listens to everything and keeps counts, the newest of each thing, and the last events."""

    def __init__(self) -> None:
        self.bars = self.ticks = self.signals = self.requests = 0
        self.approvals = self.resized = self.fills = self.orders = 0
        self.rejections: Counter[str] = Counter()
        self.order_states: Counter[tuple[str, str]] = Counter()
        self.alerts: Counter[tuple[str, str]] = Counter()
        self.incidents: Counter[str] = Counter()
        self.mismatches = 0
        self.fees = self.funding = ZERO
        self.mode = TradingMode.ACTIVE
        self.mode_reason = ""
        self.opening: AccountUpdate | None = None
        """The first account that the venue told of."""
        self.account: AccountUpdate | None = None
        self.line = Line()
        """Whether the venue can be relied on."""
        self.audit: AuditReport | None = None
        self.peak = self.day_open = ZERO
        self.positions: dict[str, PositionUpdate] = {}
        self._prices: dict[str, MarketData | TickerUpdate] = {}
        self.decided: dict[str, int] = {}
        self.beats: dict[str, Heartbeat] = {}
        self.agents: dict[str, AgentStatus] = {}
        self.events: deque[tuple[int, Message]] = deque(maxlen=200)
        self._day = -1
        self._inlet: Subscriber | None = None

    def subscriber(self) -> Subscriber:
        """Return the listener to subscribe."""
        self._inlet = Subscriber(
            "tally",
            {
                MarketData: self._bar,
                TickerUpdate: self._tick,
                TradeSignal: self._signal,
                OrderRequest: self._request,
                RiskAssessment: self._assessed,
                OrderUpdate: self._ordered,
                ExecutionReport: self._reported,
                Fill: self._filled,
                FundingPayment: self._funded,
                PositionUpdate: self._position,
                AccountUpdate: self._account,
                VenueStatus: self.line.status,
                VenueStatement: self.line.statement,
                VenueBudget: self.line.budget,
                TradingState: self._state,
                RiskAlert: self._alerted,
                AuditReport: self._audited,
                Incident: self._happened,
                Heartbeat: self._beat,
                AgentStatus: self._status,
            },
            observer=True,
        )
        return self._inlet

    @property
    def now(self) -> int:
        """Return the time of the newest message, UTC ns."""
        hand = self._inlet.hand if self._inlet is not None else None
        return hand.ts if hand is not None else 0

    @property
    def marks(self) -> dict[str, tuple[float, int]]:
        """Return the last mark of each symbol, and of when it is (UTC ns)."""
        return {
            symbol: (one.close, one.close_time)
            if isinstance(one, MarketData)
            else (one.mark or one.mid, one.time)
            for symbol, one in self._prices.items()
        }

    def _note(self, message: Message) -> None:
        self.events.append((self.now, message))

    def _bar(self, bar: MarketData) -> None:
        inlet = self._inlet
        # A candle that Data builds from those of the feed is derived, and no data of its own.
        if inlet is None or inlet.hand is None or inlet.hand.origin is not Origin.DERIVED:
            self.bars += 1
        self._prices[bar.symbol] = bar

    def _tick(self, tick: TickerUpdate) -> None:
        self.ticks += 1
        self._prices[tick.symbol] = tick

    def _signal(self, signal: TradeSignal) -> None:
        self.signals += 1
        self.decided[signal.strategy] = self.now
        self._note(signal)

    def _request(self, _request: OrderRequest) -> None:
        self.requests += 1

    def _assessed(self, verdict: RiskAssessment) -> None:
        if verdict.approved:
            self.approvals += 1
            self.resized += verdict.verdict == "resized"
        self.rejections.update(verdict.reasons)
        self._note(verdict)

    def _ordered(self, update: OrderUpdate) -> None:
        self.orders += update.status is OrderStatus.PREPARED
        self.order_states[update.status, update.order.side] += 1

    def _reported(self, report: ExecutionReport) -> None:
        if report.status is OrderStatus.REJECTED:
            self._note(report)

    def _filled(self, fill: Fill) -> None:
        self.fills += 1
        self.fees += fill.fee
        self._note(fill)

    def _funded(self, payment: FundingPayment) -> None:
        self.funding += payment.payment

    def _position(self, update: PositionUpdate) -> None:
        self.positions[update.symbol] = update

    def _account(self, update: AccountUpdate) -> None:
        self.account = update
        self.opening = self.opening or update
        self.peak = max(self.peak, update.equity)
        day = update.time // (86_400 * SECOND)
        if day != self._day:
            self._day, self.day_open = day, update.equity

    def _state(self, state: TradingState) -> None:
        self.mode, self.mode_reason = state.mode, state.reason
        self._note(state)

    def _alerted(self, alert: RiskAlert) -> None:
        self.alerts[alert.code, alert.severity.value] += 1
        self._note(alert)

    def _audited(self, report: AuditReport) -> None:
        self.audit = report
        self._note(report)

    def _happened(self, incident: Incident) -> None:
        self.incidents[incident.severity.value] += 1
        self.mismatches += incident.code in MISMATCHES
        self._note(incident)

    def _beat(self, beat: Heartbeat) -> None:
        self.beats[beat.agent] = beat

    def _status(self, status: AgentStatus) -> None:
        self.agents[status.agent] = status
        if status.state is AgentState.FAILED:
            self._note(status)
