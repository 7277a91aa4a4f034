"""Text is read alike however it is written: fast or with care, as CSV or as JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.recordings import (
    BAR_HEADER,
    MINUTE,
    MS,
    faults,
    feed_of,
    real,
    rows_of,
    write,
)
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.integrations.recorded.read import read
from tradeagent.integrations.recorded.text import CHUNK

OPEN = 1_640_995_200_000
ROWS = [(OPEN + 60_000 * place, 100, 101.5, 99, 100.25, place) for place in range(40)]
cells = st.sampled_from(["100", "1e2", " 7.25 ", "-3", "0", "", "nan", "inf", "abc", "1_0", "0x1"])


@given(st.lists(st.tuples(*[cells] * 5), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_fast_and_careful_reading_agree(
    tmp_path_factory: pytest.TempPathFactory, odd: list[tuple[str, ...]], newline: str
) -> None:
    """A file whose cells are quoted, which is read with care, means what it means without."""
    folder = tmp_path_factory.mktemp("text")
    rows = [*ROWS, *[(OPEN, *cells) for cells in odd]]
    found = []
    for name, mark in (("plain", ""), ("quoted", '"')):
        lines = [",".join(BAR_HEADER)]
        lines += [",".join(f"{mark}{cell}{mark}" for cell in row) for row in rows]
        path = folder / f"{name}.csv"
        path.write_bytes((newline.join(lines) + newline).encode())
        _, table = read(RecordedFile(path=path))
        found.append((table.numbers, table.integers, table.faults))

    assert found[0] == found[1]


def test_a_quoted_line_break_is_no_end_of_a_row(tmp_path: Path) -> None:
    """Not even where a part of the file that is read at once ends within the cell."""
    note = "a\nb" * 30_000
    assert len(note) * len(ROWS) > 3 * CHUNK
    path = write(tmp_path / "btc.csv", (*BAR_HEADER, "note"), [(*row, note) for row in ROWS])

    assert [time // MS for time, _ in feed_of(path).events(0)] == [
        OPEN + 60_000 * place for place in range(1, 41)
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,2,3", "row 32: it has not 6 columns"),
        (f"{OPEN},1,1,1,x,1", "row 32: column close is 'x'"),
    ],
)
def test_a_malformed_row_far_down_is_named(tmp_path: Path, line: str, said: str) -> None:
    """The number of the row is that of the file, blank lines and a byte order mark included."""
    lines = [",".join(BAR_HEADER), *[",".join(map(str, row)) for row in ROWS[:30]]]
    lines[10:10] = [""]
    path = tmp_path / "btc.csv"
    path.write_text("\ufeff" + "\n".join([*lines[:31], *[line] * 40, lines[31]]), "utf-8")

    with pytest.raises(DataError, match=said):
        feed_of(path)


@pytest.mark.parametrize(
    "name",
    [
        "btc-perp_1m_2021-12-31_2022-02-01.csv",
        "btcusdt-binance-perp_ticks_2024-08-08_trades.csv",
        "btcusdt-binance-perp_ticks_2024-08-08_l2.csv",
    ],
)
def test_json_lines_equal_csv(tmp_path: Path, name: str) -> None:
    """The same rows make the same events as an object a line, numbers as numbers or as text."""
    path = real(name)
    rows = rows_of(path)[:3_000]
    short = write(tmp_path / "x.csv", list(rows[0]), [list(row.values()) for row in rows])
    lines = tmp_path / "x.jsonl"
    lines.write_text("".join(json.dumps(_numbers(row)) + "\n" for row in rows), "utf-8")

    one, other = feed_of(short), feed_of(lines)

    assert list(one.events(0)) == list(other.events(0))
    assert faults(one.status()[0]) == faults(other.status()[0])
    assert one.instruments() == other.instruments()


def _numbers(row: dict[str, str]) -> dict[str, object]:
    """Return every other cell as a number where it is one."""
    found: dict[str, object] = {}
    for place, (name, cell) in enumerate(row.items()):
        number = cell.replace(".", "", 1).isdigit() and place % 2 == 0
        found[name] = (float(cell) if "." in cell else int(cell)) if number else cell or None
    return found


def test_odd_json_lines_are_malformed(tmp_path: Path) -> None:
    """What is no object, or lacks a value, is left out, counted and named."""
    good = [json.dumps(dict(zip(BAR_HEADER, row, strict=True))) for row in ROWS[:5]]
    path = tmp_path / "btc.jsonl"
    path.write_text("\n".join([*good, "[1, 2]", "", '{"open": 1}', "{", ""]), "utf-8")

    assert faults(feed_of(path).status()[0]) == (0, 0, 0, 0, 3)
    path.write_text("\n".join([*good[:1], *["7"] * 9]), "utf-8")
    with pytest.raises(DataError, match="9 of 10 rows are malformed, the first in row 2"):
        feed_of(path)


def _feed(path: Path, **chosen: object) -> RecordedFeed:
    file = {"path": path, "timeframe": "1m"}
    return RecordedFeed(RecordedSettings.model_validate({"files": [file], **chosen}))


def test_a_chosen_time_is_played_and_what_is_before_is_history(tmp_path: Path) -> None:
    """Candles open and close within start and end; history still tells those before."""
    path = write(tmp_path / "btc.csv", BAR_HEADER, ROWS)
    feed = _feed(path, start="2022-01-01T00:10", end="2022-01-01T01:20+01:00")

    opened = [(time - MINUTE) // MS - OPEN for time, _ in feed.events(0)]

    assert opened == [60_000 * place for place in range(10, 20)]
    before = feed.history("BTC", "1m", (OPEN + 600_000) * MS, 3)
    assert [bar.time // MS - OPEN for bar in before] == [60_000 * place for place in (7, 8, 9)]
    assert [time for time, _ in feed.events((OPEN + 1_140_000) * MS)] == [
        (OPEN + 60_000 * place) * MS for place in (19, 20)
    ]


def test_a_chosen_time_of_ticks_is_half_open(tmp_path: Path) -> None:
    """A trade at the start is played, one at the end is not."""
    rows = [(OPEN + 1_000 * second, 100, 1, "buy") for second in range(10)]
    path = write(tmp_path / "btc.csv", ("time_ms", "price", "size", "side"), rows)
    feed = _feed(path, start="2022-01-01T00:00:03Z", end=datetime(2022, 1, 1, 0, 0, 6, tzinfo=UTC))

    assert [time // MS - OPEN for time, _ in feed.events(0)] == [3_000, 4_000, 5_000]


def test_a_time_without_rows_is_one_line(tmp_path: Path) -> None:
    """It says what the files hold."""
    path = write(tmp_path / "btc.csv", BAR_HEADER, ROWS)

    with pytest.raises(DataError, match=r"nothing lies between 2023-.*; the files hold 2022-01-01"):
        _feed(path, start="2023-01-01")


@pytest.mark.parametrize("chosen", [{"start": 2022}, {"start": "2022-01-02", "end": "2022-01-01"}])
def test_a_wrong_time_is_refused(tmp_path: Path, chosen: dict[str, object]) -> None:
    """A bare number is no date, and an end is after its start."""
    with pytest.raises(ValueError, match="start"):
        RecordedSettings.model_validate({"files": [{"path": "btc.csv"}], **chosen})


def test_files_that_go_on_are_one_stream(tmp_path: Path) -> None:
    """Months that follow each other play as one file does, also among those of other symbols."""
    parts = [ROWS[:10], ROWS[10:25], ROWS[25:]]
    btc = [write(tmp_path / f"btc-{n}.csv", BAR_HEADER, part) for n, part in enumerate(parts)]
    eth = [write(tmp_path / f"eth-{n}.csv", BAR_HEADER, part) for n, part in enumerate(parts)]
    whole = [write(tmp_path / f"{name}.csv", BAR_HEADER, ROWS) for name in ("btc", "eth")]

    played = list(feed_of(*btc, *eth, timeframe="1m").events(0))

    assert played == list(feed_of(*whole, timeframe="1m").events(0))


def test_who_plays_no_files_loads_no_numpy() -> None:
    """The daemon's parts import the settings of recordings only."""
    code = "import sys, tradeagent.app; sys.exit(bool({'numpy', 'duckdb'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
