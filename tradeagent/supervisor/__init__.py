"""Runs the agents: starts, times, watches, restarts and stops them, and owns every task."""

from tradeagent.supervisor.patience import Patience
from tradeagent.supervisor.supervisor import Supervisor

__all__ = ["Patience", "Supervisor"]
