"""Whether the venue can be reached, heard and traded on, told when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tradeagent.clock import Clock
from tradeagent.log import log
from tradeagent.messages import VenueStatus

State = Literal["up", "down", "degraded"]
STREAM = "stream"
ORDERS = "orders"
POST_ONLY = "post-only"
AGENT = "agent"


class Condition:
    """Troubles by their source; the venue is up when there is none, down when one says so."""

    def __init__(self, clock: Clock, tell: Callable[[VenueStatus], None]) -> None:
        """Start down: nothing is connected yet."""
        self._clock = clock
        self._tell = tell
        self._troubles: dict[str, tuple[State, str]] = {STREAM: ("down", "not connected yet")}
        self._said: State = "down"

    @property
    def status(self) -> VenueStatus:
        """Return how it is now."""
        found = sorted(self._troubles.values(), key=lambda one: one[0] != "down")
        state, reason = found[0] if found else ("up", "")
        return VenueStatus(state=state, reason=reason, time=self._clock.now())

    def trouble(self, source: str, state: State, reason: str) -> None:
        """Note a trouble, and tell it if that changes anything."""
        self._troubles[source] = (state, reason)
        self._say()

    def over(self, source: str) -> None:
        """Note that a trouble is over, and tell it if that changes anything."""
        if self._troubles.pop(source, None) is not None:
            self._say()

    def connected(self) -> None:
        """Note that the streams are heard again; that is told always, as what was missed is not."""
        self._troubles.pop(STREAM, None)
        self._said = "down"
        if self._troubles:
            self._tell(VenueStatus(state="up", reason="heard again", time=self._clock.now()))
        self._say()

    def _say(self) -> None:
        status = self.status
        if status.state == self._said:
            return
        self._said = status.state
        if status.state == "up":
            log.info("hyperliquid is up")
        else:
            log.warning("hyperliquid is {}: {}", status.state, status.reason)
        self._tell(status)
