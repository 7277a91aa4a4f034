"""Messages and the envelope that carries one: identity, time and cause."""

from __future__ import annotations

import re
from enum import Enum, IntEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Quantity = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Time = Annotated[int, Field(ge=0)]
"""UTC nanoseconds since 1970."""


class Delivery(Enum):
    """What may happen to a message on its way."""

    LOSSLESS = "lossless"
    """Never dropped, in order."""
    LATEST = "latest"
    """A newer message of the same class and symbol replaces a waiting one; counted."""
    RING = "ring"
    """The oldest waiting ones go when the ring is full; counted."""
    URGENT = "urgent"
    """Lossless, and taken before everything else."""
    LOSSY = "lossy"
    """May be dropped under pressure; counted."""


class Message(BaseModel):
    """A fact or a wish, frozen; equal content compares equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delivery: ClassVar[Delivery] = Delivery.LOSSLESS
    wire: ClassVar[str] = "MESSAGE"
    expires: ClassVar[bool] = False
    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(
        cls, delivery: Delivery | None = None, expires: bool | None = None, **kwargs: Any
    ) -> None:
        """Derive the wire name from the class name and enter it in the table of kinds."""
        super().__init_subclass__(**kwargs)
        if delivery is not None:
            cls.delivery = delivery
        if expires is not None:
            cls.expires = expires
        cls.wire = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()
        known = Message.kinds.get(cls.wire)
        if known is not None and (known.__module__, known.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            raise TypeError(f"{cls.wire} is the wire name of {known.__module__}.{known.__name__}")
        Message.kinds[cls.wire] = cls

    @property
    def deadline(self) -> int | None:
        """Return the time after which the message says nothing any more, if it expires."""
        return getattr(self, "valid_until", None)


P = TypeVar("P", bound=Message, covariant=True)


class Trace:
    """A chain of messages: the `seq` of its first and how many followed."""

    __slots__ = ("count", "id")

    def __init__(self, first: int) -> None:
        self.id = first
        self.count = 1


class Origin(IntEnum):
    """Where a message comes from, as replay must know it."""

    INPUT = 0
    """From outside a deciding handler: replay takes it as recorded."""
    DERIVED = 1
    """Returned by a deciding handler: replay computes it again and compares."""
    RECORDED = 2
    """A row of a recorded file: the journal keeps only its place."""


class Envelope(Generic[P]):
    """A payload with its identity, time and cause.

    `seq` and `ts` (UTC ns) are stamped when the message is dispatched; (`source`, `epoch`, `seq`)
    is never used twice. `cause` is the `seq` of the message that led to this one, 0 when there is
    none. `wire_id` is its identity between processes, once it has one. `held` tells that somebody
    could not take it at once, so that what it leads to is not on record with it.
    """

    __slots__ = (
        "cause",
        "chain",
        "epoch",
        "held",
        "origin",
        "payload",
        "seq",
        "source",
        "ts",
        "wire_id",
    )

    def __init__(
        self,
        payload: P,
        source: str = "",
        epoch: int = 0,
        cause: int = 0,
        chain: Trace | None = None,
        origin: Origin = Origin.INPUT,
    ) -> None:
        self.payload = payload
        self.source = source
        self.epoch = epoch
        self.cause = cause
        self.chain = chain
        self.origin = origin
        self.seq = 0
        self.ts = 0
        self.wire_id: str | None = None
        self.held = False

    @property
    def id(self) -> str:
        """Return the identity as one word."""
        return self.wire_id or f"{self.source}-{self.epoch}-{self.seq}"

    @property
    def trace(self) -> int:
        """Return the `seq` of the first message of the chain, its own for the first."""
        return self.chain.id if self.chain is not None else self.seq

    def __repr__(self) -> str:
        return f"<{self.payload.wire} {self.id} cause {self.cause}>"
