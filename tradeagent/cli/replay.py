"""`tradeagent replay`: prove that a journal follows from its inputs, or step through it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli.options import AsJson, Profile, State
from tradeagent.cli.places import state_path
from tradeagent.errors import CommandError
from tradeagent.log import setup
from tradeagent.storage.directory import StateDirectory

if TYPE_CHECKING:
    from tradeagent.messages import Message
    from tradeagent.replay import Difference, Report, Step

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNPROVEN = 3
"""The exit status where something cannot be played again, and nothing is known to be wrong."""
BRIEF = 160
"""How much of a message a line shows."""
DIFFERENCES = 20
"""Differences shown at most."""
replay = typer.Typer(name="replay", add_completion=False, rich_markup_mode=None)


@replay.command()
def play(
    state: State = None,
    profile: Profile = None,
    verifies: Annotated[
        bool, typer.Option("--verify", help="Compute every decision again and compare.")
    ] = False,
    first: Annotated[
        str, typer.Option("--from", help="The first entry to show, by number or UTC time.")
    ] = "0",
    last: Annotated[
        str | None, typer.Option("--to", help="The last entry to show, by number or UTC time.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Show only what this agent received or said.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the recorded files are now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a journal again; it is only read, also while the daemon runs.

    --verify: exit status 0 when all is equal, 1 where something differs or the chain is broken,
    3 where a run cannot be played again.
    """
    place = state_path(state, profile)
    if not place.is_dir():
        raise CommandError(f"{place}: no daemon has run here; name its folder with --state")
    setup("console", "ERROR")
    if verifies:
        status = _verify(StateDirectory(place), data, as_json=as_json)
    else:
        shows = _lines if as_json else _text
        status = _show(StateDirectory(place), data, _Span(first, last, agent), shows)
    if status:
        raise typer.Exit(status)


def _verify(directory: StateDirectory, data: Path | None, *, as_json: bool) -> int:
    from tradeagent.replay import verify

    report = asyncio.run(verify(directory, data))
    if as_json:
        found = {**asdict(report), "proven": report.proven}
        for run, of in zip(found["runs"], report.runs, strict=True):
            run["differences"] = [one._asdict() for one in of.differences]
            run["trusted"] = [one._asdict() for one in of.trusted]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        _tell(report)
    if report.refuted:
        return 1
    return 0 if report.proven else UNPROVEN


def _tell(report: Report) -> None:
    write = sys.stdout.write
    for one in _telling(report):
        write(f"entry {one.seq}: {one.what}\n")
        if one.journal or one.replay:
            write(f"  journal: {one.journal}\n  replay:  {one.replay}\n")
    for one in (one for run in report.runs for one in run.trusted):
        write(f"entry {one.seq}: taken on trust: {one.what}\n")
    for run in report.unproven:
        write(f"run {run.epoch} (entries {run.first} to {run.last}) is not verifiable: ")
        write(f"{run.unproven}\n")
    if report.archived:
        write(f"{report.archived} archived entries are not here; nobody looked at them\n")
    if report.broken is not None:
        write(f"the chain is broken at entry {report.broken}; restore a backup\n")
    played = [run for run in report.runs if not run.unproven]
    inputs, derived = sum(run.inputs for run in played), sum(run.derived for run in played)
    other = sum(bool(run.note) for run in played)
    word = "verified" if report.proven else "NOT verified"
    write(
        f"{word}: {len(played)} of {len(report.runs)} runs, {inputs} inputs, {derived} derived "
        f"messages compared, {len(report.differences)} differences, {report.entries} entries, "
        f"{report.seconds:.1f} s, {report.hash}"
        + (f"; {other} runs were recorded by other code" if other else "")
        + "\n"
    )


def _telling(report: Report) -> list[Difference]:
    """Return the differences to show: of a run that other code recorded, only the first."""
    runs = (run.differences[:1] if run.note else run.differences for run in report.runs)
    return sorted(one for differences in runs for one in differences)[:DIFFERENCES]


