"""What the venue says when it refuses, and the names of how an order can stand.

Texts marked [?] are our own wording: the real one is not documented.
"""

from __future__ import annotations

from decimal import Decimal

TICK = "Price must be divisible by tick size."
LEAST = "Order must have minimum value of $10."
MARGIN = "Insufficient margin to place order."
INCREASES = "Reduce only order would increase position."
POST_ONLY = "Post only order would have immediately matched, bbo was {bid}@{ask}."
UNMATCHED = "Order could not immediately match against any resting orders."
BAD_TRIGGER = "Invalid TP/SL price."
NO_LIQUIDITY = "No liquidity available for market order."
TIER = "Order would cause position to exceed margin tier limit at current leverage"
NO_SUCH_ORDER = "Order was never placed, already canceled, or filled."
BAD_SIZE = "Order has invalid size."
ZERO_SIZE = "Order has zero size."
BAD_PRICE = "Order has invalid price."
TOO_FAR = "Order price cannot be more than 80% away from the reference price"
CANNOT_MODIFY = "Cannot modify canceled or filled order"
MODIFY_FAILED = "Error placing new order during modify: {why}"
TRIGGERS = "Unexpected number of trigger orders"

BAD_ASSET = "Invalid asset."  # [?]
EMPTY = "Action must not be empty."  # [?]
TOO_MANY = "Too many open orders."  # [?]
SAME_CLOID = "Duplicate client order id."  # [?]
DELISTED = "Asset is delisted."  # [?]
GROUPING = "TP/SL orders must be reduce only and close the position."  # [?]
ALWAYS_PLACE = "Modified order must be post only or must not cross."  # [?]
BUILDER = "Builder fee has not been approved."  # [?]

TWAP_INCREASES = "Reduce-only TWAP order would increase position."
TWAP_MINUTES = "Invalid TWAP duration: {minutes} min(s)"
TWAP_LEAST = "TWAP order value too small. Min is ${least}, which is $10 per minute."
NO_SUCH_TWAP = "TWAP was never placed, already canceled, or filled."

SCHEDULE_VOLUME = (
    "Cannot set scheduled cancel time until enough volume traded. "
    "Required: ${required}. Traded: ${traded}."
)
SCHEDULE_SOON = "Scheduled cancel time must be at least 5 seconds in the future."  # [?]
SCHEDULE_OFTEN = "Scheduled cancel has already triggered 10 times today."  # [?]
SWITCH = "Cannot switch leverage type with open position."
NOT_ISOLATED = "Position does not use isolated margin."
ONLY_ISOLATED = "Asset allows isolated margin only."  # [?]
LEVERAGE = "Invalid leverage value"
LEVERAGE_MARGIN = "Insufficient margin to change leverage."  # [?]
ADD_MARGIN = "Insufficient margin to add to the position."  # [?]
TAKE_MARGIN = "Too little margin would be left to the position."  # [?]

WITHDRAW = "Insufficient balance for withdrawal."
TRANSFER = "Insufficient balance for token transfer."
NO_FUNDS = "Must deposit before performing actions. User: {address}"
INVALID_SEND = "Invalid send"
NO_VAULT = "Vault not registered: {address}"
NO_SUB_ACCOUNT = (
    "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: ${traded}."
)
AGENT_USED = "Extra agent already used."
AGENT_LEAVING = "User has pending agent removal"
AGENT_EXPIRED = "Agent valid_until already expired."
AGENT_MANY = "Too many extra agents for cumulative volume traded. Current limit is 3"
AGENT_NAME = "Agent name is too long."  # [?]
AGENT_LONG = "Agent valid_until is too far in the future."  # [?]
AGENT_ONLY = "Action cannot be sent by an agent."  # [?]
BUILDER_REFUSED = "Builder fees are not enabled."  # [?]
BUILDER_RATE = "Invalid builder fee rate."  # [?]
NOT_OFFERED = "Action is not available on this venue."  # [?]

OPEN, TRIGGERED, FILLED, CANCELED = "open", "triggered", "filled", "canceled"
LIVE = frozenset({OPEN, TRIGGERED})
"""How an order stands that may still fill; every other status is an end."""
REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
SIBLING_CANCELED = "siblingFilledCanceled"
SELF_TRADE = "selfTradeCanceled"
LIQUIDATED = "liquidatedCanceled"
DELISTED_CANCELED = "delistedCanceled"
SCHEDULED = "scheduledCancel"
REJECTED = "rejected"
BY_VENUE = frozenset({SELF_TRADE, LIQUIDATED, DELISTED_CANCELED, SCHEDULED, "marginCanceled"})
"""Cancels that are told as `nonUserCancel` too."""

STATUS_OF = {
    TICK: "tickRejected",
    BAD_PRICE: "tickRejected",
    LEAST: "minTradeNtlRejected",
    MARGIN: "perpMarginRejected",
    INCREASES: "reduceOnlyRejected",
    POST_ONLY: "badAloPxRejected",
    UNMATCHED: "iocCancelRejected",
    BAD_TRIGGER: "badTriggerPxRejected",
    NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    TIER: "perpMaxPositionRejected",
    TOO_FAR: "oracleRejected",
    TOO_MANY: "tooManyOpenOrdersRejected",
}
"""The status of an order that is refused with a text; `rejected` for any other."""


def dollars(amount: Decimal) -> str:
    """Return an amount as refusals show it."""
    return f"{amount.quantize(Decimal('0.00001')).normalize():f}"
