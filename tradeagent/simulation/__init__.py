"""An exchange and a market in memory, for paper trading, backtests and tests."""

from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.settings import ExchangeSettings, Listing, MarketSettings

__all__ = [
    "ExchangeSettings",
    "GeneratedMarket",
    "Ledger",
    "Listing",
    "MarketSettings",
    "SimulatedExchange",
]
