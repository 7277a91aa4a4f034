"""What a strategy is: frozen parameters, declared inputs, and one method that decides."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from tradeagent.clock import SECOND
from tradeagent.messages import (
    TIMEFRAMES,
    Analysis,
    Direction,
    MarketData,
    Sentiment,
    TickerUpdate,
    Timeframe,
    TradeSignal,
)
from tradeagent.messages.build import checked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tradeagent.quant.curve import Prices

_new_trade_signal = checked(TradeSignal)

Event = MarketData | TickerUpdate | Analysis | Sentiment
"""What a strategy may be shown."""

Decision = TradeSignal | Sequence[TradeSignal] | None
"""What a strategy answers: nothing, a signal, or one for each leg."""

Opinion = TypeVar("Opinion", TickerUpdate, Analysis, Sentiment)

BARS_VALID = 2
TICK_VALID = 10 * SECOND
"""How long a signal stands: so many bars after its candle closed, or ns after its tick."""


class StrategyParams(BaseModel):
    """The parameters of a strategy: frozen, and an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a strategy wants to see of its symbol and of `symbols`, the further legs.

    `warmup` is how many closed candles of each timeframe it is shown before its signals count.
    `quotes` asks for tickers (touch, mark, funding). Raises ValueError on an unknown timeframe.
    """

    bars: tuple[Timeframe, ...] = ()
    warmup: int = 0
    symbols: tuple[str, ...] = ()
    quotes: bool = False
    analyses: bool = False
    sentiment: bool = False

    def __post_init__(self) -> None:
        unknown = [timeframe for timeframe in self.bars if timeframe not in TIMEFRAMES]
        if unknown:
            raise ValueError(f"unknown timeframe {unknown[0]!r}; known: {', '.join(TIMEFRAMES)}")
        if self.warmup < 0:
            raise ValueError(f"warmup must not be below 0, not {self.warmup}")


class Bars:
    """The last closed candles of one symbol and timeframe, oldest first; `[-1]` is the newest."""

    __slots__ = ("_candles", "append")

    def __init__(self, capacity: int) -> None:
        self._candles: deque[MarketData] = deque(maxlen=capacity)
        self.append: Callable[[MarketData], None] = self._candles.append
        """Add the newest candle; the oldest goes when the history is full."""

    @property
    def close(self) -> list[float]:
        """Return the closes as a new list, oldest first."""
        return [candle.close for candle in self._candles]

    def __getitem__(self, index: int) -> MarketData:
        return self._candles[index]

    def __len__(self) -> int:
        return len(self._candles)

    def __iter__(self) -> Iterator[MarketData]:
        return iter(self._candles)


class View:
    """What a strategy may read: history, the latest of each input, its own position, the time.

    The host calls `observe` with each event before it asks the strategy, and sets `position`, the
    strategy's own part of the position in its symbol, signed, in base units.
    """

    def __init__(self, symbol: str, inputs: Inputs) -> None:
        self.symbol = symbol
        self.position = 0.0
        self.now = 0
        capacity = max(inputs.warmup, 1)
        self._bars = {
            (name, timeframe): Bars(capacity)
            for name in (symbol, *inputs.symbols)
            for timeframe in inputs.bars
        }
        self._latest: dict[tuple[type[Event], str], Event] = {}

    def observe(self, event: Event, now: int) -> None:
        """Take in `event` at `now` (UTC ns); a candle of undeclared kind raises KeyError."""
        self.now = now
        if isinstance(event, MarketData):
            self._bars[event.symbol, event.timeframe].append(event)
        else:
            self._latest[type(event), event.symbol] = event

    def bars(self, timeframe: Timeframe, symbol: str | None = None) -> Bars:
        """Return the candles of a declared timeframe; KeyError when it was not declared."""
        return self._bars[symbol or self.symbol, timeframe]

    def latest(self, kind: type[Opinion], symbol: str | None = None) -> Opinion | None:
        """Return the newest event of `kind`, if there was one."""
        found = self._latest.get((kind, symbol or self.symbol))
        return found if isinstance(found, kind) else None


class Opinions(NamedTuple):
    """What a strategy signals over a column of candles, without stops: where, and which way.

    `at` are the places of the candles it signals on, rising; `direction` is 1 for long, -1 for
    short and 0 for flat.
    """

    at: NDArray[np.int64]
    direction: NDArray[np.int8]


@runtime_checkable
class Screened(Protocol):
    """A strategy that can tell its signals over whole columns, the same as one by one."""

    def screen(self, candles: Prices) -> Opinions | None:
        """Return what it signals on `candles` of its timeframe, its first ones included.

        Signals carry no stop, target or end, rest on candles alone with full strength and
        confidence, and change with each: never twice the same direction. None where its parameters
        make it otherwise.
        """
        ...


class Strategy(ABC):
    """An idea about when to be long, short or flat in a symbol.

    A subclass has a docstring, nested `Params`, `inputs` and `decide`. The live daemon and the
    backtest run the same object; it is shown every event in order, those of the warm-up too, keeps
    its indicators itself, and reads nothing but events and the view. Each run makes a new object.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def __init_subclass__(cls) -> None:
        """Check the class: raises TypeError where it breaks the contract."""
        super().__init_subclass__()
        if not (isinstance(cls.Params, type) and issubclass(cls.Params, StrategyParams)):
            raise TypeError(f"{cls.__name__}.Params must be a subclass of StrategyParams")
        if not (cls.__dict__.get("__doc__") or "").strip():
            raise TypeError(f"{cls.__name__} needs a docstring that says its idea in one sentence")
        if inspect.iscoroutinefunction(cls.decide):
            raise TypeError(f"{cls.__name__}.decide must be a plain def: deciding does no I/O")

    def __init__(self, name: str, symbol: str, params: StrategyParams | None = None) -> None:
        """Take `params`, the defaults without; raises TypeError for another strategy's."""
        self.name = name
        self.symbol = symbol
        self.params = self.Params() if params is None else params
        if not isinstance(self.params, self.Params):
            raise TypeError(f"{type(self).__name__} takes {self.Params.__qualname__}")
        self.prepare()

    def prepare(self) -> None:  # noqa: B027
        """Make the indicators; called once, when `params` are set."""

    @abstractmethod
    def inputs(self) -> Inputs:
        """Return what the strategy wants to see."""

    @abstractmethod
    def decide(self, event: Event, view: View, /) -> Decision:
        """Return what changed in the strategy's opinion with `event`, if anything did."""

    def signal(
        self,
        event: MarketData | TickerUpdate,
        direction: Direction,
        *,
        strength: float = 1.0,
        confidence: float = 1.0,
        stop: float | None = None,
        target: float | None = None,
        trail: float | None = None,
        break_even: float | None = None,
        exit_at: int | None = None,
        values: Mapping[str, float] | None = None,
        rationale: str = "",
    ) -> TradeSignal:
        """Return a signal for the symbol of `event`, resting on its price and time.

        `stop`, `target` and `break_even` are prices, `trail` is a distance; at `exit_at` (UTC ns)
        the position is closed.
        """
        timeframe = ""
        if isinstance(event, MarketData):
            timeframe, time, price = event.timeframe, event.close_time, event.close
            valid_until = time + BARS_VALID * TIMEFRAMES[timeframe]
        else:
            time, price = event.time, event.last
            valid_until = time + TICK_VALID
        return _new_trade_signal(
            symbol=event.symbol,
            strategy=self.name,
            direction=direction,
            time=time,
            price=price,
            strength=strength,
            confidence=confidence,
            stop=stop,
            target=target,
            trail=trail,
            break_even=break_even,
            exit_at=exit_at,
            timeframe=timeframe,
            values=dict(values or {}),
            rationale=rationale,
            valid_until=valid_until,
        )


def stop_price(price: float, direction: Direction, distance: float) -> float | None:
    """Return the stop `distance` on the losing side of `price`; None for flat.

    A long's stop never falls below a hundredth of the price, for no price is below 0.
    """
    if direction == "flat":
        return None
    return price + distance if direction == "short" else max(price - distance, price / 100)
