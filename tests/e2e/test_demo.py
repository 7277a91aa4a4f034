"""The demo as an operator meets it: one command, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import Process, books, run, summary


def test_a_demo_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Stopped in order and started again it keeps positions, equity and time."""
    state = tmp_path / "state"
    ends = []
    for part in ("a", "b"):
        out = tmp_path / f"{part}.json"
        ended = run(
            *("--speed", "max", "--for", "8h", "--seed", "3"),
            *("--state", str(state), "--summary", str(out)),
        )
        assert ended.returncode == 0, ended.stderr
        ends.append(summary(out))

    assert ends[1]["started"] == ends[0]["ended"]
    assert float(str(ends[1]["start_equity"])) == pytest.approx(
        float(str(ends[0]["end_equity"])), rel=0.01
    )
    venue, ours = books(state)
    assert venue == ours


def test_an_operator_halts_and_resumes(tmp_path: Path) -> None:
    """Commands reach the running daemon over its socket, and are refused with a clear line."""
    state = tmp_path / "state"
    daemon = Process(state, "--speed", "500", "--seed", "3")
    daemon.until_said("equity")
    where = ("--state", str(state))

    assert "mode: HALTED" in run("halt", "--reason", "a look", *where).stdout
    assert "HALTED" in run("status", *where).stdout
    assert "mode: ACTIVE" in run("resume", "--reason", "looked", *where).stdout
    assert run("agents", *where).stdout.count("RUNNING") == 7
    refused = run("override", "NONSENSE", "--reason", "test it", *where)
    assert (refused.returncode, "there is no rule NONSENSE" in refused.stderr) == (1, True)
    loosened = run("override", "GROSS", "--limit", "1.5", "--reason", "test it", *where)
    assert "rule: GROSS" in loosened.stdout
    audit = json.loads(run("status", "--audit", "--json", *where).stdout)
    assert audit["reason"].startswith("asked for by")
    assert (audit["overrides"], audit["breaches"]) == (3, [])
    assert run("halt", *where).returncode == 2
    second = run("--state", str(state))
    assert second.returncode == 73
    assert "is in use by process" in second.stderr
    assert daemon.interrupt() == 0
    gone = run("halt", "--reason", "too late", *where)
    assert (gone.returncode, "no daemon answers" in gone.stderr) == (1, True)
    assert run("orders", *where).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--data", "nowhere.csv"), 1, "nowhere.csv"),
        (("--for", "soon"), 2, "--for"),
        (("--speed", "fast"), 2, "--speed"),
        (("--agents", "data,oracle"), 2, "oracle"),
        (("--symbol", "DOGE", "--speed", "max"), 2, "DOGE"),
        (("--profile", "demmo"), 2, "demo"),
        (("--bus", "redis://127.0.0.1:1", "--speed", "max"), 1, "memory://"),
        (("-c", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("positons",), 1, "positions"),
    ],
)
def test_a_mistake_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    """Each mistake ends with its status and one line that names the remedy, without a traceback."""
    where = () if arguments[0] == "positons" else ("--state", str(tmp_path / "state"))

    ended = run(*arguments, *where)

    assert ended.returncode == status, ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr


def test_a_damaged_journal_is_refused_and_kept(tmp_path: Path) -> None:
    """A file that is no journal is named with the remedy, and nothing is written to it."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.db").write_bytes(b"not a database at all, but long enough to look at" * 40)
    before = (state / "journal.db").read_bytes()

    ended = run("--state", str(state), "--speed", "max", "--for", "1h")

    assert ended.returncode == 1
    assert "journal.db" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert (state / "journal.db").read_bytes() == before


def test_generated_files_work_at_once(tmp_path: Path) -> None:
    """`new` writes a strategy and an agent whose tests pass and which trade in the demo."""
    for kind, name in (("strategy", "dip_buyer"), ("agent", "spread_watch")):
        made = run("new", kind, name, "--in", str(tmp_path))
        assert made.returncode == 0, made.stderr
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert "3 passed" in tested.stdout, tested.stdout

    ended = run(
        *("-c", str(tmp_path / "dip_buyer.yaml"), "-c", str(tmp_path / "spread_watch.yaml")),
        *("--speed", "max", "--for", "6h", "--state", str(tmp_path / "state")),
        PYTHONPATH=str(tmp_path),
    )
    assert ended.returncode == 0, ended.stderr
    assert "dip_buyer" in run("strategies", "--state", str(tmp_path / "state")).stdout


LIGHT = """
import sys
from tradeagent.__main__ import main
main()
heavy = {"pydantic", "sqlalchemy", "redis", "aiohttp", "typer", "rich"}
sys.exit(bool(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_version_and_the_help_load_nothing_heavy(option: str) -> None:
    """Neither imports a heavy library."""
    shown = subprocess.run([sys.executable, "-c", LIGHT, option], capture_output=True, check=False)

    assert shown.returncode == 0
