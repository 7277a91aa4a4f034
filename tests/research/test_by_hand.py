"""A backtest trades exactly what plain arithmetic over the file says, trade by trade."""

from __future__ import annotations

import csv
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.integrations.recordings import real
from tests.research.plain import FREE
from tradeagent.quant.trades import Trade
from tradeagent.research import Result, backtest

MONTH = "btc-perp_1m_2021-12-31_2022-02-01.csv"
COINS = ("btc", "eth", "ltc")
THREE = [f"{coin}usd-coinbase-spot_1m_trade_2018-04-04_2018-04-05.csv" for coin in COINS]
WEEK = 1_641_600_000 * 1_000_000_000
"""2022-01-08, UTC ns."""
FAST, SLOW = 10, 30
FEE = Decimal("0.0005")
D = Decimal


class Rows(NamedTuple):
    """The columns of a file: times in ns, prices as text and as whole numbers of `tick`."""

    time: np.ndarray
    open: list[Decimal]
    close: np.ndarray
    last: Decimal
    tick: Decimal


@cache
def lines(path: Path) -> tuple[list[dict[str, str]], Decimal]:
    """Return the rows of a file, and the smallest step of its prices, at most 1."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    prices = {row[name] for row in rows for name in ("open", "high", "low", "close")}
    tick = D(1).scaleb(min(D(one).normalize().as_tuple().exponent for one in prices))
    return rows, min(tick, D(1))


def read(path: Path, until: int = 1 << 62) -> Rows:
    """Return the rows of a file that open before `until` (ns)."""
    rows, tick = lines(path)
    rows = [row for row in rows if int(row["timestamp_ms"]) * 1_000_000 < until]
    return Rows(
        time=np.array([int(row["timestamp_ms"]) * 1_000_000 for row in rows]),
        open=[D(row["open"]) for row in rows],
        close=np.array([int(D(row["close"]) / tick) for row in rows]),
        last=D(rows[-1]["close"]),
        tick=tick,
    )


def crosses(close: np.ndarray) -> dict[int, int]:
    """Return where the averages crossed, and which way: 1 up, -1 down; exact, in whole numbers."""
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(close)))
    fast = (total[SLOW:] - total[SLOW - FAST : -FAST]) * (SLOW // FAST)
    side = np.sign(fast - (total[SLOW:] - total[:-SLOW]))
    rows = np.flatnonzero(side)
    sides = side[rows]
    turns = np.flatnonzero(sides[1:] != sides[:-1]) + 1
    places = rows[turns] + SLOW - 1
    return {int(row): int(way) for row, way in zip(places, sides[turns], strict=True)}


def by_hand(symbol: str, rows: Rows, length: int, *, shorts: bool, bp: int = 0) -> list[Trade]:
    """Trade one unit: an order meets the next open; a flip closes first and opens once flat.

    It opens only within two candles of its cross, for no opinion holds for longer.
    """
    turns, want, since = crosses(rows.close), 0, 0
    held, pending, entry, trades = 0, 0, (0, D(0), D(0)), list[Trade]()
    asked = False
    for row, time in enumerate(map(int, rows.time)):
        if asked:
            buys = pending > 0
            price = rows.open[row] * (1 + (D(bp) if buys else D(-bp)) / 10_000)
            rounding = ROUND_CEILING if buys else ROUND_FLOOR
            price = (price / rows.tick).to_integral_value(rounding) * rows.tick
            fee = (price * FEE).quantize(D("1e-8"))
            if held:
                trades.append(closed(symbol, held, entry, time, price, fee))
                held = 0
            else:
                held, entry = pending, (time, price, fee)
            asked = False
        now = time + length
        if row in turns:
            want, since = turns[row] if shorts else max(turns[row], 0), now
        if held and want != held:
            asked, pending = True, -held
        elif not held and want and now <= since + 2 * length:
            asked, pending = True, want
    if held:
        trades.append(closed(symbol, held, entry, None, rows.last, D(0)))
    return trades


def closed(
    symbol: str,
    held: int,
    entry: tuple[int, Decimal, Decimal],
    time: int | None,
    price: Decimal,
    fee: Decimal,
) -> Trade:
    """Return a trade of one unit."""
    since, paid, before = entry
    return Trade(
        symbol=symbol,
        strategy="sma_cross",
        side="long" if held > 0 else "short",
        size=D(1),
        entry_time=since,
        entry_price=paid,
        exit_time=time,
        exit_price=None if time is None else price,
        fees=before + fee,
        pnl=held * (price - paid) - before - fee,
    )


def played(files: list[Path], *, shorts: bool, timeframe: str = "1m", **more: object) -> Result:
    """Return the backtest of the same."""
    params = {"fast": FAST, "slow": SLOW, "shorts": shorts, "stop_atr": 0}
    timerange = str(more.pop("timerange", ""))
    settings = {**FREE, **{name.replace("__", "."): value for name, value in more.items()}}
    return backtest(
        "sma_cross",
        timeframe=timeframe,
        timerange=timerange,
        params=params,
        data=files,
        settings=settings,
    )


def test_the_month_is_traded_as_by_hand() -> None:
    """On a real month, times, sizes, prices, fees and profits of every trade are equal."""
    path = real(MONTH)
    result = played([path], shorts=False)
    wanted = by_hand("BTC", read(path), 60_000_000_000, shorts=False)

    assert len(wanted) > 900
    assert list(result.trades) == wanted
    assert result.curve.equity[-1] == pytest.approx(1e6 + float(sum(one.pnl for one in wanted)))


def test_shorts_and_slippage_are_traded_as_by_hand() -> None:
    """With shorts, and slippage rounded against every order, a week of it is equal too."""
    path = real(MONTH)
    result = played([path], shorts=True, exchange__slippage_bp=3, timerange="-20220108")
    wanted = by_hand("BTC", read(path, WEEK), 60_000_000_000, shorts=True, bp=3)

    assert len(wanted) > 400
    assert list(result.trades) == wanted


@pytest.mark.parametrize("shorts", [False, True])
def test_three_symbols_with_gaps_are_traded_as_by_hand(shorts: bool) -> None:
    """On one account, each of three symbols with holes in its data trades as it would alone."""
    paths = [real(name) for name in THREE]
    result = played(paths, shorts=shorts)

    for path in paths:
        symbol = path.name.partition("-")[0].upper()
        wanted = by_hand(symbol, read(path), 60_000_000_000, shorts=shorts)
        assert len(wanted) > 25
        assert [one for one in result.trades if one.symbol == symbol] == wanted
    assert len(result.trades) == len({(one.symbol, one.entry_time) for one in result.trades})


def test_candles_of_five_minutes_are_traded_as_by_hand() -> None:
    """However long a candle is, its order waits for the next open.

    Some prices of this file have noise in their last digit: those may be off by a tick.
    """
    path = real("xrpusdt-perp_5m_2021-11-15_2021-11-21.csv")
    result = played([path], shorts=True, timeframe="5m", risk__quantity=100)

    wanted = by_hand("XRPUSDT", read(path), 300_000_000_000, shorts=True)
    assert len(wanted) > 50
    for done, one in zip(result.trades, wanted, strict=True):
        assert (done.side, done.entry_time, done.exit_time) == (
            one.side,
            one.entry_time,
            one.exit_time,
        )
        assert float(done.entry_price) == pytest.approx(float(one.entry_price), abs=1.01e-4)
        assert float(done.pnl) == pytest.approx(100 * float(one.pnl), abs=2.1e-2)
