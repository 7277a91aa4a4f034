"""The Monitor agent: is the data fresh, is everybody alive, and does an up daemon trade at all."""

from __future__ import annotations

from pydantic import Field

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TIMEFRAMES,
    AgentState,
    AgentStatus,
    DataStatus,
    Fill,
    Heartbeat,
    Incident,
    MarketData,
    Message,
    RiskAlert,
    RiskAssessment,
    Severity,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.storage.base import Past

IDLE = ""
"""The trouble that nobody trades; the others are named by their symbol."""


class MonitorSettings(AgentSettings):
    """When silence is worth an alert: of data, and of decisions."""

    max_data_age_s: float = Field(
        default=300.0,
        gt=0,
        description="How long a symbol may be silent before an alert, in seconds of the clock.",
    )
    max_idle_hours: float = Field(
        default=24.0,
        gt=0,
        description="How long no strategy may signal before an alert, in hours of the clock.",
    )
    max_rejected_in_a_row: int = Field(
        default=50,
        ge=1,
        description="How many requests Risk may reject one after the other before an alert.",
    )


class Monitor(BaseAgent[MonitorSettings]):
    """Watch the messages themselves; speak up once when something stays away."""

    def __init__(self, settings: MonitorSettings, name: str = "monitor") -> None:
        super().__init__(settings, name)
        self.mode = TradingMode.ACTIVE
        self.agents: dict[str, AgentState] = {}
        self.data: dict[str, int] = {}
        self.feeds: dict[str, DataStatus] = {}
        self.incidents: list[Incident] = []
        self.last_decision = 0
        self.last_fill = 0
        self.rejected_in_a_row = 0
        self._started = 0
        self._told: list[str] = []

    def restore(self, past: Past) -> None:
        """Take up the trading state."""
        if past.trading_state is not None:
            self.mode = past.trading_state.mode

    @on(MarketData)
    def bar(self, bar: MarketData) -> None:
        """Note when the symbol was heard of."""
        self.data[bar.symbol] = bar.time + TIMEFRAMES[bar.timeframe]

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> None:
        """Note when the symbol was heard of."""
        self.data[tick.symbol] = tick.time

    @on(DataStatus)
    def feed(self, status: DataStatus) -> None:
        """Keep how whole each feed is."""
        self.feeds[f"{status.name}:{status.symbol}"] = status

    @on(TradeSignal)
    def decided(self, _signal: TradeSignal) -> None:
        """Note that somebody decided something."""
        self.last_decision = self.now()

    @on(RiskAssessment)
    def judged(self, verdict: RiskAssessment) -> None:
        """Count rejections in a row."""
        self.rejected_in_a_row = 0 if verdict.approved else self.rejected_in_a_row + 1

    @on(Fill)
    def filled(self, _fill: Fill) -> None:
        """Note that we trade."""
        self.last_fill = self.now()

    @on(TradingState)
    def follow(self, state: TradingState) -> None:
        """Note the trading state."""
        self.mode = state.mode

    @on(Incident)
    def happened(self, incident: Incident) -> None:
        """Keep the last incidents."""
        self.incidents = [*self.incidents[-99:], incident]

    @on(Heartbeat)
    def beat(self, beat: Heartbeat) -> None:
        """Note who is alive."""
        self.agents[beat.agent] = beat.state

    @on(AgentStatus)
    def status(self, status: AgentStatus) -> None:
        """Note a change in an agent's life."""
        self.agents[status.agent] = status.state

    @every(300, when="sees_change")
    def look(self) -> list[Message]:
        """Speak up once about each thing that is wrong, and again after it was right."""
        now = self.now()
        self._started = self._started or now
        troubles = self._troubles(now)
        new: list[Message] = [self._alert(name, now) for name in troubles if name not in self._told]
        self._told = troubles
        return new

    def sees_change(self) -> bool:
        """Tell whether something went wrong, or was put right, since the last look."""
        return not self._started or self._troubles(self.runtime.time()) != self._told

    def _troubles(self, now: int) -> list[str]:
        """Return what is wrong: the symbols that are silent, and nothing for not trading at all."""
        oldest = now - int(self.settings.max_data_age_s * SECOND)
        troubles = [symbol for symbol, last in self.data.items() if last < oldest]
        if self.mode is TradingMode.ACTIVE and self._idle(now):
            troubles.append(IDLE)
        return troubles

    def _alert(self, trouble: str, now: int) -> RiskAlert:
        if trouble == IDLE:
            text = self._idle(now)
            return RiskAlert(code="NOT_TRADING", severity=Severity.WARNING, evidence=text)
        age, most = (now - self.data[trouble]) / SECOND, self.settings.max_data_age_s
        return RiskAlert(
            code="DATA_STALE",
            severity=Severity.WARNING,
            symbol=trouble,
            evidence=f"nothing was heard of {trouble} for {age:.0f} s",
            value=age,
            limit=most,
        )

    def _idle(self, now: int) -> str:
        idle = (now - max(self.last_decision, self._started)) / SECOND / 3600
        if idle > self.settings.max_idle_hours:
            return f"up, but no strategy has signalled for {idle:.1f} h"
        if self.rejected_in_a_row >= self.settings.max_rejected_in_a_row:
            return f"up, but the last {self.rejected_in_a_row} requests were all rejected"
        return ""
