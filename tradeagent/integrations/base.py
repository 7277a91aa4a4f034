"""The ports: what agents may ask of exchanges and market feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

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
    Submission,
    TickerUpdate,
    Timeframe,
    VenueBudget,
    VenueStatement,
    VenueStatus,
)

MarketEvent = MarketData | TickerUpdate | OrderBookUpdate | MarketTrade | InstrumentUpdate
AccountEvent = ExecutionReport | FundingPayment
VenueEvent = AccountEvent | VenueStatus | VenueBudget | InstrumentUpdate
Unsubscribe = Callable[[], None]


class Exchange(Protocol):
    """A venue that takes orders: simulated or real.

    A call raises VenueUnavailable when its outcome is not known, NotSent when nothing has left, and
    OrderRefused when the venue refused for certain.
    """

    remote: bool
    """Whether it is out of this process: what it says may be late, old, lost or told twice."""

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

    def prepare(self, order: Order) -> Submission | None:
        """Return the signed request for `order`, to be recorded before it is sent; sends nothing.

        One that `replaces` another is prepared as its replacement. None where nothing goes over a
        wire. Raises OrderRefused for what the venue cannot be asked for, VenueUnavailable while
        it is not known how to ask.
        """
        ...

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Place `order` by its `submission`; returns the venue's acknowledgement or refusal."""
        ...

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel one order; returns how it stands now."""
        ...

    async def modify_order(
        self, cloid: str, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Replace the resting order `cloid` by `order`, whose cloid is its own, in one step.

        Returns the acknowledgement of `order`; that `cloid` is canceled is told to listeners. When
        `order` is REJECTED, `cloid` stands as it did. Its place in the queue is lost unless only
        the size shrinks.
        """
        ...

    async def schedule_cancel(self, time: int | None) -> bool:
        """Let the venue cancel every order at `time` (UTC ns), None for never.

        False where it does not do that for this account. Raises VenueUnavailable.
        """
        ...

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, or None when the venue has never seen it."""
        ...

    async def get_open_orders(self) -> Sequence[Order]:
        """Return every resting order of the account; one without a cloid has its number for it."""
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

    async def get_statement(self) -> VenueStatement:
        """Return what is held, what rests and what it is worth, positions and worth of one time."""
        ...


class MarketSource(Protocol):
    """What a source of market data covers, and how whole its data is."""

    name: str

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the instruments the source covers."""
        ...

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return the timeframes of the candles it has for `symbol`, shortest first."""
        ...

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return the shortest of them, None when it has no candles of `symbol`."""
        ...

    def status(self) -> Sequence[DataStatus]:
        """Return how whole the data was so far, one for each file or symbol."""
        ...


class MarketFeed(MarketSource, Protocol):
    """A source that can be played: market events in the order of their times."""

    recorded: bool
    """Whether the events stand in files, so that the journal may keep only a reference to them."""

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` closed candles that closed at or before `before` (UTC ns)."""
        ...

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Yield (time in UTC ns, event) from `start` on; a candle's time is that of its close."""
        ...

    def references(self) -> Sequence[DataReference]:
        """Return one description for each recorded file, for the journal."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A feed whose `history` knows candles that it does not stream."""

    remembers: bool


@runtime_checkable
class LiveFeed(MarketSource, Protocol):
    """A source that speaks when something happens."""

    async def open(self) -> None:
        """Learn what is listed; raises VenueUnavailable."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    async def history(
        self, symbol: str, timeframe: str, before: int, count: int
    ) -> Sequence[MarketData]:
        """Return up to `count` closed candles that closed at or before `before` (UTC ns), oldest
        first; raises VenueUnavailable.
        """
        ...

    async def listen(self, since: int, deliver: Callable[[MarketEvent], None]) -> None:
        """Hand what happens to `deliver`, without end: first the candles that closed at or after
        `since` (UTC ns), then each event as it comes.

        Candles come closed, once and in order for each symbol and timeframe; what was missed while
        the line was cut is delivered before anything later.
        """
        ...


class FundingRate(NamedTuple):
    """What holders of a perpetual paid at `time` (UTC ns), as a part of their position's value."""

    time: int
    rate: float


R = TypeVar("R")


@dataclass(frozen=True)
class Page(Generic[R]):
    """A part of the past: all that there is from what was asked for up to `upto` (UTC ns)."""

    rows: Sequence[R]
    upto: int


class PastMarket(Protocol):
    """A source that tells the past of a market, a page at a time.

    A page may hold rows from `upto` on, which count for nothing. Every question raises
    VenueUnavailable when it may be asked again, DataError when that would not help.
    """

    name: str

    async def open(self) -> None:
        """Connect, and learn what is listed."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    def now(self) -> int:
        """Return up to when everything has settled there, UTC ns."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of its clock."""
        ...

    def earliest(self, timeframe: Timeframe) -> int:
        """Return the time before which it has no candles, UTC ns; 0 where that is not known."""
        ...

    def instrument(self, symbol: str) -> InstrumentUpdate | None:
        """Return the grid of a symbol, None where it is not told; raises DataError for none."""
        ...

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: int, end: int
    ) -> Page[MarketData]:
        """Return candles that opened from `start` on and before `end` (UTC ns), oldest first."""
        ...

    async def funding(self, symbol: str, start: int, end: int) -> Page[FundingRate]:
        """Return the rates paid from `start` on and before `end` (UTC ns), oldest first."""
        ...

    async def trades(self, symbol: str, start: int, end: int) -> Page[MarketTrade]:
        """Return the public trades from `start` on and before `end` (UTC ns), oldest first."""
        ...
