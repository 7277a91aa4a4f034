"""Whatever is planted in data is found, and sound data are called so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integrations.recordings import BAR_HEADER, real
from tests.research.data.stock import MINUTE, MS, OPEN, Bar, bars, imported
from tradeagent.integrations.recorded import RecordedFile
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.ingest import take_in
from tradeagent.research.data.quality import Finding, of_rows
from tradeagent.research.data.series import Columns, Series

BTC = Series("bars", "BTC", "1m")


def columns(rows: list[Bar]) -> Columns:
    """Return rows of candles as a catalogue has them."""
    cells = list(zip(*rows, strict=True))
    found: Columns = {"time": np.array(cells[0], dtype=np.int64) * MS}
    for name, cell in zip(BAR_HEADER[1:], cells[1:], strict=True):
        found[name] = np.array(cell, dtype=np.float64)
    return found


def codes(found: list[Finding]) -> dict[str, int]:
    """Return how often each finding was made."""
    return {one.code: one.count for one in found}


def test_sound_candles_are_sound() -> None:
    """A random walk without holes has no finding."""
    assert of_rows(BTC, columns(bars(5_000))) == []


def test_each_fault_is_found_where_it_is() -> None:
    """Holes, a repeated and a late row, nothing traded, a spike, impossible prices."""
    rows = bars(1_000)
    del rows[100:110], rows[500]
    rows[200] = (*rows[200][:5], 0)
    rows[300] = (*rows[300][:2], 130.0, *rows[300][3:])
    rows[400] = (*rows[400][:2], 1.0, *rows[400][3:])
    late = [*rows[:600], rows[599], *rows[600:700], rows[699 - 50], *rows[700:]]

    found = {one.code: one for one in of_rows(BTC, columns(rows))}
    late_found = codes(of_rows(BTC, columns(late)))

    assert (found["gaps"].count, found["gaps"].first) == (2, (OPEN + 6_000_000) * MS)
    assert found["gaps"].text.startswith("11 rows missing, the most 10 after 2022-01-01 01:39")
    assert (found["zero_volume"].count, found["outliers"].count) == (1, 1)
    assert found["outliers"].first == int(columns(rows)["time"][300])
    assert found["crossed"].first == int(columns(rows)["time"][400])
    assert (late_found["duplicates"], late_found["disorder"]) == (1, 1)


def test_a_price_of_zero_is_found() -> None:
    """And hides no other finding but outliers, which need logarithms."""
    rows = bars(50)
    rows[7] = (rows[7][0], 0, 0, 0, 0, 1)

    assert codes(of_rows(BTC, columns(rows))) == {"negative": 1}


def test_a_jump_over_a_hole_is_no_outlier_and_one_after_the_other_is() -> None:
    """Much may happen while nothing was recorded."""
    rows = bars(1_000)
    higher = [(row[0], *(float(str(cell)) * 1.2 for cell in row[1:5]), row[5]) for row in rows]

    assert "outliers" in codes(of_rows(BTC, columns([*rows[:500], *higher[500:]])))
    assert codes(of_rows(BTC, columns([*rows[:500], *higher[520:]]))) == {"gaps": 1}


def test_quiet_markets_have_no_outliers() -> None:
    """Where most candles do not move, those that do by their usual step are not far."""
    rows = [
        (OPEN + 60_000 * place, 100, 100.1, 100, 100 + 0.1 * (place % 10 == 0), 1)
        for place in range(500)
    ]

    assert of_rows(BTC, columns(rows)) == []


def test_ticks_that_move_by_a_step_are_not_far() -> None:
    """Where most trades are a step above the one before, two steps down are no outlier."""
    price = (61_680.0 + 0.1 * np.arange(64) - 0.3 * (np.arange(64) > 40)).round(1)
    time = np.arange(64, dtype=np.int64) * MS
    trades: Columns = {"time": time, "price": price, "size": price}
    series = Series("trades", "BTC")

    assert of_rows(series, trades) == []
    price[50] += 9
    assert codes(of_rows(series, trades)) == {"outliers": 2}


def test_crossed_quotes_and_odd_ticks_are_found() -> None:
    """Quotes and trades have prices too."""
    time = np.arange(400, dtype=np.int64) * MINUTE
    bid = 100 + np.sin(np.arange(400.0))
    ask = bid + 0.1
    ask[9] = 90
    price = bid.copy()
    price[50] = 500

    assert codes(of_rows(Series("quotes", "BTC"), {"time": time, "bid": bid, "ask": ask})) == {
        "crossed": 1
    }
    trades = of_rows(Series("trades", "BTC"), {"time": time, "price": price, "size": bid})
    assert codes(trades) == {"outliers": 2}


def test_funding_comes_at_its_hour_more_or_less() -> None:
    """Some milliseconds are no gap, an hour without a rate is one."""
    hours = np.delete(np.arange(48, dtype=np.int64), 20) * 60 * MINUTE
    jitter = np.arange(47) * 3 * MS
    rows: Columns = {"time": hours + jitter, "rate": np.zeros(47)}

    assert codes(of_rows(Series("funding", "BTC"), rows)) == {"gaps": 1}


def test_a_repeated_row_that_differs_is_no_mere_repeat(tmp_path: Path) -> None:
    """Of candles, rates and trades it is counted apart, and the first is named by its time."""
    rows = bars(40)
    twice = [*rows, rows[30], (*rows[20][:5], 77.0), (*rows[10][:5], 77.0)]
    trades = [(OPEN + n, 100 + n, 1, "buy", f"id{n % 3}") for n in (0, 1, 2, 0, 4)]
    rates = [(OPEN + hour * 3_600_000, 0.1) for hour in range(3)]

    bar, rate, trade = (
        {one.code: one for one in found.findings}
        for found in (
            imported(Catalogue(tmp_path / "a"), tmp_path, twice),
            imported(
                Catalogue(tmp_path / "b"),
                tmp_path,
                [*rates, rates[0], (OPEN, 0.2)],
                ("time_ms", "funding_rate"),
            ),
            imported(
                Catalogue(tmp_path / "c"),
                tmp_path,
                trades,
                ("time_ms", "price", "size", "side", "trade_id"),
            ),
        )
    )

    assert (bar["duplicates"].count, bar["differing"].count) == (1, 2)
    assert bar["differing"].first == (OPEN + 10 * 60_000) * MS
    assert (rate["duplicates"].count, rate["differing"].count) == (1, 1)
    assert (trade["duplicates"].count, trade["differing"].count) == (1, 1)
    assert trade["differing"].first == (OPEN + 4) * MS


def test_an_import_tells_what_it_put_right(tmp_path: Path) -> None:
    """Repeated, late, crossed, negative and unreadable rows of a file are counted and noted."""
    rows = bars(40)
    rows[5] = (*rows[5][:2], 1.0, *rows[5][3:])
    rows[6] = (*rows[6][:3], -1.0, *rows[6][4:])
    rows[7] = (*rows[7][:3], "?", *rows[7][4:])
    rows = [*rows[:20], rows[19], rows[21], rows[20], *rows[22:]]
    catalogue = Catalogue(tmp_path / "kept")

    taken = imported(catalogue, tmp_path, rows)

    assert codes(taken.findings) == {
        "duplicates": 1,
        "disorder": 1,
        "negative": 1,
        "crossed": 1,
        "malformed": 1,
        "gaps": 1,
    }
    (noted,) = catalogue.card(BTC).taken
    assert noted.faults == {
        "duplicates": 1,
        "disorder": 1,
        "negative": 1,
        "crossed": 1,
        "malformed": 1,
    }
    assert codes(of_rows(BTC, catalogue.columns(BTC))) == {"gaps": 1}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("btcusd-bitstamp-spot_1m_2020-01-01.csv", {"zero_volume": 45}),
        ("btcusd-coinbase-spot_1d_long.csv", {"gaps": 8, "outliers": 3}),
        ("btcusd-dydx-perp_1m_trade_2026-01-01.csv", {"gaps": 27}),
        ("xrpusdt-perp_5m_2021-11-15_2021-11-21.csv", {}),
    ],
)
def test_what_is_known_of_real_files_is_found(
    tmp_path: Path, name: str, wanted: dict[str, int]
) -> None:
    """The holes and idle minutes that their sources are known to have."""
    taken = take_in(Catalogue(tmp_path), RecordedFile(path=real(name)))

    assert codes(taken.findings) == wanted
