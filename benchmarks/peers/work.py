"""What every script of the comparison shares: its files, its fills, its line of JSON.

Only the standard library is used, for each script runs in an environment of its own. A script takes
the CSV files to play, one for each symbol, and `--fills FILE`, where it writes what was filled.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

FAST, SLOW = 10, 30

Fills = list[tuple[str, float]]
"""One symbol's fills in order: side (buy or sell) and price."""


class Asked(argparse.Namespace):
    """What to play: one file for each symbol, and where fills go."""

    files: Sequence[Path]
    fills: Path | None


def asked(*flags: str) -> Asked:
    """Read the command line; `flags` are switches beside those that every script has."""
    options = argparse.ArgumentParser()
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--fills", type=Path)
    for flag in flags:
        options.add_argument(flag, action="store_true")
    return options.parse_args(namespace=Asked())


def symbol_of(path: Path) -> str:
    """Return the symbol a file is called after."""
    return path.stem.partition("_")[0]


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of a file: its time (UTC ms), and its other columns as they are written."""
    with path.open(encoding="ascii", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for first, *others in lines:
            yield int(first), others


def peak_mb() -> float:
    """Return the most memory this process has held, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


class Lap(NamedTuple):
    """Seconds that passed, and those of CPU time in all threads of this process."""

    wall: float
    cpu: float


class Stopwatch:
    """Measures one stretch after the other."""

    def __init__(self) -> None:
        self._since = Lap(perf_counter(), process_time())

    def lap(self) -> Lap:
        """Return what the last stretch took: since the lap before, or since the start."""
        now, before = Lap(perf_counter(), process_time()), self._since
        self._since = now
        return Lap(now.wall - before.wall, now.cpu - before.cpu)


def tell(
    given: Asked,
    packages: Sequence[str],
    count: int,
    laps: tuple[Lap, Lap],
    fills: Mapping[str, Fills],
    **more: object,
) -> None:
    """Print what a run came to; `laps` are those of loading and of the run itself.

    The first of `packages` is the program, `count` is how many bars or quotes it was given.
    """
    peak = peak_mb()  # before anything is made of the fills
    if given.fills is not None:
        given.fills.write_text(json.dumps(fills), encoding="ascii")
    load, run = laps
    versions = {name: metadata.version(name) for name in packages}
    line = {
        "versions": {**versions, "python": platform.python_version()},
        "rows": count,
        "fills": sum(map(len, fills.values())),
        "load_s": round(load.wall, 3),
        "run_s": round(run.wall, 4),
        "run_cpu_s": round(run.cpu, 4),
        "peak_mb": round(peak, 1),
        **more,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
