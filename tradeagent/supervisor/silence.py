"""Silence: agents give signs of life; one that gives none is named, then freed."""

from __future__ import annotations

from collections.abc import Mapping

from tradeagent.clock import SECOND, monotonic
from tradeagent.messages import AgentState, Heartbeat, Severity
from tradeagent.supervisor.alarms import Alarms
from tradeagent.supervisor.life import Life
from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.restarts import Restarts


class Silence:
    """Hears the agents' heartbeats and judges who has been silent for too long."""

    def __init__(
        self,
        lives: Mapping[str, Life],
        alarms: Alarms,
        restarts: Restarts,
        patience: Patience,
    ) -> None:
        self._lives = lives
        self._alarms = alarms
        self._restarts = restarts
        self._patience = patience
        self._looked = 0

    def heard(self, beat: Heartbeat) -> None:
        """Note a sign of life."""
        life = self._lives.get(beat.agent)
        if life is None:
            return
        life.heard = monotonic()
        if life.silent or life.agent.state is AgentState.DEGRADED:
            life.silent = False
            self._alarms.status(life, AgentState.RUNNING, "answers again")

    def look(self) -> None:
        """Name who is silent and restart who is stuck; time nobody ran in counts for nobody."""
        now = monotonic()
        paused = now - self._looked > self._patience.silent * SECOND
        self._looked = now
        for life in list(self._lives.values()):
            if paused:
                life.heard = now
            quiet = (now - life.heard) / SECOND
            if life.inlet.up and quiet > self._patience.silent:
                self._judge(life, quiet)

    def _judge(self, life: Life, quiet: float) -> None:
        if not life.silent:
            life.silent = True
            self._name(life, quiet)
        if quiet > self._patience.stuck:
            self._free(life, quiet)

    def _name(self, life: Life, quiet: float) -> None:
        text = f"silent for {quiet:.0f} s in {self._restarts.where(life)}"
        self._alarms.status(life, AgentState.DEGRADED, text)
        if life.essential:
            self._alarms.halt(f"{life.name} is {text}", life.name, "AGENT_SILENT")
        else:
            self._alarms.incident("AGENT_SILENT", Severity.WARNING, life.name, text)

    def _free(self, life: Life, quiet: float) -> None:
        text = f"{self._restarts.where(life)} took {quiet:.0f} s"
        if life.inlet.working and life.inlet.hand is not None:
            self._restarts.failed(life, life.inlet.hand, TimeoutError(text))
        else:
            self._restarts.put_down(life, text)
