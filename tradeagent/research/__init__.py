"""Research: backtests by the very same agents, their reports, and what they are worth."""

from tradeagent.research.backtest import backtest
from tradeagent.research.optimize import optimize
from tradeagent.research.parity import parity
from tradeagent.research.result import Result
from tradeagent.research.search import Optimization, Search
from tradeagent.research.spec import Backtest

__all__ = [
    "Backtest",
    "Optimization",
    "Result",
    "Search",
    "backtest",
    "optimize",
    "parity",
]
