"""Messages built without validation are the messages validation builds."""

from __future__ import annotations

import timeit

import pytest
from pydantic import ValidationError

from tradeagent.messages import (
    MarketData,
    MarketTrade,
    Message,
    OrderBookUpdate,
    TickerUpdate,
    decode_payload,
    encode_payload,
)
from tradeagent.messages.trusted import trusted

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


def test_it_is_cheaper_than_validation() -> None:
    """A trusted candle takes less than two thirds of the time of a validated one."""
    build = trusted(MarketData)

    def cost(of: str) -> float:
        names = {"build": build, "MarketData": MarketData, "fields": CANDLE}
        return min(timeit.repeat(f"{of}(**fields)", globals=names, number=5_000, repeat=7))

    assert cost("build") < cost("MarketData") * 2 / 3
