"""What is embedded in a page is what the run saw."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.research.runs import MINUTE, START, trade_walk, walk
from tradeagent.quant.curve import Prices
from tradeagent.research.report import candles
from tradeagent.research.report.candles import Embedded, Ints, decimals, embed, merge


def unpack(text: str, rows: int, columns: int) -> Ints:
    """Read a block as the script does."""
    planes = np.frombuffer(zlib.decompress(urlsafe_b64decode(text)), np.uint8)
    whole = planes.reshape(4, rows * columns).T.copy().view("<i4")
    return whole.reshape(columns, rows)


def shown(found: Embedded) -> tuple[Ints, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return times (UTC s) and open, high, low, close as the script restores them."""
    steps, start, body, above, below = unpack(found.candles, found.rows, 5).astype(np.int64)
    closes = np.cumsum(start + body)
    opens = closes - body
    high, low = np.maximum(opens, closes) + above, np.minimum(opens, closes) - below
    prices = np.stack((opens, high, low, closes)) / 10.0**found.decimals
    return found.start + np.cumsum(steps), prices


def same(found: Embedded, prices: Prices) -> None:
    """Assert that a block holds these candles."""
    times, values = shown(found)
    wanted = np.stack((prices.open, prices.high, prices.low, prices.close))

    assert (times == prices.time // 1_000_000_000).all()
    assert values == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("factor", [1.0, 1e-6, 1e5])
def test_candles_come_back_as_they_were(factor: float) -> None:
    """Whatever their size, with gaps in time."""
    base = walk(rows=400)
    kept = np.r_[0:100, 150:400]
    scaled = [getattr(base, name)[kept] * factor for name in ("open", "high", "low", "close")]
    prices = Prices("BTC", MINUTE, base.time[kept], *scaled, base.volume[kept])
    (found,) = embed({"BTC": prices}, ())

    assert (found.rows, found.merged, found.length) == (350, 1, 60)
    same(found, prices)


def test_the_least_number_of_decimals_is_found() -> None:
    """Halves have one, pepe has many, and huge prices lose digits nobody sees."""
    base = walk(rows=50)

    assert decimals(base) == 1
    tiny = replace(base, **{name: getattr(base, name) * 1e-9 for name in ("open", "high", "close")})
    assert 10 <= decimals(tiny) <= 12
    huge = replace(base, **{name: getattr(base, name) * 1e9 for name in ("open", "high", "close")})
    assert decimals(huge) < 0


def test_trades_come_back_with_their_symbol() -> None:
    """Times held, prices, side and profit; one that stands has no end."""
    btc, eth = walk(rows=100), walk("ETH", rows=100, seed=2)
    both = [*trade_walk(eth), *trade_walk(btc)]
    found = {one.symbol: one for one in embed({"BTC": btc, "ETH": eth}, both)}
    mine = trade_walk(eth)
    entry, held, price, end, side, profit = unpack(found["ETH"].trades, len(mine), 6)

    assert found["BTC"].count == found["ETH"].count == len(mine)
    assert (entry + START // 1_000_000_000).tolist() == [one.entry_time // 10**9 for one in mine]
    assert held[:-1].tolist() == [1_200] * (len(mine) - 1)
    assert (held[-1], end[-1]) == (-1, 0)
    assert (price / 10).tolist() == [float(one.entry_price) for one in mine]
    assert side.tolist() == [1 if one.side == "long" else -1 for one in mine]
    assert profit * found["ETH"].money == pytest.approx([float(one.pnl) for one in mine], abs=0.006)


def test_a_fortune_still_fits() -> None:
    """Profits beyond the integers are told in larger units."""
    (one, *_) = trade_walk(walk(rows=60))
    rich = replace(one, pnl=Decimal(10) ** 15)
    (found,) = embed({"BTC": walk(rows=60)}, [rich])

    assert unpack(found.trades, 1, 6)[5][0] * found.money == pytest.approx(1e15, rel=1e-6)


def test_too_many_candles_are_merged_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """First open, last close, extremes and sum of each; all symbols alike."""
    prices = walk(rows=10)
    joined = merge(prices, 4)
    monkeypatch.setattr(candles, "MOST", 4)
    (found,) = embed({"BTC": prices}, ())

    assert joined.time.tolist() == prices.time[[0, 4, 8]].tolist()
    assert joined.high.tolist() == [prices.high[a : a + 4].max() for a in (0, 4, 8)]
    assert joined.low.tolist() == [prices.low[a : a + 4].min() for a in (0, 4, 8)]
    assert joined.close.tolist() == prices.close[[3, 7, 9]].tolist()
    assert joined.volume.sum() == pytest.approx(prices.volume.sum())
    assert (found.merged, found.rows, found.length) == (3, 4, 180)


def test_symbols_without_candles_are_left_out() -> None:
    """And trades of a symbol that is not there are no error."""
    nothing = np.empty(0)
    empty = Prices("ETH", MINUTE, np.empty(0, np.int64), *[nothing] * 5)

    assert embed({"ETH": empty}, trade_walk(walk(rows=40))) == []
