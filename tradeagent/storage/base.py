"""The ports of storage: the journal agents wait for and the past a start restores."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, NamedTuple, Protocol, TypeVar

from tradeagent.errors import JournalError
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    Analysis,
    Envelope,
    Fill,
    InstrumentUpdate,
    MarketData,
    Message,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    Restriction,
    RiskAlert,
    RiskAssessment,
    RiskOverride,
    Sentiment,
    StrategyState,
    Submission,
    TrackRecord,
    TradeSignal,
    TradingState,
    VenueStatus,
    decode_payload,
)

M = TypeVar("M", bound=Message)


class Head(NamedTuple):
    """Where a journal ends: its last row's `seq`, `ts` (UTC ns) and hash, and how many rows."""

    seq: int
    ts: int
    hash: str
    entries: int


class DayOpen(NamedTuple):
    """The equity a UTC day (days since 1970) began with."""

    day: int
    equity: Decimal


class Closing(NamedTuple):
    """A strategy's part of a position that was closed or turned over, at `time` (UTC ns).

    `net` is what its books had gained by then after fees and funding, `stopped` tells whether a
    protective stop did it.
    """

    strategy: str
    symbol: str
    time: int
    net: Decimal
    stopped: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What a start restores, all of it folded from the journal.

    `epoch` is this start's, `seq` and `ts` (UTC ns) are the last row's. `clean` tells whether the
    run before ended by itself, `digest` names the whole restored state. `orders` are all that may
    still change and those that ended within a day of `ts`, in the order of their last change;
    `fills` are (cloid, tid) of the last 10,000. `signals` are the last of each strategy and symbol,
    `overrides` the last of each rule and scope, `strategies` the last word on each; whether they
    still hold is for the reader to judge by their `valid_until`. `alerts` are those of each code
    and scope that lock longest, `records` the last of each strategy and symbol, `closings` what no
    record tells of yet, oldest first; `high_water` is the highest equity the venue ever told,
    `venue` its last word on whether it can be reached.
    `stopped` is when (UTC ns) a stop or target last took a position off a strategy, by (strategy,
    symbol). `submissions` are the requests still alive at `ts` whose outcome is not known.
    """

    epoch: int
    seq: int
    ts: int
    clean: bool
    digest: str
    trading_state: TradingState | None
    orders: tuple[OrderUpdate, ...]
    fills: tuple[tuple[str, str], ...]
    last_fill_time: int
    payments: tuple[str, ...]
    last_funding_time: int
    positions: tuple[PositionUpdate, ...]
    signals: tuple[TradeSignal, ...]
    overrides: tuple[RiskOverride, ...]
    strategies: tuple[StrategyState, ...]
    instruments: tuple[InstrumentUpdate, ...]
    day_open: DayOpen | None
    account: AccountUpdate | None
    high_water: Decimal = ZERO
    records: tuple[TrackRecord, ...] = ()
    closings: tuple[Closing, ...] = ()
    alerts: tuple[RiskAlert, ...] = ()
    restriction: Restriction | None = None
    venue: VenueStatus | None = None
    stopped: Mapping[tuple[str, str], int] = field(default_factory=dict)
    submissions: tuple[Submission, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal."""

    seq: int
    ts: int
    type: str
    source: str
    epoch: int
    cause: int
    trace: int
    derived: bool
    payload: bytes
    hash: str

    @property
    def message(self) -> Message:
        """Return the payload as a message; raises UndecodableError."""
        return decode_payload(self.type, self.payload)


class Settled:
    """An awaitable that is done: it returns without suspending, or raises JournalError."""

    __slots__ = ("_failure",)

    def __init__(self, failure: JournalError | None = None) -> None:
        self._failure = failure

    def __await__(self) -> Generator[None, None, None]:
        if self._failure is not None:
            raise self._failure
        yield from ()


class Journal(Protocol):
    """The one sequence of every dispatched message."""

    def append(self, envelope: Envelope[Message]) -> None:
        """Take a dispatched message, in the order of `seq`; what is by reference leaves no row."""
        ...

    def settle(self) -> None:
        """Take what was appended so far for whole: it becomes durable together or not at all.

        An input and all that followed from it at once are so never parted by a crash.
        """
        ...

    def committed(self, seq: int) -> Awaitable[None]:
        """Return what is done once all up to `seq` is settled and durable.

        Under a simulated clock that is at once.

        Awaiting it raises JournalError when the journal has failed.
        """
        ...

    def head(self) -> Head:
        """Return where the durable part ends."""
        ...


class Store(Protocol):
    """The journal and what was restored from it."""

    @property
    def journal(self) -> Journal:
        """Return the journal."""
        ...

    def past(self) -> Past:
        """Return what this start restores, or later an agent's restart: all that is durable."""
        ...

    def bars(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return up to `count` journaled candles that closed by `before` (UTC ns), oldest first."""
        ...

    def close(self, *, clean: bool = True) -> None:
        """Write what is left and end; `clean` marks that the run ended by itself."""
        ...


class Record(NamedTuple, Generic[M]):
    """A message of the state tables with its place in the journal; `ts` is in UTC ns."""

    seq: int
    ts: int
    source: str
    message: M


class Executed(NamedTuple):
    """An order that filled, in whole or in part, with what it was decided on and what it cost.

    `asked` is when the order was asked for and `done` when it filled last, UTC ns. `request` is
    None for stops and targets that follow from a fill.
    """

    update: OrderUpdate
    request: OrderRequest | None
    fees: Decimal
    asked: int
    done: int


class Records(Protocol):
    """What can be read of a store, running or stopped; lists are newest first."""

    def orders(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Record[OrderUpdate]]:
        """Return the last update of each order."""
        ...

    def executed(self, limit: int = 100) -> Sequence[Executed]:
        """Return the orders that filled, in whole or in part."""
        ...

    def fills(self, limit: int = 100) -> Sequence[Record[Fill]]:
        """Return fills."""
        ...

    def positions(self) -> Sequence[PositionUpdate]:
        """Return the position of each symbol with the strategies' parts, by symbol."""
        ...

    def strategy_states(self) -> Sequence[StrategyState]:
        """Return the operator's last word on each strategy, by name."""
        ...

    def incidents(self, limit: int = 100) -> Sequence[Record[Message]]:
        """Return incidents and risk alerts."""
        ...

    def analyses(self, limit: int = 100) -> Sequence[Record[Analysis | Sentiment | TradeSignal]]:
        """Return analyses, sentiments and trade signals."""
        ...

    def events(self, limit: int = 100) -> Sequence[Record[Message]]:
        """Return operators' actions and changes of state."""
        ...

    def assessments(self, limit: int = 100) -> Sequence[Record[RiskAssessment]]:
        """Return Risk's verdicts."""
        ...

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Yield the journal's rows from `first` to `last`, oldest first, read page by page."""
        ...
