"""`tradeagent replay` and `archive` as an operator meets them: real files, kills, a live daemon."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.e2e.daemon import Process, run
from tests.e2e.test_kills import live
from tests.integrations.recordings import real

pytestmark = pytest.mark.timeout(150)
MONTH = "btc-perp_1m_2021-12-31_2022-02-01.csv"
TICKS = "btcusdt-binance-perp_ticks_2024-08-08_bbo.csv"


def content(state: Path) -> dict[str, bytes]:
    """Return every file of a state directory but those SQLite keeps beside a database it reads."""
    return {
        path.relative_to(state).as_posix(): path.read_bytes()
        for path in state.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def test_the_whole_month_is_proven(tmp_path: Path) -> None:
    """Over the real file nothing differs, within a minute, and nothing is written."""
    state = tmp_path / "state"
    ended = run("--data", str(real(MONTH)), "--speed", "max", "--state", str(state))
    assert ended.returncode == 0, ended.stderr
    before = content(state)

    proven = run("replay", "--verify", "--json", "--state", str(state))

    assert proven.returncode == 0, proven.stdout + proven.stderr
    told = json.loads(proven.stdout)
    assert told["proven"]
    assert told["runs"][0]["derived"] > 20_000
    assert told["seconds"] < 60
    assert content(state) == before


def test_a_file_that_is_not_what_was_played_is_told(tmp_path: Path) -> None:
    """The recorded data is looked for where --data says, and by its digest."""
    data, state = tmp_path / "data", tmp_path / "state"
    data.mkdir()
    lines = real(MONTH).read_text(encoding="utf-8").splitlines(keepends=True)[:3000]
    (data / MONTH).write_text("".join(lines), encoding="utf-8")
    assert run("--data", str(data / MONTH), "--speed", "max", "--state", str(state)).returncode == 0
    verify = ("replay", "--verify", "--state", str(state))

    whole = run(*verify)
    assert (whole.returncode, len(whole.stdout.splitlines())) == (0, 1), whole.stdout
    assert whole.stdout.startswith("verified: 1 of 1 runs, ")

    moved = data.rename(tmp_path / "moved")
    gone = run(*verify)
    assert gone.returncode == 3
    assert "run 1 (entries 1 to" in gone.stdout
    assert MONTH in gone.stdout
    assert run(*verify, "--data", str(moved)).returncode == 0

    lines[-1] = lines[-1].replace("1", "2", 1)
    (moved / MONTH).write_text("".join(lines), encoding="utf-8")
    other = run(*verify, "--data", str(moved))
    assert other.returncode == 3
    assert "is not the file that was played: sha256" in other.stdout


def test_a_run_with_ticks_is_proven(tmp_path: Path) -> None:
    """Quotes of a file, of which Data passes on a part, come again one by one."""
    where = ("--state", str(tmp_path / "state"))
    ended = run("--data", str(real(TICKS)), "--speed", "max", "-c", _breakout(tmp_path), *where)
    assert ended.returncode == 0, ended.stderr

    proven = run("replay", "--verify", *where)

    assert proven.returncode == 0, proven.stdout + proven.stderr


def _breakout(tmp_path: Path) -> str:
    """Return a file with a strategy that trades on ticks."""
    path = tmp_path / "ticks.yaml"
    path.write_text(
        "strategies:\n  sma_cross: null\n  rsi_reversal: null\n  breakout: null\n"
        "  quick: {type: 'tests.e2e.quick:Quick', weight: 0.5}\n",
        encoding="utf-8",
    )
    return str(path)


def test_a_killed_demo_is_proven(tmp_path: Path) -> None:
    """Killed at random moments, halted and started again, every run follows from its inputs."""
    state = tmp_path / "state"
    where, chosen = ("--state", str(state)), random.Random(11)
    for kill in range(5):
        daemon = Process(state, "--speed", "2000", "--seed", "3")
        daemon.until_said("running from")
        live(daemon, chosen.uniform(0.3, 1.5))
        if kill == 1:
            run("override", "GROSS", "--reason", "more room", "--for", "1h", *where)
            run("halt", "--reason", "a look", *where)
        if kill == 2:
            run("resume", "--reason", "looked", *where)
        if kill == 3:
            beside = run("replay", "--verify", *where)
            assert beside.returncode == 0, beside.stdout + beside.stderr
        live(daemon, chosen.uniform(0.1, 0.8))
        daemon.kill()

    proven = run("replay", "--verify", "--json", *where)

    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert len(json.loads(proven.stdout)["runs"]) == 5


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a simulated demo, two hours each."""
    state = tmp_path_factory.mktemp("demo") / "state"
    for _ in range(2):
        ended = run("--speed", "max", "--for", "2h", "--seed", "3", "--state", str(state))
        assert ended.returncode == 0, ended.stderr
    return state


