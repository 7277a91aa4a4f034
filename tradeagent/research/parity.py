"""Parity: a run's market data traded again in a backtest, decision by decision and fill by fill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from tradeagent.app import code_digest, iso
from tradeagent.clock import SECOND
from tradeagent.config.load import recall
from tradeagent.config.tree import scalar
from tradeagent.errors import CommandError
from tradeagent.integrations.base import MarketFeed
from tradeagent.plan import Plan, make_plan
from tradeagent.research.decisions import Decision
from tradeagent.research.pairing import Pair, pair_up, reason
from tradeagent.research.past import JournaledFeed, PastRun, read_decisions, read_run
from tradeagent.research.play import Listening, play, scratch, wait_for

Kind = Literal["data", "timing", "fill", "configuration"]
WINDOW = 300 * SECOND
"""How far apart in time two decisions may be and still be the same one."""
LAG = SECOND // 10
"""What a live run may take from a price to a decision, in ns of the wall."""


class Difference(BaseModel):
    """A decision that one of the two took otherwise, or alone; `time` is ISO-8601 UTC."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    type: str
    time: str
    symbol: str
    run: str | None
    backtest: str | None
    why: str


class Count(BaseModel):
    """How many decisions of one kind the run took, and how many of them the backtest took too.

    `equal` ones decide the same at the same time; `identical` are the same to the last letter.
    """

    model_config = ConfigDict(frozen=True)

    run: int = 0
    backtest: int = 0
    equal: int = 0
    identical: int = 0


class Parity(BaseModel):
    """What became of a run's decisions in a backtest on its own market data and settings."""

    model_config = ConfigDict(frozen=True)

    run: str
    profile: str
    clock: str
    start: str
    end: str
    counts: dict[str, Count]
    differences: tuple[Difference, ...] = ()
    configuration: tuple[str, ...] = ()
    """Settings that were not those of the run, and other code."""
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Return the part of all decisions that are equal, 1 where there are none."""
        total = sum(max(one.run, one.backtest) for one in self.counts.values())
        return sum(one.equal for one in self.counts.values()) / total if total else 1.0

    @property
    def kinds(self) -> dict[str, int]:
        """Return how many differences there are of each kind."""
        found: dict[str, int] = {}
        for one in self.differences:
            found[one.kind] = found.get(one.kind, 0) + 1
        return found


class Staged(NamedTuple):
    """A run's plan for a backtest, its market data, and what is not as it was."""

    plan: Plan
    feed: MarketFeed
    configuration: tuple[str, ...]
    notes: tuple[str, ...]


def parity(
    place: str | Path,
    settings: Mapping[str, object] | None = None,
    data: str | Path | None = None,
) -> Parity:
    """Trade a run's market data again and compare; `place` is its state folder.

    `settings` change its configuration, by dotted paths, to see what that would have changed;
    `data` is where recorded files are now. Raises an OperatorError for what cannot be read.
    """
    run = read_run(Path(place))
    staged = _stage(run, settings or {}, None if data is None else Path(data))
    with scratch() as state:
        listening = Listening(calls=run.calls(), until=run.ended)
        wait_for(play(staged.plan, state, staged.feed, listening))
        decisions = read_decisions(state)
    return _compared(run, staged, decisions)


# -- the stage ------------------------------------------------------------------------------------


def _stage(run: PastRun, changes: Mapping[str, object], data: Path | None) -> Staged:
    record, folder = run.settings()
    notes, told = list(run.notes), [f"{path} is {value}" for path, value in changes.items()]
    journaled = bool(run.events)
    if journaled:
        feeds: list[dict[str, Any]] = [_listing(run)]
        record.setdefault("agents", {}).setdefault("data", {})["quote_interval_ms"] = 0
    else:
        feeds = record["feeds"]
        for file in (file for feed in feeds for file in feed.get("files", ())):
            file["path"] = str(_found(Path(file["path"]), folder, data))
    if record.get("exchange", {}).get("type", "simulated") != "simulated":
        record["exchange"] = {"type": "simulated"}
        notes.append("it traded on a venue: fees, fills and latency of the backtest are assumed")
    if code_digest() != run.boot.code:
        told.append(f"the run was recorded by other code, {run.boot.code[:12]}")
    record |= {"feeds": feeds, "live": False, "store": {"fresh": True}}
    record["clock"] = {**record.get("clock", {}), "mode": "simulated", "since": None}
    for path, value in changes.items():
        _set(record, path, value)
    plan = make_plan(recall(record, f"{run.path}/settings"), run.boot.seed, run.boot.agents)
    feed = JournaledFeed(run) if journaled else _recording(run, plan)
    if len(run.boots) > 1:
        notes.append(f"it was started {len(run.boots)} times: while it was down it decided nothing")
    return Staged(plan, feed, tuple(told), tuple(notes))