class _Span:
    """Which entries to show."""

    def __init__(self, first: str, last: str | None, agent: str | None) -> None:
        self.first, self.since = _place("--from", first)
        self.last, self.until = _place("--to", last) if last is not None else (None, None)
        self.agent = agent

    def over(self, seq: int, ts: int) -> bool:
        """Tell whether nothing more is to be shown."""
        return (self.last is not None and seq >= self.last) or (
            self.until is not None and ts > self.until
        )

    def holds(self, step: Step) -> bool:
        """Tell whether a step is to be shown."""
        seq, ts = step.envelope.seq, step.envelope.ts
        within = (self.last is None or seq <= self.last) and (
            self.until is None or ts <= self.until
        )
        since = seq >= (self.first or 0) and ts >= (self.since or 0)
        named = self.agent is None or self.agent in (*step.agents, step.envelope.source)
        return since and within and named


def _place(option: str, text: str) -> tuple[int | None, int | None]:
    """Return an entry's number or a time in UTC ns; raises CommandError for what is neither."""
    if text.isdecimal():
        return int(text), None
    return None, moment(option, text, "neither an entry's number nor a time")


def moment(option: str, text: str, wrong: str = "no time") -> int:
    """Return a time in UTC ns; raises CommandError that says what is `wrong` with it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            f"{option}: {text!r} is {wrong}; write one such as 2026-01-01T12:00"
        ) from error
    since = found.replace(tzinfo=found.tzinfo or UTC) - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _show(
    directory: StateDirectory, data: Path | None, span: _Span, shows: Callable[[Step, _Span], None]
) -> int:
    from tradeagent.replay import Reader, Replay

    def see(step: Step) -> None:
        if span.holds(step):
            shows(step, span)

    async def go() -> Replay:
        with Reader(directory.journal) as reader:
            began = reader.records.began(seq=span.first, ts=span.since)
            played = Replay(directory, reader, data, see, began)
            async for line in played.play():
                if span.over(line.seq, line.ts):
                    break
        return played

    played = asyncio.run(go())
    report = played.report
    if report.broken is not None:
        sys.stderr.write(f"the chain is broken at entry {report.broken}; restore a backup\n")
        return 1
    asked = [run for run in report.unproven if run.last >= (span.first or 0)]
    missed = [run for run in asked if run.first >= played.first]
    for run in missed:
        sys.stderr.write(f"run {run.epoch} cannot be played again: {run.unproven}\n")
    return UNPROVEN if missed else 0


def _text(step: Step, span: _Span) -> None:
    from tradeagent.app import iso

    envelope = step.envelope
    sys.stdout.write(
        f"{envelope.seq} {iso(envelope.ts)} {envelope.source} {_brief(envelope.payload)}\n"
    )
    for name in step.agents:
        said = [message for agent, message in step.answers if agent == name]
        if span.agent in (None, name) and (said or name in step.waiting or span.agent):
            words = [_brief(message) for message in said] or ["nothing"]
            if name in step.waiting:
                words = ["takes it later"]
            sys.stdout.writelines(f"    {name}: {word}\n" for word in words)


def _brief(message: Message) -> str:
    text = message.model_dump_json(exclude_defaults=True)
    return f"{message.wire} {text if len(text) <= BRIEF else text[: BRIEF - 3] + '...'}"


def _lines(step: Step, span: _Span) -> None:
    envelope = step.envelope
    told = {
        "seq": envelope.seq,
        "ts": envelope.ts,
        "source": envelope.source,
        "cause": envelope.cause,
        "type": envelope.payload.wire,
        "origin": envelope.origin.name.lower(),
        "payload": envelope.payload.model_dump(mode="json"),
        "agents": {
            name: [
                {"type": message.wire, "payload": message.model_dump(mode="json")}
                for agent, message in step.answers
                if agent == name
            ]
            for name in step.agents
            if span.agent in (None, name)
        },
        "waiting": list(step.waiting),
    }
    sys.stdout.write(json.dumps(told) + "\n")
