"""What is taken into the catalogue is there once, whole, and plays as its file does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.recordings import BAR_HEADER, real, write
from tests.research.data.stock import MINUTE, MS, OPEN, bars, imported, stamp
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.commit import alone
from tradeagent.research.data.ingest import take_in
from tradeagent.research.data.series import Series
from tradeagent.research.data.span import Span

BTC = Series("bars", "BTC", "1m")
FILES = [
    ("btc-perp_1m_2021-12-31_2022-02-01.csv", {"volume": "quote"}),
    ("xrpusdt-perp_8h_2021-11-18_2021-12-18.csv", {}),
    ("ethusd-coinbase-spot_1m_quote_2018-04-04_2018-04-05.csv", {}),
    ("btcusdt-binance-perp_ticks_2024-08-08_trades.csv", {}),
    ("btcusdt-binance-perp_ticks_2024-08-08_bbo.csv", {}),
    ("btcusdt-binance-perp_ticks_2024-08-08_l2.csv", {}),
    ("hyperliquid-btc-perp_l2book_2025-01-26.csv", {}),
]


@pytest.mark.parametrize(("name", "changes"), FILES, ids=lambda one: str(one)[:40])
def test_the_catalogue_plays_what_the_file_plays(
    tmp_path: Path, name: str, changes: dict[str, str]
) -> None:
    """Of every kind: the same events, however many months, on the same grid; and again no news."""
    file = RecordedFile.model_validate({"path": real(name), "symbol": "a/B:c_%", **changes})
    catalogue = Catalogue(tmp_path / "kept")

    taken = take_in(catalogue, file)
    before = stamp(catalogue)
    again = take_in(catalogue, file)

    assert (taken.merge.new, taken.merge.same) == (taken.rows, 0)
    assert (again.merge.new, again.merge.same) == (0, taken.rows)
    assert stamp(catalogue) == before
    assert catalogue.all_series() == [taken.series]
    kept = tuple(
        RecordedFile(path=path, symbol=taken.series.symbol, timeframe=taken.series.timeframe)
        for path in catalogue.files(taken.series)
    )
    one = RecordedFeed(RecordedSettings(files=(file,)))
    other = RecordedFeed(RecordedSettings(files=kept))
    assert all(a == b for a, b in zip(one.events(0), other.events(0), strict=True))
    (grid,), seen = one.instruments(), catalogue.card(taken.series).seen
    assert seen is not None
    assert (seen.tick, seen.lot) == (grid.tick, grid.lot)


def test_funding_is_kept(tmp_path: Path) -> None:
    """Rates of a real file come back as they stand there."""
    catalogue = Catalogue(tmp_path)
    path = real("hyperliquid-btc-perp_funding_1h_2023.csv")

    taken = take_in(catalogue, RecordedFile(path=path, symbol="BTC"))

    rows = catalogue.columns(Series("funding", "BTC"))
    lines = path.read_text().splitlines()
    place = lines[0].split(",").index("funding_rate")
    assert taken.rows == 1_038
    assert rows["rate"].tolist() == [float(line.split(",")[place]) for line in lines[1:]]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 40)), min_size=1, max_size=4),
    st.sampled_from(["bars", "trades"]),
)
def test_pieces_in_any_order_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]], kind: str
) -> None:
    """However files overlap and whatever comes first, each row is there once, in order."""
    folder = tmp_path_factory.mktemp("pieces")
    catalogue = Catalogue(folder / "kept")
    month = OPEN + 31 * 86_400_000 - 60 * 60_000  # so that some rows are of the next month
    rows = bars(130, first=month)
    header = BAR_HEADER
    if kind == "trades":
        header = ("time_ms", "price", "size", "side")
        rows = [(month + place // 2 * 60_000, 100, 1, "buy") for place in range(130)]

    for first, count in pieces:
        imported(catalogue, folder, rows[first : first + count], header)

    wanted = sorted({place for first, count in pieces for place in range(first, first + count)})
    (series,) = catalogue.all_series()
    found = catalogue.columns(series)["time"].tolist()
    if kind == "trades":  # of equal ones there are as many as one file had at most
        most = {
            time: max(
                sum(rows[place][0] == time for place in range(first, first + count))
                for first, count in pieces
            )
            for time in {int(str(rows[place][0])) for place in wanted}
        }
        assert found == [time * MS for time in sorted(most) for _ in range(most[time])]
    else:
        assert found == [int(str(rows[place][0])) * MS for place in wanted]


def test_rows_that_differ_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """The line says how many and the first of them; also what does not differ is left out."""
    catalogue = Catalogue(tmp_path / "kept")
    rows = bars(20)
    imported(catalogue, tmp_path, rows[:10])
    before = stamp(catalogue)
    other = [*rows[:5], (*rows[5][:5], 77.0), *rows[6:]]

    with pytest.raises(DataError) as caught:
        imported(catalogue, tmp_path, other)

    said = str(caught.value)
    assert said.startswith("btc.csv: 1 of 20 rows differ from those of BTC 1m bars")
    assert f"volume of 2022-01-01 00:05 is 77.0 in it and {rows[5][5]} in the catalogue" in said
    assert "--prefer" in said
    assert stamp(catalogue) == before


@pytest.mark.parametrize(("prefer", "volume"), [("file", 77.0), ("catalogue", None)])
def test_somebody_may_be_preferred(tmp_path: Path, prefer: str, volume: float | None) -> None:
    """The rows of the one that is preferred are kept, and those that only one has."""
    catalogue = Catalogue(tmp_path / "kept")
    rows = bars(20)
    imported(catalogue, tmp_path, rows[:10])

    taken = imported(
        catalogue,
        tmp_path,
        [(*rows[5][:5], 77.0), *rows[6:]],
        prefer=prefer,  # type: ignore[arg-type]
    )

    assert taken.merge[:3] == (10, 4, 1)
    found = catalogue.candles(BTC)
    assert len(found) == 20
    assert found.volume[5] == (volume or rows[5][5])


def test_a_trade_is_told_by_its_id(tmp_path: Path) -> None:
    """The same id with another price differs; trades without one are told by all they are."""
    catalogue = Catalogue(tmp_path / "kept")
    header = ("time_ms", "price", "size", "side", "trade_id")
    imported(catalogue, tmp_path, [(OPEN, 100, 1, "buy", "a"), (OPEN, 100, 1, "buy", "")], header)

    taken = imported(
        catalogue, tmp_path, [(OPEN, 100, 1, "buy", ""), (OPEN, 101, 1, "buy", "")], header
    )

    assert (taken.merge.new, taken.merge.same) == (1, 1)
    with pytest.raises(DataError, match=r"price of 2022-01-01 00:00 is 102\.0 in it and 100\.0"):
        imported(catalogue, tmp_path, [(OPEN, 102, 1, "buy", "a")], header)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """Quotes with sizes and quotes without are not mixed."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, [(OPEN, 99, 100)], ("time_ms", "bid", "ask"))

    with pytest.raises(DataError, match="is kept with the columns time, bid, ask, these rows have"):
        imported(catalogue, tmp_path, [(OPEN, 99, 100, 1)], ("time_ms", "bid", "ask", "bid_size"))


