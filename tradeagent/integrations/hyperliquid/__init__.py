"""Hyperliquid, mainnet, testnet or a local venue of ours, as an exchange and a live feed.

Only the settings are imported with the package: who does not trade there loads no signing.
"""

from tradeagent.integrations.hyperliquid.settings import (
    Credentials,
    HyperliquidFeedSettings,
    HyperliquidSettings,
)

__all__ = ["Credentials", "HyperliquidFeedSettings", "HyperliquidSettings"]
