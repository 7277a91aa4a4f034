"""A market that tests move by hand, shown to a simulated exchange in process or to a venue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tradeagent.clock import MILLISECOND
from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import (
    DataReference,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    OrderBookUpdate,
    TickerUpdate,
    Timeframe,
)

SYMBOL = "BTC"
BTC = InstrumentUpdate(
    symbol=SYMBOL,
    tick=Decimal("0.1"),
    lot=Decimal("0.00001"),
    min_notional=Decimal(10),
    significant=5,
    max_leverage=40,
)
PULSE = BTC.model_copy(update={"symbol": "PULSE"})
"""Trades elsewhere, so that prices are heard although BTC stands still."""
STEP = 100 * MILLISECOND
"""How often a venue is shown a price."""
DEEP = 1_000.0


@dataclass(frozen=True)
class Shown:
    """A touch, and how much stands at it; the mark is its middle. Behind it stands nothing."""

    bid: float = 60_000.0
    ask: float = 60_002.0
    size: float = DEEP

    def events(self, time: int) -> tuple[TickerUpdate, OrderBookUpdate]:
        """Return what shows it at `time` (UTC ns)."""
        tick = TickerUpdate(
            symbol=SYMBOL,
            time=time,
            bid=self.bid,
            ask=self.ask,
            last=self.bid,
            mark=(self.bid + self.ask) / 2,
            bid_size=self.size,
            ask_size=self.size,
            funding=0.0,
        )
        book = OrderBookUpdate(
            symbol=SYMBOL,
            time=time,
            bids=((self.bid, self.size),),
            asks=((self.ask, self.size),),
        )
        return tick, book


class Stage:
    """A feed without end in which BTC moves when it is told to, and else stands still."""

    recorded = False
    name = "staged"

    def __init__(self) -> None:
        self.shown = Shown()
        self.played: Shown | None = None
        """What the venue has seen by now, touch and book."""

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return BTC, and what keeps time."""
        return (BTC, PULSE)

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return none: it has no candles."""
        return ()

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return None: it has no candles."""
        return None

    def status(self) -> Sequence[DataStatus]:
        """Return nothing: it is whole."""
        return ()

    def references(self) -> Sequence[DataReference]:
        """Return nothing: it is in no file."""
        return ()

    def history(
        self,
        symbol: str,
        timeframe: str,
        before: int,
        count: int,
    ) -> Sequence[MarketData]:
        """Return nothing."""
        return ()

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Show BTC once for each change, and something else every tenth of a second."""
        time, before = start, self.played
        while True:
            self.played, now = before, self.shown
            tick, book = now.events(time)
            if now is not before:
                yield time, tick
                yield time, book
            yield time, tick.model_copy(update={"symbol": PULSE.symbol})
            time, before = time + STEP, now
