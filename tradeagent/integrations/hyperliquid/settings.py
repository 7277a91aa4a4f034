"""The settings of the line to Hyperliquid, of trading there and of its market data."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from tradeagent.messages import Timeframe

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


def _address(value: str) -> str:
    lower = value.strip().lower()
    if not _ADDRESS.fullmatch(lower):
        raise ValueError("must be an address: 0x and 40 hexadecimal digits")
    return lower


Address = Annotated[str, AfterValidator(_address)]
"""An address in lower case, as the venue writes it."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Life = Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)]
"""Of a request, in seconds; well below LONGEST_LIFE."""
Network = Literal["mainnet", "testnet", "local"]


class Place(NamedTuple):
    """Where a network is: its URL for requests, and the letter that signatures carry."""

    url: str
    source: Literal["a", "b"]

    @property
    def stream(self) -> str:
        """Return the URL of the WebSocket, which shares host and port."""
        return f"ws{self.url.removeprefix('http')}/ws"


PLACES: dict[str, Place] = {
    "mainnet": Place("https://api.hyperliquid.xyz", "a"),
    "testnet": Place("https://api.hyperliquid-testnet.xyz", "b"),
}


class LineSettings(BaseModel):
    """Where the venue is, and when its silence counts as trouble; seconds are the clock's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Network = Field(
        default="testnet",
        description="Say mainnet for real money; local is a venue of our own at `url`.",
    )
    url: str = Field(
        default="",
        description="Where the local venue answers, as in http://127.0.0.1:3001; the daemon runs "
        "one of its own where this is empty. For no other network.",
    )
    request_timeout: Seconds = Field(
        default=10.0,
        description="How long a request may take before its outcome counts as unknown, in seconds.",
    )
    read_patience: Seconds = Field(
        default=15.0,
        description="How long a question may wait for room in the venue's weight limit, in "
        "seconds, before it counts as unanswered.",
    )
    weight_share: float = Field(
        default=0.4,
        gt=0,
        le=1,
        description="The part of the venue's 1,200 weight a minute and address that this line may "
        "use; raise it where nothing else on the machine asks the venue.",
    )
    ping_every: Seconds = Field(
        default=20.0,
        lt=60,
        description="How often a stream is pinged, in seconds; the venue closes what is quiet for "
        "60.",
    )
    pong_within: Seconds = Field(
        default=10.0,
        description="How long a stream may say nothing after a ping, in seconds, before it is "
        "opened anew.",
    )
    ack_within: Seconds = Field(
        default=10.0,
        description="How long the venue may take to confirm all subscriptions, in seconds.",
    )
    backoff_first: Seconds = Field(
        default=0.5,
        description="The first pause before a stream is opened again, in seconds; it doubles.",
    )
    backoff_most: Seconds = Field(
        default=30.0, description="The longest pause before a stream is opened again, in seconds."
    )
    connects_per_minute: int = Field(
        default=15,
        ge=1,
        le=30,
        description="The most new connections in a minute; the venue allows 30 for all lines of an "
        "address together.",
    )

    breaker_failures: int = Field(
        default=5,
        ge=1,
        description="After how many failures in a row the venue is left alone for a while; cancels "
        "and exits are sent all the same.",
    )
    breaker_pause: Seconds = Field(
        default=5.0, description="For how many seconds it is left alone before it is tried again."
    )

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.network != "local":
            if self.url:
                raise ValueError(f"url is for network: local only; remove it for {self.network}")
            return self
        if not self.url:
            return self
        found = urlsplit(self.url)
        if found.scheme != "http" or found.hostname not in LOOPBACK or found.path.strip("/"):
            raise ValueError("network: local needs a url on this machine, as http://127.0.0.1:3001")
        return self

    @property
    def place(self) -> Place:
        """Return where the network is."""
        return PLACES.get(self.network) or Place(self.url.rstrip("/"), "b")


class HyperliquidSettings(LineSettings):
    """How orders are asked for on Hyperliquid."""

    weight_share: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="The part of the venue's 1,200 weight a minute and address that orders and "
        "questions about the account may use; the feed has a share of its own.",
    )

    account: Address | Literal[""] = Field(
        default="",
        description="The address of the account that is traded, which has approved the agent whose "
        "key is HYPERLIQUID_PRIVATE_KEY; HYPERLIQUID_ACCOUNT_ADDRESS where it is empty.",
    )

    ioc_expiry: Life = Field(
        default=10.0,
        description="After how many seconds an order that fills at once or not at all, and a "
        "cancel, is void if it has not reached the venue.",
    )
    resting_expiry: Life = Field(
        default=15.0,
        description="After how many seconds an order that rests is void if it has not reached the "
        "venue.",
    )
    slippage: float = Field(
        default=0.05,
        gt=0,
        lt=0.8,
        description="How far from the middle a market order without a limit may fill, as a ratio.",
    )
    stop_slippage: float = Field(
        default=0.10,
        gt=0,
        lt=0.8,
        description="How far beyond its trigger a stop or target without a limit may fill, as a "
        "ratio.",
    )
    mids_within: Seconds = Field(
        default=5.0,
        description="How old the middle may be that a market order is priced from, in seconds; so "
        "long may the stream of middles be silent before it is opened anew.",
    )
    fills_within: Seconds = Field(
        default=1.0,
        description="How long the stream may take to tell the fills of an order that has ended, in "
        "seconds, before they are asked for.",
    )
    reserve: int = Field(
        default=500,
        ge=0,
        description="How many of the account's actions are kept for cancels and exits; entries are "
        "refused when no more are left.",
    )
    answers_within: Seconds = Field(
        default=10.0,
        description="How old the state in an answer of the venue may be, in seconds; an older one "
        "is no evidence of anything.",
    )
    skew_allowed: Seconds = Field(
        default=2.0,
        description="How far this machine's clock and the venue's may differ, in seconds, before "
        "entries are refused.",
    )
    measure_every: Seconds = Field(
        default=60.0,
        description="How often the venue is asked for its time and for the account's budget, in "
        "seconds.",
    )
    listing_every: Seconds = Field(
        default=600.0,
        description="How often the venue is asked for what it lists, in seconds.",
    )


class HyperliquidFeedSettings(LineSettings):
    """How Hyperliquid's market data is listened to."""

    weight_share: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="The part of the venue's 1,200 weight a minute and address that questions "
        "about the market may use.",
    )

    timeframes: tuple[Timeframe, ...] = Field(
        default=("1m",),
        min_length=1,
        description="The candles that are subscribed to; longer ones that strategies ask for are "
        "built from the shortest.",
    )
    book_within: Seconds = Field(
        default=15.0,
        description="How long a symbol's book and touch may be silent, in seconds, before the "
        "stream is opened anew.",
    )
    context_within: Seconds = Field(
        default=60.0,
        description="How long a symbol's mark and funding may go without news, in seconds, before "
        "the stream is opened anew; its tickers are held back until they come again.",
    )
    trades_within: Seconds = Field(
        default=600.0,
        description="How long a symbol's trades, or its candles, may be silent, in seconds, before "
        "the stream is opened anew; twice as long each time that the market was just quiet.",
    )
    settled_after: Seconds = Field(
        default=2.0,
        description="How long after its close a candle is asked for when the next one has not "
        "begun, in seconds.",
    )
    listing_every: Seconds = Field(
        default=600.0, description="How often the venue is asked for what it lists, in seconds."
    )


class Credentials(BaseModel):
    """Who trades: the account, and the key of an agent that the account has approved."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: Address
    key: SecretStr
