"""Messages as bytes: what is written is read again, and what is no message is refused in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.messages.examples import KINDS, messages
from tradeagent.messages import (
    Envelope,
    Message,
    RiskAlert,
    Severity,
    TickerUpdate,
    UndecodableError,
    decode,
    decode_payload,
    encode,
    encode_payload,
)
from tradeagent.messages.base import Trace

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
ALERT = {"code": "A", "severity": "ERROR"}


def said(**envelope: object) -> str:
    """Return an alert as somebody outside may write it, with other envelope fields."""
    return json.dumps({"type": "RISK_ALERT", "payload": ALERT, **envelope})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.wire)
@settings(max_examples=40)
@given(st.data())
def test_every_kind_survives_the_way(kind: type[Message], data: st.DataObject) -> None:
    """A message of any kind is the same after writing and reading, alone and in its envelope."""
    message = data.draw(messages(kind))

    assert decode_payload(kind.wire, encode_payload(message)) == message
    found = decode(encode(Envelope(message, "data", 3))).payload
    assert (type(found), found) == (kind, message)


def test_the_envelope_survives_the_way() -> None:
    """Source, epoch, number, time, cause, trace and identity are what they were."""
    sent: Envelope[Message] = Envelope(
        RiskAlert(code="A", severity=Severity.ERROR), "data", 3, cause=5, chain=Trace(4)
    )
    sent.seq, sent.ts = 7, 1_767_225_600_000_000_001

    found = decode(encode(sent))

    for name in ("source", "epoch", "seq", "ts", "cause", "trace", "id"):
        assert getattr(found, name) == getattr(sent, name), name
    sent.wire_id = "desk.data-3-7"
    assert decode(encode(sent)).id == "desk.data-3-7"


def test_an_operator_needs_a_type_and_a_payload() -> None:
    """What is left out of an envelope is the operator's: no number, no time, no cause."""
    found = decode('{"type": "RISK_ALERT", "payload": {"code": "A", "severity": "ERROR"}}')

    assert found.payload == RiskAlert(code="A", severity=Severity.ERROR)
    assert (found.source, found.epoch, found.seq, found.ts, found.cause) == ("operator", 0, 0, 0, 0)
    assert found.wire_id is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (said(v=2), "schema version 2 is not 1"),
        (said(v=2, type="RISK_ALARM"), "schema version 2 is not 1"),
        (said(type="RISK_ALARM"), "no message is called 'RISK_ALARM'"),
        (said(type="MESSAGE"), "no message is called 'MESSAGE'"),
        (said(type=["RISK_ALERT"]), "not a message"),
        (said(payload={**ALERT, "colour": "red"}), "RISK_ALERT: colour: Extra inputs are not"),
        (said(payload={"code": "A"}), "RISK_ALERT: severity: Field required"),
        (said(payload={**ALERT, "value": float("nan")}), "RISK_ALERT: value: .* finite number"),
        (said(payload={**ALERT, "value": float("inf")}), "RISK_ALERT: value: .* finite number"),
        (said(payload="red"), "RISK_ALERT: payload: Input should be an object"),
        (said(seq="many"), "not a message: .*'many'"),
        (said(ts=float("nan")), "not a message: .*NaN"),
        (said(epoch=float("inf")), "not a message: .*infinity"),
        ('{"type": "RISK_ALERT"}', "it has no 'payload'"),
        ('{"payload": {}}', "it has no 'type'"),
        ("[]", "not a JSON object"),
        ("", "not a message: EOF"),
        (b"\xff\xfe\x00", "not a message"),
        ("[" * 100_000, "not a message: recursion limit"),
        (encode(Envelope(RiskAlert(code="A", severity=Severity.ERROR)))[:-3], "not a message: EOF"),
    ],
)
def test_what_is_no_message_is_refused_in_words(data: bytes | str, says: str) -> None:
    """Each way to be wrong is an UndecodableError whose text names what is wrong."""
    with pytest.raises(UndecodableError, match=says):
        decode(data)


@pytest.mark.parametrize("body", ['{"symbol": "BTC"}', b"\xff", "", "NaN", "[]"])
def test_a_payload_alone_is_judged_alike(body: bytes | str) -> None:
    """Bytes that are no ticker are refused under the name of the kind they were to be."""
    with pytest.raises(UndecodableError, match=r"^TICKER_UPDATE: "):
        decode_payload(TickerUpdate.wire, body)
    with pytest.raises(UndecodableError, match="no message is called 'TICKER'"):
        decode_payload("TICKER", body)


@given(st.binary(max_size=60) | st.text(max_size=60) | JSON.map(json.dumps))
def test_no_bytes_break_the_reader(data: bytes | str) -> None:
    """Whatever arrives, nothing but an UndecodableError comes of it."""
    with pytest.raises(UndecodableError):
        decode(data)


FIELDS = st.sampled_from(["v", "id", "source", "epoch", "seq", "ts", "cause", "trace", "payload"])


@given(st.dictionaries(FIELDS, JSON, max_size=4))
def test_no_field_of_an_envelope_breaks_the_reader(fields: dict[str, object]) -> None:
    """An envelope with anything in any of its fields is read or refused, never an accident."""
    try:
        found = decode(said(**fields))
    except UndecodableError:
        return
    assert all(type(number) is int for number in (found.epoch, found.seq, found.ts, found.trace))
