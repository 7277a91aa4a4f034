"""What the supervisor tells everybody: how agents fare, incidents, and that trading stops."""

from __future__ import annotations

from tradeagent.log import log
from tradeagent.messages import (
    AgentState,
    AgentStatus,
    Incident,
    Message,
    Severity,
    TradingMode,
    TradingState,
)
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.runtime import AgentRuntime

STOPPED = (TradingMode.HALTED, TradingMode.SAFE_MODE, TradingMode.LOCKED)
LOUD = (AgentState.FAILED, AgentState.DEGRADED)


class Alarms:
    """Publishes states of agents and incidents, and halts trading where that is in doubt."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self.armed = False
        """Whether the daemon runs: before and after there is no trading to halt."""
        self.mode = TradingMode.ACTIVE
        self._runtime = runtime

    @property
    def trading(self) -> bool:
        """Tell whether there is something left to halt."""
        return self.mode in (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY)

    def follow(self, state: TradingState) -> None:
        """Note the trading state."""
        self.mode = state.mode

    def status(self, life: Life, state: AgentState, reason: str) -> None:
        """Put an agent into a state and say so."""
        life.agent.state = state
        level = "WARNING" if state in LOUD else "DEBUG"
        log.bind(agent=life.name).log(level, "{}: {}", state, reason)
        self._publish(
            AgentStatus(agent=life.name, state=state, reason=reason, restarts=len(life.restarts))
        )

    def incident(self, code: str, severity: Severity, agent: str, text: str) -> None:
        """Tell of something that must not be overlooked."""
        log.bind(agent=agent).warning("{}: {}", code, text)
        self._publish(Incident(code=code, severity=severity, agent=agent, text=text))

    def halt(self, text: str, agent: str, code: str = "HALT") -> None:
        """Stop trading from here: whoever failed may be the one who would have."""
        if not self.armed:
            return
        self.incident(code, Severity.CRITICAL, agent, text)
        if self.mode not in STOPPED:
            self._publish(
                TradingState(
                    mode=TradingMode.HALTED,
                    previous=self.mode,
                    reason=text,
                    actor="supervisor",
                    since=self._runtime.time(),
                )
            )

    def halt_once(self, text: str, agent: str) -> None:
        """Halt for what may come again with each message."""
        if self.trading:
            self.halt(text, agent)

    def _publish(self, message: Message) -> None:
        self._runtime.bus.publish(message, "supervisor")
