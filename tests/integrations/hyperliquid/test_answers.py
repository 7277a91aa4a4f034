"""What the venue says is read without loss, and what nobody told us of is not guessed at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.integrations.recordings import real
from tradeagent.integrations.hyperliquid import answers, channels

SHAPES: dict[str, TypeAdapter[Any]] = {
    "allMids": answers.MIDS,
    "meta": answers.META,
    "candleSnapshot": answers.CANDLES,
    "frontendOpenOrders": answers.FRONTEND_ORDERS,
    "fundingHistory": answers.FUNDING_HISTORY,
    "l2Book": answers.BOOK,
    "openOrders": answers.OPEN_ORDERS,
    "userFills": answers.FILLS,
    "clearinghouseState": answers.STATE,
    "historicalOrders": answers.ORDER_HISTORY,
    "userFunding": answers.FUNDING,
    "userRateLimit": answers.RATE_LIMIT,
    "userRole": answers.ROLE,
}
STREAMED: dict[str, TypeAdapter[Any]] = {"l2Book": channels.BOOK, "trades": channels.TRADES}


def dumped(shape: TypeAdapter[Any], value: object) -> object:
    """Return the JSON of a typed answer."""
    return shape.dump_python(value, mode="json", by_alias=True, exclude_unset=True)


def test_recorded_answers_are_read_without_loss() -> None:
    """Each real answer of /info is typed, and its dump is the JSON it came as."""
    lines = real("hyperliquid_info_samples.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]

    assert len(samples) == 15
    for sample in samples:
        shape = SHAPES[sample["request"]["type"]]
        value = shape.validate_json(json.dumps(sample["response"]))
        assert dumped(shape, value) == sample["response"]


def test_recorded_messages_are_read_without_loss() -> None:
    """Each real message of the WebSocket is typed, and its dump is the JSON it came as."""
    lines = real("hyperliquid-btc-perp_ws_raw_2025-01-26.jsonl").read_text().splitlines()
    messages = [json.loads(line)["msg"] for line in lines]

    assert len(messages) == 55
    for message in messages:
        value = channels.CHANNELS[message["channel"]](message["data"])
        assert dumped(STREAMED[message["channel"]], value) == message["data"]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (
            answers.ORDER_STATUS,
            {
                "status": "order",
                "order": {
                    "order": {
                        "coin": "ETH",
                        "side": "A",
                        "limitPx": "2412.7",
                        "sz": "0.0",
                        "oid": 1,
                        "timestamp": 1724361546645,
                        "triggerCondition": "N/A",
                        "isTrigger": False,
                        "triggerPx": "0.0",
                        "children": [],
                        "isPositionTpsl": False,
                        "reduceOnly": True,
                        "orderType": "Market",
                        "origSz": "0.0076",
                        "tif": "FrontendMarket",
                        "cloid": None,
                    },
                    "status": "filled",
                    "statusTimestamp": 1724361546645,
                },
            },
        ),
        (answers.ORDER_STATUS, {"status": "unknownOid"}),
        (answers.TIME, {"time": 1764617438643, "specialStatuses": None}),
        (answers.ROLE, {"role": "agent", "data": {"user": "0xabc"}}),
        (channels.MIDS, {"mids": {"BTC": "60510.5"}}),
        (
            channels.TOUCH,
            {"coin": "BTC", "time": 1, "bbo": [{"px": "1.0", "sz": "2.0", "n": 1}, None]},
        ),
        (
            channels.ASSET,
            {
                "coin": "BTC",
                "ctx": {
                    "funding": "0.0000125",
                    "openInterest": "31.5",
                    "prevDayPx": "60010.0",
                    "dayNtlVlm": "905000.5",
                    "premium": None,
                    "oraclePx": "60500.0",
                    "markPx": "60510.0",
                    "midPx": None,
                    "impactPxs": None,
                    "dayBaseVlm": "14.96",
                },
            },
        ),
        (
            channels.ORDERS,
            [
                {
                    "order": {
                        "coin": "BTC",
                        "side": "B",
                        "limitPx": "60000.0",
                        "sz": "0.02",
                        "oid": 7001,
                        "timestamp": 1751234567890,
                        "origSz": "0.02",
                        "cloid": "0x000000000000000000000000000000aa",
                    },
                    "status": "open",
                    "statusTimestamp": 1751234567890,
                }
            ],
        ),
        (
            channels.USER_FUNDINGS,
            {
                "user": "0xabc",
                "isSnapshot": True,
                "fundings": [
                    {
                        "time": 1,
                        "coin": "ETH",
                        "usdc": "-3.625312",
                        "szi": "49.1477",
                        "fundingRate": "0.0000417",
                        "nSamples": None,
                    }
                ],
            },
        ),
        (channels.USER_EVENT, {"nonUserCancel": [{"coin": "BTC", "oid": 7}]}),
    ],
)
def test_documented_shapes_are_read_without_loss(shape: TypeAdapter[Any], told: object) -> None:
    """Shapes of which there is no recording are read as they are documented."""
    assert dumped(shape, shape.validate_json(json.dumps(told))) == told


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e308", "", "0x1", "1.", "--1", "1" * 40])
def test_what_is_no_number_is_no_price(text: str) -> None:
    """A price that is not a plain decimal number stops at the border."""
    level = {"px": text, "sz": "1.0", "n": 1}

    with pytest.raises(ValidationError):
        channels.BOOK.validate_python({"coin": "BTC", "time": 1, "levels": [[level], []]})
    with pytest.raises(ValidationError):
        answers.MIDS.validate_python({"BTC": text})
