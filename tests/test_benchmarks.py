"""The benchmark of backtests does the work it says it does, and tells where it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import backtest, walks
from benchmarks.backtest_peers import Asked, Contest
from benchmarks.due import differs, due
from benchmarks.figures import Ratio, Runs, compared, own, own_lines, table
from benchmarks.works import OURS, PEERS, QUIET, WORKS
from tradeagent.errors import IntegrityError
from tradeagent.quant.rules import RULES
from tradeagent.research.backtest import prepare

ROOT = Path(__file__).parent.parent
BARS = 2_000


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of seeded candles."""
    path = tmp_path_factory.mktemp("walks") / "BTC_2k.csv"
    walks.write(path, walks.BARS, walks.bars(BARS, 1, 30_000.0))
    return path


@pytest.fixture(scope="module")
def quotes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of seeded quotes."""
    path = tmp_path_factory.mktemp("walks") / "BTC_quotes.csv"
    walks.write(path, walks.QUOTES, walks.quotes(BARS, 7, 30_000.0))
    return path


def columns(path: Path, *names: str) -> list[list[float]]:
    """Return columns of a CSV file as numbers."""
    header, *rows = (line.split(",") for line in path.read_text("ascii").splitlines())
    return [[float(row[header.index(name)]) for row in rows] for name in names]


def test_bars_are_traded_as_a_plain_loop_trades_them(bars: Path, tmp_path: Path) -> None:
    """Every fill is at the open after a cross of the averages, of 1, in turn long and flat."""
    opens, closes = columns(bars, "open", "close")
    wanted: list[tuple[str, float]] = []
    held = 0
    for at in range(29, BARS - 1):
        fast, slow = sum(closes[at - 9 : at + 1]) / 10, sum(closes[at - 29 : at + 1]) / 30
        if (fast > slow) != held:
            held = 1 - held
            wanted.append(("buy" if held else "sell", opens[at + 1]))

    played = backtest.played(backtest.prepared([bars]), tmp_path)

    assert len(wanted) > 50
    assert played.referee.fills == {"BTC": wanted}
    assert played.summary.bars == BARS
    assert played.summary.fees == 0


def test_every_rule_judges_every_request(bars: Path, tmp_path: Path) -> None:
    """An entry has the verdicts of all rules, an exit of those for all orders; none refuses."""
    played = backtest.played(backtest.prepared([bars]), tmp_path)

    referee, summary = played.referee, played.summary
    buys = sum(side == "buy" for side, _ in referee.fills["BTC"])
    for_exits = [rule for rule in RULES if rule.judges == "all"]
    assert (referee.entries, referee.exits) == (buys, len(referee.fills["BTC"]) - buys)
    assert referee.rule_evaluations == buys * len(RULES) + referee.exits * len(for_exits)
    assert summary.requests == summary.approvals == len(referee.fills["BTC"])


def test_quotes_are_traded_at_the_touch(quotes: Path, tmp_path: Path) -> None:
    """Every quote is seen, and orders fill at the bid or ask that was decided on."""
    bids, asks = columns(quotes, "bid", "ask")
    wanted: list[tuple[str, float]] = []
    fast = slow = (bids[0] + asks[0]) / 2
    held = 0
    for at, (bid, ask) in enumerate(zip(bids, asks, strict=True)):
        fast += ((bid + ask) / 2 - fast) * 2 / 11
        slow += ((bid + ask) / 2 - slow) * 2 / 31
        if at >= 29 and (fast > slow) != held:
            held = 1 - held
            wanted.append(("buy", ask) if held else ("sell", bid))

    played = backtest.played(backtest.prepared([quotes]), tmp_path)

    assert len(wanted) > 50
    assert played.referee.fills == {"BTC": wanted}
    assert played.summary.ticks == BARS


def test_an_onlooker_never_trades(bars: Path, tmp_path: Path) -> None:
    """The idle run asks for nothing, so it shows what bars cost alone."""
    played = backtest.played(backtest.prepared([bars], quiet=True), tmp_path)

    assert (played.summary.bars, played.summary.requests) == (BARS, 0)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("max_position_notional", 100, "refused"),
        ("max_order_qty", {"BTC": "0.5"}, "not all fills are of 1"),
    ],
)
def test_a_limit_that_binds_is_told(
    bars: Path, tmp_path: Path, setting: str, value: object, told: str
) -> None:
    """No speed is told of a run in which an order was refused or of another size."""
    spec = backtest.prepared([bars]).spec
    more = {**spec.settings, f"risk.limits.{setting}": value}
    test = prepare(spec.model_copy(update={"settings": more}))

    with pytest.raises(IntegrityError, match=told):
        backtest.played(test, tmp_path)


def test_a_rule_that_was_not_evaluated_is_told(bars: Path, tmp_path: Path) -> None:
    """A missing verdict is an error."""
    played = backtest.played(backtest.prepared([bars]), tmp_path)
    played.referee.rule_evaluations -= 1

    with pytest.raises(IntegrityError, match="verdicts"):
        played.referee.check(played.summary)


def test_the_plain_reckoning_tells_where_fills_differ(bars: Path) -> None:
    """A wrong price, a wrong side and a missing fill are found, one at the end is not."""
    trades = due(bars)
    fills = [(one.side, one.next) for one in trades if one.next is not None]
    dearer = [*fills[:3], (fills[3][0], fills[3][1] + 0.01), *fills[4:]]

    assert differs(trades, fills, "next") is None
    assert differs(trades, fills[:-1], "next") is None
    assert (
        differs(trades, fills[:-3], "next") == f"{len(fills) - 3} fills where {len(fills)} are due"
    )
    assert "fill 4 is" in str(differs(trades, dearer, "next"))
    assert "fill 1 is" in str(differs(trades, fills[1:], "none"))
    assert "fill 1 is" in str(differs(trades, fills, "once"))


def test_no_rounding_decides_a_cross() -> None:
    """No close leaves the two averages equal, and the opens are not the closes before them."""
    rows = [tuple(map(float, map(str, row))) for row in walks.bars(20_000, 3, 500.0)]
    closes = [round(row[4] * 100) for row in rows]

    assert not any(
        3 * sum(closes[at - 9 : at + 1]) == sum(closes[at - 29 : at + 1])
        for at in range(29, len(closes))
    )
    assert all(
        low <= min(start, end) <= max(start, end) <= high for _, start, high, low, end, _ in rows
    )
    assert sum(row[1] != before[4] for before, row in pairwise(rows)) > BARS


@pytest.mark.parametrize("work", ["100k", "500k"])
def test_no_cross_comes_before_all_programs_look(work: str, tmp_path: Path) -> None:
    """The first 31 closes of one symbol lead to no trade."""
    (name,) = WORKS[work].files
    _, seed, price = walks.WALKS[name]
    walks.write(tmp_path / name, walks.BARS, walks.bars(31, seed, price))

    assert due(tmp_path / name) == []


def test_the_script_tells_one_line(bars: Path, tmp_path: Path) -> None:
    """Run by hand it prints one line of JSON and leaves its fills in the file it was given."""
    command = [sys.executable, "-m", "benchmarks.backtest", str(bars)]
    fills = tmp_path / "fills.json"

    ended = subprocess.run(
        [*command, "--fills", str(fills)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    (line,) = map(json.loads, ended.stdout.splitlines())
    kept = json.loads(fills.read_text("ascii"))["BTC"]
    assert line["fills"] == len(kept) == line["requests"]
    assert line["rows"] == BARS
    assert line["journal_bytes"] > 0


def test_every_peer_has_a_script_and_its_works_exist() -> None:
    """What is compared is there: scripts, works, and an entry in the instructions."""
    told = (ROOT / "benchmarks" / "peers" / "README.md").read_text("utf-8")
    for peer in PEERS:
        assert (ROOT / "benchmarks" / "peers" / f"{peer.script}.py").exists()
        assert f"`{peer.script}.py`" in told
        assert f"mk {peer.environment} " in told
        assert set(peer.goals) <= set(WORKS)
    written = {*walks.WALKS, "BTC_quotes.csv"}
    assert {file for work in WORKS.values() for file in work.files} == written


STAND_IN = """
import json, sys
from benchmarks.due import due
from pathlib import Path
behaviour, _, file, _, fills = sys.argv[1:]
found = [(one.side, one.next) for one in due(Path(file)) if one.next is not None]
if behaviour == "fails":
    sys.exit("there is no such thing")
