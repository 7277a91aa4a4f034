"""What arrives from Redis: bytes become inputs, or are set aside with a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from pydantic_core import from_json

from tradeagent.bus.options import BusOptions
from tradeagent.clock import SECOND, Clock
from tradeagent.messages import (
    SCHEMA_VERSION,
    Envelope,
    Incident,
    Message,
    Severity,
    Timer,
    UndecodableError,
    decode,
    decode_payload,
)

_WORD = re.compile(r"[\w.:@~/+-]{1,200}")
_PAYLOAD = b',"payload":'
_QUIET = 60 * SECOND
"""Time in which one kind of trouble is reported once, however often it happens."""

Report = Callable[[Message], None]
Bury = Callable[[bytes, str, str], None]


class Arrived(str):
    """The wire id of a message that came from outside; such messages are not sent out again."""

    __slots__ = ()


def read(data: bytes) -> Envelope[Message]:
    """Return the envelope in `data`; raises UndecodableError.

    What our own processes write ends with the payload, so it is validated where it stands;
    anything else goes through `decode`.
    """
    head, mark, body = data.partition(_PAYLOAD)
    if mark:
        try:
            raw = from_json(head + b"}")
            if raw["v"] == SCHEMA_VERSION:
                payload = decode_payload(raw["type"], body[:-1])
                envelope = Envelope(payload, raw["source"], raw["epoch"])
                envelope.wire_id = raw["id"]
                return envelope
        except (UndecodableError, KeyError, TypeError, ValueError):
            pass
    envelope = decode(data)
    fresh = Envelope(envelope.payload, envelope.source, envelope.epoch)
    fresh.wire_id = envelope.wire_id
    return fresh


class Incoming:
    """Reads what came, leaves out our own, refuses what is forged, buries what is unreadable."""

    def __init__(
        self,
        options: BusOptions,
        clock: Clock,
        dropped: Counter[str],
        report: Report,
        bury: Bury,
    ) -> None:
        self._options = options
        self._clock = clock
        self._dropped = dropped
        self._report = report
        self._bury = bury
        self.began = 0
        """When we first met the server, ms by its own clock; 0 before."""
        self._own = f'{{"by":"{options.identity}",'.encode()
        self._unnamed = 0
        self._reported: dict[tuple[str, str], int] = {}

    def open(self, data: bytes, place: str, entry: str = "") -> Envelope[Message] | None:
        """Return the input in `data`, or None when there is nothing to deliver.

        `place` is the channel or stream it came by, `entry` its id in a stream.
        """
        if data.startswith(self._own):
            return None
        try:
            envelope = read(data)
            self._check(envelope)
        except UndecodableError as error:
            self.bury(data, place, str(error))
            return None
        kind = type(envelope.payload)
        if kind is Timer:
            return None
        if kind in self._options.refused or self._options.private(envelope.payload):
            self._refuse(envelope, place, entry)
            return None
        wire_id = envelope.wire_id
        if wire_id is None:
            self._unnamed += 1
            wire_id = f"{place}@{entry or f'{self._options.identity}.{self._unnamed}'}"
        envelope.wire_id = Arrived(wire_id)
        return envelope

    def _check(self, envelope: Envelope[Message]) -> None:
        """Let no name in that could not stand in JSON or a log line."""
        for name in (envelope.source, envelope.wire_id):
            if name is not None and not (isinstance(name, str) and _WORD.fullmatch(name)):
                raise UndecodableError(f"not a name: {name!r:.80}")
        if type(envelope.epoch) is not int:
            raise UndecodableError(f"not an epoch: {envelope.epoch!r:.80}")

    def _refuse(self, envelope: Envelope[Message], place: str, entry: str) -> None:
        """Drop what only we may say; what stood there before we came is of an earlier run."""
        wire = envelope.payload.wire
        if entry and int(entry.partition("-")[0]) < self.began:
            self._dropped["left_over"] += 1
            text = f"{wire} on {place} is older than this run and was dropped; give each state "
            text += "directory a bus namespace of its own"
            self._tell("LEFT_OVER", wire, Severity.WARNING, text)
            return
        self._dropped["forged"] += 1
        self._tell(
            "FORGED_MESSAGE",
            wire,
            Severity.ERROR,
            f"{wire} came from outside by {place} under the name of {envelope.source}; only this "
            "process may say that, so it was dropped",
        )

    def bury(self, data: bytes, place: str, reason: str) -> None:
        """Put bytes nobody can handle to the dead letters, and say so."""
        self._dropped["dead"] += 1
        self._bury(data, place, reason[:500])
        dead = f"{self._options.namespace}:dead"
        text = f"a message on {place} was put to {dead}: {reason[:200]}"
        self._tell("DEAD_LETTER", place, Severity.WARNING, text)

    def _tell(self, code: str, about: str, severity: Severity, text: str) -> None:
        now = self._clock.now()
        last = self._reported.get((code, about))
        if last is None or now - last >= _QUIET:
            self._reported[code, about] = now
            self._report(Incident(code=code, severity=severity, agent="bus", text=text))
