"""Messages built by a faster way are the messages their class builds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.messages.examples import KINDS as EVERY
from tests.messages.examples import messages
from tradeagent.messages import (
    AccountUpdate,
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    TickerUpdate,
    decode_payload,
    encode_payload,
)
from tradeagent.messages.build import _strict, _unchecked, changed, checked, trusted

CANDLE: dict[str, object] = {
    "symbol": "BTC",
    "timeframe": "1m",
    "time": 1_640_991_660_000_000_000,
    "open": 46319.0,
    "high": 46385.0,
    "low": 46319.0,
    "close": 46377.0,
    "volume": 49.6,
}
TICKER: dict[str, object] = {
    "symbol": "BTC",
    "time": 1,
    "bid": 99.5,
    "ask": 100.5,
    "last": 100.0,
    "mark": None,
    "bid_size": 2.0,
    "ask_size": None,
    "volume": 0.0,
    "funding": None,
}
TRADE: dict[str, object] = {
    "symbol": "BTC",
    "time": 1,
    "price": 100.0,
    "size": 0.5,
    "side": "sell",
    "trade_id": "7",
}
BOOK: dict[str, object] = {
    "symbol": "BTC",
    "time": 1,
    "bids": ((99.5, 2.0), (99.0, 1.0)),
    "asks": ((100.5, 2.0),),
}
KINDS = [
    (MarketData, CANDLE),
    (TickerUpdate, TICKER),
    (MarketTrade, TRADE),
    (OrderBookUpdate, BOOK),
]


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_a_trusted_message_is_the_validated_one(
    kind: type[Message], fields: dict[str, object]
) -> None:
    """Content, hash, JSON, repr, fields set and a round trip are those of the validated message."""
    validated = kind.model_validate(fields)

    built = trusted(kind)(**fields)

    assert type(built) is kind
    assert built == validated
    assert validated == built
    assert hash(built) == hash(validated)
    assert encode_payload(built) == encode_payload(validated)
    assert built.model_dump_json() == validated.model_dump_json()
    assert built.model_dump() == validated.model_dump()
    assert repr(built) == repr(validated)
    assert built.model_fields_set == validated.model_fields_set
    assert built.model_copy() == validated
    assert decode_payload(kind.wire, encode_payload(built)) == built


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_a_trusted_message_is_frozen_and_stands_alone(
    kind: type[Message], fields: dict[str, object]
) -> None:
    """It can no more be changed than a validated one, and shares no content with the next."""
    build = trusted(kind)
    one, other = build(**fields), build(**{**fields, "symbol": "ETH"})

    with pytest.raises(ValidationError, match="frozen"):
        one.symbol = "SOL"  # type: ignore[attr-defined]
    assert one != other
    assert one == kind.model_validate(fields)
    assert isinstance(other, kind)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.wire)
@settings(max_examples=20)
@given(data=st.data())
def test_a_checked_message_is_its_classs_own(kind: type[Message], data: st.DataObject) -> None:
    """Whatever the kind and the fields, set or left out, both ways give the same message."""
    made = data.draw(messages(kind))
    fields = {name: getattr(made, name) for name in made.model_fields_set}

    built = checked(kind)(**fields)

    assert built == made
    assert built.model_fields_set == made.model_fields_set
    assert encode_payload(built) == encode_payload(made)


@pytest.mark.parametrize(
    "wrong", [{"close": -1.0}, {"close": "much"}, {"colour": "red"}, {"symbol": ""}]
)
def test_a_checked_message_is_checked(wrong: dict[str, object]) -> None:
    """What the class refuses is refused in the same words."""
    with pytest.raises(ValidationError) as ours:
        checked(MarketData)(**{**CANDLE, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as theirs:
        MarketData(**{**CANDLE, **wrong})  # type: ignore[arg-type]

    assert ours.value.errors() == theirs.value.errors()


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.wire)
@settings(max_examples=20)
@given(data=st.data())
def test_a_changed_message_is_a_model_copy(kind: type[Message], data: st.DataObject) -> None:
    """It has the changes and all else of the first, which stays as it was."""
    one, other = data.draw(messages(kind)), data.draw(messages(kind))
    before = one.model_copy(deep=True)
    changes = {name: getattr(other, name) for name in other.model_fields_set}

    copy = changed(one, **changes)

    assert copy == one.model_copy(update=changes)
    assert copy.model_fields_set == one.model_copy(update=changes).model_fields_set
    assert one == before


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_an_unchecked_message_is_the_validated_one(
    kind: type[Message], data: st.DataObject
) -> None:
    """Of values that have their types already: the same content, hash and JSON, defaults too."""
    whole = data.draw(messages(kind))
    given_ = {name: getattr(whole, name) for name in whole.model_fields_set}

    made = _unchecked(kind)(**given_)

    assert made == whole
    assert made.__dict__ == whole.__dict__
    assert made.model_dump_json() == whole.model_dump_json()


def test_tests_are_told_of_a_value_of_another_type() -> None:
    """A whole number where money is meant names its field."""
    strict = _strict(AccountUpdate, _unchecked(AccountUpdate))
    with pytest.raises(TypeError, match=r"AccountUpdate\.equity: 5 would have become"):
        strict(balance=Decimal(5), equity=5, time=0)
