"""What a run decided, as its journal has it: signals, requests, verdicts, orders and fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tradeagent.bus.base import Subscriber
from tradeagent.messages import (
    Fill,
    Message,
    OrderRequest,
    OrderUpdate,
    RiskAssessment,
    TradeSignal,
    decode_payload,
)

KINDS: tuple[type[Message], ...] = (TradeSignal, OrderRequest, RiskAssessment, OrderUpdate, Fill)
WIRES = frozenset(kind.wire for kind in KINDS)


class Decision(NamedTuple):
    """One decision: when (UTC ns of the clock), whose, and the message as the journal has it."""

    ts: int
    source: str
    type: str
    body: str

    @property
    def message(self) -> Message:
        """Return the message; raises UndecodableError."""
        return decode_payload(self.type, self.body)

    @property
    def strategy(self) -> str:
        """Return the strategy behind it."""
        return str(getattr(self.message, "strategy", self.source))

    def told(self) -> str:
        """Return it in a few words."""
        message = self.message
        match message:
            case TradeSignal():
                words = f"{message.direction} {message.symbol} at {message.price:g}"
            case OrderRequest() | Fill():
                size = "" if message.size is None else f" {message.size:f}"
                words = f"{message.side}{size} {message.symbol} at {message.price:f}"
            case RiskAssessment():
                words = f"{message.verdict} {message.symbol} {' '.join(message.reasons)}".rstrip()
            case OrderUpdate():
                order = message.order
                words = f"{order.side} {order.size:f} {order.symbol} {message.status}"
            case _:
                words = ""
        return f"{self.type} {words}"


class Ear:
    """Keeps every decision of a run."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.subscriber = Subscriber("ear", dict.fromkeys(KINDS, self._hear), observer=True)

    def _hear(self, message: Message) -> None:
        hand = self.subscriber.hand
        assert hand is not None
        body = message.model_dump_json()
        self.decisions.append(Decision(hand.ts, hand.source, message.wire, body))


class Parting(NamedTuple):
    """Where two runs part: what each decided there, None where it decided nothing."""

    one: Decision | None
    other: Decision | None

    @property
    def ts(self) -> int:
        """Return when they part, UTC ns."""
        return min(found.ts for found in self if found is not None)


def parting(one: Sequence[Decision], other: Sequence[Decision]) -> Parting | None:
    """Return the first decision in which two runs differ, None where they are equal."""
    for left, right in zip(one, other, strict=False):
        if left != right:
            early = left.ts <= right.ts
            same = left.ts == right.ts
            return Parting(left if early or same else None, right if same or not early else None)
    longer = max(one, other, key=len)
    common = min(len(one), len(other))
    if len(longer) == common:
        return None
    extra = longer[common]
    return Parting(extra, None) if longer is one else Parting(None, extra)


def until(decisions: Sequence[Decision], ts: int) -> list[Decision]:
    """Return what was decided up to a moment, UTC ns."""
    return [one for one in decisions if one.ts <= ts]
