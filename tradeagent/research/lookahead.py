"""The look-ahead check: cut the future off at several moments; what was decided must not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from tradeagent.app import iso
from tradeagent.errors import TradeAgentError, fault
from tradeagent.integrations.recorded import RecordedFeed, RecordedSettings
from tradeagent.log import log
from tradeagent.messages import TradeSignal
from tradeagent.research.data.span import moment
from tradeagent.research.decisions import Decision, Ear, Parting, parting, until
from tradeagent.research.operator import mornings
from tradeagent.research.outlook import OUTLOOK
from tradeagent.research.play import Listening, play, scratch, wait_for
from tradeagent.research.prices import span_of
from tradeagent.research.spec import Backtest, catalogue_root, plan_of
from tradeagent.supervisor.operations import attempt

AT_SIGNALS, BETWEEN = 5, 3
"""How many cuts are made where a strategy signalled, and how many elsewhere."""
T = TypeVar("T")


class NotChecked(TradeAgentError):
    """A check could not be made at all."""


class Cut(NamedTuple):
    """What was decided with the future cut off at `ts` (UTC ns).

    `peeked` are files of the data that were opened, `read` all other files, `failed` how it ended
    where not in order.
    """

    ts: int
    decisions: list[Decision]
    peeked: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class LookAhead:
    """What the look-ahead check found over all its cuts.

    `parting` is the first decision that is another one without its future, `cut` where that was.
    `compared` decisions lay before the last cut. At `unmade` cuts the run ended in an error,
    `failed` says in which: what it would have decided there nobody knows.
    """

    cuts: tuple[int, ...]
    parting: Parting | None = None
    cut: int = 0
    peeked: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    compared: int = 0
    unmade: int = 0
    failed: str = ""

    @property
    def caught(self) -> bool:
        """Tell whether something peeks."""
        return self.parting is not None or bool(self.peeked)

    @property
    def line(self) -> str:
        """Return what came of it in a few words."""
        made = len(self.cuts) - self.unmade
        if not made:
            return "look-ahead: could not be made"
        if self.caught:
            came = "the strategy knows its future"
        elif not self.compared:
            came = "no decisions to compare, nothing shown"
        else:
            came = f"no decision of {self.compared:,} changed"
        cuts = f"{made} of {len(self.cuts)} cuts" if self.unmade else f"{made} cuts"
        return f"look-ahead: {cuts}, {came}"

    def told(self) -> tuple[str, ...]:
        """Return what the reader of a result must know."""
        said = []
        if self.caught:
            said.append(f"LOOK-AHEAD: {self._how()}The result is worth nothing until that is gone.")
        if self.failed:
            where = f"at {self.unmade} of {len(self.cuts)} cuts"
            said.append(
                f"The look-ahead check could not be made {where}: {self.failed}. It shows nothing "
                "there."
            )
        if self.read:
            said.append(
                f"While it ran it read {', '.join(self.read)}: if that knows of the time played, "
                "the look-ahead check cannot see it."
            )
        return tuple(said)

    def _how(self) -> str:
        words = ""
        if self.peeked:
            names = ", ".join(Path(one).name for one in self.peeked)
            words = f"the strategy opens {names}, the very data it is tested on. "
        if self.parting is None:
            return words
        found, instead = self.parting
        first = found or instead
        assert first is not None
        whole = found.told() if found else "nothing"
        cut = instead.told() if instead else "nothing"
        return (
            f"{words}{first.strategy} decides otherwise when what follows is cut off at "
            f"{iso(self.cut)}: at {iso(first.ts)} it is {cut} instead of {whole}. "
        )


def look_ahead(
    spec: Backtest,
    files: Sequence[Path],
    span: tuple[int, int],
    decisions: Sequence[Decision],
    executor: Executor | None = None,
) -> LookAhead:
    """Play a backtest again with its future cut off, in fresh processes without its `files`.

    `decisions` are those of the whole run over `span` (UTC ns). Cuts lie where something was
    decided, so that what was known too early shows, and between.
    """
    moments = cuts_of(decisions, *span)
    cut_at = partial(play_cut, spec, [str(path) for path in files])
    try:
        found = in_processes(cut_at, moments, executor)
    except NotChecked as error:
        return LookAhead(tuple(moments), unmade=len(moments), failed=str(error))
    failed = [one.failed for one in found if one.failed and not one.peeked]
    made = [one for one in found if one.peeked or not one.failed]
    partings = [
        (one.ts, parted)
        for one in made
        if (parted := parting(until(decisions, one.ts), until(one.decisions, one.ts)))
    ]
    cut, first = min(partings, key=lambda pair: pair[1].ts, default=(0, None))
    return LookAhead(
        cuts=tuple(moments),
        parting=first,
        cut=cut,
        peeked=tuple(dict.fromkeys(path for one in found for path in one.peeked)),
        read=tuple(dict.fromkeys(path for one in found for path in one.read)),
        compared=max((len(until(decisions, one.ts)) for one in made), default=0),
        unmade=len(failed),
        failed=next(iter(failed), ""),
    )


def in_processes(
    work: Callable[[int], T], moments: Sequence[int], executor: Executor | None
) -> list[T]:
    """Return what `work` comes to at each moment (UTC ns), in fresh processes or in `executor`.

    Raises NotChecked where the processes die.
    """
    try:
        with own_executor(executor, len(moments)) as pool:
            return list(pool.map(work, moments))
    except BrokenExecutor:
        raise NotChecked(
            "its processes died; a strategy must stand in a file that they can import, a script "
            'must call this below `if __name__ == "__main__":`, and memory must suffice'
        ) from None


def own_executor(
    executor: Executor | None, most: int
) -> ProcessPoolExecutor | nullcontext[Executor]:
    """Return an executor as a context: the one given, or one of fresh processes."""
    if executor is not None:
        return nullcontext(executor)
    workers = max(1, min(most, os.cpu_count() or 1))
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=hush)


def hush() -> None:
    """Log nothing in this process: what goes wrong is returned."""
    log.remove()


def cuts_of(decisions: Sequence[Decision], start: int, end: int) -> list[int]:
    """Return where to cut, oldest first: at signals spread over the run, and at even steps.

    Oldest first, so that what a process remembers of earlier cuts is the past of later ones.
    """
    signals = [one.ts for one in decisions if one.type == TradeSignal.wire]
    steps = range(1, AT_SIGNALS + 1)
    chosen = {signals[len(signals) * step // (AT_SIGNALS + 1)] for step in steps if signals}
    wanted = BETWEEN + AT_SIGNALS - len(chosen)
    chosen |= {start + (end - start) * step // (wanted + 1) for step in range(1, wanted + 1)}
    return sorted(chosen)


def play_cut(spec: Backtest, files: Sequence[str], ts: int) -> Cut:
    """Play a backtest up to `ts` (UTC ns) while nobody but us may open its files."""
    ear = Ear()
    with scratch() as state, OUTLOOK.over([Path(one) for one in files], _ours(spec, state)):
        _, error = wait_for(attempt(_play(spec, ts, state, ear)))
        peeked, read = tuple(OUTLOOK.peeked), tuple(OUTLOOK.read)
        return Cut(ts, ear.decisions, peeked, read, told_of(error))


def told_of(error: Exception | None) -> str:
    """Return an error in one line, nothing for none."""
    if error is None:
        return ""
    said = str(error) if isinstance(error, TradeAgentError) else fault(error)
    return " ".join(said.split()).rstrip(".")


async def _play(spec: Backtest, ts: int, state: Path, ear: Ear) -> None:
    plan = plan_of(spec).plan
    assert isinstance(plan.feed, RecordedSettings)
    chosen = plan.feed.model_copy(update={"end": moment(ts)})
    with OUTLOOK.closed():
        feed = RecordedFeed(chosen)
    calls = mornings(*span_of(feed)) if spec.resume_daily else []
    await play(replace(plan, feed=chosen), state, feed, Listening([ear.subscriber], calls))


def _ours(spec: Backtest, state: Path) -> list[Path]:
    """Return what we read ourselves."""
    return [state, Path(".env"), *spec.config, spec.catalogue or catalogue_root()]
