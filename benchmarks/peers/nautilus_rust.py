"""nautilus_trader's engine in Rust, in the same wheel: bars, or quotes by the columns of the files.

Orders fill at once: at the close, or at the touch, that was decided on. Logs are switched off, as
they cost it a fifth of its time.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import nautilus_trader.core.nautilus_pyo3 as nt
from nautilus_trader.core.nautilus_pyo3 import backtest, trading
from work import FAST, SLOW, Fills, Stopwatch, asked, rows, symbol_of, tell

VENUE = "SIM"
MS = 1_000_000
USDT = nt.Currency.from_str("USDT")


class Cross(trading.Strategy):
    """Long while the fast average is above the slow one: of closes, or of quotes' middles."""

    def __new__(cls, config: trading.StrategyConfig, *_: object) -> Cross:
        """Take the configuration alone."""
        return super().__new__(cls, config)

    def __init__(
        self, config: trading.StrategyConfig, market: nt.InstrumentId, bar_type: nt.BarType | None
    ) -> None:
        super().__init__(config)
        self.market, self.bar_type = market, bar_type
        if bar_type is None:
            self.fast, self.slow = (
                nt.ExponentialMovingAverage(period, nt.PriceType.MID) for period in (FAST, SLOW)
            )
        else:
            self.fast, self.slow = (nt.SimpleMovingAverage(period) for period in (FAST, SLOW))
        self.one = nt.Quantity(1.0, 3)
        self.long = False
        self.done: Fills = []

    def on_start(self) -> None:
        """Ask for bars or quotes."""
        for average in (self.fast, self.slow):
            if self.bar_type is None:
                self.register_indicator_for_quote_ticks(self.market, average)
            else:
                self.register_indicator_for_bars(self.bar_type, average)
        if self.bar_type is None:
            self.subscribe_quotes(self.market)
        else:
            self.subscribe_bars(self.bar_type)

    def step(self) -> None:
        """Trade where the averages have crossed."""
        if not self.slow.initialized:
            return
        above = self.fast.value > self.slow.value
        if above != self.long:
            self.long = above
            side = nt.OrderSide.BUY if above else nt.OrderSide.SELL
            self.submit_order(self.order_factory.market(self.market, side, self.one))

    def on_bar(self, _: nt.Bar) -> None:
        """See a bar."""
        self.step()

    def on_quote(self, _: nt.QuoteTick) -> None:
        """See a quote."""
        self.step()

    def on_order_filled(self, event: nt.OrderFilled) -> None:
        """Note a fill."""
        side = "buy" if event.is_buy else "sell"
        self.done.append((side, float(str(event.last_px))))


def instrument(symbol: str) -> nt.CurrencyPair:
    """Return a market with prices in cents and no fees."""
    none = Decimal(0)
    return nt.CurrencyPair(
        nt.InstrumentId.from_str(f"{symbol}.{VENUE}"),
        nt.Symbol(symbol),
        nt.Currency.from_str("BTC"),
        USDT,
        2,
        3,
        nt.Price(0.01, 2),
        nt.Quantity(0.001, 3),
        0,
        0,
        maker_fee=none,
        taker_fee=none,
    )


def bars(path: Path, bar_type: nt.BarType) -> list[Any]:
    """Return the bars of a file."""
    price, size, found = nt.Price, nt.Quantity, []
    for time, columns in rows(path):
        start, high, low, close, volume = map(float, columns)
        prices = (price(start, 2), price(high, 2), price(low, 2), price(close, 2))
        found.append(nt.Bar(bar_type, *prices, size(volume, 3), time * MS, time * MS))
    return found


def quotes(path: Path, market: nt.InstrumentId) -> list[Any]:
    """Return the quotes of a file."""
    price, size, found = nt.Price, nt.Quantity, []
    for time, columns in rows(path):
        bid, ask, bid_size, ask_size = map(float, columns)
        touch = (price(bid, 2), price(ask, 2), size(bid_size, 3), size(ask_size, 3))
        found.append(nt.QuoteTick(market, *touch, time * MS, time * MS))
    return found


def holds_quotes(path: Path) -> bool:
    """Tell what a file holds, by its header."""
    with path.open(encoding="ascii") as file:
        return "bid" in file.readline()


def new_engine() -> backtest.BacktestEngine:
    """Return an engine with one venue, which logs and analyses nothing."""
    quiet = nt.common.LoggerConfig(stdout_level=nt.common.LogLevel.OFF)
    engine = backtest.BacktestEngine(
        backtest.BacktestEngineConfig(bypass_logging=True, logging=quiet, run_analysis=False)
    )
    money = [nt.Money(1e9, USDT), nt.Money(1000.0, nt.Currency.from_str("BTC"))]
    engine.add_venue(nt.Venue(VENUE), nt.OmsType.NETTING, nt.AccountType.MARGIN, money)
    return engine


def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    engine, count, crosses = new_engine(), 0, {}
    for place, path in enumerate(given.files):
        market = instrument(symbol_of(path))
        engine.add_instrument(market)
        bar_type = None
        if not holds_quotes(path):
            bar_type = nt.BarType.from_str(f"{market.id}-1-MINUTE-LAST-EXTERNAL")
        data = quotes(path, market.id) if bar_type is None else bars(path, bar_type)
        count += len(data)
        engine.add_data(data, sort=False)
        tag = f"{place:03d}"
        config = trading.StrategyConfig(strategy_id=nt.StrategyId(f"CROSS-{tag}"), order_id_tag=tag)
        crosses[symbol_of(path)] = Cross(config, market.id, bar_type)
        engine.add_strategy(crosses[symbol_of(path)])
        del data
    engine.sort_data()
    load = watch.lap()
    engine.run()
    run = watch.lap()
    fills = {symbol: cross.done for symbol, cross in crosses.items()}
    tell(given, ["nautilus_trader"], count, (load, run), fills)


main()
