"""An operator for backtests: one who resumes trading each morning."""

from __future__ import annotations

from tradeagent.app import Daemon
from tradeagent.messages import RiskOverride, TradingMode
from tradeagent.quant.curve import DAY
from tradeagent.research.play import Call

WORD = RiskOverride(
    rule="STATE", mode=TradingMode.ACTIVE, reason="a new day", actor="the backtest's operator"
)


def mornings(first: int, last: int) -> list[Call]:
    """Return the midnights (UTC) between two moments (UTC ns), and what is done then."""
    days = range(first // DAY + 1, last // DAY + 1)
    return [(day * DAY, resume) for day in days]


def resume(daemon: Daemon) -> None:
    """Let trading go on where something has stopped it."""
    if daemon.tally.mode is not TradingMode.ACTIVE:
        daemon.bus.publish(WORD, "operator")
