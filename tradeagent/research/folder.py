"""A result as a folder of CSV files, `prices.npz` and `summary.json`; written whole or not at all.

Times are ISO-8601 in UTC, an empty cell is a value that is not there. `prices.npz` holds the
candles of each symbol; `summary.json` is written last.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import BinaryIO, TypeVar
from zipfile import BadZipFile

import numpy as np

from tradeagent.errors import DataError
from tradeagent.messages import Fill, Order, OrderUpdate
from tradeagent.quant.curve import Curve, Prices
from tradeagent.quant.trades import Trade
from tradeagent.research import moments
from tradeagent.research.result import SUMMARY, Result, load_summary

Cells = Mapping[str, str]
T = TypeVar("T")

TRADES = (
    *("symbol", "side", "size", "entry_time", "entry_price", "exit_time", "exit_price"),
    *("fees", "funding", "pnl", "strategy"),
)
EQUITY = ("time", "equity", "exposure")
FILLS = (
    *("time", "symbol", "side", "size", "price", "fee", "closed_pnl", "liquidity", "strategy"),
    *("cloid", "intent_id", "tid", "while_down", "shares"),
)
ORDER = tuple(Order.model_fields)
ORDERS = (*ORDER, *(name for name in OrderUpdate.model_fields if name != "order"))
MOMENTS = frozenset({"time", "entry_time", "exit_time", "expires_at", "dies_at"})
NESTED = frozenset({"shares", "stop_plan"})
TABLES = ("trades.csv", "orders.csv", "fills.csv", "equity.csv", "prices.npz")
REPORT = "report.html"
_COLUMNS = ("time", "open", "high", "low", "close", "volume")


def save(result: Result, folder: Path) -> None:
    """Write a result; one that is there already stays as it is until the new one is ready.

    Files of other names in the folder are left alone. A folder with a `summary.json` is whole: it
    is taken away before anything is replaced, and put back last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Callable[[BinaryIO], None]] = {
        "trades.csv": lambda to: _write(to, TRADES, map(_trade_row, result.trades)),
        "orders.csv": lambda to: _write(to, ORDERS, map(_order_row, result.orders)),
        "fills.csv": lambda to: _write(to, FILLS, map(_fill_row, result.fills)),
        "equity.csv": lambda to: _write(to, EQUITY, _equity_rows(result.curve)),
        "prices.npz": lambda to: _write_prices(to, result.prices),
        SUMMARY: lambda to: _write_summary(to, result),
    }
    written = [(_new(folder / name, write), folder / name) for name, write in files.items()]
    (folder / SUMMARY).unlink(missing_ok=True)
    for new, place in written:
        new.replace(place)


def clear(folder: Path) -> None:
    """Take away a result, if there is one, its summary first; other files stay."""
    try:
        load_summary(folder)
    except DataError:
        return
    for name in (SUMMARY, REPORT, *TABLES):
        (folder / name).unlink(missing_ok=True)


def _new(place: Path, write: Callable[[BinaryIO], None]) -> Path:
    """Write a file beside its place and return where; on the disk when this returns."""
    new = place.with_name(f".{place.name}.new")
    with new.open("wb") as to:
        write(to)
        to.flush()
        os.fsync(to.fileno())
    return new