def test_stepping_shows_what_an_agent_received_and_answered(demo: Path) -> None:
    """Each line is a message with the answers to it; --from, --to and --agent choose."""
    before = content(demo)
    span = ("--from", "2026-01-01T02:30", "--to", "2026-01-01T03:30")
    where = ("--state", str(demo))

    lines = run("replay", *span, "--agent", "trading", "--json", *where).stdout.splitlines()
    shown = [json.loads(line) for line in lines]

    assert all("trading" in one["agents"] or one["source"] == "trading" for one in shown)
    numbers = [one["seq"] for one in shown]
    assert numbers == sorted(numbers)
    asked = [answer for one in shown for answer in one["agents"].get("trading", ())]
    assert {"ORDER_REQUEST"} <= {answer["type"] for answer in asked}
    first, last = numbers[0], numbers[-1]
    by_number = run(
        "replay", "--from", str(first), "--to", str(last), "--agent", "trading", "--json", *where
    )
    assert by_number.stdout.splitlines() == lines
    text = run("replay", *span, "--agent", "trading", *where).stdout
    assert "    trading: ORDER_REQUEST {" in text
    assert "    trading: nothing" in text
    assert content(demo) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("replay", "--from", "soon"), "--from: 'soon' is neither"),
        (("archive", "--before", "soon"), "--before: 'soon' is no time"),
    ],
)
def test_a_wrong_place_is_one_clear_line(demo: Path, arguments: tuple[str, ...], says: str) -> None:
    """What is no number and no time is refused with an example."""
    ended = run(*arguments, "--state", str(demo))

    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert says in ended.stderr


def test_archived_entries_stay_part_of_the_proof(demo: Path, tmp_path: Path) -> None:
    """What was moved is verified where it lies; without it, what is left is, and says so."""
    state = Path(shutil.copytree(demo, tmp_path / "state"))
    where = ("--state", str(state))
    whole = run("doctor", *where).stdout

    moved = run("archive", "--before", "2026-01-01T01:30", *where)
    assert moved.stdout.startswith("moved "), moved.stderr
    again = run("archive", "--before", "2026-01-01T02:30", *where)
    assert again.stdout.startswith("moved "), again.stderr
    assert "nothing to move" in run("archive", "--before", "2026-01-01T02:30", *where).stdout

    assert len(list((state / "segments").iterdir())) == 2
    assert run("doctor", "--rebuild", *where).stdout.splitlines() == [
        whole.strip(),
        "tables: equal to what the journal gives",
    ]
    assert run("replay", "--verify", *where).returncode == 0
    ended = run("--speed", "max", "--for", "1h", "--seed", "3", *where)
    assert ended.returncode == 0, ended.stderr
    assert run("replay", "--verify", *where).returncode == 0

    (state / "segments").rename(tmp_path / "elsewhere")
    left = run("replay", "--verify", *where)
    assert left.returncode == 3
    assert "archived entries are not here" in left.stdout
    assert "NOT verified: 1 of 2 runs" in left.stdout
    assert run("doctor", "--rebuild", *where).returncode == 0


def test_archive_keeps_out_of_a_running_daemons_way(tmp_path: Path) -> None:
    """Beside a daemon nothing is moved."""
    state = tmp_path / "state"
    daemon = Process(state, "--speed", "2000", "--seed", "3")
    daemon.until_said("running from")

    refused = run("archive", "--before", "2030-01-01", "--state", str(state))

    assert refused.returncode == 73
    assert "in use by process" in refused.stderr
