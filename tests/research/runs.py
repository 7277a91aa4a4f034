"""Results to report on: seeded walks, traded by a rule so plain that it can be checked by eye."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from tradeagent.messages import Fill, Order, OrderStatus, OrderUpdate, Share
from tradeagent.messages.build import typed
from tradeagent.quant.curve import Curve, Floats, Prices
from tradeagent.quant.holding import hold
from tradeagent.quant.metrics import Orders
from tradeagent.quant.performance import measure
from tradeagent.quant.trades import Trade
from tradeagent.research.cautions import cautions
from tradeagent.research.result import Origin, Result

MINUTE = 60 * 1_000_000_000
START = 1_640_995_200 * 1_000_000_000
"""2022-01-01."""
FEE = Decimal("0.00045")


def origin(symbols: tuple[str, ...] = ("BTC",), **changes: object) -> Origin:
    """Return an origin, with `changes`."""
    found = {
        "strategies": {"sma_cross": {"fast": 10, "slow": 30}},
        "symbols": symbols,
        "timeframes": ("1m",),
        "start": "2022-01-01T00:00:00Z",
        "end": "2022-02-01T00:00:00Z",
        "data": {"btc-perp_1m.csv": "ab" * 32},
        "configuration": "cd" * 32,
        "code": "ef" * 32,
        "seed": 7,
        "journal": "01" * 32,
        "version": "0.1.0",
    }
    return Origin.model_validate(found | changes)


def walk(
    symbol: str = "BTC", rows: int = 1_000, seed: int = 1, length: int = MINUTE, start: int = START
) -> Prices:
    """Return the candles of a seeded random walk, on a grid of 0.5."""
    source = np.random.default_rng(seed)
    close = np.round(46_000 * np.exp(np.cumsum(source.normal(0, 8e-4, rows))) * 2) / 2
    opened = np.concatenate((np.array([46_000.0]), close[:-1]))
    reach = np.round(source.exponential(15, (2, rows)) * 2) / 2
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    time = start + length * np.arange(rows, dtype=np.int64)
    return Prices(symbol, length, time, opened, high, low, close, np.round(reach[0] + 1, 3))


def trade_walk(prices: Prices, hold_for: int = 20, every: int = 30) -> tuple[Trade, ...]:
    """Trade 0.1 every so many candles, long and short in turn; the last may still stand."""
    trades = []
    for place, row in enumerate(range(1, len(prices), every)):
        until = row + hold_for
        entry = Decimal(str(prices.open[row]))
        closed = until < len(prices)
        exit_price = Decimal(str(prices.open[until] if closed else prices.close[-1]))
        size, long = Decimal("0.1"), place % 2 == 0
        fees = FEE * size * (entry + (exit_price if closed else 0))
        funding = Decimal("0.01") if long else Decimal("-0.01")
        moved = size * (exit_price - entry) * (1 if long else -1)
        trades.append(
            Trade(
                symbol=prices.symbol,
                strategy="sma_cross",
                side="long" if long else "short",
                size=size,
                entry_time=int(prices.time[row]),
                entry_price=entry,
                exit_time=int(prices.time[until]) if closed else None,
                exit_price=exit_price if closed else None,
                fees=fees,
                funding=funding,
                pnl=moved - fees - funding,
            )
        )
    return tuple(trades)


def curve_of(trades: tuple[Trade, ...], prices: Prices, start: float = 10_000.0) -> Curve:
    """Return the equity at the close of each candle that the trades give, marked to market."""
    closes = prices.time + prices.length
    equity, exposure = np.full(len(prices), start), np.zeros(len(prices))
    booked = np.zeros(len(prices) + 1)
    for one in trades:
        first = int(np.searchsorted(closes, one.entry_time, side="right"))
        last = len(prices)
        if one.exit_time is not None:
            last = int(np.searchsorted(closes, one.exit_time))
            booked[last] += float(one.pnl)
        sign, size = 1 if one.side == "long" else -1, float(one.size)
        close = prices.close[first:last]
        paid = float(one.fees + one.funding)
        equity[first:last] += sign * size * (close - float(one.entry_price)) - paid
        exposure[first:last] += size * close
    equity += np.cumsum(booked)[:-1]
    time = np.concatenate((prices.time[:1], closes))
    return Curve(time, _after(start, equity), _after(0.0, exposure))


def _after(first: float, rest: Floats) -> Floats:
    return np.concatenate((np.array([first]), rest))


_new_order, _new_update, _new_fill = typed(Order), typed(OrderUpdate), typed(Fill)
ALONE = (Share(strategy="sma_cross", part=Decimal(1)),)


def orders_of(trades: tuple[Trade, ...]) -> tuple[OrderUpdate, ...]:
    """Return the filled entry order of each trade."""
    return tuple(
        _new_update(
            order=_new_order(
                cloid=f"0x{place:032x}",
                intent_id=f"intent-{place}",
                symbol=one.symbol,
                side="buy" if one.side == "long" else "sell",
                size=one.size,
                type="market",
            ),
            status=OrderStatus.FILLED,
            filled=one.size,
            average_price=one.entry_price,
            strategy=one.strategy,
            shares=ALONE,
            expires_at=one.entry_time + MINUTE,
            reason="a reason, with a comma\nand a line",
        )
        for place, one in enumerate(trades)
    )


def fills_of(trades: tuple[Trade, ...]) -> tuple[Fill, ...]:
    """Return the entry fill of each trade."""
    return tuple(
        _new_fill(
            cloid=f"0x{place:032x}",
            intent_id=f"intent-{place}",
            tid=str(place),
            symbol=one.symbol,
            side="buy" if one.side == "long" else "sell",
            size=one.size,
            price=one.entry_price,
            fee=one.fees,
            liquidity="taker",
            time=one.entry_time,
            strategy=one.strategy,
        )
        for place, one in enumerate(trades)
    )


def result_of(prices: Prices, *more: Prices, **changes: object) -> Result:
    """Return the result of trading walks; the curve is that of the first, `more` are shown only."""
    trades = trade_walk(prices)
    curve = curve_of(trades, prices)
    held = {one.symbol: one for one in (prices, *more)}
    market = hold(held, int(curve.time[0]), int(curve.time[-1]))
    metrics = measure(curve, trades, market, orders=Orders(3, 2 * len(trades), 0))
    found = origin(tuple(held), **changes)
    return Result(
        origin=found,
        metrics=metrics,
        curve=curve,
        trades=trades,
        orders=orders_of(trades),
        fills=fills_of(trades),
        prices=held,
        warnings=cautions(metrics, found),
    )
