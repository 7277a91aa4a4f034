"""Make the venue fail on purpose: faults that strike requests and events, each with its own dice.

A switch strikes what its scope matches, with probability `p`, after letting `skip` go by and at
most `n` times. Its dice are seeded by the venue's seed and its own number, so that a run with the
same switches and the same requests fails in the same places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

S = TypeVar("S", bound="Switch")
Path = Literal["info", "exchange", "ws"]


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something a switch may strike: a request, or a message on its way to a socket."""

    path: str = ""
    type: str = ""
    user: str = ""
    channel: str = ""
    socket: int = 0


class Switch(BaseModel):
    """What every switch can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scope: ClassVar[tuple[str, ...]] = ()

    p: float = Field(default=1.0, ge=0, le=1, description="How likely it strikes what it matches.")
    n: int | None = Field(default=None, ge=1, description="How often it strikes; null: always.")
    skip: int = Field(default=0, ge=0, description="How many matches it lets go by first.")

    @property
    def name(self) -> str:
        """Return the word it is switched on by."""
        return str(self.model_dump()["switch"])

    def matches(self, occasion: Occasion) -> bool:
        """Return whether the occasion lies in the scope; what the scope leaves open matches."""
        for name in self.scope:
            wanted = getattr(self, name)
            if wanted is not None and wanted.lower() != getattr(occasion, name).lower():
                return False
        return True


class _OfRequests(Switch):
    """A switch that strikes requests."""

    scope: ClassVar[tuple[str, ...]] = ("path", "type", "user")

    path: Path | None = Field(default=None, description="info, exchange or ws; null: any.")
    type: str | None = Field(default=None, description="The type of the action or query.")
    user: str | None = Field(default=None, description="The account that acts or is asked for.")


class Lose(_OfRequests):
    """A request that never arrives; no answer comes."""

    switch: Literal["lose"]
    seconds: float = Field(default=60, ge=0, description="When the connection is cut at last.")


class TimeOut(_OfRequests):
    """A request that is carried out, and no answer comes."""

    switch: Literal["time_out"]
    seconds: float = Field(default=60, ge=0, description="When the connection is cut at last.")


class BadGateway(_OfRequests):
    """A request that is carried out and answered with 502."""

    switch: Literal["bad_gateway"]


class Garbage(_OfRequests):
    """A request that is carried out and answered with what is no answer."""

    switch: Literal["garbage"]
    form: Literal["text", "empty", "bare"] = Field(
        default="text", description="text: no JSON; empty: nothing; bare: JSON without data."
    )


class DelayRequest(_OfRequests):
    """A request that is a while on its way to the venue; it arrives though the client gave up."""

    switch: Literal["delay_request"]
    seconds: float = Field(default=1, ge=0, description="How long, by the venue's clock.")


class DelayAnswer(_OfRequests):
    """An answer that is a while on its way back."""

    switch: Literal["delay_answer"]
    seconds: float = Field(default=1, ge=0, description="How long, by the venue's clock.")


class TooManyRequests(_OfRequests):
    """A request that is refused with 429."""

    switch: Literal["too_many_requests"]


class Maintenance(_OfRequests):
    """A request that is refused with 502; without a path, actions and new sockets are."""

    switch: Literal["maintenance"]

    def matches(self, occasion: Occasion) -> bool:
        """Leave queries alone unless they are named."""
        return super().matches(occasion) and (self.path == "info" or occasion.path != "info")


class PostOnly(_OfRequests):
    """The minutes after an upgrade: orders that are not post-only are refused."""

    switch: Literal["post_only"]


class _OfEvents(Switch):
    """A switch that strikes messages to sockets."""

    scope: ClassVar[tuple[str, ...]] = ("channel", "user")

    channel: str | None = Field(default=None, description="The channel; null: every channel.")
    user: str | None = Field(default=None, description="The account whose events they are.")


class DropEvent(_OfEvents):
    """A message that never arrives."""

    switch: Literal["drop_event"]


class DuplicateEvent(_OfEvents):
    """A message that arrives twice."""

    switch: Literal["duplicate_event"]


class ReorderEvent(_OfEvents):
    """A message that arrives after the next one of its socket."""

    switch: Literal["reorder_event"]


class DelayEvent(_OfEvents):
    """A message that arrives late; those behind it are not held up."""

    switch: Literal["delay_event"]
    seconds: float = Field(default=1, ge=0, description="How late, by the venue's clock.")


class CutSocket(_OfEvents):
    """A socket that breaks instead of carrying a message."""

    switch: Literal["cut_socket"]


class Stall(_OfEvents):
    """A socket that stays open and falls silent: no event, no answer, no pong."""

    switch: Literal["stall"]
    new: bool = Field(default=False, description="Whether sockets opened later stall as well.")


AnySwitch = Annotated[
    Lose
    | TimeOut
    | BadGateway
    | Garbage
    | DelayRequest
    | DelayAnswer
    | TooManyRequests
    | Maintenance
    | PostOnly
    | DropEvent
    | DuplicateEvent
    | ReorderEvent
    | DelayEvent
    | CutSocket
    | Stall,
    Field(discriminator="switch"),
]
SWITCH: TypeAdapter[AnySwitch] = TypeAdapter(AnySwitch)


class Armed:
    """A switch that is on: its dice and what it has struck."""

    def __init__(self, number: int, switch: AnySwitch, dice: Random, sockets: int) -> None:
        self.number = number
        self.switch = switch
        self.matched = 0
        self.struck = 0
        self._dice = dice
        self._sockets = sockets

    def strikes(self, occasion: Occasion) -> bool:
        """Throw the dice for an occasion that matches."""
        switch = self.switch
        if switch.n is not None and self.struck >= switch.n:
            return False
        if isinstance(switch, Stall) and not switch.new and occasion.socket > self._sockets:
            return False
        if not switch.matches(occasion):
            return False
        self.matched += 1
        if self.matched <= switch.skip or self._dice.random() >= switch.p:
            return False
        self.struck += 1
        return True

    def shown(self) -> Mapping[str, object]:
        """Return the switch and its counts, ready for JSON."""
        told = self.switch.model_dump(mode="json")
        return {"id": self.number, **told, "matched": self.matched, "struck": self.struck}


class Switchboard:
    """All switches that are on, in the order they were switched on."""

    def __init__(self, seed: int) -> None:
        self.sockets = 0
        """How many sockets have been opened so far."""
        self._seed = seed
        self._count = 0
        self._armed: dict[int, Armed] = {}

    def turn_on(self, switch: AnySwitch) -> int:
        """Switch something on; returns the number to switch it off by."""
        self._count += 1
        dice = Random(f"{self._seed}|{self._count}|{switch.switch}")  # noqa: S311
        self._armed[self._count] = Armed(self._count, switch, dice, self.sockets)
        return self._count

    def turn_off(self, number: int | None = None) -> bool:
        """Switch one off, or all; returns whether there was any."""
        if number is not None:
            return self._armed.pop(number, None) is not None
        some = bool(self._armed)
        self._armed.clear()
        return some

    def __iter__(self) -> Iterator[Armed]:
        return iter(self._armed.values())

    def __bool__(self) -> bool:
        return bool(self._armed)

    def struck(self, kind: type[S], occasion: Occasion) -> S | None:
        """Return the first switch of a kind that strikes, None when none does."""
        for armed in self._armed.values():
            if isinstance(armed.switch, kind) and armed.strikes(occasion):
                return armed.switch
        return None
