"""backtesting.py: averages as columns, one call for each bar, fills at the next open.

Its statistics, made in the same call, are timed apart and do not count.
"""

from __future__ import annotations

import warnings

import backtesting
import pandas as pd
from work import FAST, SLOW, Fills, Stopwatch, asked, symbol_of, tell

warnings.simplefilter("ignore")
engine = backtesting.backtesting
engine._tqdm = lambda bars, *_, **__: bars


def average(closes: object, period: int) -> pd.Series:
    """Return the average of the last `period` closes."""
    return pd.Series(closes).rolling(period).mean()


class Cross(backtesting.Strategy):
    """Long while the fast average is above the slow one."""

    def init(self) -> None:
        """Make the averages."""
        self.fast = self.I(average, self.data.Close, FAST)
        self.slow = self.I(average, self.data.Close, SLOW)
        self.long = False

    def next(self) -> None:
        """Trade where they have crossed."""
        above = self.fast[-1] > self.slow[-1]
        if above == self.long:
            return
        self.long = above
        if above:
            self.buy(size=1)
        else:
            self.position.close()


def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    (path,) = given.files
    table = pd.read_csv(path)
    table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms")
    table.columns = ["Open", "High", "Low", "Close", "Volume"]
    test = backtesting.Backtest(table, Cross, cash=1e9)
    statistics, laps = engine.compute_stats, []

    def timed(*arguments: object, **named: object) -> pd.Series:
        laps.append(watch.lap())
        return statistics(*arguments, **named)

    engine.compute_stats = timed
    load = watch.lap()
    result = test.run()
    (run,) = laps
    fills: Fills = []
    for trade in result["_trades"].itertuples():  # one that is open at the end is none
        fills += [("buy", trade.EntryPrice), ("sell", trade.ExitPrice)]
    tell(given, ["backtesting", "pandas"], len(table), (load, run), {symbol_of(path): fills})


main()
