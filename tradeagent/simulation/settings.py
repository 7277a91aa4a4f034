"""The settings of the simulated exchange and of the generated market."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tradeagent.messages import InstrumentUpdate, Timeframe
from tradeagent.messages.market import Leverage


class FeeTier(BaseModel):
    """The fees of an account that has traded more than `volume` in the last 14 days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume: Decimal = Field(
        ge=0,
        allow_inf_nan=False,
        description="What must have been traded in the last 14 UTC days, in quote currency.",
    )
    maker: Decimal = Field(
        gt=-1, lt=1, description="The fee of a fill that rested, as a ratio of the notional."
    )
    taker: Decimal = Field(
        gt=-1, lt=1, description="The fee of a fill that took liquidity, as a ratio."
    )


def _tier(millions: int, maker: str, taker: str) -> FeeTier:
    volume = Decimal(millions * 1_000_000)
    return FeeTier(volume=volume, maker=Decimal(maker), taker=Decimal(taker))


FEE_TIERS = (
    _tier(5, "0.00012", "0.00040"),
    _tier(25, "0.00008", "0.00035"),
    _tier(100, "0.00004", "0.00030"),
    _tier(500, "0", "0.00028"),
    _tier(2_000, "0", "0.00026"),
    _tier(7_000, "0", "0.00024"),
)
"""Hyperliquid's, for perpetuals, above the first."""


class ExchangeSettings(BaseModel):
    """What a simulated account starts with and what trading costs it.

    Fees are parts of the notional; the defaults are Hyperliquid's for perpetuals. A tier never
    costs more than the fee without volume. Leverage is the most the account may use; an instrument
    may allow less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    balance: Decimal = Field(
        default=Decimal(10_000),
        gt=0,
        allow_inf_nan=False,
        description="What a new account begins with, in quote currency.",
    )
    maker_fee: Decimal = Field(
        default=Decimal("0.00015"),
        gt=-1,
        lt=1,
        description="The fee of a fill that rested, as a ratio of the notional; below 0 it is a "
        "rebate.",
    )
    taker_fee: Decimal = Field(
        default=Decimal("0.00045"),
        gt=-1,
        lt=1,
        description="The fee of a fill that took liquidity, as a ratio of the notional.",
    )
    slippage_bp: Decimal = Field(
        default=Decimal(2),
        ge=0,
        le=1000,
        description="What market and trigger orders lose against the touch or the open, in basis "
        "points; what takes from a shown book loses its depth instead.",
    )
    slippage_cap: Decimal = Field(
        default=Decimal("0.05"),
        gt=0,
        lt=1,
        description="How far from the mark a market order without a limit may fill, as a ratio; "
        "what would go beyond is canceled.",
    )
    fee_tiers: tuple[FeeTier, ...] = Field(
        default=FEE_TIERS,
        description="Lower fees for accounts that trade much, by rising volume; empty for none.",
    )
    leverage: int = Field(
        default=5,
        ge=1,
        description="The most the account may use, as a multiple of equity; an instrument may "
        "allow less.",
    )
    leverages: dict[str, Leverage] = Field(
        default={},
        description="Another leverage for single symbols, as in {BTC: 10}.",
    )
    isolated: tuple[str, ...] = Field(
        default=(),
        description="The symbols whose positions stand on a margin of their own instead of the "
        "whole account.",
    )
    funding_rate: Decimal = Field(
        default=Decimal(0),
        gt=-1,
        lt=1,
        description="The hourly funding rate where the market tells none, as candles do not; above "
        "0 longs pay.",
    )
    order_delay_ms: int = Field(
        default=0,
        ge=0,
        le=60_000,
        description="How long an order is on its way to the market, in milliseconds of the clock.",
    )
    cancel_delay_ms: int = Field(
        default=0,
        ge=0,
        le=60_000,
        description="How long a cancel is on its way, in milliseconds of the clock; the order may "
        "fill until then.",
    )

    @field_validator("fee_tiers")
    @classmethod
    def _rising(cls, tiers: tuple[FeeTier, ...]) -> tuple[FeeTier, ...]:
        if any(above.volume <= below.volume for below, above in pairwise(tiers)):
            raise ValueError("fee_tiers must be in order of rising volume")
        return tiers


class Listing(BaseModel):
    """A symbol of the generated market: its grid, its typical price and how much it moves.

    `volatility` is the standard deviation of a day's return; `turnover` is what a usual day trades,
    in quote currency, and sets volumes and sizes at the touch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: InstrumentUpdate = Field(description="The symbol and its grid.")
    price: float = Field(
        gt=0, allow_inf_nan=False, description="The price it keeps coming back to."
    )
    volatility: float = Field(
        default=0.035,
        gt=0,
        le=0.2,
        description="How much it moves: the standard deviation of a day's return, as a ratio.",
    )
    turnover: float = Field(
        default=500e6,
        gt=0,
        allow_inf_nan=False,
        description="What a usual day trades, in quote currency.",
    )

    @property
    def symbol(self) -> str:
        """Return the instrument's symbol."""
        return self.instrument.symbol


