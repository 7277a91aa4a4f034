"""What an account allows: the settings behind the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Correlated(BaseModel):
    """Symbols that move together, and what they may be worth together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbols: tuple[str, ...] = Field(
        min_length=1, description="The symbols that belong together; each to one group at most."
    )
    max_ratio: Positive = Field(
        description="The largest exposure over the group, open orders included, as a multiple of "
        "equity."
    )


class Limits(BaseModel):
    """What an account allows; money in quote currency, ratios of equity unless said otherwise.

    `max_order_qty` is in base units by symbol; a symbol it does not name has no such limit.
    `collar_ratio` and the stop distances are ratios of the price.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_price_age_s: float = Field(
        default=5.0,
        gt=0,
        allow_inf_nan=False,
        description="How old the price behind an entry may be, in seconds of the clock; where a "
        "symbol has candles alone, as long as the shortest of them.",
    )
    max_account_age_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long ago the venue may have last told of the account, in seconds of the "
        "clock, for an entry to be judged.",
    )
    max_order_qty: dict[str, Positive] = Field(
        default={},
        description="The largest entry by symbol, in base units; a symbol that is not named has no "
        "such limit.",
    )
    max_order_notional: Positive = Field(
        default=Decimal(10_000),
        description="The largest entry, in quote currency; what Risk sizes itself is cut to it.",
    )
    collar_ratio: Fraction = Field(
        default=Decimal("0.02"),
        description="How far an order's price may be from the mark, as a ratio of the mark.",
    )
    max_mid_deviation_ratio: Fraction = Field(
        default=Decimal("0.01"),
        description="How far the middle of bid and ask may be from the mark for an entry, as a "
        "ratio of the mark.",
    )
    max_slippage_bp: Positive = Field(
        default=Decimal(50),
        description="How far beyond the best price an entry that fills at once may reach, and how "
        "far that may have moved since the decision, in basis points; where a book is known, what "
        "stands within must cover the entry.",
    )
    max_position_notional: Positive = Field(
        default=Decimal(25_000),
        description="The largest position in one symbol, open orders included, in quote currency.",
    )
    max_gross_ratio: Positive = Field(
        default=Decimal(2),
        description="The largest exposure over all symbols, open orders included, as a multiple of "
        "equity.",
    )
    max_net_ratio: Positive = Field(
        default=Decimal(2),
        description="The largest difference between what is long and what is short, open orders "
        "included, as a multiple of equity.",
    )
    max_group_ratio: Positive = Field(
        default=Decimal(2),
        description="The largest exposure of a symbol that `groups` does not name, as a multiple "
        "of equity.",
    )
    groups: dict[str, Correlated] = Field(
        default={}, description="Symbols that move together, by a name of your choice."
    )
    max_leverage: Count = Field(
        default=5,
        description="The leverage that margin is reckoned with, and the largest position as a "
        "multiple of equity; where the venue allows less, that counts.",
    )
    max_margin_ratio: Fraction = Field(
        default=Decimal("0.5"),
        description="The most initial margin that all positions and open orders may need, as a "
        "ratio of equity.",
    )
    min_liquidation_distance_ratio: Fraction = Field(
        default=Decimal("0.15"),
        description="How far all prices together must be able to move against the account before "
        "it is liquidated, as a ratio of price.",
    )
    max_open_orders: Count = Field(
        default=100, description="The most orders that may be open at once, stops included."
    )
    max_orders_per_second: Count = Field(
        default=50, description="The most entries asked for in one second, refused ones included."
    )
    max_orders_per_minute: Count = Field(
        default=300, description="The most entries asked for in a minute, refused ones included."
    )
    max_strategy_orders_per_minute: Count = Field(
        default=100,
        description="The most entries one strategy may ask for in a minute, refused ones included.",
    )
    duplicate_window_s: Seconds = Field(
        default=2.0,
        description="How long after an entry the same again, by symbol, side, size and price, is "
        "taken for a mistake, in seconds of the clock; 0 takes only the same request for one.",
    )
    max_repeated_entries: Count = Field(
        default=5,
        description="The most entries of one strategy on the same side of a symbol within "
        "`repeated_window_s`; one more pauses the strategy.",
    )
    repeated_window_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long entries on the same side count as repeated, in seconds of the clock.",
    )
    repeated_pause_s: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a strategy that repeated itself is paused, in seconds of the clock.",
    )
    max_daily_loss_ratio: Fraction = Field(
        default=Decimal("0.05"),
        description="What a UTC day may lose before only exits are allowed, as a ratio of the "
        "equity it began with.",
    )
    max_drawdown_ratio: Fraction = Field(
        default=Decimal("0.25"),
        description="What the account may lose from its highest equity before only exits are "
        "allowed, as a ratio of that.",
    )
    require_stop: bool = Field(
        default=True, description="Whether an entry without a stop is refused."
    )
    min_stop_distance_ratio: Fraction = Field(
        default=Decimal("0.001"),
        description="How near to its price an entry's stop may be, as a ratio of the price.",
    )
    max_stop_distance_ratio: Fraction = Field(
        default=Decimal("0.2"),
        description="How far from its price an entry's stop may be, as a ratio of the price.",
    )
    venue_budget_reserve: Annotated[int, Field(ge=0)] = Field(
        default=500,
        description="How many of the actions that the venue still allows are kept for cancels and "
        "exits.",
    )
    funds_reserve_ratio: Annotated[Decimal, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        default=Decimal("0.02"),
        description="What stays free of margin for fees and funding, as a ratio of equity.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_stop_distance_ratio > self.max_stop_distance_ratio:
            raise ValueError("min_stop_distance_ratio must not exceed max_stop_distance_ratio")
        named = [symbol for group in self.groups.values() for symbol in group.symbols]
        twice = sorted({symbol for symbol in named if named.count(symbol) > 1})
        if twice:
            raise ValueError(f"groups name {', '.join(twice)} more than once")
        return self
