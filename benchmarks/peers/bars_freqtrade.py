"""freqtrade: averages and signals as columns, its loop over candles, fills at the next open.

Its market list would come from an exchange: one of our own stands in, so no network is needed. It
stakes an amount of money for each trade instead of a size.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver
from work import Fills, Stopwatch, asked, symbol_of, tell

STRATEGY = '''
from freqtrade.strategy import IStrategy


class Cross(IStrategy):
    """Long while the fast average is above the slow one."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    stoploss = -0.99
    minimal_roi = {"0": 1000}
    startup_candle_count = 0

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = dataframe["close"].rolling(10).mean()
        dataframe["slow"] = dataframe["close"].rolling(30).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
'''


def market(pair: str) -> dict[str, Any]:
    """Return a spot market in the words of CCXT, without fees."""
    base, quote = pair.split("/")
    wide = {"min": 0.00001, "max": 9e9}
    none = {"min": None, "max": None}
    return {
        "id": base + quote,
        "symbol": pair,
        "base": base,
        "quote": quote,
        "type": "spot",
        "active": True,
        "spot": True,
        "swap": False,
        "future": False,
        "contract": False,
        "contractSize": None,
        "linear": None,
        "inverse": None,
        "taker": 0.0,
        "maker": 0.0,
        "precision": {"amount": 0.00001, "price": 0.01},
        "limits": {"amount": wide, "price": wide, "cost": wide, "leverage": none},
        "info": {},
    }


def settings(folder: Path, pairs: list[str]) -> dict[str, Any]:
    """Return the settings of a backtest over the files in `folder`."""
    return {
        "strategy": "Cross",
        "strategy_path": str(folder),
        "timeframe": "1m",
        "user_data_dir": folder,
        "datadir": folder,
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "exchange": {
            "name": "binance",
            "key": "",
            "secret": "",
            "enable_ws": False,
            "pair_whitelist": pairs,
            "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}],
        "stake_currency": "USDT",
        "stake_amount": 1000,
        "tradable_balance_ratio": 0.99,
        "dry_run": True,
        "dry_run_wallet": 1_000_000_000,
        "max_open_trades": -1,
        "fee": 0.0,
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "entry_pricing": {"price_side": "same"},
        "exit_pricing": {"price_side": "same"},
        "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes", "exit_timeout_count": 0},
        "runmode": RunMode.OTHER,
        "backtest_cache": "none",
        "export": "none",
        "disableparamexport": True,
        "original_config": {},
        "internals": {},
        "initial_state": "running",
    }


def prepare(folder: Path, files: dict[str, Path]) -> int:
    """Write strategy and candles where freqtrade looks for them; returns how many candles."""
    (folder / "cross.py").write_text(STRATEGY, encoding="ascii")
    count = 0
    for pair, path in files.items():
        table = pd.read_csv(path)
        table.insert(0, "date", pd.to_datetime(table.pop("ts_ms"), unit="ms", utc=True))
        table.to_feather(folder / f"{pair.replace('/', '_')}-1m.feather")
        count += len(table)
    return count


def stand_in(pairs: list[str]) -> None:
    """Let every exchange have our markets and ask nobody."""
    markets = {pair: market(pair) for pair in pairs}

    def reload_markets(self: Any, *_: object, **__: object) -> None:
        self._markets = self._api.markets = self._api_async.markets = markets

    Exchange.reload_markets = reload_markets
    Exchange.validate_config = lambda *_: None


def filled(trades: pd.DataFrame, files: dict[str, Path]) -> dict[str, Fills]:
    """Return the fills of each symbol; what is closed only because the data ends was no sale."""
    fills: dict[str, Fills] = {symbol_of(path): [] for path in files.values()}
    for trade in trades.sort_values("open_date").itertuples():
        of = fills[symbol_of(files[trade.pair])]
        of.append(("buy", trade.open_rate))
        if trade.exit_reason != "force_exit":
            of.append(("sell", trade.close_rate))
    return fills


def main() -> None:
    """Load, run and tell."""
    given = asked()
    logging.disable(logging.WARNING)
    files = {f"{symbol_of(path)}/USDT": path for path in given.files}
    with tempfile.TemporaryDirectory() as folder:
        count = prepare(Path(folder), files)
        stand_in([*files])
        chosen = settings(Path(folder), [*files])
        test = Backtesting(chosen, ExchangeResolver.load_exchange(chosen, validate=True))
        watch = Stopwatch()
        data, span = test.load_bt_data()
        load = watch.lap()
        test.backtest_one_strategy(test.strategylist[0], data, span)
        run = watch.lap()
    trades = test.all_bt_content["Cross"]["results"]
    tell(given, ["freqtrade", "pandas"], count, (load, run), filled(trades, files))
    os._exit(0)  # the exchange's own threads would keep it


main()
