"""Replay: what a journal's inputs lead to, computed again by fresh agents."""

from tradeagent.replay.bus import Step
from tradeagent.replay.judge import Difference
from tradeagent.replay.read import Reader
from tradeagent.replay.verify import Replay, Report, RunReport, verify

__all__ = ["Difference", "Reader", "Replay", "Report", "RunReport", "Step", "verify"]
