"""Replay: what a journal's inputs lead to, computed again by fresh agents."""

from tradeagent.replay.read import Reader
from tradeagent.replay.rehearsal import Difference
from tradeagent.replay.verify import Report, RunReport, verify

__all__ = ["Difference", "Reader", "Report", "RunReport", "verify"]
