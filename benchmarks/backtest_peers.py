"""Backtests of ours and of other programs, in turn, on the same seeded bars and quotes.

Usage: python benchmarks/backtest_peers.py [--peers FOLDER] [--rounds 5] [--only NAME ...]

`FOLDER/<environment>/bin/python` runs a peer; `peers/README.md` tells how to install them. One that
is not there is named and left out; so is one that fails or takes longer than a quarter of an hour.
`--only` names works and peers. Every run is a fresh process. In a round each program does a work
once, ours first; a ratio is ours against theirs in the same round, and the median of all rounds is
shown with the least and the most, by time and by CPU time, which other work on the machine disturbs
less. The fills of every run are compared with a plain reckoning before its speed counts: who fills
otherwise has none. Prints tables and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A script is given its own folder alone.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import walks
from benchmarks.due import Fills, Trade, differs, due
from benchmarks.figures import Run, Runs, compared, own, own_lines, table
from benchmarks.works import OURS, PEERS, QUIET, WORKS, Peer, Priced

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "benchmarks" / "peers"
LIMIT = 900
"""Seconds after which a run is given up."""


class Competitor(NamedTuple):
    """Who does a work: its name, where it fills, and the command that runs it."""

    name: str
    priced: Priced
    command: list[str]


class Asked(argparse.Namespace):
    """The command line."""

    peers: Path | None
    rounds: int
    only: Sequence[str]

    @property
    def works(self) -> list[str]:
        """Return the works to do."""
        return [work for work in WORKS if work in self.only] or list(WORKS)

    def python(self, peer: Peer) -> Path | None:
        """Return the interpreter of a peer's environment, if it is there."""
        found = Path(self.peers or "", peer.environment, "bin", "python").absolute()
        return found if self.peers is not None and found.exists() else None

    def competitors(self, work: str) -> Iterator[Competitor]:
        """Yield who does a work, ours first."""
        ours = [sys.executable, "-m", "benchmarks.backtest"]
        yield Competitor(OURS, WORKS[work].priced, ours)
        if work in ("100k", "500k"):
            yield Competitor(QUIET, "none", [*ours, "--quiet"])
        for peer in self._wanted(work):
            if python := self.python(peer):
                command = [str(python), str(SCRIPTS / f"{peer.script}.py")]
                yield Competitor(peer.name, peer.priced, command)

    def missing(self) -> Iterator[tuple[str, str]]:
        """Yield who cannot take part in which work, and why."""
        for work in self.works:
            for peer in self._wanted(work):
                if self.python(peer) is None:
                    place = Path(self.peers or "FOLDER", peer.environment)
                    yield f"{work}, {peer.name}", f"there is no {place}"

    def _wanted(self, work: str) -> list[Peer]:
        named = {peer.name for peer in PEERS} & set(self.only)
        competing = [peer for peer in PEERS if work in peer.goals]
        return [peer for peer in competing if not named or peer.name in named]


def asked() -> Asked:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peers", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    names = sorted({*WORKS, *(peer.name for peer in PEERS)})
    options.add_argument("--only", nargs="+", default=[], choices=names, metavar="NAME")
    return options.parse_args(namespace=Asked())


def run(command: Sequence[str], place: Path) -> Run | str:
    """Run one script in a fresh process; returns its line, or in words why there is none."""
    apart = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT if "-m" in command else place,
            env=apart,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {LIMIT} s"
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or ["failed without a word"])[-1]
    line: Run = json.loads(ended.stdout.splitlines()[-1])
    return line


class Contest:
    """Runs all programs in turn, in the folder `place`, and keeps what they came to."""

    def __init__(self, given: Asked, place: Path) -> None:
        self.given, self.place = given, place
        self.runs = Runs()
        self.out = dict(given.missing())
        """Who is left out of which work, and why."""
        self._due: dict[str, list[Trade]] = {}

    def play(self) -> None:
        """Run all rounds; raises SystemExit where ours fails or does not fill as is due."""
        for _ in range(self.given.rounds):
            for work in self.given.works:
                for one in self.given.competitors(work):
                    if f"{work}, {one.name}" not in self.out:
                        self._run(work, one)

    def _run(self, work: str, one: Competitor) -> None:
        label = f"{work}, {one.name}"
        files = [self.place / file for file in WORKS[work].files]
        fills = self.place / "fills.json"
        line = run([*one.command, *map(str, files), "--fills", str(fills)], self.place)
        wrong = line if isinstance(line, str) else None
        if wrong is None and one.name != QUIET:
            wrong = self._compare(files, json.loads(fills.read_text("ascii")), one.priced)
        if isinstance(line, str) or wrong is not None:
            if one.name in (OURS, QUIET):
                raise SystemExit(f"{label}: {wrong}")
            self.out[label] = str(wrong)
            sys.stderr.write(f"{label}: left out: {wrong}\n")
            return
        self.runs.add(work, one.name, line)
        sys.stderr.write(f"{label}: {line['rows'] / line['run_s']:,.0f}/s\n")

    def _compare(
        self, files: Sequence[Path], filled: Mapping[str, Fills], priced: Priced
    ) -> str | None:
        """Return where fills differ from those that are due, in words."""
        for file in files:
            if file.name not in self._due:
                self._due[file.name] = due(file)
            symbol = file.name.partition("_")[0]
            wrong = differs(self._due[file.name], filled[symbol], priced)
            if wrong is not None:
                return f"{symbol}: {wrong}"
        return None


def main() -> None:
    """Write the data, measure, and print."""
    given = asked()
    for who, why in given.missing():
        sys.stderr.write(f"{who}: left out: {why}\n")
    with tempfile.TemporaryDirectory() as folder:
        walks.main(Path(folder))
        contest = Contest(given, Path(folder))
        contest.play()
    runs, works = contest.runs, given.works
    for work in works:
        sys.stdout.writelines(f"{line}\n" for line in table(runs, work))
    sys.stdout.writelines(f"{line}\n" for line in own_lines(runs))
    found = {
        "bench": "backtest_peers",
        "rounds": given.rounds,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "works": {work: compared(runs, work) for work in works},
        "ours": own(runs),
        "left_out": contest.out,
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
