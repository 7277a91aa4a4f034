"""Print how many tests of each suite ran, skipped, and how long; fail on a skip without excuse.

Usage: python tests/suites.py JUNIT_XML DATA_FOLDER. Where the data folder exists every service and
file that a test may lack is present, so nothing may be skipped.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

BUDGET = {"adversary": 700, "e2e": 800, "safety": 800, "replay": 150, "simulation": 120}
USUAL = 90
"""Seconds that the tests of each suite may take together, two at a time on two cores."""


def main(report: str, data: str) -> int:
    """Return the exit status."""
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        parts = case.get("classname", "").split(".")
        suite = parts[1] if len(parts) > 2 else "top"
        (skipped if case.find("skipped") is not None else ran)[suite] += 1
        seconds[suite] += round(float(case.get("time", 0)))
    for suite in sorted(ran | skipped):
        budget = BUDGET.get(suite, USUAL)
        late = "" if seconds[suite] <= budget else "  over its budget"
        sys.stdout.write(
            f"{suite:<14} {ran[suite]:>5} executed {skipped[suite]:>4} skipped "
            f"{seconds[suite]:>5} of {budget:>4} s{late}\n"
        )
    if skipped and Path(data).is_dir():
        sys.stdout.write("nothing may be skipped here\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
