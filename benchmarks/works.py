"""What is compared in `backtest_peers.py`: the works, the programs, and what ours should reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

OURS, QUIET = "tradeagent", "tradeagent, idle"
"""Our runs: of the strategy that trades as all do, and of one that never does."""

Priced = Literal["next", "once", "none"]
"""Where a program fills: at the open after a decision, at the close or touch decided on, or at
prices that say nothing.
"""


class Work(NamedTuple):
    """What every program is to do."""

    title: str
    files: tuple[str, ...]
    unit: Literal["bars", "quotes"] = "bars"

    @property
    def priced(self) -> Priced:
        """Return where ours fills."""
        return "next" if self.unit == "bars" else "once"


class Peer(NamedTuple):
    """A program to compare with: its environment, its script, and where it fills.

    `goals` are the works it takes part in, each with what ours divided by theirs should come to.
    """

    name: str
    environment: str
    script: str
    priced: Priced
    goals: Mapping[str, float | None]


WORKS = {
    "100k": Work("100,000 bars of a minute, SMA 10/30", ("BTC_100k.csv",)),
    "500k": Work("500,000 bars of a minute, SMA 10/30", ("BTC_500k.csv",)),
    "ten": Work(
        "10 symbols x 100,000 bars of a minute, SMA 10/30",
        tuple(f"S{place}_100k.csv" for place in range(10)),
    ),
    "quotes": Work("200,000 quotes, EMA 10/30", ("BTC_quotes.csv",), "quotes"),
}
PEERS = (
    Peer("backtesting", "bt", "bars_backtesting", "next", {"100k": 1.0, "500k": 1.0}),
    Peer("basana", "basana", "bars_basana", "next", {"100k": 2.0, "500k": 2.0, "ten": None}),
    Peer("freqtrade", "freqtrade", "bars_freqtrade", "next", {"100k": 6.0, "500k": 6.0}),
    Peer("backtrader", "bt", "bars_backtrader", "next", {"100k": 9.0, "500k": 9.0}),
    Peer("nautilus", "nautilus", "bars_nautilus", "once", {"100k": 8.0, "500k": 8.0}),
    Peer("nautilus_rust", "nautilus", "nautilus_rust", "once", {"100k": 1.5, "500k": 5.0}),
    Peer("basana", "basana", "quotes_basana", "none", {"quotes": 1.0}),
    Peer("nautilus_rust", "nautilus", "nautilus_rust", "once", {"quotes": 2.0}),
)
LONGER_HISTORY, MORE_SYMBOLS = 0.95, 0.85
"""What is left of our rate with 500,000 bars, and with ten symbols, at least."""
FLAT = 1.1
"""How much more a fill may cost in the last tenth of a run than in the first."""
LIGHT_MB = 250
"""What 500,000 bars may take of memory."""
