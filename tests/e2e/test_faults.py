"""Mistakes of operators and broken surroundings: one clear line, the right status, nothing lost."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.e2e.daemon import run

MISTAKES = """\
watchlst: [BTC]
bus: {url: memory}
clock:
  mode: simulatd
api: {prt: 8005}
feeds: [{type: recoreded}]
strategies:
  sma_cross: {type: sma_cros, weight: 1.5}
  breakout: {params: {timeframe: 7m}}
risk:
  sizing: risk_per_trad
  limits: {max_order_notinal: 100}
"""
REMEDIES = {
    "1: watchlst": "did you mean watchlist?",
    "2: bus.url": "such as memory://",
    "4: clock.mode": "one of wall, accelerated, simulated",
    "5: api.prt": "did you mean port?",
    "6: feeds.0.type": "known: generated, recorded",
    "8: strategies.sma_cross.type": "did you mean 'sma_cross'?",
    "8: strategies.sma_cross.weight": "at most 1",
    "9: strategies.breakout.params.timeframe": "one of 1m,",
    "11: risk.sizing": "one of fixed_fraction, risk_per_trade",
    "12: risk.limits.max_order_notinal": "did you mean max_order_notional?",
}
DAY1 = 1640995200000
HEADER = "timestamp,open,high,low,close,volume"
ROWS = [f"{DAY1 + minute * 60_000},100,101,99,100.5,5" for minute in range(60)]
Ended = CompletedProcess[str]


def runs(*lines: str, **extra: str) -> list[Ended]:
    """Run several commands to their ends, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda line: run(*line.split(), **extra), lines))


def one_line(ended: Ended, status: int) -> str:
    """Return the one line that a command said as it failed."""
    assert "Traceback" not in ended.stderr, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert (ended.returncode, len(lines)) == (status, 1), ended.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def digest(path: Path) -> str:
    """Return what changes when a file does."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- the configuration ----------------------------------------------------------------------------


def test_ten_mistakes_are_ten_lines(tmp_path: Path) -> None:
    """`check` and `run` name each mistake with file, line, key and remedy, and write nothing."""
    file, state = tmp_path / "own.yaml", tmp_path / "state"
    file.write_text(MISTAKES)

    for ended in runs(f"check -c {file}", f"run -c {file} --state {state}"):
        assert ended.returncode == 2
        said = ended.stderr.strip().splitlines()
        assert len(said) == len(REMEDIES) == 10
        for place, remedy in REMEDIES.items():
            [line] = [one for one in said if one.startswith(f"error: {file}:{place}: ")]
            assert remedy in line
    assert not state.exists()


def test_an_added_symbol_or_limit_is_checked_against_what_there_is(tmp_path: Path) -> None:
    """A symbol no feed has, a limit out of range and an agent nobody offers are refused."""
    file = tmp_path / "own.yaml"
    file.write_text(
        "watchlist: [BTC, DOGE]\n"
        "risk: {limits: {collar_ratio: -1}}\n"
        "agents: {guard: {type: moniter}}\n"
    )

    ended = run("check", "-c", str(file))

    assert ended.returncode == 2
    doge, collar, guard = sorted(ended.stderr.strip().splitlines())
    assert doge.startswith(f"error: {file}:1: watchlist.1: 'DOGE' is not in the feed; it has BTC")
    assert collar.startswith(f"error: {file}:2: risk.limits.collar_ratio: must be greater than 0")
    assert guard.startswith(f"error: {file}:3: agents.guard.type: ")
    assert "did you mean 'monitor'?" in guard


# -- the state directory --------------------------------------------------------------------------


def _garbage(journal: Path) -> None:
    journal.write_bytes(b"no database, whatever its name may say\n" * 999)


def _cut(journal: Path) -> None:
    with journal.open("r+b") as file:
        file.truncate(journal.stat().st_size // 2)


def _foreign(journal: Path) -> None:
    journal.unlink()
    with closing(sqlite3.connect(journal)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.commit()


def _tampered(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as rows:
        last = "SELECT max(seq) - 10 FROM journal"
        rows.execute(f"UPDATE journal SET payload = payload || ' ' WHERE seq = ({last})")
        rows.commit()


def _unreadable(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as rows:
        rows.execute("UPDATE positions SET payload = '{}'")
        rows.commit()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of an hour of the demo."""
    state = tmp_path_factory.mktemp("past") / "state"
    ended = run("--speed", "max", "--for", "1h", "--seed", "3", "--state", str(state))
    assert ended.returncode == 0, ended.stderr
    return state


