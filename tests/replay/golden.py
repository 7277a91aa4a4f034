"""Renew the golden journal: python -m tests.replay.golden

`tests/replay/golden/` holds a journal as this project once wrote it: two runs of a generated
market with three strategies, a lifted rule, a halt, REDUCE_ONLY and a restart. Later code must open
it (bringing its tables up to date), follow its chain, fold it to the same tables, and decide the
same again.

Renew it only when decisions were changed on purpose: a rule, a strategy, the sizing, or a message
an agent returns. Renewing gives up the proof that older journals replay under the new code, which
is what an operator will then see as "recorded by other code; this code decides differently", so say
so in the changelog. A change that was not meant to change a decision must pass without it. A new
journal format or schema is never a reason: such a journal must still open.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from tests.replay.house import plan, record, rehearsed
from tradeagent.messages import RiskOverride, TradingMode

PLACE = Path(__file__).parent / "golden"
SETTINGS: dict[str, object] = {
    "feeds": [{"type": "generated", "seed": 8, "timeframes": ["1m"], "tick_seconds": 60}],
    "watchlist": ["BTC", "ETH"],
}
ORDERS = (
    (40, RiskOverride(rule="GROSS", reason="more room", actor="golden", valid_until=1 << 62)),
    (70, RiskOverride(rule="STATE", mode=TradingMode.HALTED, reason="halt", actor="golden",
                      valid_until=1 << 62)),
    (95, RiskOverride(rule="STATE", mode=TradingMode.ACTIVE, reason="resume", actor="golden",
                      valid_until=1 << 62)),
    (130, RiskOverride(rule="STATE", mode=TradingMode.REDUCE_ONLY, reason="out", actor="golden",
                       valid_until=1 << 62)),
    (140, RiskOverride(rule="STATE", mode=TradingMode.ACTIVE, reason="in", actor="golden",
                       valid_until=1 << 62)),
)  # fmt: skip
"""What an operator does, by minute of the first run."""


def renew() -> None:
    """Record the runs anew and put them in place of the old ones."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        made = plan(seed=8, **SETTINGS)
        with chdir("/"):  # the folder of the run is kept with its settings
            rehearsed(made, state, 2.4, ORDERS)
            record(made, state, 1.2)
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir()
        with gzip.GzipFile(PLACE / "journal.db.gz", "wb", mtime=0) as file:
            file.write((state / "journal.db").read_bytes())
        shutil.copytree(state / "settings", PLACE / "settings")
    size = (PLACE / "journal.db.gz").stat().st_size
    sys.stdout.write(f"{PLACE}: {size // 1024} KB\n")


def unpack(state: Path) -> Path:
    """Put the golden journal into a state directory; returns it."""
    state.mkdir()
    with gzip.open(PLACE / "journal.db.gz") as file:
        (state / "journal.db").write_bytes(file.read())
    shutil.copytree(PLACE / "settings", state / "settings")
    return state


if __name__ == "__main__":
    renew()
