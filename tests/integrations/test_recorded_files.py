"""What a recorded file may look like, and what is said of one that cannot be used."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.integrations.recordings import (
    BAR_HEADER,
    MINUTE,
    MS,
    faults,
    feed_of,
    played,
    write,
)
from tradeagent.errors import DataError
from tradeagent.integrations.recorded import (
    InstrumentSpec,
    RecordedFeed,
    RecordedFile,
    RecordedSettings,
)
from tradeagent.messages import MarketData, MarketTrade, TickerUpdate

OPEN = 1_640_995_200_000
BARS: list[tuple[object, ...]] = [
    (OPEN + 60_000 * place, 100, 101.5, 99, 100.25, 2.5) for place in range(4)
]
TRADES: list[tuple[object, ...]] = [
    (OPEN, 100.5, 0.5, "buy", 1),
    (OPEN, 100.5, 0.25, "sell", 2),
    (OPEN + 1, 100.4, 1, "Sell", 3),
]
TRADE_HEADER = ("time_ms", "price", "size", "side", "trade_id")


def complaint(path: Path, **changes: object) -> str:
    """Return the one line that refuses a file."""
    with pytest.raises(DataError) as caught:
        feed_of(path, **changes)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith((path.name, f"{path}: "))
    return text


@pytest.mark.parametrize(
    ("column", "factor", "unit"),
    [
        ("timestamp_ms", 1, None),
        ("timestamp_us", 1_000, None),
        ("open_time", 1, None),
        ("date", 1_000, None),
        ("time", 1_000_000, None),
        ("ts", 1, "ms"),
        ("Timestamp_MS", 1, None),
    ],
)
def test_the_unit_of_time_is_found(
    tmp_path: Path, column: str, factor: int, unit: str | None
) -> None:
    """The setting, the column's suffix, or else the size of the numbers tells the unit."""
    rows = [(int(str(row[0])) * factor, *row[1:]) for row in BARS]
    path = write(tmp_path / "btc.csv", (column, *BAR_HEADER[1:]), rows)

    events = played(feed_of(path, time_unit=unit))

    assert [time for time, _ in events] == [int(str(row[0])) * MS + MINUTE for row in BARS]


