"""Orders from wish to fill, and the account they change. Prices, sizes and money are Decimal."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tradeagent.messages.base import Delivery, Finite, Message, Name, Ratio, Time
from tradeagent.messages.market import Side

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[Decimal, Field(allow_inf_nan=False)]
ZERO = Decimal(0)

OrderType = Literal["market", "limit", "stop", "take_profit"]
"""`stop` and `take_profit` rest until the mark reaches `trigger`, then act as market orders."""
TimeInForce = Literal["GTC", "IOC", "ALO"]
Liquidity = Literal["maker", "taker"]


class OrderStatus(StrEnum):
    """Where an order stands; `execution` holds the table of legal moves."""

    NEW = "NEW"
    APPROVED = "APPROVED"
    PREPARED = "PREPARED"
    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    TRIGGERED = "TRIGGERED"
    PARTIAL = "PARTIAL"
    PEND_CANCEL = "PEND_CANCEL"
    PEND_REPLACE = "PEND_REPLACE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    EXPIRED_LOCAL = "EXPIRED_LOCAL"
    NOT_PLACED = "NOT_PLACED"
    RESURRECTED = "RESURRECTED"


TERMINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.DENIED,
        OrderStatus.EXPIRED_LOCAL,
        OrderStatus.NOT_PLACED,
    }
)


class Part(BaseModel):
    """A part of a message: frozen, no message of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StopPlan(Part):
    """The protective prices an entry carries; they rest at the venue once it fills.

    The stop follows the best price at the distance `trail`, and goes to the entry once the price
    has reached `break_even`.
    """

    stop: Positive
    target: Positive | None = None
    trail: Positive | None = None
    break_even: Positive | None = None


class Share(Part):
    """The part of an order that one strategy wants; the parts of an order add up to 1.

    A share is negative when that strategy wants the other side and was outweighed.
    """

    strategy: Name
    part: Amount


class Vote(Part):
    """What one strategy adds to a target, as a part of a full position; long is above 0.

    `time` (UTC ns) is that of the candle or tick its signal rests on.
    """

    strategy: Name
    weight: Finite
    time: Time


class OrderRequest(Message):
    """A wish for an order, for Risk to judge; without a size Risk sizes it.

    One of type `stop` or `take_profit` takes the place of the resting one `replaces`, in its
    `group`.

    `weight` is the fraction of a full-sized position an order without a size asks for.
    `intent_id` is a pure function of what led to it, so a repeated signal is no second order.
    `price` and `price_time` (UTC ns) are what the decision rested on, `votes` every strategy's
    opinion at that moment; they add up to the target. `follows` is the id of the stop or target
    whose fill left no opinion, where there is no other reason.
    """

    intent_id: Name
    symbol: Name
    side: Side
    size: Positive | None = None
    weight: Ratio = 1.0
    type: OrderType = "market"
    limit: Positive | None = None
    trigger: Positive | None = None
    tif: TimeInForce = "GTC"
    reduce_only: bool = False
    stop_plan: StopPlan | None = None
    strategy: Name = "operator"
    shares: tuple[Share, ...] = ()
    price: Positive
    price_time: Time
    valid_until: Time
    replaces: str | None = None
    group: str | None = None
    votes: tuple[Vote, ...] = ()
    follows: str = ""
    rationale: str = ""

    @field_validator("shares")
    @classmethod
    def _whole(cls, shares: tuple[Share, ...]) -> tuple[Share, ...]:
        if shares and sum(share.part for share in shares) != 1:
            raise ValueError("the parts of an order must add up to 1")
        return shares


class CancelRequest(Message, delivery=Delivery.URGENT):
    """A wish to cancel: one order, a symbol's, a strategy's, or all. Never judged."""

    cloid: str | None = None
    symbol: str | None = None
    strategy: str | None = None
    keep_protective: bool = True
    reason: str
    actor: str = "operator"