def _listing(run: PastRun) -> dict[str, Any]:
    """Return a feed of the symbols of the run, for its plan to be checked against."""
    listings = [
        {"instrument": one.model_dump(mode="json"), "price": 1.0}
        for one in run.instruments.values()
    ]
    if not listings:
        raise CommandError(f"{run.path}: the journal tells of no instrument; nothing was traded")
    return {"type": "generated", "listings": listings}


def _recording(run: PastRun, plan: Plan) -> MarketFeed:
    from tradeagent.parts import recording

    feed = recording(plan)
    if feed is None:
        raise CommandError(f"{run.path}: the journal holds no market data; nothing was played")
    known = {one.name: one.sha256 for one in run.references}
    for one in feed.references():
        if known.get(one.name, one.sha256) != one.sha256:
            raise CommandError(f"{one.name}: is not the file that was played; name it with --data")
    return feed


def _found(path: Path, folder: Path, data: Path | None) -> Path:
    """Return where a recorded file is now: in `data`, else where it was."""
    if data is not None and (data / path.name).exists():
        return data / path.name
    return folder / path


def _set(record: dict[str, Any], path: str, value: object) -> None:
    """Change a setting in place; raises CommandError for a path through what is no mapping."""
    *parents, last = path.split(".")
    for key in parents:
        record = record.setdefault(key, {})
        if not isinstance(record, dict):
            raise CommandError(f"--set {path}: {key} is no mapping")
    record[last] = scalar(value) if isinstance(value, str) else value


# -- the comparison -------------------------------------------------------------------------------


def _compared(run: PastRun, staged: Staged, decisions: Sequence[Decision]) -> Parity:
    exact = run.boot.clock == "simulated"
    speed = staged.plan.settings.clock.speed if run.boot.clock == "accelerated" else 1.0
    slack = 0 if exact else int(LAG * max(speed, 1.0))
    window = max(WINDOW, 2 * slack)
    pairs = pair_up(run.decisions, decisions, window)
    return Parity(
        run=str(run.path),
        profile=run.boot.profile,
        clock=run.boot.clock,
        start=iso(run.began),
        end=iso(run.ended),
        counts=_counts(pairs, slack),
        differences=tuple(_differences(pairs, slack, staged.configuration)),
        configuration=staged.configuration,
        notes=staged.notes,
    )


def _counts(pairs: Sequence[Pair], slack: int) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for one in pairs:
        count = found.get(one.type, Count())
        found[one.type] = Count(
            run=count.run + (one.run is not None),
            backtest=count.backtest + (one.backtest is not None),
            equal=count.equal + (reason(one, slack) is None),
            identical=count.identical + one.identical,
        )
    return dict(sorted(found.items()))


def _differences(
    pairs: Sequence[Pair], slack: int, configuration: Sequence[str]
) -> Iterator[Difference]:
    """Yield what differs, oldest first, each by its kind.

    What has no cause of its own follows from the difference before it in its symbol, or in any, for
    all trade on one account.
    """
    before: dict[str, Kind] = {}
    last: Kind | None = None
    for one in pairs:
        why = reason(one, slack)
        if why is None:
            continue
        cause, text = why
        inherited = before.get(one.symbol) or last
        if cause is None and inherited is not None:
            text += ", which follows from what differs before"
        kind: Kind = cause or inherited or ("configuration" if configuration else "timing")
        before[one.symbol] = last = kind
        yield Difference(
            kind=kind,
            type=one.type,
            time=iso(one.ts),
            symbol=one.symbol,
            run=None if one.run is None else one.run.told(),
            backtest=None if one.backtest is None else one.backtest.told(),
            why=text,
        )
