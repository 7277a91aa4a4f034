"""A screening finds the very trades of the whole backtest, or says why it cannot."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research.plain import FREE
from tests.research.runs import walk
from tradeagent.quant.columns import rolling_mean
from tradeagent.quant.curve import Prices
from tradeagent.quant.indicators import SMA
from tradeagent.research.backtest import Prepared, prepare
from tradeagent.research.screenable import NotScreened
from tradeagent.research.screening import screen
from tradeagent.research.spec import Backtest


def written(folder: Path, prices: Prices, kept: np.ndarray) -> Path:
    """Write candles, those that are `kept`, as a file."""
    path = folder / "BTC_walk.csv"
    columns = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp_ms", "open", "high", "low", "close", "volume"))
        for place in np.flatnonzero(kept):
            rows.writerow((prices.time[place] // 1_000_000, *(one[place] for one in columns)))
    return path


def prepared(path: Path, changes: dict[str, object], **params: object) -> Prepared:
    """Return a backtest of an average cross without stops."""
    return prepare(
        Backtest(
            strategies=("sma_cross",),
            symbols=("BTC",),
            timeframes=("1m",),
            data=(f"BTC={path}",),
            params={"fast": 3, "slow": 9, "stop_atr": 0, **params},
            settings={**FREE, **changes},
        )
    )


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    fast=st.integers(1, 8),
    more=st.integers(1, 12),
    shorts=st.booleans(),
    holes=st.sampled_from([0.0, 0.05]),
    sizing=st.sampled_from(["fixed_quantity", "fixed_fraction"]),
    slippage=st.sampled_from(["0", "3"]),
)
def test_the_trades_are_those_of_the_whole_backtest(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    fast: int,
    more: int,
    shorts: bool,
    holes: float,
    sizing: str,
    slippage: str,
) -> None:
    """Whatever the walk, its holes, the periods and the sizes: each trade is the same."""
    prices = walk(rows=150, seed=seed)
    kept = np.random.default_rng(seed).random(len(prices)) >= holes
    path = written(tmp_path_factory.mktemp("walk"), prices, kept)
    terms = {"risk.sizing": sizing, "exchange.slippage_bp": slippage}
    one = prepared(path, terms, fast=fast, slow=fast + more, shorts=shorts)

    whole, screened = one.run(), screen(one.plan, one.feed)

    assert screened.trades == whole.trades
    assert np.allclose(screened.curve.equity, whole.curve.equity, rtol=0, atol=1e-6)
    told = whole.metrics.model_dump()
    for name, value in screened.metrics.model_dump().items():
        same = value == told[name]
        assert same or value == pytest.approx(told[name], rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize(
    ("changes", "params", "words"),
    [
        ({}, {"stop_atr": 2}, "stops"),
        ({"exchange.order_delay_ms": 100}, {}, "time to arrive"),
        ({"exchange.funding_rate": "0.0001"}, {}, "funding"),
        ({"agents.trading.entry": "limit"}, {}, "limit"),
        ({"risk.limits.max_position_notional": 100}, {}, "POSITION"),
        ({"risk.limits.max_repeated_entries": 1}, {}, "REPEATED"),
        ({"risk.limits.max_drawdown_ratio": "0.0001"}, {}, "DRAWDOWN"),
        ({"risk.limits.max_daily_loss_ratio": "0.0001"}, {}, "DAILY_LOSS"),
        ({"risk.protections.max_losses_in_a_row": 2}, {}, "COOLDOWN"),
        ({"agents.compliance.restricted": ["BTC"]}, {}, "compliance"),
        ({"agents.execution.max_notional_per_minute": 1_000}, {}, "within a minute"),
        ({"strategies.sma_cross.weight": "0.04"}, {}, "too small"),
    ],
)
def test_what_it_cannot_know_is_refused(
    tmp_path: Path, changes: dict[str, object], params: dict[str, object], words: str
) -> None:
    """A stop, a delay, or a limit that binds: the refusal names it."""
    path = written(tmp_path, walk(rows=400), np.full(400, True))
    one = prepared(path, changes, **params)

    with pytest.raises(NotScreened, match=words):
        screen(one.plan, one.feed)


def test_the_average_of_a_column_is_the_streaming_one() -> None:
    """At each place, to the last digits."""
    values = np.random.default_rng(3).random(200)
    average = SMA(7)
    streamed = [average.update(float(one)) for one in values]
    assert np.allclose(rolling_mean(values, 7), streamed, rtol=1e-14, equal_nan=True)
