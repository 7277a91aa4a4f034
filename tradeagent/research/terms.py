"""The terms a backtest trades on, in words: what costs what, and what an order meets."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.simulation.settings import ExchangeSettings

RESUMED = {"halts": "resumed at each midnight UTC"}
"""The term of a backtest whose trading is resumed daily."""


def terms_of(exchange: ExchangeSettings) -> dict[str, str]:
    """Return each term by its name, for people to read."""
    tiers = len(exchange.fee_tiers)
    return {
        "balance": f"{exchange.balance:f}",
        "taker fee": _part(exchange.taker_fee),
        "maker fee": _part(exchange.maker_fee),
        "fee tiers": f"{tiers} of lower fees, by volume" if tiers else "none",
        "slippage": f"{exchange.slippage_bp:f} bp against each market order",
        "order delay": f"{exchange.order_delay_ms} ms",
        "cancel delay": f"{exchange.cancel_delay_ms} ms",
        "funding": f"{_part(exchange.funding_rate)} an hour where the data tells none",
        "leverage": f"{exchange.leverage} at most",
    }


def fills_of(feed: RecordedFeed) -> Literal["bars", "quotes", "book"]:
    """Return what orders meet: a book where there is one, else quotes, else candles."""
    kinds = {one.content for one in feed.references()}
    if "book" in kinds:
        return "book"
    return "quotes" if kinds & {"quotes", "quote_bars"} else "bars"


def _part(ratio: Decimal) -> str:
    return f"{(ratio * 10_000).normalize():f} bp"
