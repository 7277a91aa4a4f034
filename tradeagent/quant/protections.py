"""Protections: what went wrong lately locks a symbol, a strategy or the account for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO

REPEATED = "REPEATED"
KEPT = 500
"""How many round trips are kept for the stop guard."""


class ProtectionSettings(BaseModel):
    """When new entries pause by themselves; times in seconds of the clock, exits never wait."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_guard_stops: int | None = Field(
        default=4,
        ge=1,
        description="How many positions closed by their stop within `stop_guard_window_s` lock; "
        "null switches it off.",
    )
    stop_guard_window_s: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a stop counts for the stop guard.",
    )
    stop_guard_lock_s: float = Field(
        default=3600.0, gt=0, allow_inf_nan=False, description="How long the stop guard locks."
    )
    stop_guard_scope: Literal["symbol", "all"] = Field(
        default="symbol",
        description="Whether stops are counted and locked for each symbol or for all together.",
    )
    cooldown_after_close_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a symbol rests after a position in it was closed; 0 for not at all.",
    )
    cooldown_after_loss_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a symbol rests after a position in it was closed with a loss.",
    )
    max_losses_in_a_row: int | None = Field(
        default=8,
        ge=1,
        description="How many losses of one strategy in a row pause it; null switches it off.",
    )
    losses_pause_s: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a strategy is paused after losses in a row, after each further one "
        "again.",
    )


class Trip(NamedTuple):
    """One round trip of a strategy, flat to flat; `time` is in UTC ns, `pnl` after costs."""

    strategy: str
    symbol: str
    time: int
    pnl: Decimal
    stopped: bool


class Lock(NamedTuple):
    """What is locked until when (UTC ns), and why; `scope` is a symbol, a strategy or `*`."""

    code: str
    scope: str
    until: int
    text: str


class Protections:
    """Folds round trips into locks; the same trips give the same locks."""

    def __init__(self, settings: ProtectionSettings) -> None:
        self.settings = settings
        self.locks: dict[tuple[str, str], Lock] = {}
        self._trips: deque[Trip] = deque(maxlen=KEPT)
        self._losses: dict[str, int] = {}

    def restore(self, trips: Iterable[Trip], locks: Iterable[Lock]) -> None:
        """Take up earlier round trips in any order, and the locks they led to."""
        for trip in sorted(trips, key=lambda trip: trip.time):
            self._note(trip)
        for lock in locks:
            self.add(lock)

    def add(self, lock: Lock) -> bool:
        """Put a lock in force; tells whether it lasts longer than the one that was."""
        known = self.locks.get((lock.code, lock.scope))
        if known is not None and known.until >= lock.until:
            return False
        self.locks[lock.code, lock.scope] = lock
        return True

    def closed(self, trip: Trip) -> list[Lock]:
        """Fold a round trip; returns the locks it led to."""
        self._note(trip)
        found = [*self._cooldown(trip), *self._stop_guard(trip), *self._losses_in_a_row(trip)]
        return [lock for lock in found if self.add(lock)]

    def until(self, code: str, scope: str) -> int:
        """Return until when (UTC ns) one lock holds, 0 when it is not there."""
        lock = self.locks.get((code, scope))
        return lock.until if lock is not None else 0

    def locked(self, symbol: str, strategies: Iterable[str], now: int) -> Lock | None:
        """Return the lock on any of these that holds longest after `now`; forget what ended.

        A pause for repetitions is not among them: it is a rule of its own.
        """
        if not self.locks:
            return None
        for key in [key for key, lock in self.locks.items() if lock.until <= now]:
            del self.locks[key]
        scopes = {symbol, "*", *strategies}
        met = [one for one in self.locks.values() if one.scope in scopes and one.code != REPEATED]
        return max(met, key=lambda lock: lock.until, default=None)

    def _note(self, trip: Trip) -> None:
        self._trips.append(trip)
        lost = self._losses.get(trip.strategy, 0) + 1 if trip.pnl < 0 else 0
        self._losses[trip.strategy] = lost

    def _cooldown(self, trip: Trip) -> list[Lock]:
        settings = self.settings
        seconds, what = settings.cooldown_after_close_s, "a position was closed"
        if trip.pnl < ZERO and settings.cooldown_after_loss_s > seconds:
            seconds, what = settings.cooldown_after_loss_s, f"a position lost {-trip.pnl:.2f}"
        if not seconds:
            return []
        return [Lock("COOLDOWN", trip.symbol, trip.time + int(seconds * SECOND), what)]

    def _stop_guard(self, trip: Trip) -> list[Lock]:
        settings, most = self.settings, self.settings.stop_guard_stops
        if most is None or not trip.stopped:
            return []
        whole = settings.stop_guard_scope == "all"
        since = trip.time - int(settings.stop_guard_window_s * SECOND)
        count = sum(
            one.stopped and one.time > since and (whole or one.symbol == trip.symbol)
            for one in self._trips
        )
        if count < most:
            return []
        until = trip.time + int(settings.stop_guard_lock_s * SECOND)
        text = f"{count} stops within {settings.stop_guard_window_s:g} s"
        return [Lock("STOP_GUARD", "*" if whole else trip.symbol, until, text)]

    def _losses_in_a_row(self, trip: Trip) -> list[Lock]:
        most, count = self.settings.max_losses_in_a_row, self._losses[trip.strategy]
        if most is None or count < most:
            return []
        until = trip.time + int(self.settings.losses_pause_s * SECOND)
        return [Lock("LOSSES_IN_A_ROW", trip.strategy, until, f"{count} losses in a row")]