def test_a_range_is_half_open(tmp_path: Path) -> None:
    """A row at the start is within, one at the end is not; only the months touched are read."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(3, first=OPEN - 60_000))
    start = OPEN * MS

    found = catalogue.columns(BTC, Span(start, start + MINUTE))["time"].tolist()

    assert found == [start]
    assert [one.name for one in catalogue.files(BTC, Span(0, start))] == ["BTC_1m_2021-12.parquet"]
    assert [one.name for one in catalogue.files(BTC)] == [
        "BTC_1m_2021-12.parquet",
        "BTC_1m_2022-01.parquet",
    ]


@pytest.mark.parametrize(("crash", "rows"), [("DATA1", 60), ("DATA2:2", 90)])
def test_a_kill_leaves_the_old_state_or_the_new(tmp_path: Path, crash: str, rows: int) -> None:
    """A process killed while it puts two months in place leaves none of them, or both."""
    catalogue = Catalogue(tmp_path / "kept")
    both = bars(90, first=OPEN - 45 * 60_000)
    imported(catalogue, tmp_path, both[15:75])
    before = stamp(catalogue)
    path = write(tmp_path / "btc.csv", BAR_HEADER, both)

    ended = subprocess.run(
        [sys.executable, "-m", "tradeagent", "data", "import", path, "--catalogue", catalogue.root],
        env={**os.environ, "TRADEAGENT_CRASH_AT": crash},
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 137, ended.stderr
    found = Catalogue(catalogue.root)
    assert found.extent(BTC).rows == rows
    if rows == 60:
        assert stamp(found) == before
    assert imported(found, tmp_path, both).merge.same == rows
    assert found.extent(BTC).rows == 90


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    """While one writes, another is told to wait, and readers read."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(5))

    with alone(catalogue.root):
        with pytest.raises(DataError, match="another process writes to it"):
            imported(catalogue, tmp_path, bars(9))
        assert Catalogue(catalogue.root).extent(BTC).rows == 5


def test_what_cannot_be_put_in_its_place_leaves_all_as_it_was(tmp_path: Path) -> None:
    """A symbol whose name makes no folder is refused in one line, and nothing waits for ever."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(5))
    before = stamp(catalogue)

    with pytest.raises(DataError, match="is too long for a file"):
        imported(catalogue, tmp_path, bars(5), symbol="\u00e9" * 100)

    found = Catalogue(catalogue.root)
    assert stamp(found) == before
    assert imported(found, tmp_path, bars(9)).merge.new == 4


def test_a_commit_that_cannot_be_finished_keeps_no_reader_out(tmp_path: Path) -> None:
    """Where what was cut off finds no place, the rest is read and a writer is told why."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(5))
    staged = catalogue.root / ".staged"
    staged.mkdir()
    (staged / "0.parquet").write_bytes(b"")
    (staged / "list.json").write_text(json.dumps({"0.parquet": f"{'x' * 300}/0.parquet"}))

    found = Catalogue(catalogue.root)
    assert found.extent(BTC).rows == 5
    with pytest.raises(DataError, match="cannot be written"):
        imported(found, tmp_path, bars(9))


def test_odd_folders_are_left_alone(tmp_path: Path) -> None:
    """What is not ours below the root is no series, and a broken card is one line."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(5))
    odd = catalogue.root / "kind=bars" / "symbol=X" / "timeframe=7m"
    odd.mkdir(parents=True)
    (odd / "series.json").write_text("{}")

    assert catalogue.all_series() == [BTC]
    (catalogue.root / BTC.folder / "series.json").write_text("{")
    with pytest.raises(DataError, match=r"series\.json: cannot be read"):
        catalogue.card(BTC)
