"""The daemon about itself: timers, heartbeats, states of agents, incidents and tasks."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tradeagent.messages.base import Delivery, Message, Name, Ratio, Time
from tradeagent.messages.risk import Severity


class AgentState(StrEnum):
    """Where an agent stands in its life."""

    NEW = "NEW"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class Timer(Message):
    """A timer of one agent's method has fired."""

    agent: Name
    method: Name


class Heartbeat(Message, delivery=Delivery.LOSSY):
    """A sign of life from an agent's own message loop."""

    agent: Name
    state: AgentState
    waiting: int
    last_seq: int


class AgentStatus(Message, delivery=Delivery.LOSSY):
    """A change in an agent's life."""

    agent: Name
    state: AgentState
    reason: str = ""
    restarts: int = 0


class Attendance(Message):
    """From here on an agent takes messages, lets them wait, or is gone; on record, heard by nobody.

    `down`: the message `waiting` (its seq, 0 for none) that was in hand goes back to the front;
    `failed` is the one that its handler raised on.
    `up`: what waited is served now. With `restored`, the agent was made anew and took up the
    journal as it stood at that seq.
    """

    agent: Name
    state: Literal["up", "down", "gone"]
    waiting: int = 0
    failed: int = 0
    restored: int | None = None


class DataStatus(Message):
    """How whole one feed's data is: rows, and what was missing, repeated or out of order."""

    symbol: Name
    name: str
    rows: int = 0
    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    disordered: int = 0
    malformed: int = 0
    last_time: Time = 0


class DataReference(Message):
    """A recorded file the journal refers to instead of repeating its rows."""

    name: str
    symbol: str
    sha256: str
    rows: int
    content: str
    """What a row is: bars, quotes, trades or book."""
    mapping: dict[str, str] = {}


class Boot(Message):
    """A start of the daemon: what it runs, on what configuration, from what state."""

    version: str
    profile: str
    epoch: int
    clock: str
    seed: int
    configuration: str
    code: str
    state: str
    """Digests of the resolved configuration, the code and the restored state."""
    agents: tuple[str, ...] = ()
    """Those that this process was told to run; all that are configured when none is named."""
    clean: bool
    """Whether the run before this one ended by itself."""


class Incident(Message):
    """Something that must not be overlooked; CONSEQUENCES says what its severity does."""

    code: Name
    severity: Severity
    agent: str = ""
    symbol: str | None = None
    text: str = ""
    evidence: str = ""


class TaskRequest(Message):
    """A piece of work for a worker, such as a backtest."""

    task_id: Name
    task: Name
    arguments: dict[str, str] = {}
    actor: str = "operator"


class TaskProgress(Message, delivery=Delivery.LATEST):
    """How far a task is."""

    task_id: Name
    done: Ratio
    text: str = ""

    @property
    def symbol(self) -> str:
        """Return the key that newer progress replaces older progress by."""
        return self.task_id


class TaskResult(Message):
    """How a task ended."""

    task_id: Name
    outcome: Literal["succeeded", "failed", "cancelled"]
    text: str = ""
    results: dict[str, str] = {}
