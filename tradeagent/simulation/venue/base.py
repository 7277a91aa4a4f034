"""What passes between the venue's door and its floor: who acts, what is heard, what is malformed.

Addresses are lower case with `0x`, times are UTC milliseconds, and every `dict` here is JSON as the
protocol shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Json = dict[str, object]
MarketKind = Literal["l2Book", "bbo", "trades", "candle", "activeAssetCtx", "allMids"]


class Malformed(ValueError):
    """A request whose shape the protocol does not know: HTTP 422."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `user` is the account acted for, `signer` the address whose key has signed."""

    user: str
    signer: str
    nonce: int
    user_signed: bool = False


@dataclass(frozen=True, slots=True)
class MarketNews:
    """What the market shows now: `data` is the payload of the channel `kind`.

    `coin` is empty for `allMids`; a candle is told for each interval (`data["i"]`).
    """

    kind: MarketKind
    coin: str
    data: object
    time: int


@dataclass(frozen=True, slots=True)
class OrderNews:
    """A step in the life of an order.

    `order` is the short form that `orderUpdates` shows, `full` the form of `frontendOpenOrders`.
    """

    user: str
    order: Json
    full: Json
    status: str
    time: int


@dataclass(frozen=True, slots=True)
class FillNews:
    """Fills of one account that happened at once, in their order."""

    user: str
    fills: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class FundingNews:
    """A funding payment, as `userFundings` lists it: time, coin, usdc, szi, rate, samples."""

    user: str
    funding: Json


@dataclass(frozen=True, slots=True)
class LedgerNews:
    """A movement of money that is neither fill nor funding: time, hash and delta."""

    user: str
    update: Json


@dataclass(frozen=True, slots=True)
class LiquidationNews:
    """A liquidation, as `userEvents` tells it."""

    user: str
    liquidation: Json


@dataclass(frozen=True, slots=True)
class CancelNews:
    """An order that the venue canceled of its own accord (`nonUserCancel`)."""

    user: str
    coin: str
    oid: int


@dataclass(frozen=True, slots=True)
class TwapNews:
    """A step of a TWAP: an entry of its `history`, or one `slice` that filled."""

    user: str
    kind: Literal["history", "slice"]
    data: Json


@dataclass(frozen=True, slots=True)
class StateNews:
    """The account's positions, what they are worth, its money or its open orders have changed."""

    user: str


News = (
    MarketNews
    | OrderNews
    | FillNews
    | FundingNews
    | LedgerNews
    | LiquidationNews
    | CancelNews
    | TwapNews
    | StateNews
)
Hear = Callable[[News], None]
