"""Hyperliquid, mainnet, testnet or a local venue of ours, as an exchange and a live feed."""

from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange
from tradeagent.integrations.hyperliquid.feed import HyperliquidFeed
from tradeagent.integrations.hyperliquid.settings import (
    Credentials,
    HyperliquidFeedSettings,
    HyperliquidSettings,
)

__all__ = [
    "Credentials",
    "HyperliquidExchange",
    "HyperliquidFeed",
    "HyperliquidFeedSettings",
    "HyperliquidSettings",
]
