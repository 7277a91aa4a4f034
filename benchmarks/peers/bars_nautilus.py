"""nautilus_trader's default engine: one call for each bar, fills at the close it decided on.

Its statistics of trades, which it would keep while it runs, are switched off.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy
from work import FAST, SLOW, Fills, Stopwatch, asked, symbol_of, tell

VENUE = Venue("SIM")


class CrossConfig(StrategyConfig, frozen=True):
    """What one strategy trades."""

    bar_type: BarType


class Cross(Strategy):
    """Long while the fast average is above the slow one."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
        self.one = Quantity(1, 3)
        self.long = False
        self.done: Fills = []

    def on_start(self) -> None:
        """Ask for bars."""
        bar_type = self.config.bar_type
        self.register_indicator_for_bars(bar_type, self.fast)
        self.register_indicator_for_bars(bar_type, self.slow)
        self.subscribe_bars(bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Trade where the averages have crossed."""
        if not self.slow.initialized:
            return
        above = self.fast.value > self.slow.value
        if above != self.long:
            self.long = above
            side = OrderSide.BUY if above else OrderSide.SELL
            order = self.order_factory.market(bar.bar_type.instrument_id, side, self.one)
            self.submit_order(order)

    def on_order_filled(self, event: OrderFilled) -> None:
        """Note a fill."""
        side = "buy" if event.order_side == OrderSide.BUY else "sell"
        self.done.append((side, float(event.last_px)))


def instrument(symbol: str) -> CurrencyPair:
    """Return a market with prices in cents and no fees."""
    none = Decimal(0)
    return CurrencyPair(
        instrument_id=InstrumentId(Symbol(symbol), VENUE),
        raw_symbol=Symbol(symbol),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=3,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.001, 3),
        margin_init=none,
        margin_maint=none,
        maker_fee=none,
        taker_fee=none,
        ts_event=0,
        ts_init=0,
    )


def main() -> None:
    """Load, run and tell."""
    given, watch = asked(), Stopwatch()
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet, run_analysis=False))
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000_000, USDT), Money(1000, BTC)],
    )
    count, crosses = 0, {}
    for place, path in enumerate(given.files):
        market = instrument(symbol_of(path))
        engine.add_instrument(market)
        bar_type = BarType.from_str(f"{market.id}-1-MINUTE-LAST-EXTERNAL")
        table = pd.read_csv(path)
        table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms", utc=True)
        bars = BarDataWrangler(bar_type, market).process(table)
        count += len(bars)
        engine.add_data(bars, sort=False)
        config = CrossConfig(bar_type=bar_type, order_id_tag=f"{place:03d}")
        crosses[symbol_of(path)] = Cross(config)
        engine.add_strategy(crosses[symbol_of(path)])
    engine.sort_data()
    load = watch.lap()
    engine.run()
    run = watch.lap()
    fills = {symbol: cross.done for symbol, cross in crosses.items()}
    tell(given, ["nautilus_trader", "pandas"], count, (load, run), fills)


main()
