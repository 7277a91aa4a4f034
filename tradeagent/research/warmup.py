"""Warm-up sensitivity: a run that begins later must signal the same from then on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tradeagent.app import iso
from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.messages import TradeSignal
from tradeagent.research.data.span import moment
from tradeagent.research.decisions import Decision, Ear, Parting, parting
from tradeagent.research.lookahead import NotChecked, in_processes, told_of
from tradeagent.research.play import Listening, play, scratch, wait_for
from tradeagent.research.spec import Backtest, plan_of
from tradeagent.supervisor.operations import attempt

LATER = (0.1, 0.25, 0.5)
"""Which parts of the run are left out, one after the other."""


class Begun(NamedTuple):
    """What was signalled by a run that began at `ts` (UTC ns), and in which error it ended."""

    ts: int
    signals: list[Decision]
    failed: str = ""


@dataclass(frozen=True)
class WarmUp:
    """What beginning later changed: of `compared` signals `changed`, the first of them `parting`.

    `start` is the beginning (UTC ns) with which it was. `failed` says in which error a later run
    ended, where one did.
    """

    compared: int
    changed: int = 0
    parting: Parting | None = None
    start: int = 0
    failed: str = ""

    @property
    def line(self) -> str:
        """Return what came of it in a few words."""
        if self.parting is not None:
            return f"warm-up: {self.changed:,} of {self.compared:,} signals are others"
        if self.failed and not self.compared:
            return "warm-up: could not be made"
        if not self.compared:
            return "warm-up: no signals to compare, nothing shown"
        return f"warm-up: {self.compared:,} signals compared, none changed"

    def told(self) -> tuple[str, ...]:
        """Return what the reader of a result must know."""
        said = [self._how()] if self.parting is not None else []
        if self.failed:
            said.append(f"The warm-up check could not be made in full: {self.failed}.")
        return tuple(said)

    def _how(self) -> str:
        assert self.parting is not None
        first = self.parting.one or self.parting.other
        assert first is not None
        return (
            f"WARM-UP: begun at {iso(self.start)} instead, {first.strategy} signals otherwise "
            f"from {iso(first.ts)} on; {self.changed:,} of {self.compared:,} signals are others. "
            "Its warm-up is too short for what it remembers, or it decides by what it holds."
        )


def warm_up(
    spec: Backtest,
    span: tuple[int, int],
    decisions: Sequence[Decision],
    step: int,
    executor: Executor | None = None,
) -> WarmUp:
    """Play a backtest again with later beginnings over its `span` (UTC ns).

    They lie multiples of `step` ns, the length of a candle, after the first one. The data before a
    beginning is there to warm up on, as it is for a daemon that starts then. Signals are compared,
    not orders: those depend on the account, too.
    """
    first, last = span
    starts = [first + int((last - first) * part) // step * step for part in LATER]
    try:
        begun = in_processes(partial(begin_at, spec), starts, executor)
    except NotChecked as error:
        return WarmUp(0, failed=str(error))
    failed = next((one.failed for one in begun if one.failed), "")
    compared, worst = 0, WarmUp(0)
    for one in begun:
        if one.failed:
            continue
        mine = _signals(decisions, one.ts)
        compared += len(mine)
        parted = parting(mine, one.signals)
        if parted is not None and (worst.parting is None or parted.ts < worst.parting.ts):
            changed = len(set(mine) ^ set(one.signals))
            worst = WarmUp(len(mine), min(changed, len(mine)), parted, one.ts)
    found = worst if worst.parting is not None else WarmUp(compared)
    return replace(found, failed=failed)


def begin_at(spec: Backtest, start: int) -> Begun:
    """Play a backtest from `start` (UTC ns) on."""
    ear = Ear()
    with scratch() as state:
        _, error = wait_for(attempt(_play(spec, start, state, ear)))
    return Begun(start, _signals(ear.decisions, start), told_of(error))


async def _play(spec: Backtest, start: int, state: Path, ear: Ear) -> None:
    plan = plan_of(spec).plan
    assert isinstance(plan.feed, RecordedSettings)
    chosen = plan.feed.model_copy(update={"start": moment(start)})
    listening = Listening([ear.subscriber])
    await play(replace(plan, feed=chosen), state, RecordedFeed(chosen), listening)


def _signals(decisions: Sequence[Decision], after: int) -> list[Decision]:
    """Return the signals on what came after a moment, UTC ns."""
    return [one for one in decisions if one.type == TradeSignal.wire and one.ts > after]
