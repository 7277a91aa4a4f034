"""The hash chain: what a journal row is and how each row seals the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from tradeagent.messages import Envelope, Message, Origin

DERIVED = Origin.DERIVED
GENESIS = bytes(32)
"""The hash before the first row."""

Row = tuple[int, int, str, str, int, int, int, int, str | None, bytes, bytes, bytes]
"""seq, ts, type, source, epoch, cause, trace, derived, wire_id, payload, prev_hash, hash.

The wire id depends on how a message travelled, so it stands beside the chain, not in it. A message
that was held has none: it may have to be delivered again."""


def link(previous: bytes, envelope: Envelope[Message]) -> Row:
    """Return the row of `envelope` after a row with the hash `previous`."""
    payload = envelope.payload
    seq, ts, source, epoch = envelope.seq, envelope.ts, envelope.source, envelope.epoch
    cause, wire, derived = envelope.cause, payload.wire, 1 if envelope.origin is DERIVED else 0
    chain = envelope.chain
    trace = seq if chain is None else chain.id
    body = payload.__pydantic_serializer__.to_json(payload)
    head = f"{seq}|{ts}|{epoch}|{cause}|{trace}|{derived}|{wire}|{len(source)}|{source}|"
    digest = sha256(previous + head.encode() + body).digest()
    wire_id = None if envelope.held else envelope.wire_id
    return seq, ts, wire, source, epoch, cause, trace, derived, wire_id, body, previous, digest


def holds(row: Sequence[object], previous: bytes) -> bool:
    """Tell whether a stored row follows a row with the hash `previous` and is as it was written."""
    seq, ts, wire, source, epoch, cause, trace, derived, _, body, before, digest = row
    if before != previous or not isinstance(body, bytes) or not isinstance(source, str):
        return False
    head = f"{seq}|{ts}|{epoch}|{cause}|{trace}|{derived}|{wire}|{len(source)}|{source}|"
    return sha256(previous + head.encode() + body).digest() == digest


def first_break(rows: Iterable[Sequence[object]], previous: bytes) -> tuple[int | None, bytes]:
    """Return the seq of the first row that does not hold, if any, and the last hash that does."""
    for row in rows:
        if not holds(row, previous):
            return int(str(row[0])), previous
        previous = bytes(row[-1])  # type: ignore[call-overload]
    return None, previous
