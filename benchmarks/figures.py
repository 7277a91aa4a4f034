"""What the runs of `backtest_peers.py` came to: rates, ratios, and how they are shown."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.works import (
    FLAT,
    LIGHT_MB,
    LONGER_HISTORY,
    MORE_SYMBOLS,
    OURS,
    PEERS,
    QUIET,
    WORKS,
)

Run = Mapping[str, Any]
"""The line of JSON of one run."""
KEPT = ("requests", "rule_evaluations", "refused", "journal_entries", "journal_bytes")


class Ratio(NamedTuple):
    """The middle, the least and the most of a ratio over the rounds."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} [{self.least:.2f}-{self.most:.2f}]"


def ratio(ones: Sequence[float], others: Sequence[float]) -> Ratio | None:
    """Return one series against another, round by round; None without a round of both."""
    each = [one / other for one, other in zip(ones, others, strict=False)]
    if not each:
        return None
    return Ratio(*(round(one, 4) for one in (statistics.median(each), min(each), max(each))))


class Runs:
    """All runs, by work and program, one for each round."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[Run]] = defaultdict(list)

    def add(self, work: str, name: str, line: Run) -> None:
        """Take the next round's run."""
        self._runs[work, name].append(line)

    def of(self, work: str, name: str) -> Sequence[Run]:
        """Return a program's runs."""
        return self._runs[work, name]

    def names(self, work: str) -> list[str]:
        """Return who did a work, ours first."""
        return [name for done, name in self._runs if done == work and self._runs[done, name]]

    def rates(self, work: str, name: str, key: str = "run_s") -> list[float]:
        """Return bars or quotes by second, or by second of CPU time with `run_cpu_s`."""
        return [line["rows"] / line[key] for line in self._runs[work, name]]

    def middle(self, work: str, name: str, key: str) -> float:
        """Return the median of a figure."""
        return float(statistics.median(line[key] for line in self._runs[work, name]))


def compared(runs: Runs, work: str) -> dict[str, dict[str, Any]]:
    """Return what every program reached in a work, and ours against it."""
    goals = {peer.name: peer.goals[work] for peer in PEERS if work in peer.goals}
    found: dict[str, dict[str, Any]] = {}
    for name in runs.names(work):
        first = runs.of(work, name)[0]
        found[name] = {
            "versions": first["versions"],
            "per_second": round(statistics.median(runs.rates(work, name))),
            "peak_mb": round(runs.middle(work, name, "peak_mb"), 1),
            "fills": first["fills"],
        }
        if name in goals:
            for key, unit in (("ratio", "run_s"), ("cpu_ratio", "run_cpu_s")):
                found[name][key] = ratio(runs.rates(work, OURS, unit), runs.rates(work, name, unit))
            found[name]["goal"] = goals[name]
    return found


def table(runs: Runs, work: str) -> Iterator[str]:
    """Yield the lines that compare all programs in a work."""
    unit = f"{WORKS[work].unit}/s"
    yield f"\n{WORKS[work].title}; ours divided by theirs:"
    heads = f"{'by time':<20}{'by CPU':<20}{'goal':>4}"
    yield f"{'':<24}{unit:>10}  {heads}{'peak MB':>10}{'fills':>8}"
    for name, one in compared(runs, work).items():
        called = name if name == QUIET else f"{name} {next(iter(one['versions'].values()))}"
        against = "".join(f"{one.get(key) or ''!s:<20}" for key in ("ratio", "cpu_ratio"))
        goal = "" if one.get("goal") is None else one["goal"]
        yield (
            f"{called:<24}{one['per_second']:>10,}  {against}{goal:>4}"
            f"{one['peak_mb']:>10.0f}{one['fills']:>8,}"
        )


def own(runs: Runs) -> dict[str, Any]:
    """Return what is measured of ours alone, beside what it should come to."""
    found: dict[str, Any] = {
        work: {key: runs.of(work, OURS)[0][key] for key in KEPT}
        for work in WORKS
        if runs.of(work, OURS)
    }
    rates = {work: runs.rates(work, OURS) for work in WORKS}
    for work, goal in (("500k", LONGER_HISTORY), ("ten", MORE_SYMBOLS)):
        against = ratio(rates[work], rates["100k"])
        if against is not None:
            found[work] |= {"to_100k": against, "to_100k_goal": goal}
    for work in ("100k", "500k"):
        first, last = (fill_costs(runs, work, f"{part}_tenth") for part in ("first", "last"))
        growth = ratio(last, first)
        if growth is not None:
            costs = {"first": statistics.median(first), "last": statistics.median(last)}
            found[work] |= {f"fill_us_{part}_tenth": round(us, 1) for part, us in costs.items()}
            found[work] |= {"fill_growth": growth, "fill_growth_goal": FLAT}
    if "500k" in found:
        peaks = {key: runs.middle("500k", OURS, key) for key in ("peak_mb", "report_mb")}
        found["500k"] |= {**peaks, "peak_goal": LIGHT_MB}
    return found


def fill_costs(runs: Runs, work: str, part: str) -> list[float]:
    """Return what a fill cost beyond its bars in one tenth of each run, us of CPU time."""
    found = []
    quiet = runs.rates(work, QUIET, "run_cpu_s")
    for line, rate in zip(runs.of(work, OURS), quiet, strict=False):
        if line[part] is not None:
            seconds, bars, fills = line[part]
            found.append((seconds - bars / rate) / fills * 1e6)
    return found


def own_lines(runs: Runs) -> Iterator[str]:
    """Yield the figures of ours alone, a line for each work."""
    yield "\nOurs alone:"
    for work, figures in own(runs).items():
        first = runs.of(work, OURS)[0]
        all_rules, for_exits = first["rules"]
        yield (
            f"{work}: {figures['rule_evaluations']:,} rule evaluations = {first['entries']:,} "
            f"entries x {all_rules} rules + {first['exits']:,} exits x {for_exits}; "
            f"{figures['refused']} refused; journal {figures['journal_entries']:,} entries, "
            f"{figures['journal_bytes'] / 2**20:,.0f} MB"
        )
        if "to_100k" in figures:
            goal = figures["to_100k_goal"]
            yield f"{work}: {figures['to_100k']} of the rate of 100k (goal: at least {goal})"
        if "fill_growth" in figures:
            yield (
                f"{work}: a fill takes {figures['fill_us_first_tenth']} us of CPU in the first "
                f"tenth, {figures['fill_us_last_tenth']} in the last; by round, last to first: "
                f"{figures['fill_growth']} (goal: at most {figures['fill_growth_goal']})"
            )
        if "peak_mb" in figures:
            goal = figures["peak_goal"]
            yield (
                f"{work}: {figures['peak_mb']:.0f} MB of memory, {figures['report_mb']:.0f} with "
                f"the report's statistics (goal: at most {goal})"
            )
