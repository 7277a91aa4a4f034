"""Print how many tests of each suite ran and were skipped; fail on a skip that has no excuse.

Usage: python tests/suites.py JUNIT_XML DATA_FOLDER. Where the data folder exists every service and
file that a test may lack is present, so nothing may be skipped.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def main(report: str, data: str) -> int:
    """Return the exit status."""
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        parts = case.get("classname", "").split(".")
        suite = parts[1] if len(parts) > 2 else "top"
        (skipped if case.find("skipped") is not None else ran)[suite] += 1
    for suite in sorted(ran | skipped):
        sys.stdout.write(f"{suite:<14} {ran[suite]:>5} executed {skipped[suite]:>4} skipped\n")
    if skipped and Path(data).is_dir():
        sys.stdout.write("nothing may be skipped here\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
