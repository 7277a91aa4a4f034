"""backtrader: averages as columns (its default), one call for each bar, fills at the next open."""

from __future__ import annotations

import backtrader
import pandas as pd
from work import FAST, SLOW, Fills, Stopwatch, asked, symbol_of, tell


class Cross(backtrader.Strategy):
    """Long while the fast average is above the slow one, in every symbol."""

    def __init__(self) -> None:
        average = backtrader.indicators.SMA
        self.lines_of = [
            (data, average(data.close, period=FAST), average(data.close, period=SLOW))
            for data in self.datas
        ]
        self.long = [False] * len(self.datas)
        self.done: dict[str, Fills] = {data._name: [] for data in self.datas}

    def notify_order(self, order: backtrader.Order) -> None:
        """Note a fill."""
        if order.status == order.Completed:
            side = "buy" if order.isbuy() else "sell"
            self.done[order.data._name].append((side, order.executed.price))

    def next(self) -> None:
        """Trade where averages have crossed."""
        for place, (data, fast, slow) in enumerate(self.lines_of):
            above = fast[0] > slow[0]
            if above != self.long[place]:
                self.long[place] = above
                (self.buy if above else self.sell)(data=data, size=1)


def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    engine = backtrader.Cerebro(stdstats=False)
    engine.broker.setcash(1e9)
    count = 0
    for path in given.files:
        table = pd.read_csv(path)
        table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms")
        count += len(table)
        engine.adddata(backtrader.feeds.PandasData(dataname=table), name=symbol_of(path))
    engine.addstrategy(Cross)
    load = watch.lap()
    (ran,) = engine.run()
    run = watch.lap()
    tell(given, ["backtrader", "pandas"], count, (load, run), ran.done)


main()
