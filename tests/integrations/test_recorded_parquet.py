"""Parquet says what CSV says."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pytest

from tests.integrations.recordings import BAR_HEADER, feed_of, real, write
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.messages import DataStatus

OPEN = 1_640_995_200_000
WORDS = {"kind", "side", "aggressor", "hash"}

FILES = [
    "btc-perp_1m_2021-12-31_2022-02-01.csv",
    "ethusd-coinbase-spot_1m_quote_2018-04-04_2018-04-05.csv",
    "btcusdt-binance-perp_ticks_2024-08-08_trades.csv",
    "btcusdt-binance-perp_ticks_2024-08-08_bbo.csv",
    "btcusdt-binance-perp_ticks_2024-08-08_l2.csv",
    "hyperliquid-btc-perp_l2book_2025-01-26.csv",
]


def save(columns: Mapping[str, tuple[str, Sequence[object]]], path: Path) -> Path:
    """Write columns, each with its type in SQL, as Parquet; None is a null."""
    names = ", ".join(f'"{name}" {kind}' for name, (kind, _) in columns.items())
    marks = ", ".join("?" for _ in columns)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE made ({names})")
        rows = list(zip(*(values for _, values in columns.values()), strict=True))
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO made VALUES ({marks})", rows)
        connection.execute(f"COPY made TO '{path}' (FORMAT parquet)")
    return path


def as_parquet(path: Path, folder: Path) -> Path:
    """Write a CSV file as Parquet, numbers as numbers and empty cells as nulls."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    kinds = []
    for name, column in zip(header, zip(*rows, strict=True), strict=True):
        whole = all(value.isdigit() or not value for value in column)
        kind = "VARCHAR" if name in WORDS else "BIGINT" if whole else "DOUBLE"
        kinds.append(f"'{name}': '{kind}'")
    written = folder / f"{path.stem}.parquet"
    read = f"read_csv('{path}', header = true, columns = {{{', '.join(kinds)}}})"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM {read}) TO '{written}' (FORMAT parquet)")
    return written


def whole(feed: RecordedFeed) -> DataStatus:
    """Return the status of the only file, whatever its name."""
    (status,) = feed.status()
    return status.model_copy(update={"name": ""})


@pytest.mark.parametrize("name", FILES)
def test_parquet_equals_csv(tmp_path: Path, name: str) -> None:
    """The same rows make the same events, status, columns and instrument in either format."""
    path = real(name)

    one, other = feed_of(path), feed_of(as_parquet(path, tmp_path))

    assert all(a == b for a, b in zip(one.events(0), other.events(0), strict=True))
    assert whole(one) == whole(other)
    assert one.instruments() == other.instruments()
    assert one.references()[0].mapping == other.references()[0].mapping


def test_faults_are_the_same_in_parquet(tmp_path: Path) -> None:
    """Nulls, NaN, negatives, repeats and late rows count alike."""
    rows: list[list[object]] = [
        [OPEN + 60_000 * slot, 100.0, 101.0, 99.0, 100.5, 1.0] for slot in (0, 1, 5, 3, 3, 4, 8, 9)
    ]
    rows.insert(2, [OPEN, None, 101.0, 99.0, 100.5, 1.0])
    rows.insert(3, [None, 100.0, 101.0, 99.0, 100.5, 1.0])
    rows.insert(4, [OPEN, 100.0, float("nan"), 99.0, 100.5, 1.0])
    rows.insert(5, [-OPEN, 100.0, 101.0, 99.0, 100.5, 1.0])
    text = [["" if value is None else value for value in row] for row in rows]
    kinds = ("BIGINT", *["DOUBLE"] * 5)
    columns = zip(kinds, zip(*rows, strict=True), strict=True)
    save(dict(zip(BAR_HEADER, columns, strict=True)), tmp_path / "btc.parquet")

    one = feed_of(write(tmp_path / "btc.csv", BAR_HEADER, text))
    other = feed_of(tmp_path / "btc.parquet")

    assert list(one.events(0)) == list(other.events(0))
    assert whole(one) == whole(other)
    assert (whole(one).rows, whole(one).malformed, whole(one).disordered) == (7, 4, 2)


@pytest.mark.parametrize(
    "kind", ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ"]
)
def test_timestamps_carry_their_own_unit(tmp_path: Path, kind: str) -> None:
    """A timestamp column is read in its own unit, whatever its name says."""
    zone = datetime.UTC if kind == "TIMESTAMPTZ" else None
    first = datetime.datetime(2022, 1, 1, tzinfo=zone)
    times = [first + datetime.timedelta(minutes=slot) for slot in range(3)]
    prices = {name: ("DOUBLE", [100.0] * 3) for name in BAR_HEADER[1:]}
    save({"date": (kind, times), **prices}, tmp_path / "btc.parquet")

    events = list(feed_of(tmp_path / "btc.parquet").events(0))

    assert [time for time, _ in events] == [
        (OPEN + 60_000 * slot) * 1_000_000 for slot in (1, 2, 3)
    ]


def test_a_malformed_row_is_named_from_one(tmp_path: Path) -> None:
    """Parquet has no header row: its first row is row 1."""
    save({name: ("BIGINT", [-1]) for name in BAR_HEADER}, tmp_path / "btc.parquet")

    with pytest.raises(DataError, match="the first in row 1: column timestamp_ms is -1"):
        feed_of(tmp_path / "btc.parquet")
