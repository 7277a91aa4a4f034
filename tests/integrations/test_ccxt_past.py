"""What other exchanges tell by ccxt is kept in base units, whole, or refused in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from tests.venue.place import ORIGIN
from tradeagent.clock import MILLISECOND, AcceleratedClock
from tradeagent.errors import DataError
from tradeagent.integrations.ccxt import CcxtPast

SWAP, INVERSE, SPOT = "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT"
TIME = 1_700_000_040_000
"""A whole minute, in ms."""
OKX_CANDLES = {
    "code": "0",
    "data": [[str(TIME), "100", "101", "99", "100", "628", "6.28", "628", "1"]],
}
GATE_CANDLES = [
    {"t": TIME // 1000, "o": "100", "h": "101", "l": "99", "c": "100", "v": 628},
]


@asynccontextmanager
async def exchange(name: str, answer: object, size: float = 0.01) -> AsyncIterator[CcxtPast]:
    """Yield ccxt's own reader of an exchange whose every answer is `answer`."""
    source = CcxtPast(name, AcceleratedClock(ORIGIN, 1.0))
    client = source._client
    client.enableRateLimit = False

    async def fetch(*_: object) -> object:
        return answer

    client.fetch = fetch
    steps = {"precision": {"price": 0.1, "amount": 1.0}, "info": {}, "active": True}
    swap = {"type": "swap", "swap": True, "contract": True, "spot": False, "contractSize": size}
    coin = {"base": "BTC", "baseId": "BTC", "quoteId": "USDT"}
    usdt = {**coin, "quote": "USDT", "settle": "USDT", "settleId": "usdt"}
    client.set_markets(
        [
            {**steps, **swap, **usdt, "symbol": SWAP, "id": "a", "linear": True, "inverse": False},
            {**steps, **swap, **coin, "symbol": INVERSE, "id": "b", "quote": "USD"}
            | {"settle": "BTC", "settleId": "btc", "linear": False, "inverse": True},
            {**steps, **coin, "symbol": SPOT, "id": "c", "quote": "USDT", "spot": True}
            | {"type": "spot", "contract": False, "swap": False},
        ]
    )
    try:
        yield source
    finally:
        await source.close()


def traded(*sides: str) -> dict[str, object]:
    """Return OKX's answer of trades of 300 contracts in one millisecond, one of each side."""
    rows = [
        {"instId": "a", "tradeId": str(n), "px": "100", "sz": "300", "side": side, "ts": str(TIME)}
        for n, side in enumerate(sides)
    ]
    return {"code": "0", "data": rows}


@pytest.mark.parametrize(
    ("name", "answer", "volume"),
    [("okx", OKX_CANDLES, 6.28), ("gate", GATE_CANDLES, 6.28)],
)
async def test_volumes_of_contracts_are_in_base_units(
    name: str, answer: object, volume: float
) -> None:
    """Some exchanges' candles count contracts, others coins; both become coins."""
    async with exchange(name, answer) as source:
        start = TIME * MILLISECOND
        page = await source.candles(SWAP, "1m", start, start + 60_000 * MILLISECOND)

    assert [bar.volume for bar in page.rows] == [volume]


async def test_trades_and_the_grid_of_contracts_are_in_base_units() -> None:
    """A contract of 0.01 BTC makes sizes and steps a hundred times smaller than their number."""
    async with exchange("okx", traded("buy", "sell")) as source:
        page = await source.trades(SWAP, TIME * MILLISECOND, (TIME + 1) * MILLISECOND)
        spot, swap = source.instrument(SPOT), source.instrument(SWAP)

    assert [one.size for one in page.rows] == [3.0, 3.0]
    assert spot is not None
    assert swap is not None
    assert (spot.lot, swap.lot) == (Decimal("1.0"), Decimal("0.010"))


async def test_contracts_of_a_fixed_sum_are_refused() -> None:
    """What they are in coins changes with the price; the line names a market that will do."""
    async with exchange("okx", traded("buy")) as source:
        with pytest.raises(DataError, match="BTC/USD:BTC are not worth a fixed number of coins"):
            source.instrument(INVERSE)
        with pytest.raises(DataError, match="choose a market that is settled in its quote"):
            await source.trades(INVERSE, 0, 1)


async def test_a_volume_that_may_count_either_is_refused() -> None:
    """Unless a contract is one coin, which is the same."""
    start = TIME * MILLISECOND
    for size in (0.01, 1.0):
        async with exchange("bingx", [], size) as source:
            if size == 1:
                assert source._worth_of_candles(SWAP) == 1
            else:
                with pytest.raises(DataError, match=r"contracts of 0\.01; import"):
                    await source.candles(SWAP, "1m", start, start + 1)


async def test_a_trade_of_an_unknown_side_is_no_sale() -> None:
    """It is refused in one line."""
    async with exchange("okx", traded("buy", "")) as source:
        with pytest.raises(DataError, match="does not tell who took it") as caught:
            await source.trades(SWAP, TIME * MILLISECOND, (TIME + 1) * MILLISECOND)

    assert "\n" not in str(caught.value)


async def test_a_millisecond_with_more_trades_than_a_page_is_not_cut_short() -> None:
    """The rest cannot be asked for: that is said, instead of going on behind it."""
    async with exchange("okx", traded(*["buy"] * 100)) as source:
        with pytest.raises(DataError, match=r"100 trades .* all of the millisecond 1700000040000"):
            await source.trades(SWAP, TIME * MILLISECOND, (TIME + 9) * MILLISECOND)
    async with exchange("okx", traded(*["buy"] * 99)) as source:
        page = await source.trades(SWAP, TIME * MILLISECOND, (TIME + 9) * MILLISECOND)

    assert (len(page.rows), page.upto) == (99, (TIME + 1) * MILLISECOND)
