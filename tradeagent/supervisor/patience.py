"""How much trouble the supervisor puts up with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often trouble is borne; all times are seconds of the wall."""

    restarts: int = 3
    """Restarts of one agent within `window`; one failure more and it is given up."""
    window: float = 60.0
    backoff: tuple[float, ...] = (0.1, 1.0, 4.0)
    """The pause before each restart; the last one also before what waits for the world."""
    heartbeat: float = 5.0
    look: float = 1.0
    """Between two looks at silence and memory."""
    silent: float = 15.0
    """Without a sign of life an agent is named after this long,"""
    stuck: float = 60.0
    """and restarted after this long; a setup may take as long, too."""
    stage: float = 2.0
    """What each stage of a stop may take."""
    late: float = 2.0
    """An event loop held up for this long is told of,"""
    dead: float = 10.0
    """and for this long ends the process."""
