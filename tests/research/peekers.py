"""Strategies that know what they cannot know, each by another way, and one that does not."""

from __future__ import annotations

import csv
import fcntl
from pathlib import Path
from typing import IO

from tradeagent.messages import MarketData, Timeframe, TradeSignal
from tradeagent.strategies.base import Event, Inputs, Strategy, StrategyParams, View

KNOWN: dict[int, float] = {}
"""Closes by the time of their candle, once somebody has filled it."""
HELD: list[IO[str]] = []
"""The file that this process holds."""


class Honest(Strategy):
    """Be long after three rising closes, flat after a falling one."""

    class Params(StrategyParams):
        """The candles it looks at."""

        timeframe: Timeframe = "1m"

    params: Params

    def inputs(self) -> Inputs:
        """Ask for the last four candles."""
        return Inputs(bars=(self.params.timeframe,), warmup=4)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal what has changed."""
        assert isinstance(event, MarketData)
        closes = view.bars(self.params.timeframe).close
        if closes == sorted(closes) and closes[-1] > closes[0]:
            return self.signal(event, "long")
        return self.signal(event, "flat") if len(closes) > 1 and closes[-1] < closes[-2] else None


class Knowing(Honest):
    """Be long before a rise: it looks the next close up in a global."""

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal what will come."""
        assert isinstance(event, MarketData)
        after = KNOWN.get(event.time + 60_000_000_000)
        if after is None:
            return None
        return self.signal(event, "long" if after > event.close else "flat")


class Reading(Honest):
    """Be long before a rise: it reads the file it is tested on."""

    class Params(StrategyParams):
        """The file to look things up in."""

        timeframe: Timeframe = "1m"
        path: str = ""

    params: Params

    def prepare(self) -> None:
        """Open nothing yet."""
        self.known: dict[int, float] = {}

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal what will come."""
        assert isinstance(event, MarketData)
        if not self.known:
            with Path(self.params.path).open(encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self.known = {int(row["timestamp_ms"]) * 10**6: float(row["close"]) for row in rows}
        after = self.known.get(event.time + 60_000_000_000, 0.0)
        return self.signal(event, "long" if after > event.close else "flat")


class Alone(Honest):
    """Hold a file that one process at a time may hold, as a licence or a device."""

    class Params(StrategyParams):
        """The file to hold."""

        timeframe: Timeframe = "1m"
        path: str = ""

    params: Params

    def prepare(self) -> None:
        """Hold it; raises OSError where another process does."""
        if not HELD:
            HELD.append(Path(self.params.path).open(encoding="utf-8"))  # noqa: SIM115 - kept open
        fcntl.flock(HELD[0], fcntl.LOCK_EX | fcntl.LOCK_NB)


class Silent(Honest):
    """Never signal."""

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal nothing."""
        return None


class Forgetful(Honest):
    """Count candles from its first one on, and say that it needs to have seen one only."""

    def prepare(self) -> None:
        """Begin to count."""
        self.seen = 0

    def inputs(self) -> Inputs:
        """Ask for candles, and for hardly any before the start."""
        return Inputs(bars=(self.params.timeframe,), warmup=1)

    def decide(self, event: Event, view: View) -> TradeSignal | None:
        """Signal each seventh candle, in turns."""
        assert isinstance(event, MarketData)
        self.seen += 1
        if self.seen % 7:
            return None
        return self.signal(event, "long" if self.seen % 2 else "flat")