@pytest.mark.parametrize(
    ("damage", "said", "readable"),
    [
        (_garbage, "restore a backup or move the file away", ""),
        (_cut, "restore a backup or move the file away", ""),
        (_foreign, "another program's database", ""),
        (_tampered, "the journal's chain breaks at", "positions"),
        (_unreadable, "a state row cannot be read (POSITION_UPDATE", "doctor"),
    ],
)
def test_a_damaged_journal_is_told_and_left_as_it_is(
    tmp_path: Path, past: Path, damage: Callable[[Path], None], said: str, readable: str
) -> None:
    """Neither a start nor a look changes the file; what can still be read is shown."""
    state = tmp_path / "state"
    shutil.copytree(past, state)
    journal = state / "journal.db"
    damage(journal)
    before = digest(journal)

    commands = ("run", "positions", "doctor")
    start, *looks = runs(*(f"{one} --state {state}" for one in commands))

    line = one_line(start, 1)
    assert f"{journal}: " in line
    assert said in line
    for name, look in zip(commands[1:], looks, strict=True):
        assert (look.returncode == 0) is (name == readable), look.stderr
        if look.stderr:
            assert f"{journal}: " in one_line(look, 1)
    assert digest(journal) == before


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A state directory that is a file, or below one, is named with the remedy."""
    file = tmp_path / "file"
    file.write_text("mine")
    started, below, looked = runs(
        f"run --state {file}", f"run --state {file}/state", f"orders --state {file}"
    )

    for ended in (started, below, looked):
        line = one_line(ended, 1)
        assert str(file) in line
        assert "--state" in line
    assert file.read_text() == "mine"


# -- what is around -------------------------------------------------------------------------------


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """The daemon does not run unseen: a port that is taken is a wrong setting, with a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        settings = {"TRADEAGENT__API__ENABLED": "true", "TRADEAGENT__API__PORT": port}
        ended = run("--state", str(tmp_path / "state"), **settings)

    line = one_line(ended, 2)
    assert f"api.port: 127.0.0.1:{port} " in line
    assert "TRADEAGENT__API__PORT" in line


def test_an_unreachable_redis_is_told_without_its_password(tmp_path: Path) -> None:
    """The line names the bus that needs nothing; the password in the URL is not in it."""
    url = "redis://me:sw0rdfish@127.0.0.1:1"
    ended = run("--bus", url, "--speed", "600", "--state", str(tmp_path / "state"))

    line = one_line(ended, 1)
    assert "--bus memory://" in line
    assert "sw0rdfish" not in line


def test_a_summary_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    """No run is made whose result would be lost."""
    state = tmp_path / "state"
    ended = run("--speed", "max", "--for", "1h", "--state", str(state), "--summary", str(tmp_path))

    assert f"--summary: {tmp_path}" in one_line(ended, 1)
    assert not state.exists()


# -- market data ----------------------------------------------------------------------------------


def test_an_unusable_data_file_is_told(tmp_path: Path) -> None:
    """The line names file, row and column, as far as there are any, and what to do."""
    files = {
        "nowhere": (b"", "cannot be read: No such file"),
        "empty": (b"", "the file is empty"),
        "header": (f"{HEADER}\n".encode(), "no row after the header"),
        "column": (b"timestamp,open,high,low\n1,2,3,4\n", "it has: timestamp, open, high, low"),
        "number": (
            f"{HEADER}\n{DAY1},2,x,1,2,5\n".encode(),
            "in row 2: column high is 'x', not a",
        ),
        "bar": (
            f"{HEADER}\n{DAY1},2,1,3,2,5\n".encode(),
            "in row 2: columns open/high/low/close",
        ),
        "binary": (bytes(range(256)), "is not CSV text"),
    }
    for name, (content, _) in files.items():
        if name != "nowhere":
            (tmp_path / f"{name}.csv").write_bytes(content)

    played = runs(*(f"--data {tmp_path / one}.csv --state {tmp_path / one}" for one in files))

    for ended, (name, (_, said)) in zip(played, files.items(), strict=True):
        line = one_line(ended, 1)
        assert f"{name}.csv: " in line
        assert said in line
        assert "; " in line


