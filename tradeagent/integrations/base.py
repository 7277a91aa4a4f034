"""The ports: what agents may ask of exchanges and market feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tradeagent.messages import (
    AccountUpdate,
    DataReference,
    DataStatus,
    ExecutionReport,
    FundingPayment,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Order,
    OrderBookUpdate,
    PositionUpdate,
    TickerUpdate,
    Timeframe,
)

MarketEvent = MarketData | TickerUpdate | OrderBookUpdate | MarketTrade | InstrumentUpdate
VenueEvent = ExecutionReport | FundingPayment
Unsubscribe = Callable[[], None]


class Exchange(Protocol):
    """A venue that takes orders: simulated or real.

    A call raises VenueUnavailable when its outcome is not known, and OrderRefused when the venue
    refused for certain.
    """

    async def start(self) -> None:
        """Connect; raises VenueUnavailable."""
        ...

    async def close(self) -> None:
        """Disconnect; orders stay where they are."""
        ...

    def subscribe(self, deliver: Callable[[VenueEvent], None]) -> Unsubscribe:
        """Hand every later report to `deliver`; returns what ends that."""
        ...

    async def get_market_data(self) -> Sequence[InstrumentUpdate]:
        """Return what the venue trades and on what grid."""
        ...

    async def place_order(self, order: Order) -> ExecutionReport:
        """Place `order`; returns the venue's acknowledgement or refusal."""
        ...

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel one order; returns how it stands now."""
        ...

    async def modify_order(self, cloid: str, order: Order) -> ExecutionReport:
        """Replace the resting order `cloid` by `order`, whose cloid is its own, in one step.

        Returns the acknowledgement of `order`; that `cloid` is canceled is told to listeners. When
        `order` is REJECTED, `cloid` stands as it did. Its place in the queue is lost unless only
        the size shrinks.
        """
        ...

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, or None when the venue has never seen it."""
        ...

    async def get_open_orders(self) -> Sequence[Order]:
        """Return every resting order of the account."""
        ...

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Return every fill since `since` (UTC ns), oldest first."""
        ...

    async def get_funding(self, since: int) -> Sequence[FundingPayment]:
        """Return every funding payment since `since` (UTC ns), oldest first."""
        ...

    async def get_account_info(self) -> AccountUpdate:
        """Return balance, equity and margin."""
        ...

    async def get_positions(self) -> Sequence[PositionUpdate]:
        """Return every position that is not flat."""
        ...


class MarketFeed(Protocol):
    """A source of market events in the order of their times."""

    name: str
    recorded: bool
    """Whether the events stand in files, so that the journal may keep only a reference to them."""

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the instruments the feed covers."""
        ...

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles the feed has for `symbol`, shortest first."""
        ...

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None when the feed has no candles of `symbol`."""
        ...

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` closed candles that closed at or before `before` (UTC ns)."""
        ...

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, event) from `start` on; a candle's time is that of its close."""
        ...

    def status(self) -> Sequence[DataStatus]:
        """Return how whole the data was so far, one for each file or symbol."""
        ...

    def references(self) -> Sequence[DataReference]:
        """Return one description for each recorded file, for the journal."""
        ...
