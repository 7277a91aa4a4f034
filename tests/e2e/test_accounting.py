"""The account is worth what its fills, fees, funding and marks make it, to the cent."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.daemon import run, summary
from tests.oracle import account, shown

CENT = Decimal("0.01")
DEPOSIT = Decimal(10_000)
MONTH = Path(__file__).parents[3] / "shared" / "data" / "btc-perp_1m_2021-12-31_2022-02-01.csv"


def agree(state: Path, told: dict[str, object], marks: dict[str, Decimal] | None = None) -> None:
    """Compare the daemon's account with the one worked out anew."""
    journal = state / "journal.db"
    found = account(journal, DEPOSIT)
    books = shown(journal, {**found.marks, **(marks or {})})
    assert {symbol: book.size for symbol, book in books.items()} == dict(found.sizes)
    assert abs(Decimal(str(told["end_equity"])) - found.equity(marks)) < CENT
    assert abs(Decimal(str(told["fees"])) - found.fees) < CENT
    assert abs(Decimal(str(told["funding"])) - found.funding) < CENT
    for symbol, book in books.items():
        assert book.parts_size == book.size, symbol
        assert book.parts_costs == book.costs, symbol
        assert abs(book.parts_profit - book.profit) < CENT, symbol


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_generated_day_adds_up(tmp_path: Path, seed: int) -> None:
    """A day of three symbols and three strategies, with trailing stops and time exits."""
    state, file = tmp_path / "state", tmp_path / "summary.json"
    ended = run(
        "run", "--speed", "max", "--for", "1d", "--seed", str(seed), "--state", str(state),
        "--summary", str(file),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    agree(state, summary(file))


@pytest.mark.skipif(not MONTH.exists(), reason="the recorded data is not here")
def test_a_recorded_month_adds_up(tmp_path: Path) -> None:
    """A month of candles: over a thousand fills, marked at the last close."""
    state, file = tmp_path / "state", tmp_path / "summary.json"
    ended = run(
        "run", "--profile", "replay", "--data", str(MONTH), "--state", str(state),
        "--summary", str(file),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    with MONTH.open(encoding="utf-8") as rows:
        *_, last = csv.DictReader(rows)
    agree(state, summary(file), {"BTC": Decimal(last["close"])})
