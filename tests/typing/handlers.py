"""What the type checker accepts and refuses of agents; checked by mypy, never run."""

from __future__ import annotations

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.messages import Message, RiskAlert, Severity, TickerUpdate, TradeSignal


class Knobs(AgentSettings):
    """Settings of the agents below."""

    level: int = 1


class Right(BaseAgent[Knobs]):
    """Every shape a handler may have."""

    @on(TickerUpdate)
    def one(self, tick: TickerUpdate) -> RiskAlert | None:
        """Return one message or none; settings are typed."""
        level: int = self.settings.level
        if tick.last > level:
            return RiskAlert(code="X", severity=Severity.WARNING)
        return None

    @on(TradeSignal)
    async def several(self, signal: TradeSignal) -> list[Message]:
        """Wait, then return several messages."""
        return [RiskAlert(code=signal.symbol, severity=Severity.WARNING)]

    @every(5)
    def now_and_then(self) -> RiskAlert:
        """Return a message each five seconds."""
        return RiskAlert(code="X", severity=Severity.WARNING)


class WithoutSettings(BaseAgent):
    """Settings may be left out."""


class Wrong(BaseAgent[Knobs]):
    """Every mistake a handler can make."""

    @on(TickerUpdate)  # type: ignore[arg-type]
    def wrong_parameter(self, tick: TradeSignal) -> None: ...

    @on(TickerUpdate)  # type: ignore[type-var]
    def no_message(self, tick: TickerUpdate) -> int:
        return 1

    @on(int)  # type: ignore[type-var]
    def not_a_message(self, number: int) -> None: ...

    @on(TickerUpdate)  # type: ignore[arg-type]
    def arity(self) -> None: ...

    @every(5)  # type: ignore[type-var]
    def no_message_timer(self) -> int:
        return 3


class Narrow(Right):
    """An override keeps the parameter of its parent."""

    def one(self, tick: TradeSignal) -> RiskAlert | None:  # type: ignore[override]
        return None
