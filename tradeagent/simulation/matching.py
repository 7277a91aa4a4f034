"""Match one order against one price or candle: pure arithmetic, no I/O.

Quotes: a trigger acts on the mark and fills at the touch, a resting limit fills when the other side
of the touch reaches it. Bars: what stood before a bar opened meets its open first; inside the bar
stops come before everything else, a limit or target needs the price to go through it, and a stop
that was jumped over fills at the open. Whatever a bar leaves open is decided against the order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from tradeagent.messages import ZERO, InstrumentUpdate, MarketData, Order
from tradeagent.messages.orders import Liquidity
from tradeagent.simulation.settings import ExchangeSettings

POST_ONLY = "a post-only order would have matched"
UNMATCHED = "nothing to match the order at once"
BEYOND_LIMIT = "the price is beyond the order's limit"
BEYOND_CAP = "the price is too far from the mark for a market order"
EXHAUSTED = "the book shows nothing more to take"


@dataclass(slots=True, eq=False)
class Resting:
    """An accepted order that still stands; `placed` is when it reached the market (UTC ns).

    `left` is what may still fill, `live` whether it has reached the market, `ahead` what stands
    before it at its price (None: nobody knows). `level` is the price it waits for, None when it
    takes any price. `falls` tells that it waits for the price to fall to `level`, `at_once` that it
    matches the next price or ends. `replaces` names the order it takes the place of on arrival.
    `triggered` tells that its trigger was reached, `rank` its place among the orders of its book.
    """

    order: Order
    oid: str
    placed: int
    filled: Decimal = ZERO
    shrunk: Decimal = ZERO
    replaces: str = ""
    triggered: bool = False
    rank: int = 0
    live: bool = False
    ahead: Decimal | None = None
    buy: bool = field(init=False)
    stop: bool = field(init=False)
    falls: bool = field(init=False)
    at_once: bool = field(init=False)
    level: float | None = field(init=False)

    def __post_init__(self) -> None:
        order = self.order
        self.buy = order.side == "buy"
        self.stop = order.type == "stop"
        self.falls = self.buy != self.stop
        self.at_once = order.type == "limit" and order.tif == "IOC"
        price = None if order.type == "market" else order.trigger or order.limit
        self.level = None if price is None else float(price)

    @property
    def left(self) -> Decimal:
        """Return what may still fill: its size less fills and what its group took from it."""
        return self.order.size - self.filled - self.shrunk


class Landing(NamedTuple):
    """What reaches the market at `due` (UTC ns): an order, or the cancel of one.

    `number` orders what is due at once: what was sent first lands first.
    """

    due: int
    number: int
    symbol: str
    cloid: str
    cancels: bool


@dataclass(slots=True)
class Page:
    """What is kept of a symbol's book besides its orders.

    `rate` is the hourly funding rate last told, None before any; `hour` is when funding is due next
    (UTC ns; 0 before the first price). `entry` is the bar in which a fill has raised the position,
    until the first stop after it, the next bar or a quote. `mark` is the one of the last event, for
    what is held to be worth, and what is ordered to be measured from, until a price is seen.
    """

    symbol: str
    rate: float | Decimal | None = None
    hour: int = 0
    entry: MarketData | None = None
    mark: float | None = None


class Match(NamedTuple):
    """What the market does to a resting order: a fill at `price`, or its end without one.

    `size` is the most that fills there, None for all of it. `time` (UTC ns) is None for the present
    moment; a fill at a bar's open happened then.
    """

    resting: Resting
    price: Decimal | None
    liquidity: Liquidity = "taker"
    time: int | None = None
    reason: str = ""
    size: Decimal | None = None


class Terms:
    """What an order of one instrument gets: the rules of bars, slippage, the cap and the grid."""

    def __init__(self, instrument: InstrumentUpdate, settings: ExchangeSettings) -> None:
        self._instrument = instrument
        self._slip = settings.slippage_bp / 10_000
        self._cap = settings.slippage_cap

    def in_bar(
        self, resting: Resting, bar: MarketData, mark: float | None
    ) -> tuple[tuple[bool, bool, float], Match] | None:
        """Return the match a bar makes and its turn: at the open, stops, by the way to go.

        `mark` is that before the bar, from which a market order's cap is measured.
        """
        order, level = resting.order, resting.level
        when = max(bar.time, resting.placed)
        if level is None:
            return (False, True, 0.0), self.taken(resting, bar.open, mark, when)
        sign = 1.0 if resting.falls else -1.0
        ahead = sign * (bar.open - level)
        left = sign * ((bar.low if resting.falls else bar.high) - level)
        opened = resting.triggered or (ahead <= 0 if resting.stop else ahead < 0)
        if opened or resting.at_once:
            return (False, not resting.stop, 0.0), self._at_open(resting, bar, opened, when)
        if not (left <= 0 if resting.stop else left < 0):
            return None
        turn = (True, not resting.stop, ahead)
        if order.type == "limit":
            return turn, Match(resting, order.limit, "maker")
        return turn, self.taken(resting, level, None)

    def _at_open(self, resting: Resting, bar: MarketData, opened: bool, when: int) -> Match:
        order = resting.order
        if order.type != "limit":
            return self.taken(resting, bar.open, None, when)
        if not opened:
            return Match(resting, None, time=when, reason=UNMATCHED)
        arriving = resting.at_once or bar.time - resting.placed < bar.close_time - bar.time
        if arriving and order.tif == "ALO":
            return Match(resting, None, time=when, reason=POST_ONLY)
        price = self.on_grid(Decimal(repr(bar.open)), resting.buy)
        return Match(resting, price, "taker" if arriving else "maker", when)

    def taken(
        self, resting: Resting, price: float, mark: float | None, when: int | None = None
    ) -> Match:
        """Return what a market or trigger order gets at `price`: the slippage goes against it."""
        taken = self.slipped(price, resting.buy)
        if self.is_beyond(resting, taken, mark):
            return Match(resting, None, time=when, reason=self.too_far(resting))
        return Match(resting, taken, time=when)

    def slipped(self, price: float, buy: bool) -> Decimal:
        """Return `price` with the slippage against a taker, on the grid."""
        return self.on_grid(Decimal(repr(price)) * (1 + self._slip if buy else 1 - self._slip), buy)

    def is_beyond(self, resting: Resting, price: Decimal, mark: float | None) -> bool:
        """Tell whether an order takes no such price: beyond its limit or, without one, the cap."""
        worst = resting.order.limit
        if worst is None:
            if mark is None or resting.order.type != "market":
                return False
            cap = 1 + self._cap if resting.buy else 1 - self._cap
            worst = self.on_grid(Decimal(repr(mark)) * cap, resting.buy)
        return price > worst if resting.buy else price < worst

    @staticmethod
    def too_far(resting: Resting) -> str:
        """Return why a price beyond what an order takes ended it."""
        return BEYOND_CAP if resting.order.limit is None else BEYOND_LIMIT

    def on_grid(self, price: Decimal, buy: bool) -> Decimal:
        """Return a price on the instrument's grid, rounded against the taker, above zero."""
        fitted = self._instrument.fit_price(price, ROUND_CEILING if buy else ROUND_FLOOR)
        return fitted or self._instrument.tick
