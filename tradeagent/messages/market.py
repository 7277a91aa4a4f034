"""Market data: closed candles, tickers, books and trades, and what an instrument allows."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

from pydantic import Field

from tradeagent.messages.base import Delivery, Finite, Message, Name, Price, Quantity, Time

Side = Literal["buy", "sell"]
Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w"]
Notional = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Leverage = Annotated[int, Field(ge=1)]
MINUTE = 60 * 1_000_000_000
TIMEFRAMES: dict[str, int] = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": 60 * MINUTE,
    "2h": 120 * MINUTE,
    "4h": 240 * MINUTE,
    "8h": 480 * MINUTE,
    "12h": 720 * MINUTE,
    "1d": 1440 * MINUTE,
    "3d": 4320 * MINUTE,
    "1w": 10080 * MINUTE,
}
"""The length of each timeframe, in ns."""
MONDAY = 4 * TIMEFRAMES["1d"]
"""When the first week began, UTC ns: 1970 began on a Thursday."""


def first_open(timeframe: str) -> int:
    """Return when the first candle opened, UTC ns: all others are multiples of its length later."""
    return MONDAY if timeframe == "1w" else 0


def candle_open(timeframe: str, time: int) -> int:
    """Return when the candle opened that holds `time`, both UTC ns; weeks begin on Monday."""
    return max(time - (time - first_open(timeframe)) % TIMEFRAMES[timeframe], 0)


class MarketData(Message):
    """A closed candle; `time` is when it opened (UTC ns), `volume` in base units."""

    symbol: Name
    timeframe: Timeframe
    time: Time
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity

    @property
    def close_time(self) -> int:
        """Return when the candle closed, UTC ns."""
        return self.time + TIMEFRAMES[self.timeframe]


class TickerUpdate(Message, delivery=Delivery.LATEST):
    """The touch, the last trade and the mark of one symbol; `funding` is the hourly rate."""

    symbol: Name
    time: Time
    bid: Price
    ask: Price
    last: Price
    mark: Price | None = None
    bid_size: Quantity | None = None
    ask_size: Quantity | None = None
    volume: Quantity = 0.0
    funding: Finite | None = None

    @property
    def mid(self) -> float:
        """Return the middle of bid and ask."""
        return (self.bid + self.ask) / 2


class OrderBookUpdate(Message, delivery=Delivery.LATEST):
    """The best levels of a book as (price, size), best first."""

    symbol: Name
    time: Time
    bids: tuple[tuple[Price, Quantity], ...]
    asks: tuple[tuple[Price, Quantity], ...]


class MarketTrade(Message, delivery=Delivery.RING):
    """A public trade; `side` is the aggressor's."""

    symbol: Name
    time: Time
    price: Price
    size: Quantity
    side: Side
    trade_id: str = ""


class HistoryRequest(Message):
    """A wish for the last `count` closed candles before now, to warm up on."""

    symbol: Name
    timeframe: Timeframe
    count: int = Field(ge=0)


class History(Message):
    """Closed candles of the past, oldest first, in answer to a request; perhaps none."""

    symbol: Name
    timeframe: Timeframe
    bars: tuple[MarketData, ...] = ()


class Backfill(Message):
    """The closed candles before `before` of which a longer one, not complete yet, begins."""

    symbol: Name
    timeframe: Timeframe
    before: Time
    bars: tuple[MarketData, ...] = ()


class InstrumentUpdate(Message):
    """What a venue allows for one symbol: its price and size grid and its smallest order.

    A price fits when it is a multiple of `tick` and has at most `significant` digits, or is a whole
    number; a size fits when it is a multiple of `lot`; an order is worth at least `min_notional` of
    quote currency. `margin_tiers` are (position value from which on, most leverage there), rising;
    below the first of them `max_leverage` holds.
    """

    symbol: Name = Field(description="What it is called, such as BTC.")
    tick: Decimal = Field(gt=0, description="The step between prices, in quote currency.")
    lot: Decimal = Field(gt=0, description="The step between sizes, in base units.")
    min_notional: Decimal = Field(
        default=Decimal(10),
        ge=0,
        description="What the smallest order is worth, in quote currency.",
    )
    significant: int = Field(
        default=0,
        ge=0,
        description="How many digits a price that is no whole number may have; 0 for any number.",
    )
    max_leverage: int = Field(
        default=10,
        ge=1,
        description="The most leverage the venue allows here, as a multiple of equity.",
    )
    margin_tiers: tuple[tuple[Notional, Leverage], ...] = Field(
        default=(),
        description="Less leverage for large positions: (value from which on, most leverage), "
        "rising.",
    )

    def leverage(self, notional: Decimal) -> int:
        """Return the most leverage the venue allows a position worth `notional`."""
        allowed = self.max_leverage
        for bound, most in self.margin_tiers:
            if notional > bound:
                allowed = most
        return allowed

    def maintenance(self, notional: Decimal) -> Decimal:
        """Return the margin below which a position worth `notional` is liquidated.

        Half of the initial margin at the most leverage, tier by tier, as an income tax goes:
        each tier's rate is paid on what lies within it. (Hyperliquid's rule for perpetuals.)
        """
        rate = 1 / Decimal(2 * self.max_leverage)
        margin = notional * rate
        for bound, most in self.margin_tiers:
            if notional > bound:
                higher = 1 / Decimal(2 * most)
                margin += (notional - bound) * (higher - rate)
                rate = higher
        return margin

    def fit_price(self, price: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
        """Return `price` on the grid, rounded as `rounding` says (a `decimal` constant)."""
        tick = self.tick
        if self.significant and price != price.to_integral_value():
            digits = price.adjusted() + 1
            coarse = Decimal(1).scaleb(min(digits - self.significant, 0))
            tick = max(tick, coarse)
        return (price / tick).to_integral_value(rounding) * tick

    def fit_price_against(self, price: Decimal, side: Side) -> Decimal:
        """Return `price` on the grid, never paying more than asked: buys down, sells up."""
        return self.fit_price(price, ROUND_FLOOR if side == "buy" else ROUND_CEILING)

    def fit_size(self, size: Decimal) -> Decimal:
        """Return `size` on the grid, rounded down."""
        return (size / self.lot).to_integral_value(ROUND_DOWN) * self.lot

    def price_fits(self, price: Decimal) -> bool:
        """Tell whether `price` stands on the grid."""
        if self.significant and price % 1:
            return self.fit_price(price) == price
        return not price % self.tick

    def size_fits(self, size: Decimal) -> bool:
        """Tell whether `size` stands on the grid."""
        return size > 0 and not size % self.lot
