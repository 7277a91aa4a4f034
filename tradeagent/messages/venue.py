"""What goes over the wire to a venue, and what the venue says of itself and of the account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tradeagent.messages.base import Message, Name, Time
from tradeagent.messages.orders import AccountUpdate, Amount, Order, Part

LONGEST_LIFE = 60_000_000_000
"""No request lives as long, ns."""


class Submission(Message):
    """The exact request that will ask a venue for one order, on record before a byte is sent.

    `body` is what is posted, byte for byte. After `dies_at` (UTC ns, the venue's time) the venue
    takes it no more, so that what has not arrived by then never will. `nonce` is used once.
    """

    cloid: Name
    symbol: Name
    signer: str
    nonce: int = Field(ge=0)
    dies_at: Time
    body: str


class VenueStatus(Message):
    """Whether the venue can be reached and heard; after `up` follows a reconciliation.

    `degraded` says that it answers but takes no new risk, as in maintenance.
    """

    state: Literal["up", "down", "degraded"]
    reason: str = ""
    time: Time


class VenueBudget(Message):
    """How many actions the venue allows the account in all, and how many it has used."""

    used: int = Field(ge=0)
    allowed: int = Field(ge=0)
    time: Time


class Holding(Part):
    """A position as the venue states it; long is above 0."""

    symbol: Name
    size: Amount
    entry_price: Amount


class VenueStatement(Message):
    """The account as the venue states it: what it holds, what rests, what it is worth.

    `asked` is when it was asked for, `time` the moment the venue speaks of (UTC ns); what happened
    in between may be missing. An order that is not ours has its number for a cloid. `cash` is what
    would be left if what is held were worth nothing; not every venue tells it.
    """

    asked: Time
    time: Time
    holdings: tuple[Holding, ...] = ()
    orders: tuple[Order, ...] = ()
    account: AccountUpdate
    cash: Amount | None = None
