"""How a run begins: shut after a lock or repeated crashes, and opened again by an operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tradeagent.clock import SECOND, WallClock
from tradeagent.errors import OperatorError
from tradeagent.log import log
from tradeagent.messages import Incident, Message, Release, Severity, TradingMode, TradingState
from tradeagent.plan import Plan
from tradeagent.storage.base import Past
from tradeagent.storage.directory import StateDirectory

CRASH_WINDOW = 600 * SECOND
"""Within how long (ns of the wall) crashes count together."""


class Unlock(NamedTuple):
    """An operator's word that a run may leave LOCKED."""

    reason: str
    actor: str


class Spoken(NamedTuple):
    """A message a run begins with, and who says it."""

    message: Message
    source: str


@contextmanager
def counted_crashes(plan: Plan, directory: StateDirectory) -> Iterator[int]:
    """Note a start that can trade; tell how many of late before it did not end in order.

    Within the context an end that is told in a line is no crash.
    """
    if plan.settings.clock.mode == "simulated" or not plan.runs("risk"):
        yield 0
        return
    try:
        yield directory.begin(WallClock().now(), CRASH_WINDOW)
    except OperatorError:
        directory.excuse()
        raise


def opening(
    past: Past, crashes: int, most: int, unlock: Unlock | None, now: int
) -> tuple[Spoken, ...]:
    """Return what a run says before its agents start, and log what stays shut and how it opens.

    `crashes` starts lately did not end in order; from `most` on nothing trades, 0 for never. An
    operator's `unlock` ends LOCKED whatever came before. `now` is in UTC ns of the run's clock.
    """
    state = past.trading_state
    mode = state.mode if state is not None else TradingMode.ACTIVE
    if mode is TradingMode.LOCKED and unlock is not None:
        release = Release(
            ends=mode, to=TradingMode.ACTIVE, reason=unlock.reason, actor=unlock.actor
        )
        return (Spoken(release, "operator"),)
    if unlock is not None:
        _say(f"there was nothing to unlock: trading is {mode}")
    if mode is TradingMode.LOCKED:
        _say(_since(state, "a run with --unlock --reason TEXT ends that"))
        return ()
    if most and crashes >= most:
        return _shut(mode, crashes, now)
    if state is None or mode is not TradingMode.SAFE_MODE:
        return ()
    if not past.clean:
        _say(_since(state, "'tradeagent resume --reason TEXT' ends that, or an orderly stop"))
        return ()
    reason = "the run before ended in order"
    release = Release(ends=mode, to=state.previous, reason=reason, actor="supervisor")
    return (Spoken(release, "supervisor"),)


def _shut(mode: TradingMode, crashes: int, now: int) -> tuple[Spoken, ...]:
    minutes = CRASH_WINDOW // (60 * SECOND)
    reason = f"{crashes} starts within {minutes} minutes did not end in order"
    incident = Incident(
        code="SAFE_MODE",
        severity=Severity.CRITICAL,
        agent="supervisor",
        text=f"{reason}, so nothing trades; find out why, then 'tradeagent resume --reason TEXT'",
    )
    if mode is TradingMode.SAFE_MODE:
        return (Spoken(incident, "supervisor"),)
    shut = TradingState(
        mode=TradingMode.SAFE_MODE, previous=mode, reason=reason, actor="supervisor", since=now
    )
    return (Spoken(shut, "supervisor"), Spoken(incident, "supervisor"))


def _since(state: TradingState | None, remedy: str) -> str:
    assert state is not None
    return f"trading stays {state.mode} ({state.reason}, by {state.actor}); {remedy}"


def _say(text: str) -> None:
    log.bind(agent="app").warning("{}", text)
