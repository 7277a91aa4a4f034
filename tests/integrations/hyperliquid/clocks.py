"""A clock that tests set."""

from __future__ import annotations

from tradeagent.clock import SECOND

START = 1_750_000_000 * SECOND


class SetClock:
    """Shows what it was set to; whoever sleeps moves it on."""

    simulated = False
    speed = 1.0

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        """Return the time it was set to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self.time += int(seconds * SECOND)

    async def sleep_until(self, when: int) -> None:
        """Show `when` at once."""
        self.time = max(self.time, when)

    def hold(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""
