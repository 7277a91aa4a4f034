"""Recorded market files, CSV, JSON lines and Parquet, played as a market feed.

Only the settings are imported with the package: who plays no files loads no numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradeagent.integrations.recorded.settings import (
    InstrumentSpec,
    RecordedFile,
    RecordedSettings,
)

if TYPE_CHECKING:
    from tradeagent.integrations.recorded.feed import RecordedFeed

__all__ = ["InstrumentSpec", "RecordedFeed", "RecordedFile", "RecordedSettings"]


def __getattr__(name: str) -> object:
    """Import the feed when it is first asked for."""
    if name != "RecordedFeed":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tradeagent.integrations.recorded.feed import RecordedFeed

    return RecordedFeed
