"""The terms a backtest trades on, in words: what costs what, and what an order meets."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.integrations.recorded import RecordedFeed
from tradeagent.simulation.settings import ExchangeSettings


def terms_of(exchange: ExchangeSettings, feed: RecordedFeed) -> dict[str, str]:
    """Return each term by its name, for people to read."""
    tiers = len(exchange.fee_tiers)
    return {
        "balance": f"{exchange.balance:f}",
        "taker fee": _part(exchange.taker_fee),
        "maker fee": _part(exchange.maker_fee),
        "fee tiers": f"{tiers} above these" if tiers else "none",
        "slippage": f"{exchange.slippage_bp:f} bp against the order",
        "order delay": f"{exchange.order_delay_ms} ms",
        "cancel delay": f"{exchange.cancel_delay_ms} ms",
        "funding": f"{_part(exchange.funding_rate)} an hour where the data tells none",
        "leverage": f"{exchange.leverage}, or the instrument's where that is less",
        "fills": fills_of(feed),
    }


def fills_of(feed: RecordedFeed) -> str:
    """Return what a market order meets."""
    kinds = {one.content for one in feed.references()}
    if "book" in kinds:
        return "market orders take from the recorded book, level by level"
    if kinds & {"quotes", "quote_bars"}:
        return "market orders take the recorded bid or ask at once"
    return "market orders fill at the open of the next candle; limits need a price beyond them"


def _part(ratio: Decimal) -> str:
    return f"{(ratio * 10_000).normalize():f} bp"
