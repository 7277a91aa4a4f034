"""The brake on trading: the state that Risk keeps, pulled by anybody, let go by operators alone."""

from __future__ import annotations

from collections.abc import Callable

from tradeagent.agents import alerts
from tradeagent.agents.states import falls, kept, may_order
from tradeagent.messages import (
    CONSEQUENCES,
    Message,
    Release,
    RiskOverride,
    Severity,
    TradingMode,
    TradingState,
)


class Brake:
    """Keeps the trading state and words each step of it; times are UTC ns."""

    def __init__(self, author: str, patience: int, moved: Callable[[], None]) -> None:
        """Begin ACTIVE, and call `moved` at each step; flattening takes up to `patience` ns."""
        self.mode = TradingMode.ACTIVE
        self._author = author
        self._patience = patience
        self._moved = moved
        self._tried_since = 0

    @property
    def flattens(self) -> bool:
        """Tell whether every position is being closed."""
        return self.mode is TradingMode.FLATTENING

    def pull(self, severity: Severity, reason: str, now: int) -> list[Message]:
        """Go down as far as a severity asks, if that is further down."""
        mode = CONSEQUENCES[severity]
        if mode is None or not falls(self.mode, mode):
            return []
        return [self._go(mode, reason, self._author, now)]

    def order(self, word: RiskOverride, now: int) -> list[Message]:
        """Go where an operator says, or tell why that cannot be."""
        mode = word.mode
        if mode is None or mode is self.mode:
            return []
        if not may_order(self.mode, mode):
            return [alerts.warning("STATE_KEPT", kept(self.mode, mode))]
        return [self._go(mode, word.reason, word.actor, now)]

    def release(self, word: Release, now: int) -> list[Message]:
        """Leave LOCKED or SAFE_MODE as the start of this run says; leave no other state."""
        if self.mode is not word.ends:
            return []
        return [self._go(word.to, word.reason, word.actor, now)]

    def follow(self, state: TradingState) -> None:
        """Go down to where somebody else has gone."""
        if falls(self.mode, state.mode):
            self._step(state.mode)

    def renew(self, state: TradingState, now: int) -> list[Message]:
        """Say again where we stand, if our own word `state` is no longer that."""
        if state.mode is self.mode:
            return []
        return [self._word(state.mode, "set meanwhile", self._author, now)]

    def end_flattening(self, now: int, *, flat: bool, trouble: bool) -> list[Message]:
        """Halt once the account is `flat`, or after trying for long enough; `trouble` is none."""
        if flat:
            return [self._go(TradingMode.HALTED, "the account is flat", self._author, now)]
        if not self._tried_since or trouble:
            self._tried_since = now
        if now - self._tried_since <= self._patience:
            return []
        alert = alerts.not_flat(self._patience)
        reason = f"{alert.code}: {alert.evidence}"
        return [alert, self._go(TradingMode.HALTED, reason, self._author, now)]

    def _go(self, mode: TradingMode, reason: str, actor: str, now: int) -> TradingState:
        previous = self.mode
        self._step(mode)
        return self._word(previous, reason, actor, now)

    def _step(self, mode: TradingMode) -> None:
        self.mode, self._tried_since = mode, 0
        self._moved()

    def _word(self, previous: TradingMode, reason: str, actor: str, now: int) -> TradingState:
        return TradingState(
            mode=self.mode, previous=previous, reason=reason, actor=actor, since=now
        )
