"""Research: backtests by the very same agents, their reports, and what they are worth."""

from tradeagent.research.backtest import backtest
from tradeagent.research.result import Result
from tradeagent.research.spec import Backtest

__all__ = ["Backtest", "Result", "backtest"]
