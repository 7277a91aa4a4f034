"""Leave a venue alone that keeps failing, and try it again with care."""

from __future__ import annotations

from tradeagent.clock import Clock
from tradeagent.integrations.hyperliquid.timing import elapsed


class Breaker:
    """Opens after some failures in a row; after a pause one attempt may pass and decides."""

    def __init__(self, clock: Clock, failures: int, pause: float) -> None:
        """Open after `failures`, for `pause` seconds."""
        self._clock = clock
        self._most = failures
        self._pause = pause
        self._failures = 0
        self._tried = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether too much has failed and nothing has succeeded since."""
        return self._failures >= self._most

    def passes(self) -> bool:
        """Tell whether an attempt may be made now; one in each pause may while it is open."""
        if not self.is_open:
            return True
        now = elapsed(self._clock)
        if now - self._tried < self._pause:
            return False
        self._tried = now
        return True

    def worked(self) -> None:
        """Note an answer, whatever it said."""
        self._failures = 0

    def failed(self) -> None:
        """Note that there was none."""
        self._failures += 1
        self._tried = elapsed(self._clock)