class Order(Part):
    """The exact order a venue is asked for; it takes the place of the resting one `replaces`."""

    cloid: str
    intent_id: str
    symbol: str
    side: Side
    size: Positive
    type: OrderType
    limit: Positive | None = None
    trigger: Positive | None = None
    tif: TimeInForce = "GTC"
    reduce_only: bool = False
    group: str | None = None
    """Orders of one group cancel each other: when one fills, the rest go."""
    replaces: str | None = None


class OrderUpdate(Message):
    """A step in the life of one of our orders, with all that is known of it.

    `dies_at` is when the request for it dies on its way (UTC ns, the venue's time); 0 for one that
    was not sent, or not over a wire.
    """

    order: Order
    status: OrderStatus
    filled: Amount = ZERO
    average_price: Positive | None = None
    oid: str | None = None
    strategy: Name
    shares: tuple[Share, ...] = ()
    stop_plan: StopPlan | None = None
    expires_at: Time
    dies_at: Time = 0
    reason: str = ""

    @property
    def symbol(self) -> str:
        """Return the order's symbol."""
        return self.order.symbol


class Execution(Part):
    """One fill as the venue reports it; `tid` is unique per account and order.

    `while_down` tells that it happened while nobody here watched, `liquidation` that the venue
    closed the position against our will.
    """

    tid: str
    price: Positive
    size: Positive
    fee: Amount
    liquidity: Liquidity = "taker"
    while_down: bool = False
    liquidation: bool = False


class ExecutionReport(Message):
    """What the venue says of an order: its status and, with a fill, the fill.

    `status` UNKNOWN says that no proof of an outcome exists; REJECTED and NOT_PLACED are proof.
    `cancel_refused` tells that a cancel was refused while the order stands as `status` says.
    `order` is there only when the venue made the order itself, as in a liquidation.
    """

    cloid: str
    symbol: Name
    status: OrderStatus
    time: Time
    oid: str | None = None
    execution: Execution | None = None
    cancel_refused: bool = False
    reason: str = ""
    order: Order | None = None


class Fill(Message):
    """A booked fill of one of our orders, exactly once.

    `closed_pnl` is the profit it realised on the account, before its fee.
    """

    cloid: str
    intent_id: str
    tid: str
    symbol: Name
    side: Side
    size: Positive
    price: Positive
    fee: Amount
    closed_pnl: Amount = ZERO
    liquidity: Liquidity
    time: Time
    strategy: Name
    shares: tuple[Share, ...] = ()
    while_down: bool = False


class FundingPayment(Message):
    """Funding paid (positive) or received (negative) on a position, as the venue reports it."""

    symbol: Name
    time: Time
    rate: Amount
    payment: Amount
    tid: str


class PositionPart(Part):
    """One strategy's part of a position, at average cost; `realised_pnl` is before fees."""

    strategy: Name
    size: Amount
    entry_price: Amount = ZERO
    realised_pnl: Amount = ZERO
    fees: Amount = ZERO
    funding: Amount = ZERO


class PositionUpdate(Message):
    """The netted position in one symbol after the last fill; long is above 0.

    `parts` are what the strategies have of it, also those that are flat by now; sizes, fees and
    funding of the parts add up to the whole, as does profit at any mark. `liquidation_price` is the
    mark at which the venue closes it if nothing else moves, None when no price does or nobody says.
    """

    symbol: Name
    size: Amount
    entry_price: Amount = ZERO
    realised_pnl: Amount = ZERO
    fees: Amount = ZERO
    funding: Amount = ZERO
    time: Time
    parts: tuple[PositionPart, ...] = ()
    liquidation_price: Positive | None = None


class AccountUpdate(Message):
    """The account as the venue shows it, in quote currency.

    `margin_used` is the initial margin of all positions; when equity falls below
    `maintenance_margin` the venue liquidates. One that `stands` holds until the next, as that of an
    exchange in this process, which tells of each change at once.
    """

    balance: Amount
    equity: Amount
    margin_used: Amount = ZERO
    maintenance_margin: Amount = ZERO
    unrealised_pnl: Amount = ZERO
    time: Time
    stands: bool = False
