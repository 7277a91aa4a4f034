"""Recorded market files, CSV and Parquet, played as a market feed."""

from tradeagent.integrations.recorded.feed import RecordedFeed
from tradeagent.integrations.recorded.settings import (
    InstrumentSpec,
    RecordedFile,
    RecordedSettings,
)

__all__ = ["InstrumentSpec", "RecordedFeed", "RecordedFile", "RecordedSettings"]
