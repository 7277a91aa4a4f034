"""What is written out is what is kept, and can be taken in again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.recordings import real
from tests.research.data.stock import MINUTE, MS, OPEN, bars, imported
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.export import export
from tradeagent.research.data.ingest import take_in
from tradeagent.research.data.series import Series
from tradeagent.research.data.span import Span

BTC = Series("bars", "BTC", "1m")
SUFFIXES = (".csv", ".jsonl", ".parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "name",
    [
        "btcusd-coinbase-spot_1m_trade_2018-04-04_2018-04-05.csv",
        "btcusdt-binance-perp_ticks_2024-08-08_trades.csv",
        "hyperliquid-btc-perp_l2book_2025-01-26.csv",
    ],
)
def test_a_round_trip_changes_nothing(tmp_path: Path, name: str, suffix: str) -> None:
    """Every row of every kind comes back bit by bit, in each format."""
    catalogue = Catalogue(tmp_path / "one")
    taken = take_in(catalogue, RecordedFile(path=real(name), symbol="X"))
    out = tmp_path / f"out{suffix}"

    written = export(catalogue, taken.series, out)
    again = take_in(catalogue, RecordedFile(path=out, symbol="X"))

    assert (written.rows, written.partial) == (taken.rows, 0)
    assert (again.merge.new, again.merge.same, again.merge.differing) == (0, taken.rows, 0)


def test_a_range_is_written(tmp_path: Path) -> None:
    """The rows from its start on and before its end."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(20))
    start = OPEN * MS

    export(catalogue, BTC, tmp_path / "x.csv", Span(start + 5 * MINUTE, start + 8 * MINUTE))

    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == "timestamp_ms,open,high,low,close,volume"
    assert [int(line.split(",")[0]) for line in lines[1:]] == [
        OPEN + 60_000 * place for place in (5, 6, 7)
    ]


def test_longer_candles_are_made_on_the_way(tmp_path: Path) -> None:
    """They begin within the range and are whole; those with holes are counted."""
    catalogue = Catalogue(tmp_path / "kept")
    rows = bars(33)
    del rows[12]
    imported(catalogue, tmp_path, rows)
    start, out = OPEN * MS, tmp_path / "x.parquet"

    written = export(catalogue, BTC, out, Span(start + 3 * MINUTE), "5m")

    assert (written.rows, written.partial) == (5, 1)
    file = RecordedFile(path=out, symbol="BTC")
    opened = [time for time, _ in RecordedFeed(RecordedSettings(files=(file,))).events(0)]
    assert opened == [start + minutes * MINUTE for minutes in (10, 15, 20, 25, 30)]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """An unknown suffix, nothing in the range, a folder that is a file; nothing is left behind."""
    catalogue = Catalogue(tmp_path / "kept")
    imported(catalogue, tmp_path, bars(20))
    trades = ("time_ms", "price", "size", "side")
    imported(catalogue, tmp_path, [(OPEN, 1, 1, "buy")], trades)

    with pytest.raises(DataError, match="end its name in"):
        export(catalogue, BTC, tmp_path / "x.xls")
    with pytest.raises(DataError, match="nothing lies from 2030"):
        export(catalogue, BTC, tmp_path / "x.csv", Span(1_900_000_000 * 10**9))
    with pytest.raises(DataError, match="cannot be written"):
        export(catalogue, BTC, tmp_path / "btc.csv" / "x.csv")
    with pytest.raises(DataError, match="only candles"):
        export(catalogue, Series("trades", "BTC"), tmp_path / "x.csv", timeframe="1h")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["btc.csv", "kept"]
