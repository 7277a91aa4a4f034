"""What an answer to an action proves: done, refused, or nothing at all.

| answer | proves |
|---|---|
| an order's own `resting`, `filled` or `error` | how that order stands |
| `status: err` when the request was sent for the first time | that it was refused |
| `status: err` when it was sent again, or a nonce that was used before | nothing: it is asked for |
| anything else, in whatever HTTP status | nothing |
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.answers import Answer, Money
from tradeagent.messages import OrderStatus

DUPLICATE = "Invalid nonce: duplicate nonce"
UNMATCHED = ("Order could not immediately match", "No liquidity available for market order")
"""An order that fills at once or not at all did not fill: it is cancelled, not refused."""
HALF_MODIFIED = ("Error placing new order during modify",)
"""The order to be replaced is gone although the new one was refused."""
POST_ONLY = ("only post-only", "only post only", "post-only orders")
"""The venue takes nothing that may trade at once, as after an upgrade; the text is not settled."""
TOO_MANY = ("Too many cumulative requests sent",)


class Resting(Answer):
    """The order rests under this number."""

    oid: int
    cloid: str | None = None


class Filled(Answer):
    """As much of the order was filled at once."""

    total_sz: Money
    avg_px: Money
    oid: int
    cloid: str | None = None


class RestingEntry(Answer):
    """An order rests."""

    resting: Resting


class FilledEntry(Answer):
    """An order was filled, perhaps in part."""

    filled: Filled


class FailedEntry(Answer):
    """An order, or the cancel of one, was refused."""

    error: str


Waiting = Literal["waitingForFill", "waitingForTrigger"]
Entry = RestingEntry | FilledEntry | FailedEntry | Waiting | Literal["success"]


class Statuses(Answer):
    """One entry for each order, or one error for all."""

    statuses: tuple[Entry, ...]


class Done(Answer):
    """What an action did."""

    type: str
    data: Statuses | None = None


class Accepted(Answer):
    """The action was carried out, which says nothing of its orders."""

    status: Literal["ok"]
    response: Done


class Declined(Answer):
    """The action was refused as a whole."""

    status: Literal["err"]
    response: str


REPLY: TypeAdapter[Accepted | Declined] = TypeAdapter(
    Annotated[Accepted | Declined, Field(discriminator="status")]
)


def read(data: bytes) -> Accepted | Declined:
    """Return what an answer says; raises VenueUnavailable for any other shape."""
    try:
        return REPLY.validate_json(data)
    except ValidationError:
        text = data[:200].decode(errors="replace")
        raise VenueUnavailable(f"exchange: {text!r} is no answer") from None


def done(data: bytes, *, again: bool) -> Accepted:
    """Return an action that was carried out; raises OrderRefused or VenueUnavailable.

    `again` says that the same bytes were sent before.
    """
    reply = read(data)
    if isinstance(reply, Accepted):
        return reply
    text = reply.response
    if again or text.startswith(DUPLICATE):
        raise VenueUnavailable(f"{text}; it may have arrived before")
    raise OrderRefused(text)


def entries(data: bytes, count: int, *, again: bool = False) -> tuple[Entry, ...]:
    """Return an entry for each of `count` orders; raises as `done` does.

    One error in place of many is that of each.
    """
    reply = done(data, again=again)
    found = reply.response.data.statuses if reply.response.data is not None else ()
    if len(found) == count:
        return found
    if len(found) == 1 and isinstance(found[0], FailedEntry):
        return found * count
    raise VenueUnavailable(f"exchange: {len(found)} entries for {count} orders prove nothing")


def begins(text: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a refusal is one of these; the venue adds to its texts at their end."""
    return text.startswith(prefixes)


def is_post_only(text: str) -> bool:
    """Tell whether the venue takes nothing but orders that rest."""
    return text.lower().startswith(POST_ONLY)


LIVE = {"open": OrderStatus.OPEN, "triggered": OrderStatus.TRIGGERED}
CANCELED = frozenset(
    {
        "canceled",
        "marginCanceled",
        "vaultWithdrawalCanceled",
        "openInterestCapCanceled",
        "selfTradeCanceled",
        "reduceOnlyCanceled",
        "siblingFilledCanceled",
        "delistedCanceled",
        "liquidatedCanceled",
        "outcomeSettledCanceled",
        "scheduledCancel",
        "internalCancel",
        "iocCancelRejected",
        "marketOrderNoLiquidityRejected",
    }
)
REJECTED = frozenset(
    {
        "rejected",
        "tickRejected",
        "minTradeNtlRejected",
        "perpMarginRejected",
        "reduceOnlyRejected",
        "badAloPxRejected",
        "badTriggerPxRejected",
        "positionIncreaseAtOpenInterestCapRejected",
        "positionFlipAtOpenInterestCapRejected",
        "tooAggressiveAtOpenInterestCapRejected",
        "openInterestIncreaseRejected",
        "insufficientSpotBalanceRejected",
        "oracleRejected",
        "perpMaxPositionRejected",
        "tooManyOpenOrdersRejected",
    }
)


def standing(word: str) -> OrderStatus | None:
    """Return how an order stands by the venue's word, None for a word nobody has told us of."""
    if word == "filled":
        return OrderStatus.FILLED
    if word in CANCELED:
        return OrderStatus.CANCELED
    if word in REJECTED:
        return OrderStatus.REJECTED
    return LIVE.get(word)