def test_malformed_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    """A bad number, a bar whose high is below its low, a short row: told once, played without."""
    file, mapped = tmp_path / "btc.csv", tmp_path / "map.yaml"
    rows = list(ROWS)
    rows[9] = rows[9].replace("100.5", "abc")
    rows[19] = rows[19].replace("101", "98")
    rows[29] = rows[29].rpartition(",")[0]
    file.write_text("\n".join([HEADER, *rows]))
    mapped.write_text(
        f"feeds: [{{type: recorded, files: [{{path: {file}, columns: {{close: price}}}}]}}]\n"
    )

    played, misread = runs(
        f"--data {file} --state {tmp_path / 'state'}",
        f"-p replay -c {mapped} --state {tmp_path / 'other'}",
    )

    assert played.returncode == 0, played.stderr
    assert played.stderr.count("btc.csv BTC: rows 57, gaps 3, missing 3") == 1
    assert "malformed 3" in played.stderr
    assert "57 bars" in played.stdout
    assert "maps close to 'price', which is not in row 1" in one_line(misread, 1)


def test_a_mistyped_file_puts_no_run_aside(tmp_path: Path) -> None:
    """Two replays of files that are not there leave the last good run where it is."""
    file, state = tmp_path / "btc.csv", tmp_path / "state"
    file.write_text("\n".join([HEADER, *ROWS]))
    assert run("--data", str(file), "--state", str(state)).returncode == 0
    before = digest(state / "journal.db")

    for _ in range(2):
        one_line(run("--data", f"{file}x", "--state", str(state)), 1)

    assert digest(state / "journal.db") == before


# -- secrets --------------------------------------------------------------------------------------


def test_secrets_are_stored_and_never_shown(tmp_path: Path) -> None:
    """Values stay in the file whatever is asked; each mistake is one line and changes nothing."""
    file, key = tmp_path / "secrets.age", tmp_path / "keys" / "age.key"
    other = tmp_path / "keys" / "other.key"
    where = {"TRADEAGENT_SECRETS_FILE": str(file), "TRADEAGENT_SECRETS_KEY": str(key)}
    elsewhere = {"TRADEAGENT_SECRETS_FILE": f"{file}2", "TRADEAGENT_SECRETS_KEY": str(other)}
    heard: list[Ended] = []

    def ask(line: str, status: int, said: str, typed: str = "", **extra: str) -> None:
        ended = run(*line.split(), typed=typed, **{**where, **extra})
        heard.append(ended)
        assert ended.returncode == status, ended.stderr
        assert said in (one_line(ended, status) if status else ended.stdout)

    ask("secrets list", 2, "make one with `tradeagent secrets init`")
    ask("secrets init", 0, str(key))
    ask("secrets init", 2, "exists already")
    ask("secrets init", 0, "other.key", **elsewhere)
    ask("secrets set TAAPI_API_KEY", 0, "stored", typed="hunter2-hunter2\n")
    ask("secrets set TAAPI_API_KEY", 0, "stored", typed="hunter3-hunter3\n")
    before = digest(file)
    ask("secrets set TAAPI_API_KEY", 1, "nothing was stored", typed="\n")
    ask("secrets set API-KEY", 2, "letters, digits and _", typed="hunter4-hunter4\n")
    for ended in runs("secrets list", "check", **{**where, "TRADEAGENT_SECRETS_KEY": str(other)}):
        assert f"{file}: cannot be decrypted: {other} is not the key" in one_line(ended, 2)
    ask("secrets list", 0, "TAAPI_API_KEY")
    assert heard[-1].stdout.splitlines() == ["TAAPI_API_KEY"]
    key.chmod(0o644)
    ask("secrets list", 2, f"chmod 600 {key}")

    assert digest(file) == before
    assert not any("hunter" in ended.stdout + ended.stderr for ended in heard)
    assert b"hunter" not in file.read_bytes()


# -- new files ------------------------------------------------------------------------------------


def test_new_writes_over_nothing_and_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    """A file that is there stays; Python's words, modules and our agents are no names."""
    folder, file = tmp_path / "mine", tmp_path / "file"
    file.touch()
    folder.mkdir()
    (folder / "test_dip.py").write_text("mine")
    mistakes = {
        f"new strategy dip --in {folder}": "test_dip.py is there already; nothing was written",
        f"new strategy Dip-Buyer --in {folder}": "use lower case letters",
        f"new strategy class --in {folder}": "choose another name",
        f"new strategy json --in {folder}": "choose another name",
        f"new agent data --in {folder}": "choose another name",
        f"new agent eye --in {file}": "choose another folder",
    }

    for ended, said in zip(runs(*mistakes), mistakes.values(), strict=True):
        assert said in one_line(ended, 1)
    assert [path.name for path in folder.iterdir()] == ["test_dip.py"]
    assert (folder / "test_dip.py").read_text() == "mine"