@pytest.mark.parametrize(
    "texts",
    [
        [f"2022-01-01T00:0{place}:00Z" for place in range(4)],
        [f"2022-01-01 00:0{place}:00" for place in range(4)],
        [f"2022-01-01T01:0{place}:00+01:00" for place in range(4)],
        [f"{OPEN // 1000 + 60 * place}.000" for place in range(4)],
        [f"{OPEN // 1000 + 60 * place}" for place in range(4)],
    ],
)
def test_times_may_be_dates_or_seconds(tmp_path: Path, texts: list[str]) -> None:
    """ISO 8601, in UTC unless it says, and seconds with or without a fraction are times."""
    rows = [(text, *row[1:]) for text, row in zip(texts, BARS, strict=True)]
    path = write(tmp_path / "btc.csv", ("date", *BAR_HEADER[1:]), rows)

    events = played(feed_of(path))

    assert [time for time, _ in events] == [int(str(row[0])) * MS + MINUTE for row in BARS]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_eight_digits_are_a_day(tmp_path: Path, suffix: str) -> None:
    """20220103 is the third of January, whatever kind of file says so; no such day is no time."""
    days = [20211231, 20220101, 20220102, 20220103, 20220199]
    path = tmp_path / f"btc.{suffix}"
    if suffix == "csv":
        write(path, ("time", "price", "size", "side"), [(day, 100, 1, "buy") for day in days])
    else:
        rows = ({"time": day, "price": 100, "size": 1, "side": "buy"} for day in days)
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    feed = feed_of(path)

    wanted = [OPEN + 86_400_000 * place for place in (-1, 0, 1, 2)]
    assert [time // MS for time, _ in played(feed)] == wanted
    assert feed.status()[0].malformed == 1


@pytest.mark.parametrize("times", [[0, 1, 2], [1640995, 1640996], [10**11, 2 * 10**11]])
def test_times_of_another_age_are_refused(tmp_path: Path, times: list[int]) -> None:
    """A guess that leads before 1980 is none; a unit that is told is taken at its word."""
    rows = [(time, 100, 1, "buy") for time in times]
    path = write(tmp_path / "btc.csv", ("time", "price", "size", "side"), rows)

    said = complaint(path)

    assert f"times such as {times[0]} in column time are before 1980" in said
    assert "--time-unit" in said
    assert len(played(feed_of(path, time_unit="ns"))) == len(times)


def test_columns_can_be_named_by_hand(tmp_path: Path) -> None:
    """A mapping wins over known names, and the reference repeats it."""
    header = ("when", "o", "h", "l", "c", "volume", "amount")
    path = write(tmp_path / "eth-bars.csv", header, [(*row[:5], 0, row[5]) for row in BARS])

    feed = feed_of(path, columns={"time": "when", "volume": "amount"})

    ((_, bar), *_) = feed.events(0)
    assert isinstance(bar, MarketData)
    assert (bar.symbol, bar.volume) == ("ETH", 2.5)
    assert feed.references()[0].mapping == {
        "time": "when",
        "open": "o",
        "high": "h",
        "low": "l",
        "close": "c",
        "volume": "amount",
    }


def test_a_tick_counts_when_it_was_received(tmp_path: Path) -> None:
    """The receive time is a tick's time where there is one, else the venue's; a mapping decides."""
    header = ("recv_us", "exchange_ms", "bid", "ask", "last_price")
    path = write(tmp_path / "btc.csv", header, [(OPEN * 1000 + 7, OPEN - 3, 99, 100, 98)])

    received, sent = feed_of(path), feed_of(path, columns={"time": "exchange_ms"})

    ((time, tick),) = received.events(0)
    assert isinstance(tick, TickerUpdate)
    assert (time, tick.time, tick.last, tick.bid_size) == (
        OPEN * MS + 7_000,
        OPEN * MS + 7_000,
        98.0,
        None,
    )
    assert played(sent)[0][0] == (OPEN - 3) * MS


def test_late_and_repeated_trades_are_counted(tmp_path: Path) -> None:
    """A repeated id counts once, a late trade is sorted in, trades without id are all kept."""
    rows = [TRADES[2], TRADES[0], TRADES[1], TRADES[0], (OPEN, 100.5, 0, "buy", 9)]
    rows.append((OPEN + 1, 100.4, 1, "buy", 4))
    path = write(tmp_path / "btc.csv", TRADE_HEADER, rows)
    bare = write(tmp_path / "eth.csv", TRADE_HEADER[:4], [row[:4] for row in rows])

    feed, anonymous = feed_of(path), feed_of(bare)

    ids = [one.trade_id for _, one in feed.events(0) if isinstance(one, MarketTrade)]
    assert ids == ["1", "2", "3", "4"]
    assert faults(feed.status()[0]) == (0, 0, 1, 2, 1)
    assert feed.status()[0].rows == 4
    assert len(played(anonymous)) == 5
    assert faults(anonymous.status()[0]) == (0, 0, 0, 3, 1)


def test_a_crossed_quote_is_malformed(tmp_path: Path) -> None:
    """A bid above its ask, a size below zero and a price of zero are left out and counted."""
    rows = [(OPEN, 99, 100, 1, 1), (OPEN, 101, 100, 1, 1), (OPEN, 99, 100, -1, 1)]
    rows += [(OPEN, 0, 100, 1, 1), (OPEN + 1, 100, 100, 0, 1), (OPEN + 2, 99, 100, 1, 1)]
    rows += [(OPEN + 3, 99, 100, 1, 1)]
    header = ("time_ms", "bid", "ask", "bid_size", "ask_size")

    feed = feed_of(write(tmp_path / "btc.csv", header, rows))

    assert [time // MS - OPEN for time, _ in feed.events(0)] == [0, 1, 2, 3]
    assert faults(feed.status()[0]) == (0, 0, 0, 0, 3)


def test_the_instrument_can_be_given(tmp_path: Path) -> None:
    """A given grid is used for its symbol, also for the files that give none."""
    bars = RecordedFile(path=write(tmp_path / "btc-bars.csv", BAR_HEADER, BARS))
    spec = InstrumentSpec(tick=Decimal("0.5"), lot=Decimal("0.01"), significant=5)
    trades = RecordedFile(
        path=write(tmp_path / "btc-trades.csv", TRADE_HEADER, TRADES), instrument=spec
    )

    (instrument,) = RecordedFeed(RecordedSettings(files=(bars, trades))).instruments()

    assert instrument == spec.of("BTC")


def test_the_instrument_is_deduced_from_decimals(tmp_path: Path) -> None:
    """The tick is the last decimal of any price, the lot that of any size."""
    (instrument,) = feed_of(write(tmp_path / "btc.csv", BAR_HEADER, BARS)).instruments()

    assert (instrument.tick, instrument.lot) == (Decimal("0.01"), Decimal("0.1"))
    assert instrument.min_notional == 10


def test_two_files_make_one_history(tmp_path: Path) -> None:
    """Files of one symbol and timeframe continue each other, in whatever order they are named."""
    early = write(tmp_path / "btc-1.csv", BAR_HEADER, BARS[:2])
    late = write(tmp_path / "btc-2.csv", BAR_HEADER, BARS[2:])

    feed = feed_of(late, early)

    bars = [bar for _, bar in feed_of(write(tmp_path / "btc.csv", BAR_HEADER, BARS)).events(0)]
    assert [bar for _, bar in feed.events(0)] == bars
    assert list(feed.history("BTC", "1m", OPEN * MS + 3 * MINUTE, 2)) == bars[1:3]
    assert list(feed.history("BTC", "1m", OPEN * MS + 9 * MINUTE, 9)) == bars
    assert list(feed.history("BTC", "1m", OPEN * MS + 9 * MINUTE, 0)) == []


def test_two_files_of_the_same_bars_are_refused(tmp_path: Path) -> None:
    """Nobody could tell which of two bars of one minute is true."""
    early = write(tmp_path / "btc-1.csv", BAR_HEADER, BARS[:3])
    late = write(tmp_path / "btc-2.csv", BAR_HEADER, BARS[2:])

    with pytest.raises(DataError, match=r"btc-1.csv and btc-2.csv: both hold 1m bars of BTC"):
        feed_of(early, late, timeframe="1m")


def test_several_timeframes_of_a_symbol_live_together(tmp_path: Path) -> None:
    """Timeframes are listed shortest first, each with its own history."""
    hours = [(OPEN + 3_600_000 * place, 100, 101, 99, 100, 1) for place in range(3)]
    paths = (
        write(tmp_path / "btc-1h.csv", BAR_HEADER, hours),
        write(tmp_path / "btc-1m.csv", BAR_HEADER, BARS),
    )

    feed = feed_of(*paths)

    assert list(feed.timeframes("BTC")) == ["1m", "1h"]
    assert feed.shortest("BTC") == "1m"
    assert list(feed.timeframes("ETH")) == []
    assert len(feed.history("BTC", "1h", OPEN * MS + 120 * MINUTE, 5)) == 2


BAD = (OPEN, 100, 99, 98, 97, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([BARS[0], BAD, BAD], r"2 of 3 rows are malformed, the first in row 3: columns open/high"),
        ([(OPEN, "abc", 1, 1, 1, 1)], r"row 2: column open is 'abc', not a number"),
        ([("a", 1, 1, 1, 1, 1)], r"or time_unit (--column, --kind, --time-unit)"),
        ([(OPEN, 1, 1, 1, 1, "nan")], r"row 2: column volume is 'nan'"),
        ([(OPEN, -1, 1, 1, 1, 1)], r"row 2: column open is '-1'"),
        ([("soon", 1, 1, 1, 1, 1)], r"row 2: column timestamp_ms is 'soon'"),
        ([(10**30, 1, 1, 1, 1, 1)], r"row 2: column timestamp_ms is '1000"),
        ([(OPEN, 1, 1)], r"row 2: it has not 6 columns"),
        ([], r"there is no row after the header"),
        (
            BARS[:1],
            r"one bar alone has no step, which is no timeframe; set timeframe (--timeframe, ",
        ),
        ([BARS[0], (OPEN + 7_000, *BARS[0][1:])], r"bars are 7 s apart, which is no timeframe"),
    ],
)
def test_rows_that_cannot_be_used_are_named(
    tmp_path: Path, rows: Sequence[Sequence[object]], said: str
) -> None:
    """One line names file, row, column and remedy."""
    text = complaint(write(tmp_path / "btc.csv", BAR_HEADER, rows))

    assert said.replace("\\", "") in text
    assert "; " in text


def test_half_of_the_rows_may_be_malformed(tmp_path: Path) -> None:
    """Exactly half is still read, one more is refused."""
    half = write(tmp_path / "btc.csv", BAR_HEADER, [*BARS, BAD, BAD, BAD, BAD])
    more = write(tmp_path / "eth.csv", BAR_HEADER, [*BARS, BAD, BAD, BAD, BAD, BAD])

    assert feed_of(half).status()[0].malformed == 4
    assert "5 of 9 rows" in complaint(more)


def test_a_wrong_timeframe_is_refused(tmp_path: Path) -> None:
    """Minutes are no five-minute bars, but hours may stand for a sparse file of minutes."""
    path = write(tmp_path / "btc.csv", BAR_HEADER, BARS)
    hours = [(OPEN + 3_600_000 * place, 100, 101, 99, 100, 1) for place in range(3)]
    sparse = write(tmp_path / "eth.csv", BAR_HEADER, hours)

    assert "do not open 5m apart; set timeframe (--timeframe)" in complaint(path, timeframe="5m")
    assert feed_of(sparse, timeframe="1m").status()[0].missing == 118


def test_a_bar_off_the_grid_is_malformed(tmp_path: Path) -> None:
    """A bar that opens inside another one is left out and counted."""
    odd = (OPEN + 90_000, 100, 101.5, 99, 100.25, 2.5)

    path = write(tmp_path / "btc.csv", BAR_HEADER, [*BARS, odd])

    (status,) = feed_of(path, timeframe="1m").status()

    assert (status.rows, faults(status)) == (4, (0, 0, 0, 0, 1))


@pytest.mark.parametrize(
    ("header", "changes", "said"),
    [
        (
            BAR_HEADER[:5],
            {},
            "no column for volume, needed for bars; name it under columns (--column volume=",
        ),
        (BAR_HEADER[1:], {}, "row 1 has no column for time, needed for bars"),
        (
            ("timestamp_ms", "rates"),
            {},
            "holds; set content and columns (--kind, --column price=NAME)",
        ),
        (
            ("timestamp_ms", "rates"),
            {"content": "trades"},
            "no column for price, size, side",
        ),
        (BAR_HEADER, {"content": "book"}, "no column for price, size, side, level"),
        (
            BAR_HEADER,
            {"columns": {"time": "when"}},
            "columns (--column) maps time to 'when', which",
        ),
        (("t", "price", "size", "side", "kind"), {}, "last_update_id, prev_last_update_id"),
    ],
)
def test_a_header_that_does_not_do_is_named(
    tmp_path: Path, header: Sequence[str], changes: dict[str, object], said: str
) -> None:
    """A missing column is named together with those that are there."""
    text = complaint(write(tmp_path / "btc.csv", header, [["1"] * len(header)]), **changes)

    assert said in text
    assert text.endswith(", ".join(header))


def test_files_that_are_no_recording_are_refused(tmp_path: Path) -> None:
    """A missing, empty or binary file, a folder and odd lines each get one line and a remedy."""
    empty, binary, lines = (tmp_path / name for name in ("e.csv", "b.csv", "j.jsonl"))
    empty.touch()
    binary.write_bytes(b"\x89PNG\xff\xfe\x00\x01")
    lines.write_text('{"a":1,"b":2}\n')
    torn, gone = tmp_path / "t.parquet", tmp_path / "gone.parquet"
    torn.write_bytes(b"PAR1 no more")

    assert "No such file" in complaint(tmp_path / "gone.csv")
    assert "Is a directory" in complaint(tmp_path)
    assert "the file is empty" in complaint(empty)
    assert "is not CSV text" in complaint(binary)
    assert "does not tell what the file holds" in complaint(lines)
    assert "is not whole Parquet" in complaint(torn)
    assert "cannot be read" in complaint(gone)


def test_parquet_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without duckdb a Parquet file says what to install, and CSV goes on working."""
    monkeypatch.setitem(sys.modules, "duckdb", None)

    assert "tradeagent[research]" in complaint(tmp_path / "btc.parquet")
    assert played(feed_of(write(tmp_path / "btc.csv", BAR_HEADER, BARS)))


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "btc.csv", "kolumns": {}},
        {"path": "btc.csv", "columns": {"opne": "open"}},
        {"path": "btc.csv", "content": "candles"},
        {"path": "btc.csv", "time_unit": "minutes"},
        {"path": "btc.csv", "timeframe": "7m"},
        {"path": "_btc.csv"},
        {"path": "btc.csv", "instrument": {"tick": 0, "lot": 1}},
    ],
)
def test_settings_are_checked(fields: dict[str, object]) -> None:
    """Unknown keys, columns and words refuse to load."""
    with pytest.raises(ValidationError):
        RecordedFile.model_validate(fields)


def test_one_symbol_has_one_grid() -> None:
    """Two files may not give two grids for one symbol, and a recording has at least one file."""
    one, other = ({"tick": tick, "lot": 1} for tick in (1, 2))

    with pytest.raises(ValidationError, match="two different instruments are given for BTC"):
        RecordedSettings.model_validate(
            {
                "files": [
                    {"path": "btc-1", "instrument": one},
                    {"path": "btc-2", "instrument": other},
                ]
            }
        )
    with pytest.raises(ValidationError):
        RecordedSettings(files=())