def _write(to: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.TextIOWrapper(to, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    text.flush()
    text.detach()


def _trade_row(trade: Trade) -> Sequence[object]:
    return [_cell(name, getattr(trade, name)) for name in TRADES]


def _fill_row(fill: Fill) -> Sequence[object]:
    found = fill.model_dump(mode="json")
    return [_cell(name, found[name]) for name in FILLS]


def _order_row(update: OrderUpdate) -> Sequence[object]:
    found = update.model_dump(mode="json")
    found |= found.pop("order")
    return [_cell(name, found[name]) for name in ORDERS]


def _equity_rows(curve: Curve) -> Iterator[Sequence[object]]:
    times = moments.texts(curve.time)
    return zip(times, curve.equity.tolist(), curve.exposure.tolist(), strict=True)


def _cell(name: str, value: object) -> object:
    if name in MOMENTS and isinstance(value, int):
        # An order that was not sent dies at no time.
        return moments.text(value) if value or name != "dies_at" else None
    if name in NESTED:
        return json.dumps(value) if value else None
    return f"{value:f}" if isinstance(value, Decimal) else value


def _write_prices(to: BinaryIO, prices: Mapping[str, Prices]) -> None:
    columns = {
        f"{place}.{name}": getattr(one, name)
        for place, one in enumerate(prices.values())
        for name in _COLUMNS
    }
    names = np.array([one.symbol for one in prices.values()], dtype=np.str_)
    lengths = np.array([one.length for one in prices.values()], dtype=np.int64)
    np.savez(to, symbols=names, lengths=lengths, allow_pickle=False, **columns)


def _write_summary(to: BinaryIO, result: Result) -> None:
    to.write(result.summary.model_dump_json(indent=2).encode() + b"\n")


def load(folder: Path) -> Result:
    """Read a result that `save` wrote; raises DataError for what is missing or malformed."""
    summary = load_summary(folder)
    return Result(
        origin=summary.origin,
        metrics=summary.metrics,
        curve=load_curve(folder),
        trades=tuple(_read(folder / "trades.csv", _trade)),
        orders=tuple(_read(folder / "orders.csv", _order)),
        fills=tuple(_read(folder / "fills.csv", _fill)),
        prices=_load_prices(folder / "prices.npz"),
        warnings=summary.warnings,
        checks=summary.checks,
        trials=summary.trials,
    )


def load_curve(folder: Path) -> Curve:
    """Read the equity of a result; raises DataError."""
    rows = list(_read(folder / "equity.csv", _moment))
    time, equity, exposure = zip(*rows, strict=True) if rows else ((), (), ())
    try:
        return Curve(
            moments.parse(time), np.array(equity, np.float64), np.array(exposure, np.float64)
        )
    except ValueError as error:
        raise DataError(f"{folder / 'equity.csv'}: {error}; run the backtest again") from None


def _moment(row: Cells) -> tuple[str, float, float]:
    equity, exposure = float(row["equity"]), float(row["exposure"])
    if not (isfinite(equity) and isfinite(exposure)):
        raise ValueError("equity and exposure must be numbers")
    return row["time"], equity, exposure


def _read(path: Path, take: Callable[[Cells], T]) -> Iterator[T]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    yield take(row)
                except (ValueError, KeyError, TypeError, InvalidOperation) as error:
                    said = str(error).splitlines()[0]
                    raise DataError(f"{path} line {number}: {said}; run it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; run the backtest again") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no table ({error}); run the backtest again") from None


def _value(name: str, cell: str) -> object:
    if name in MOMENTS:
        return int(moments.parse([cell])[0])
    return json.loads(cell) if name in NESTED else cell


def _given(row: Cells, names: Iterable[str]) -> dict[str, object]:
    return {name: _value(name, row[name]) for name in names if row[name]}


def _trade(row: Cells) -> Trade:
    found = _given(row, TRADES)
    for name in ("size", "entry_price", "exit_price", "fees", "funding", "pnl"):
        if name != "exit_price" or row[name]:
            found[name] = _amount(name, row[name])
    found = {"exit_time": None, "exit_price": None, **found}
    return Trade(**found)  # type: ignore[arg-type]


def _amount(name: str, cell: str) -> Decimal:
    amount = Decimal(cell) if cell else None
    if amount is None or not amount.is_finite():
        raise ValueError(f"{name} must be a number")
    return amount


def _fill(row: Cells) -> Fill:
    return Fill.model_validate(_given(row, FILLS))


def _order(row: Cells) -> OrderUpdate:
    rest = _given(row, (name for name in ORDERS if name not in ORDER))
    return OrderUpdate.model_validate({"order": _given(row, ORDER), **rest})


def _load_prices(path: Path) -> dict[str, Prices]:
    try:
        with np.load(path, allow_pickle=False) as found:
            return {
                str(symbol): Prices(
                    str(symbol), int(length), *(found[f"{place}.{name}"] for name in _COLUMNS)
                )
                for place, (symbol, length) in enumerate(
                    zip(found["symbols"], found["lengths"], strict=True)
                )
            }
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise DataError(f"{path}: {error}; run the backtest again") from None
