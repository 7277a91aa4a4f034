"""What the journal says against what came now: content, sender, cause and order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from tradeagent.messages import Delivery, Envelope, Message, Origin, Trace, encode_payload
from tradeagent.replay.bus import ReplayBus
from tradeagent.replay.read import Line

SHOWN = 20
"""Differences after which a run is not played any further."""


class Difference(NamedTuple):
    """What is not as it was: at which `seq`, what the journal says, and what came now."""

    seq: int
    what: str
    journal: str = ""
    replay: str = ""


class Judge:
    """Compares the derived rows of one run with what its agents return now."""

    def __init__(self, bus: ReplayBus, *, exact: bool, other_code: bool) -> None:
        """Judge what waits on `bus`.

        `exact` tells that the clock stood still until all was handed over, `other_code` that
        another version recorded the run.
        """
        self.compared = 0
        self.differences: list[Difference] = []
        self.trusted: list[Difference] = []
        """What the journal says, does not come again, and need not."""
        self._bus = bus
        self._exact = exact
        self._other_code = other_code

    @property
    def tired(self) -> bool:
        """Tell whether enough differences were seen."""
        return len(self.differences) >= SHOWN

    def note_left(self) -> None:
        """Note all that waits and is not in the journal, and let go of it."""
        if not self._bus.idle:
            self.note(self._bus.left())

    def note(self, waiting: Iterable[Envelope[Message]]) -> None:
        """Note what waits and is not in the journal, or not here, and let go of it."""
        for envelope in list(waiting):
            self._unexpected(envelope)
            self._bus.take(envelope)

    def compare(self, line: Line, kind: type[Message]) -> Envelope[Message]:
        """Compare a derived row with what waits; returns what is to be handed over, and when."""
        self.compared += 1
        bus = self._bus
        lane = bus.lane(kind)
        if kind.delivery is not Delivery.URGENT:
            self.note(bus.urgent)
        first = lane[0] if lane else None
        if first is not None and self._equal(first, line):
            bus.take(first)
            return self._placed(first, line)
        found = next((one for one in lane if self._equal(one, line)), None)
        if found is None:
            recorded = _recorded(line)
            self._unlike(line, first)
            return recorded
        while lane[0] is not found:
            self._unexpected(lane[0])
            bus.take(lane[0])
        bus.take(found)
        return self._placed(found, line)

    def _placed(self, envelope: Envelope[Message], line: Line) -> Envelope[Message]:
        """Compare a row's epoch and time; where the clock stood still, the latter is known."""
        if line.epoch != self._bus.epoch:
            self.other_epoch(line)
        if not self._exact:
            envelope.ts = line.ts
        elif line.ts != envelope.ts:
            self.differ(line.seq, "another time", str(line.ts), str(envelope.ts))
        return envelope

    def other_epoch(self, line: Line) -> None:
        """Note a row of another run."""
        self.differ(line.seq, "another run's epoch", str(line.epoch), str(self._bus.epoch))

    def trust(self, seq: int, what: str) -> None:
        """Note what the journal says, does not come again, and need not."""
        self.trusted.append(Difference(seq, what))

    def _equal(self, envelope: Envelope[Message], line: Line) -> bool:
        """Tell whether a message is that of a row; fields later code added stand by default."""
        payload = envelope.payload
        if (
            envelope.cause != line.cause
            or envelope.source != line.source
            or payload.wire != line.type
            or envelope.trace != line.trace
        ):
            return False
        body = encode_payload(payload)
        return body == line.body or (self._other_code and body == encode_payload(line.message))

    def _unlike(self, line: Line, first: Envelope[Message] | None) -> None:
        journal = _text(line.source, line.type, line.cause, line.body)
        same = (
            first is not None
            and (first.source, first.payload.wire) == (line.source, line.type)
            and first.cause == line.cause
        )
        if first is not None and same:
            self._bus.take(first)
            what = f"the message differs in {_fields(line, first.payload)}"
            self.differ(line.seq, what, journal, _shown(first))
            return
        now = _shown(first) if first is not None else "nothing"
        self.differ(line.seq, "no such message came", journal, now)

    def _unexpected(self, envelope: Envelope[Message]) -> None:
        text = "a message came that is not in the journal"
        self.differ(envelope.cause, text, "nothing", _shown(envelope))

    def differ(self, seq: int, what: str, journal: str, replay: str) -> None:
        """Note a difference."""
        self.differences.append(Difference(seq, what, journal, replay))

    def unasked(self, seq: int, agent: str) -> None:
        """Note an input from an agent that only ever answers."""
        self.differ(seq, f"{agent} says this of its own accord", "", "")


def _recorded(line: Line) -> Envelope[Message]:
    """Return the message as the journal has it, so that one difference is not told over again."""
    envelope = Envelope(
        line.message, line.source, line.epoch, line.cause, Trace(line.trace), Origin.DERIVED
    )
    envelope.ts = line.ts
    return envelope


def _fields(line: Line, payload: Message) -> str:
    """Return the names of the fields in which two messages of a class differ."""
    then, now = json.loads(line.body), json.loads(encode_payload(payload))
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(names) or "its trace"


def _shown(envelope: Envelope[Message]) -> str:
    payload = envelope.payload
    return _text(envelope.source, payload.wire, envelope.cause, encode_payload(payload))


def _text(source: str, wire: str, cause: int, body: bytes) -> str:
    return f"{source} {wire} on {cause}: {body.decode(errors='replace')}"
