"""Verification: every derived message of a journal is computed again and compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tradeagent
from tradeagent.app import code_digest
from tradeagent.clock import SECOND, monotonic
from tradeagent.messages import Boot, Message, UndecodableError
from tradeagent.replay.bus import Step
from tradeagent.replay.judge import Difference
from tradeagent.replay.read import Broken, Line, Reader
from tradeagent.replay.rehearsal import EnoughSeen, Rehearsal
from tradeagent.replay.stage import NotVerifiable, set_stage
from tradeagent.storage.archive import FOLDED
from tradeagent.storage.directory import StateDirectory
from tradeagent.storage.projection import Projection


@dataclass
class RunReport:
    """What became of one run: from its BOOT row to the next."""

    epoch: int
    first: int
    last: int = 0
    inputs: int = 0
    derived: int = 0
    """How many derived messages were compared."""
    unproven: str = ""
    """Why the run could not be played again, or nothing."""
    note: str = ""
    trusted: list[Difference] = field(default_factory=list)
    """What the run says, does not come again, and need not: failures for a passing reason."""
    differences: list[Difference] = field(default_factory=list)


@dataclass
class Report:
    """What became of all runs; `broken` is the first entry whose chain does not hold."""

    runs: list[RunReport] = field(default_factory=list)
    entries: int = 0
    hash: str = ""
    seconds: float = 0.0
    broken: int | None = None
    archived: int = 0
    """How many entries lie in segments that are not here, so that nobody looked at them."""

    @property
    def differences(self) -> list[Difference]:
        """Return the differences of all runs, by seq."""
        return [one for run in self.runs for one in run.differences]

    @property
    def unproven(self) -> list[RunReport]:
        """Return the runs that could not be played again."""
        return [run for run in self.runs if run.unproven]

    @property
    def refuted(self) -> bool:
        """Tell whether the chain is broken, or this very code decided otherwise than it does."""
        differ = any(run.differences and not run.note for run in self.runs)
        return self.broken is not None or differ

    @property
    def proven(self) -> bool:
        """Tell whether all was looked at and is equal."""
        return self.broken is None and not self.differences and not self.unproven


class Replay:
    """Plays a journal again, run by run; as an iterator it yields each row once it was played."""

    def __init__(
        self,
        directory: StateDirectory,
        reader: Reader,
        data: Path | None = None,
        witness: Callable[[Step], None] | None = None,
        first: int = 0,
    ) -> None:
        """Look for recorded files in `data` first; play no run that begins before row `first`.

        `witness` is shown each message and what it led to.
        """
        self.report = Report(entries=reader.head.entries, hash=reader.head.hash)
        self.report.archived = reader.start.entries
        self.rehearsal: Rehearsal | None = None
        """The run under way; None while it cannot be played."""
        self._directory = directory
        self._reader = reader
        self._data = data
        self._witness = witness
        self.first = first
        self._state = reader.start.projection()
        self._code = code_digest()
        self._run: RunReport | None = None

    async def play(self) -> AsyncIterator[Line]:
        """Play every row and yield it then; what does not hold stands in the report."""
        held: Line | None = None
        for line in self._sound():
            if held is not None:
                await self._play(held, line)
                yield held
            held = line
        if held is not None:
            await self._play(held, None)
            yield held
        self._end_run()

    def _sound(self) -> Iterator[Line]:
        """Yield every row up to the first that does not hold."""
        try:
            yield from self._reader.lines()
        except Broken as broken:
            self.report.broken = broken.seq

    async def _play(self, line: Line, following: Line | None) -> None:
        if line.type == Boot.wire:
            self._end_run()
            self._begin(line)
        run = self._run
        if run is None:
            run = self._headless(line)
        run.last = line.seq
        message = None
        if self.rehearsal is not None:
            try:
                message = await self.rehearsal.play(line, following)
            except EnoughSeen:
                self._collect(run)
            except UndecodableError as error:
                self._collect(run)
                run.differences.append(Difference(line.seq, f"the entry cannot be read: {error}"))
            except NotVerifiable as error:
                self._give_up(run, str(error))
        self._fold(run, line, message)

    def _fold(self, run: RunReport, line: Line, message: Message | None) -> None:
        try:
            if line.type in FOLDED:
                self._state.apply(line.seq, line.ts, message or line.message)
        except UndecodableError as error:
            self._give_up(run, f"entry {line.seq} cannot be read: {error}")
        self._state.advance(line.seq, line.ts)

    def _begin(self, line: Line) -> None:
        boot = line.message
        assert isinstance(boot, Boot)
        before = max((one.epoch for one in self.report.runs), default=0)
        run = self._run = RunReport(boot.epoch, line.seq)
        self.report.runs.append(run)
        if not before < boot.epoch == line.epoch:
            run.differences.append(Difference(line.seq, "another run's epoch", str(line.epoch)))
        past = self._state.past(boot.epoch, clean=boot.clean)
        if boot.state != past.digest:
            text = "the state that was restored is not what the journal gives"
            run.differences.append(Difference(line.seq, text, past.digest, boot.state))
        if boot.code != self._code:
            run.note = f"recorded by other code: tradeagent {boot.version}, {boot.code[:12]}"
        if line.seq < self.first:
            self._give_up(run, "it was not asked for")
            return
        try:
            stage = set_stage(self._directory, boot, past, self._data)
        except NotVerifiable as error:
            self._give_up(run, str(error))
        else:
            stage.bus.witness = self._witness
            self.rehearsal = Rehearsal(stage, self._restored, other_code=bool(run.note))

    def _restored(self, seq: int) -> Projection:
        return self._reader.state_at(seq)

    def _headless(self, line: Line) -> RunReport:
        run = self._run = RunReport(line.epoch, line.seq)
        self.report.runs.append(run)
        self._give_up(run, "its beginning lies in an archived segment that is not here")
        return run

    def _give_up(self, run: RunReport, why: str) -> None:
        self._collect(run)
        run.unproven = why

    def _end_run(self) -> None:
        run = self._run
        if run is None:
            return
        if self.rehearsal is not None and self.report.broken is None:
            self.rehearsal.finish()
        self._collect(run)
        if run.note and run.differences and not run.unproven:
            run.unproven = f"{run.note}; this code ({tradeagent.__version__}) decides differently"

    def _collect(self, run: RunReport) -> None:
        played, self.rehearsal = self.rehearsal, None
        if played is not None:
            run.inputs, run.derived = played.inputs, played.derived
            run.differences.extend(played.differences)
            run.trusted.extend(played.trusted)


async def verify(directory: StateDirectory, data: Path | None = None) -> Report:
    """Play every run of a state directory again and report what is not as it was.

    `data` is where recorded files are looked for first. Raises StateError for an unusable journal.
    """
    began = monotonic()
    with Reader(directory.journal) as reader:
        replay = Replay(directory, reader, data)
        async for _ in replay.play():
            pass
    replay.report.seconds = (monotonic() - began) / SECOND
    return replay.report
