"""`tradeagent data`, as a quant types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.recordings import BAR_HEADER, write
from tests.research.data.stock import OPEN, bars
from tradeagent.cli import main
from tradeagent.integrations.recorded import RecordedFile
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.ingest import take_in
from tradeagent.research.data.root import usual_root


class Quant:
    """Types commands; each returns its exit status."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._patch, self._capture = patch, capture
        self.out = self.err = ""

    def types(self, *words: object) -> int:
        """Run a command to its end; what it prints is in `out` and `err`."""
        self._patch.setattr(sys, "argv", ["tradeagent", "data", *map(str, words)])
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        self.out, self.err = self._capture.readouterr()
        return status

    def told(self, *words: object) -> Any:
        """Return what a command prints as JSON."""
        self.types(*words, "--json")
        return json.loads(self.out)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of BTC's minutes, a hole of ten among them, and its catalogue."""
    folder = tmp_path_factory.mktemp("made")
    rows = bars(300)
    del rows[100:110]
    path = write(folder / "btc-perp.csv", BAR_HEADER, rows)
    take_in(Catalogue(folder / "kept"), RecordedFile(path=path))
    return folder


@pytest.fixture
def quant(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Quant:
    """A quant with a copy of that."""
    folder = shutil.copytree(made, tmp_path / "own")
    monkeypatch.setenv("TRADEAGENT_DATA", str(folder / "kept"))
    return Quant(folder, monkeypatch, capsys)


def test_a_file_becomes_checked_data(quant: Quant) -> None:
    """Import says what is new and what is wrong, list what there is, and again changes nothing."""
    shutil.rmtree(quant.folder / "kept")
    assert quant.types("import", quant.folder / "btc-perp.csv") == 0
    assert "btc-perp.csv: 290 rows of BTC 1m bars, 2022-01-01 00:00" in quant.out
    assert "290 new, 0 there already" in quant.out
    assert "gaps" in quant.out
    assert quant.types("import", quant.folder / "btc-perp.csv") == 0
    assert "0 new, 290 there already" in quant.out

    (listed,) = quant.told("list")

    assert (listed["symbol"], listed["rows"], listed["missing"]) == ("BTC", 290, 10)
    assert quant.types("list") == 0
    assert "2022-01-01 04:59" in quant.out
    assert quant.types("show", "BTC", "--rows", "1") == 0
    assert "10 rows missing" in quant.out
    shown = quant.told("show", "BTC")
    assert (len(shown["first_rows"]), shown["statistics"]["rows"]) == (5, 290)


def test_a_check_ends_with_1_unless_findings_are_allowed(quant: Quant) -> None:
    """And tells the same as JSON."""
    (found,) = quant.told("check")

    assert (found["finding"], found["count"], found["first"]) == ("gaps", 1, "2022-01-01 01:40")
    assert quant.types("check") == 1
    assert "10 rows missing" in quant.out
    assert quant.types("check", "BTC", "--allow", "outliers") == 1
    assert quant.types("check", "BTC", "--allow", "gaps,outliers") == 0
    assert quant.types("check", "--allow", "all") == 0
    assert quant.types("check", "--timerange", "20220101T0000-20220101T0130") == 0
    assert "nothing is wrong with 1 series" in quant.out


def test_an_export_is_a_file_of_its_own(quant: Quant) -> None:
    """A longer timeframe is made on the way; nothing is written over unasked."""
    out = quant.folder / "x.csv"

    assert quant.types("export", "BTC", "--timeframe", "5m", "--out", out) == 0
    assert "wrote 58 rows of BTC 5m bars" in quant.out
    assert len(out.read_text().splitlines()) == 59
    assert quant.types("export", "BTC", "--out", out) == 1
    assert "is there already; say --force" in quant.err
    assert quant.told("export", "BTC", "--out", out, "--force")["rows"] == 290


def test_several_files_are_taken_one_by_one(quant: Quant) -> None:
    """One that cannot be used keeps none of the others out, and is told at the end."""
    good = write(quant.folder / "eth.csv", BAR_HEADER, bars(5))

    assert quant.types("import", quant.folder / "none.csv", good) == 1

    assert "eth.csv: 5 rows of ETH 1m bars" in quant.out
    assert quant.err.startswith("error: ")
    assert "none.csv: cannot be read" in quant.err


def test_one_of_a_kind_is_told_as_one(quant: Quant) -> None:
    """A row, a page and a repeat are counted as people say it."""
    rows = bars(6)
    del rows[3]
    path = write(quant.folder / "one.csv", BAR_HEADER, [*rows, rows[0]])

    quant.types("import", path)
    assert "1 row missing" in quant.out
    quant.types("show", "ONE")
    assert "one.csv: duplicates 1" in quant.out
    quant.types("export", "ONE", "-t", "5m", "-o", quant.folder / "x.csv")
    assert "wrote 1 row of ONE 5m bars" in quant.out


def test_names_that_begin_alike_need_a_symbol(quant: Quant) -> None:
    """They may be several markets: nothing is taken in before it is said whose they are."""
    names = ("x-btc.csv", "x-eth.csv", "y_1.csv")
    files = [write(quant.folder / name, BAR_HEADER, bars(5)) for name in names]

    assert quant.types("import", *files) == 1

    assert "x-btc.csv, x-eth.csv would be kept together as X" in quant.err
    assert "say --symbol X if they are of one market" in quant.err
    assert len(quant.told("list")) == 1
    assert quant.types("import", *files, "--symbol", "X") == 0
    assert quant.types("import", *files[1:]) == 0
    assert quant.types("import", files[0], files[0]) == 0


@pytest.mark.parametrize("torn", ["half", "footer"])
def test_a_broken_file_hides_no_other_series(quant: Quant, torn: str) -> None:
    """The rest is listed, the file is named, and after its removal it can be taken in again."""
    (month,) = Path(quant.folder / "kept").rglob("*.parquet")
    quant.types("import", quant.folder / "btc-perp.csv", "--symbol", "ETH")
    whole = month.read_bytes()
    month.write_bytes(whole[: len(whole) // 2] if torn == "half" else whole[:-99] + b"x" * 99)

    listed = quant.told("list")

    assert [one["symbol"] for one in listed] == ["ETH"]
    assert quant.err.startswith(f"error: {month}: is not whole Parquet")
    assert "; remove it and import again" in quant.err
    assert quant.types("list") == 1
    assert "ETH" in quant.out
    assert quant.types("import", quant.folder / "btc-perp.csv") == 1
    assert "remove it and import again" in quant.err
    month.unlink()
    assert quant.types("import", quant.folder / "btc-perp.csv") == 0
    assert "290 new" in quant.out
    assert quant.types("list") == 0


def test_the_settings_of_an_import_are_those_of_a_recording(quant: Quant) -> None:
    """Columns, units, turnover and the grid can be told."""
    rows = [(OPEN // 1000 + 60 * place, 100, 101, 99, 100, 250.0) for place in range(5)]
    path = write(quant.folder / "odd.csv", ("when", *BAR_HEADER[1:]), rows)

    status = quant.types(
        *("import", path, "--symbol", "X/Y:Z", "--column", "time=when", "--time-unit", "s"),
        *("--turnover", "--grid", "0.5,0.001"),
    )

    assert (status, quant.err) == (0, "")
    shown = quant.told("show", "X/Y:Z")
    assert shown["first_rows"][0]["volume"] == 2.5
    assert (shown["grid"]["tick"], shown["grid"]["lot"]) == ("0.5", "0.001")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "SOL"), "has no data of SOL; it has BTC 1m bars; add to it by"),
        (("show", ""), "has no data of an empty symbol"),
        (("show", "BTC", "-t", "5m"), "has no 5m data of BTC"),
        (("show", "BTC", "--timerange", "2022"), "--timerange: '2022' is no range; write one such"),
        (("check", "--timerange", "20220102-20220101"), "ends before it starts"),
        (("check", "--allow", "holes"), "--allow: 'holes' is none of all, gaps"),
        (("import", "x.csv", "--column", "time"), "--column: 'time' is no pair such as time=ts"),
        (("import", "x.csv", "--column", "tme=ts"), "x.csv: columns (--column) names tme"),
        (("import", "x.csv", "--symbol", ""), "--symbol: it is empty; name one, such as BTC"),
        (("import", "x.csv", "--symbol", "X" * 121), "x.csv: --symbol: String should have at most"),
        (("import", "x.csv", "--grid", "0.5"), "--grid: '0.5' is no pair of steps"),
        (("export", "BTC", "-o", "x.csv", "--timerange", "20300101-"), "nothing lies from 2030"),
        (("download", "BTC", "--kind", "funding"), "--timerange: say from when"),
        (("download", "BTC", "-t", "7m"), "--timeframe: '7m' is none of 1m, 3m"),
        (("download", ""), "a symbol is empty"),
        (("download", "A", "B", "--as", "C"), "--as: it names one symbol"),
        (("download", "BTC", "--url", "http://example.com"), "--url: "),
        (("download", "BTC", "--url", "http://127.0.0.1:9"), "does not answer"),
        (
            (
                *("download", "B", "--exchange", "ccxt:hyperliquid", "--timerange", "20260101-"),
                *("--url", "http://127.0.0.1:9"),
            ),
            "error: ccxt hyperliquid does not answer: hyperliquid POST http://127.0.0.1:9",
        ),
        (("download", "B", "--exchange", "x", "--timerange", "20260101-"), "ccxt knows no 'x'"),
    ],
)
def test_what_cannot_be_done_is_one_line(quant: Quant, words: tuple[str, ...], said: str) -> None:
    """It names the option or what is missing, and leaves with status 1."""
    assert quant.types(*words) == 1

    assert said in quant.err
    assert quant.err.startswith("error: ")
    assert len(quant.err.splitlines()) == 1


def test_without_duckdb_the_line_says_what_to_install(
    quant: Quant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "duckdb", None)

    assert quant.types("list") == 1
    assert quant.err == (
        "error: the data catalogue needs duckdb: pip install 'tradeagent[research]'\n"
    )


def test_an_empty_catalogue_says_how_to_begin(quant: Quant, tmp_path: Path) -> None:
    """And is made by the first import only."""
    assert quant.types("list", "--catalogue", tmp_path / "new") == 0
    assert "has nothing yet; add to it by 'tradeagent data import FILE'" in quant.out
    assert not (tmp_path / "new").exists()


def test_the_catalogue_is_where_it_is_said_to_be() -> None:
    """TRADEAGENT_DATA, else the folder for a user's data."""
    assert usual_root({"TRADEAGENT_DATA": "/d"}) == Path("/d")
    assert usual_root({"XDG_DATA_HOME": "/x"}) == Path("/x/tradeagent/data")
    assert usual_root({}) == Path.home() / ".local" / "share" / "tradeagent" / "data"


PLAY_AND_PROVE = """
import sys
from tradeagent.cli import main

month, state = sys.argv[1:]
for words in (["--profile", "replay", "--data", month], ["replay", "--verify"]):
    sys.argv = ["tradeagent", *words, "--state", state]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    print("-- played --" if "--data" in words else "")
"""
"""Two commands in one process, which imports everything once."""


def test_a_month_of_the_catalogue_plays_like_any_file(quant: Quant) -> None:
    """The daemon plays its Parquet to the end, says nothing else, and the journal is proven."""
    (month,) = Path(quant.folder / "kept").rglob("*.parquet")
    state = quant.folder / "state"

    ended = subprocess.run(
        [sys.executable, "-c", PLAY_AND_PROVE, month, state],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr + ended.stdout
    played, proven = ended.stdout.split("-- played --")
    assert "290 bars" in played
    assert "\nverified: 1 of 1 runs" in proven
    assert "leaked" not in ended.stderr