def _listing(
    symbol: str, decimals: int, price: float, volatility: float, most: int, tier: tuple[int, int]
) -> Listing:
    """Return a listing on Hyperliquid's grid: five digits, and six decimals less the size's.

    `tier` is from how many millions on how much leverage is left.
    """
    instrument = InstrumentUpdate(
        symbol=symbol,
        tick=Decimal(1).scaleb(decimals - 6),
        lot=Decimal(1).scaleb(-decimals),
        significant=5,
        max_leverage=most,
        margin_tiers=((Decimal(tier[0] * 1_000_000), tier[1]),),
    )
    return Listing(instrument=instrument, price=price, volatility=volatility)


LISTINGS = (
    _listing("BTC", 5, 60_000.0, 0.03, 40, (150, 20)),
    _listing("ETH", 4, 3_000.0, 0.035, 25, (100, 15)),
    _listing("SOL", 2, 150.0, 0.045, 20, (70, 10)),
)


class MarketSettings(BaseModel):
    """What the generated market trades and how often it speaks.

    The seed, the listings and `tick_seconds` decide every price; `timeframes` are the candles it
    closes. Ticks divide a minute; books come on ticks. Halts, gaps and bad ticks are drawn apart
    from the prices: they hide or falsify some and change none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(
        default=1,
        description="Change it for another market; one seed gives one market, price for price.",
    )
    listings: tuple[Listing, ...] = Field(
        default=LISTINGS,
        min_length=1,
        description="What is traded: BTC, ETH and SOL unless it is set.",
    )
    timeframes: tuple[Timeframe, ...] = Field(
        default=("1m",),
        description="The candles it closes; longer ones that strategies ask for are built from "
        "them.",
    )
    tick_seconds: int = Field(
        default=5,
        ge=1,
        le=60,
        description="The time between two tickers of a symbol, in seconds; it divides 60.",
    )
    book_seconds: int = Field(
        default=60,
        ge=1,
        description="The time between two books of a symbol, in seconds; a multiple of "
        "tick_seconds that divides a day.",
    )

    funding: float = Field(
        default=0.0000125,
        gt=-0.01,
        lt=0.01,
        description="The usual hourly funding rate its tickers tell; each hour's is drawn around "
        "it and may be below 0. 0 for none.",
    )
    halt_chance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The chance in each hour that a symbol halts, for up to an hour: no ticks, no "
        "books, no candles.",
    )
    gap_chance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The chance of each candle to be left out of the stream; history has it.",
    )
    bad_tick_chance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The chance of each ticker to show a touch and a last price far off; its mark "
        "and the candles are right.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if 60 % self.tick_seconds:
            raise ValueError(f"tick_seconds must divide 60; {self.tick_seconds} does not")
        if self.book_seconds % self.tick_seconds or 86_400 % self.book_seconds:
            raise ValueError(
                f"book_seconds must be a multiple of tick_seconds that divides a day; "
                f"{self.book_seconds} is not"
            )
        symbols = [listing.symbol for listing in self.listings]
        if len(set(symbols)) != len(symbols):
            raise ValueError("listings must name each symbol once")
        return self
