"""A result survives its folder, and a folder is whole or no result."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.research.runs import START, result_of, walk
from tradeagent.errors import DataError
from tradeagent.messages import OrderStatus, StopPlan
from tradeagent.quant.curve import Curve
from tradeagent.quant.luck import Trials
from tradeagent.research import moments
from tradeagent.research.folder import TRADES, load, load_curve, save
from tradeagent.research.result import Result, load_summary

BINARY = b"\xff\xfe\x00"
NOON = "2022-01-01T12:00:00Z"
HEAD = ",".join(TRADES)


@pytest.fixture(scope="module")
def result() -> Result:
    """Return a small result of two symbols, one position still open, with odd orders."""
    found = result_of(walk(rows=170), walk("ETH/USD:USD", rows=170, seed=2))
    first, second, *rest = found.orders
    unfilled = second.model_copy(
        update={
            "status": OrderStatus.REJECTED,
            "filled": Decimal(0),
            "average_price": None,
            "oid": "77",
            "stop_plan": StopPlan(stop=Decimal("1.50"), target=Decimal(3)),
            "dies_at": START + 5,
            "reason": "",
        }
    )
    checks = ("look-ahead: 8 cuts, no decision of 5 changed",)
    orders = (first, unfilled, *rest)
    return replace(found, orders=orders, trials=Trials(12, 0.05), checks=checks)


def same(one: Result, other: Result) -> bool:
    """Tell whether two results are equal in everything."""
    curves = zip(_columns(one.curve), _columns(other.curve), strict=True)
    prices = one.prices.keys() == other.prices.keys() and all(
        mine.length == theirs.length
        and all(
            (getattr(mine, name) == getattr(theirs, name)).all()
            for name in ("time", "open", "high", "low", "close", "volume")
        )
        for mine, theirs in zip(one.prices.values(), other.prices.values(), strict=True)
    )
    rest = [
        getattr(one, name) == getattr(other, name)
        for name in (
            "origin",
            "metrics",
            "trades",
            "orders",
            "fills",
            "warnings",
            "checks",
            "trials",
        )
    ]
    return prices and all((mine == theirs).all() for mine, theirs in curves) and all(rest)


def _columns(curve: Curve) -> tuple[object, ...]:
    return curve.time, curve.equity, curve.exposure


def test_what_is_saved_is_what_is_loaded(result: Result, tmp_path: Path) -> None:
    """Every trade, order, fill, price and row of equity comes back as it was."""
    save(result, tmp_path / "run")

    assert result.trades[-1].is_open
    assert same(load(tmp_path / "run"), result)
    assert load_summary(tmp_path / "run") == result.summary
    assert load_summary(tmp_path / "run" / "summary.json") == result.summary


def test_trades_are_a_table_that_others_can_read(result: Result, tmp_path: Path) -> None:
    """The columns stand in their order, with times in ISO-8601 and exact prices."""
    save(result, tmp_path)
    with (tmp_path / "trades.csv").open(newline="") as file:
        rows = list(csv.reader(file))

    assert rows[0][:10] == [
        *("symbol", "side", "size", "entry_time", "entry_price", "exit_time", "exit_price"),
        *("fees", "funding", "pnl"),
    ]
    assert rows[1][3:7] == [
        "2022-01-01T00:01:00.000Z",
        f"{result.trades[0].entry_price}",
        "2022-01-01T00:21:00.000Z",
        f"{result.trades[0].exit_price}",
    ]
    assert rows[-1][5:7] == ["", ""]
    frame = pd.read_csv(tmp_path / "trades.csv", parse_dates=["entry_time", "exit_time"])
    assert frame["pnl"].sum() == pytest.approx(float(sum(one.pnl for one in result.trades)))


def test_equity_keeps_every_digit(tmp_path: Path) -> None:
    """Floats and nanoseconds come back bit by bit."""
    base = result_of(walk(rows=50))
    time = base.curve.time + np.arange(len(base.curve))
    odd = Curve(time, base.curve.equity / 3, base.curve.exposure * 0.1)
    save(replace(base, curve=odd), tmp_path)
    found = load_curve(tmp_path)

    assert (found.time == odd.time).all()
    assert (found.equity == odd.equity).all()
    assert (found.exposure == odd.exposure).all()


def test_a_result_without_anything_is_a_result(tmp_path: Path) -> None:
    """No trades, no rows, no prices: empty tables."""
    empty = np.empty(0)
    nothing = Curve(np.empty(0, np.int64), empty, empty)
    bare = replace(
        result_of(walk(rows=40)), curve=nothing, trades=(), orders=(), fills=(), prices={}
    )
    save(bare, tmp_path)

    assert same(load(tmp_path), bare)


def test_other_files_stay_and_a_second_save_replaces_the_first(
    result: Result, tmp_path: Path
) -> None:
    """What else lies in the folder is left alone; nothing unfinished is left behind."""
    (tmp_path / "journal.sqlite").write_text("kept")
    save(result, tmp_path)
    other = result_of(walk(rows=90, seed=9))
    save(other, tmp_path)

    assert same(load(tmp_path), other)
    assert (tmp_path / "journal.sqlite").read_text() == "kept"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_save_that_fails_leaves_the_result_before_it(result: Result, tmp_path: Path) -> None:
    """Nothing is replaced before everything is written."""
    save(result, tmp_path)
    broken = replace(result, prices={"BTC": None})  # type: ignore[dict-item]
    with pytest.raises(AttributeError):
        save(broken, tmp_path)

    assert same(load(tmp_path), result)


def test_a_folder_whose_summary_is_missing_is_no_result(result: Result, tmp_path: Path) -> None:
    """So one that was cut off while it was replaced is never taken for a result."""
    save(result, tmp_path)
    (tmp_path / "summary.json").unlink()

    with pytest.raises(DataError, match=r"summary\.json: no result of a backtest; name the folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("trades.csv", "symbol,side\nBTC,long\n", "line 2"),
        ("equity.csv", "time,equity,exposure\nyesterday,1,1\n", "equity.csv"),
        ("orders.csv", None, "No such file"),
        ("fills.csv", "time\n2022-01-01T00:00:00Z\n", "line 2"),
        ("prices.npz", "not an archive", "prices.npz"),
        ("summary.json", '{"format": 2}', "not a summary of this version"),
        ("summary.json", "{", "not a summary of this version"),
        ("summary.json", BINARY, "not a summary of this version"),
        ("equity.csv", BINARY, "is no table"),
        ("trades.csv", BINARY, "is no table"),
        ("equity.csv", "time,equity,exposure\n,1,1\n", "a time is empty"),
        ("equity.csv", f"time,equity,exposure\n{NOON},1,1\n{NOON},nan,0\n", "line 3: .*numbers"),
        ("equity.csv", f"time,equity,exposure\n{NOON}\n", "line 2"),
        ("trades.csv", f"{HEAD}\nBTC,long,1,,1,,,0,0,0,cross\n", "line 2: .*entry_time"),
        ("trades.csv", f"{HEAD}\nBTC,long,1,{NOON},1,,,0,0,,cross\n", "line 2: pnl must be a"),
        ("trades.csv", f"{HEAD}\nBTC,long,nan,{NOON},1,,,0,0,0,cross\n", "line 2: size must be"),
    ],
)
def test_a_broken_file_is_one_line(
    result: Result, tmp_path: Path, file: str, text: str | bytes | None, said: str
) -> None:
    """The line names the file, and what to do."""
    save(result, tmp_path)
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "again" in str(caught.value)


def test_an_older_summary_has_what_it_had(result: Result, tmp_path: Path) -> None:
    """Figures that were not measured then are undefined, unknown ones are passed over."""
    text = result.summary.model_dump_json().replace('"sharpe":', '"a_figure_of_tomorrow":')
    (tmp_path / "summary.json").write_text(text)
    found = load_summary(tmp_path)

    assert found.metrics.sharpe is None
    assert found.metrics.trades == result.metrics.trades


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=5))
def test_times_come_back_to_the_nanosecond(times: list[int]) -> None:
    """Whatever their digits."""
    found = np.array(times, np.int64)

    assert (moments.parse(moments.texts(found)) == found).all()


def test_rows_become_frames(result: Result) -> None:
    """Times are UTC timestamps, numbers floats; what is not there is missing."""
    trades, orders = result.to_frame("trades"), result.to_frame("orders")
    fills, equity = result.to_frame("fills"), result.to_frame("equity")

    assert trades["entry_time"][0] == pd.Timestamp("2022-01-01T00:01:00Z")
    assert trades["pnl"].dtype == fills["price"].dtype == float
    assert trades["exit_time"].isna().sum() == 1
    assert list(trades.columns[:3]) == ["symbol", "strategy", "side"]
    assert orders["status"].tolist()[:2] == ["FILLED", "REJECTED"]
    assert np.isnan(orders["average_price"][1])
    assert len(fills) == len(result.fills)
    assert equity.index[-1] == pd.Timestamp(int(result.curve.time[-1]), tz="UTC")
    assert equity["equity"].iloc[-1] == result.curve.equity[-1]
    assert replace(result, trades=()).to_frame().empty
