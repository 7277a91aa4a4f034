"""What every message is: named, frozen, compared by content, and carried in an envelope."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.messages.examples import KINDS
from tradeagent.messages import (
    Delivery,
    Envelope,
    Fill,
    MarketData,
    Message,
    OrderBookUpdate,
    RiskAlert,
    Sentiment,
    Severity,
    TickerUpdate,
    TradeSignal,
)
from tradeagent.messages.base import Trace


def alert(code: str = "A") -> RiskAlert:
    """Return an alert."""
    return RiskAlert(code=code, severity=Severity.ERROR)


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Message]]:
    """Let a test enter message classes of its own, and forget them afterwards."""
    table = dict(Message.kinds)
    monkeypatch.setattr(Message, "kinds", table)
    return table


def test_a_class_name_gives_the_wire_name() -> None:
    """Words of the class name, in capitals, joined by underscores."""
    names = {kind: kind.wire for kind in (MarketData, OrderBookUpdate, Fill, TradeSignal)}

    assert list(names.values()) == ["MARKET_DATA", "ORDER_BOOK_UPDATE", "FILL", "TRADE_SIGNAL"]
    assert all(Message.kinds[wire] is kind for kind, wire in names.items())
    assert len({kind.wire for kind in KINDS}) == len(KINDS) > 25


def test_one_wire_name_is_one_class(kinds: dict[str, type[Message]]) -> None:
    """A second class of the same wire name is refused at its definition and changes nothing."""
    with pytest.raises(TypeError, match=r"MARKET_DATA is the wire name of .*market\.MarketData"):

        class Market_Data(Message):  # noqa: N801
            """Take the name of another."""

    assert kinds["MARKET_DATA"] is MarketData


def test_a_class_may_be_defined_again(kinds: dict[str, type[Message]]) -> None:
    """Loading a module anew replaces its own messages."""
    for _ in range(2):

        class Whisper(Message):
            """Say something quietly."""

    assert kinds["WHISPER"] is Whisper


def test_delivery_and_expiry_are_declared_and_inherited(kinds: dict[str, type[Message]]) -> None:
    """A class says how it travels; one that says nothing is as its parent."""

    class Loud(Message, delivery=Delivery.URGENT, expires=True):
        """Say something loudly."""

    class Louder(Loud):
        """Say it again."""

    assert (Louder.delivery, Louder.expires) == (Delivery.URGENT, True)
    assert (Message.delivery, Message.expires) == (Delivery.LOSSLESS, False)


def test_a_message_cannot_be_changed() -> None:
    """No field is set anew, none is added, and equal content is equal."""
    message = alert()

    with pytest.raises(ValidationError, match="frozen"):
        message.code = "B"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        RiskAlert.model_validate({"code": "A", "severity": "ERROR", "colour": "red"})
    assert alert() == message != alert("B")
    assert len({alert(), message, alert("B")}) == 2


def test_only_what_expires_has_a_deadline() -> None:
    """The deadline is `valid_until`, and a class that expires has the field."""
    mood = Sentiment(symbol="BTC", analyst="a", time=1, score=0, confidence=1, valid_until=9)

    assert mood.deadline == 9
    assert alert().deadline is None
    for kind in KINDS:
        assert not kind.expires or "valid_until" in kind.model_fields, kind


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0, -1.0])
def test_no_price_is_nan_infinite_or_nothing(bad: float) -> None:
    """A number that no market has never gets into a message."""
    with pytest.raises(ValidationError):
        TickerUpdate(symbol="BTC", time=1, bid=bad, ask=2, last=1)


def test_an_envelope_has_one_identity() -> None:
    """It is source, epoch and number, until another process gives it a name of its own."""
    envelope = Envelope(alert(), "risk", epoch=4)
    envelope.seq = 17

    assert envelope.id == "risk-4-17"
    assert repr(envelope) == "<RISK_ALERT risk-4-17 cause 0>"
    envelope.wire_id = "desk@1-0"
    assert envelope.id == "desk@1-0"


def test_a_trace_is_the_number_of_the_first() -> None:
    """Every message of a chain has the trace of its first; one alone is its own."""
    first = Envelope(alert(), "data")
    first.seq = 5
    chain = Trace(first.trace)
    later = Envelope(alert("B"), "risk", cause=first.seq, chain=chain)
    later.seq = 6

    assert (first.trace, later.trace, later.cause) == (5, 5, 5)
