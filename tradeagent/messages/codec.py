"""Messages as JSON: what stands in the journal and what travels between processes."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from tradeagent.errors import TradeAgentError
from tradeagent.messages.base import SCHEMA_VERSION, Envelope, Message, Trace
from tradeagent.messages.orders import Part


class UndecodableError(TradeAgentError):
    """Bytes that are no message of ours; they go to the dead letters."""


def encode_part(part: Part) -> bytes:
    """Return a part of a message as JSON, byte for byte the same for equal parts."""
    return part.__pydantic_serializer__.to_json(part)


def encode_payload(payload: Message) -> bytes:
    """Return the payload alone as JSON."""
    return payload.__pydantic_serializer__.to_json(payload)


def decode_payload(wire: str, body: bytes | str) -> Message:
    """Return the message of kind `wire`; raises UndecodableError."""
    kind = Message.kinds.get(wire)
    if kind is None:
        raise UndecodableError(f"no message is called {wire!r}")
    try:
        return kind.__pydantic_validator__.validate_json(body)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise UndecodableError(f"{wire}: {_summary(error)}") from error


def encode(envelope: Envelope[Message]) -> bytes:
    """Return the whole envelope as one JSON object, the payload last."""
    payload = envelope.payload
    head = (
        f'{{"v":{SCHEMA_VERSION},"type":"{payload.wire}","id":"{envelope.id}",'
        f'"source":"{envelope.source}","epoch":{envelope.epoch},"seq":{envelope.seq},'
        f'"ts":{envelope.ts},"cause":{envelope.cause},"trace":{envelope.trace},"payload":'
    )
    return head.encode() + payload.__pydantic_serializer__.to_json(payload) + b"}"


def decode(data: bytes | str) -> Envelope[Message]:
    """Return the envelope in `data`; all but `type` and `payload` may be missing.

    An operator can so inject a message by hand. Raises UndecodableError.
    """
    try:
        raw = from_json(data)
        if not isinstance(raw, dict):
            raise UndecodableError("not a message: not a JSON object")
        version = raw.get("v", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise UndecodableError(f"schema version {version!r} is not {SCHEMA_VERSION}")
        return _envelope(raw, decode_payload(raw["type"], to_json(raw["payload"])))
    except KeyError as error:
        raise UndecodableError(f"not a message: it has no {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise UndecodableError(f"not a message: {error}") from error


def _envelope(raw: dict[str, Any], payload: Message) -> Envelope[Message]:
    envelope: Envelope[Message] = Envelope(
        payload, str(raw.get("source", "operator")), int(raw.get("epoch", 0))
    )
    envelope.seq = int(raw.get("seq", 0))
    envelope.ts = int(raw.get("ts", 0))
    envelope.cause = int(raw.get("cause", 0))
    envelope.chain = Trace(int(raw.get("trace", envelope.seq)))
    wire_id = raw.get("id")
    envelope.wire_id = None if wire_id is None else str(wire_id)
    return envelope


def _summary(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'payload'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False)
    )
