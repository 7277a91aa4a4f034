"""What the venue's streams say, channel by channel."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import TypeAdapter

from tradeagent.integrations.hyperliquid.answers import (
    Answer,
    BasicOrder,
    BookSnapshot,
    Candle,
    Figure,
    FundingPart,
    Letter,
    Level,
    Milliseconds,
    UserFill,
)


class Mids(Answer):
    """The middle of every book."""

    mids: dict[str, Figure]


class Touch(Answer):
    """The best bid and ask; a side that is empty is null."""

    coin: str
    time: Milliseconds
    bbo: tuple[Level | None, Level | None]


class Trade(Answer):
    """A public trade; the side is the aggressor's."""

    coin: str
    side: Letter
    px: Figure
    sz: Figure
    time: Milliseconds
    tid: int


class AssetContext(Answer):
    """The mark, the funding rate of the hour and what a day has traded."""

    funding: Figure | None = None
    mark_px: Figure
    day_base_vlm: Figure | None = None


class ActiveAsset(Answer):
    """The context of one symbol."""

    coin: str
    ctx: AssetContext


class OrderNews(Answer):
    """A step in the life of an order of the account."""

    order: BasicOrder
    status: str
    status_timestamp: Milliseconds


class UserFills(Answer):
    """Fills of the account; a snapshot tells old ones again."""

    user: str
    is_snapshot: bool = False
    fills: tuple[UserFill, ...]


class Funding(FundingPart):
    """A funding payment of the account."""

    time: Milliseconds


class UserFundings(Answer):
    """Funding payments of the account; a snapshot tells old ones again."""

    user: str
    is_snapshot: bool = False
    fundings: tuple[Funding, ...]


class VenueCancel(Answer):
    """An order the venue has cancelled of its own accord."""

    coin: str
    oid: int


class UserEvent(Answer):
    """What befell the account; the fills in it also come as `userFills`."""

    non_user_cancel: tuple[VenueCancel, ...] = ()
    liquidation: dict[str, object] | None = None


MIDS = TypeAdapter(Mids)
TOUCH = TypeAdapter(Touch)
BOOK = TypeAdapter(BookSnapshot)
TRADES = TypeAdapter(list[Trade])
CANDLE = TypeAdapter(Candle)
ASSET = TypeAdapter(ActiveAsset)
ORDERS = TypeAdapter(list[OrderNews])
USER_FILLS = TypeAdapter(UserFills)
USER_FUNDINGS = TypeAdapter(UserFundings)
USER_EVENT = TypeAdapter(UserEvent)
CHANNELS: dict[str, Callable[[object], object]] = {
    "allMids": MIDS.validate_python,
    "bbo": TOUCH.validate_python,
    "l2Book": BOOK.validate_python,
    "trades": TRADES.validate_python,
    "candle": CANDLE.validate_python,
    "activeAssetCtx": ASSET.validate_python,
    "orderUpdates": ORDERS.validate_python,
    "userFills": USER_FILLS.validate_python,
    "userFundings": USER_FUNDINGS.validate_python,
    "user": USER_EVENT.validate_python,
}
"""What makes the data of each channel; it raises ValueError."""