if behaviour == "cheats":
    found[7] = (found[7][0], found[7][1] - 1)
Path(fills).write_text(json.dumps({"BTC": found}))
line = {"versions": {"stand-in": "1"}, "rows": 2000, "run_s": 1, "run_cpu_s": 1, "peak_mb": 1}
print(json.dumps({**line, "fills": len(found)}))
"""
"""A peer that does, without an engine, what a peer is asked for."""


def stand_in(place: Path, environment: str, behaviour: str) -> None:
    """Put a peer into an environment."""
    script = place / "stand_in.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{STAND_IN}")
    python = place / environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" {behaviour} "$@"\n')
    python.chmod(0o700)


def test_who_fails_or_fills_otherwise_has_no_speed(bars: Path, tmp_path: Path) -> None:
    """Peers that are there are run in turn with ours; what does not fill as is due is left out."""
    (tmp_path / "BTC_100k.csv").write_bytes(bars.read_bytes())
    for environment, behaviour in (("bt", "cheats"), ("basana", "works"), ("freqtrade", "fails")):
        stand_in(tmp_path, environment, behaviour)
    given = Asked(peers=tmp_path, rounds=1, only=["100k"])

    contest = Contest(given, tmp_path)
    contest.play()

    assert contest.runs.names("100k") == [OURS, QUIET, "basana"]
    assert contest.out["100k, freqtrade"] == "there is no such thing"
    assert "fill 8 is" in contest.out["100k, backtrader"]
    assert "there is no " in contest.out["100k, nautilus"]
    assert len(contest.out) == 5
    assert set(compared(contest.runs, "100k")["basana"]) > {"ratio", "cpu_ratio", "goal"}


def line(seconds: float, rows: int = 100_000, **more: object) -> dict[str, object]:
    """Return the line of a run that took some seconds."""
    return {
        "versions": {"program": "1.0"},
        "rows": rows,
        "run_s": seconds,
        "run_cpu_s": seconds,
        "peak_mb": 100.0,
        "report_mb": 100.0,
        "fills": 10,
        "requests": 10,
        "entries": 5,
        "exits": 5,
        "rules": (30, 6),
        "rule_evaluations": 180,
        "refused": 0,
        "journal_entries": 1,
        "journal_bytes": 1,
        "first_tenth": None,
        "last_tenth": None,
        **more,
    }


def test_ratios_are_taken_round_by_round() -> None:
    """Of the ratios of each round the median counts, whatever the machine did between rounds."""
    runs = Runs()
    for ours, theirs in ((1.0, 2.0), (10.0, 30.0), (2.0, 8.0)):
        runs.add("100k", OURS, line(ours))
        runs.add("100k", "basana", line(theirs))

    found = compared(runs, "100k")["basana"]

    assert found["ratio"] == Ratio(3.0, 2.0, 4.0)
    assert found["goal"] == 2.0
    assert any("3.00 [2.00-4.00]" in shown for shown in table(runs, "100k"))


def test_the_cost_of_a_fill_is_what_its_bars_do_not_take() -> None:
    """The rate of the idle run gives what the bars of a tenth cost; the rest is its fills'."""
    runs = Runs()
    tenths = {"first_tenth": (0.3, 10_000, 100), "last_tenth": (0.4, 10_000, 100)}
    runs.add("100k", OURS, line(4.0, **tenths))
    runs.add("100k", QUIET, line(1.0))
    runs.add("500k", OURS, line(25.0, 500_000))

    found = own(runs)

    assert found["100k"]["fill_us_first_tenth"] == 2_000
    assert found["100k"]["fill_growth"] == Ratio(1.5, 1.5, 1.5)
    assert found["500k"]["to_100k"] == Ratio(0.8, 0.8, 0.8)
    assert sum("500k:" in shown for shown in own_lines(runs)) == 3
