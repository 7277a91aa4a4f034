"""Orders, what a venue says of them by a script, and what was told of them."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from aiohttp import web

from tests.integrations.hyperliquid.scripted import (
    Lost,
    Trader,
    basic,
    ok,
)
from tradeagent.clock import SECOND, AcceleratedClock
from tradeagent.messages import ExecutionReport, Order, OrderStatus

S = OrderStatus
ONE, TWO = "0x" + "1" * 32, "0x" + "2" * 32
RESTS = ok({"resting": {"oid": 77}})


def order(cloid: str = ONE, **changes: object) -> Order:
    """Return a limit order to buy BTC, or what `changes` make of it."""
    return Order.model_validate(
        {
            "cloid": cloid,
            "intent_id": "i",
            "symbol": "BTC",
            "side": "buy",
            "size": Decimal("0.02"),
            "type": "limit",
            "limit": Decimal(60000),
            **changes,
        }
    )


def market(cloid: str = ONE, **changes: object) -> Order:
    """Return a market order to buy BTC."""
    return order(cloid, type="market", limit=None, **changes)


def known(cloid: str | None, word: str, **changes: object) -> dict[str, object]:
    """Return how an order stands, as the venue answers it."""
    shown = basic(cloid, triggerCondition="N/A", isTrigger=False, orderType="Limit", **changes)
    return {
        "status": "order",
        "order": {"order": shown, "status": word, "statusTimestamp": 1_700_000_001_000},
    }


def told(trader: Trader) -> list[tuple[str, OrderStatus, str | None]]:
    """Return what was told of orders: cloid, status and the fill's id."""
    return [
        (one.cloid, one.status, one.execution.tid if one.execution else None)
        for one in trader.told
        if isinstance(one, ExecutionReport)
    ]


def late(_: dict[str, Any]) -> Any:
    """Answer never."""

    async def answer() -> web.Response:
        await asyncio.Event().wait()
        return web.json_response(RESTS)

    return answer()


def lost(_: dict[str, Any]) -> Any:
    """Cut the connection without an answer."""
    raise Lost


def fast(speed: float = 20.0) -> AcceleratedClock:
    """Return a clock that runs faster than the wall's."""
    return AcceleratedClock(1_800_000_000 * SECOND, speed)


def state(trader: Trader) -> str:
    """Return the state of the venue as last told."""
    states = [one.state for one in trader.told if one.wire == "VENUE_STATUS"]  # type: ignore[union-attr]
    return states[-1] if states else "up"
