"""A venue that speaks Hyperliquid's protocol, in front of the simulated exchange."""

from tradeagent.simulation.venue.base import (
    Actor,
    CancelNews,
    FillNews,
    FundingNews,
    LedgerNews,
    LiquidationNews,
    Malformed,
    MarketNews,
    News,
    OrderNews,
    StateNews,
    TwapNews,
)
from tradeagent.simulation.venue.floor import Floor
from tradeagent.simulation.venue.judge import Judge
from tradeagent.simulation.venue.settings import VenueSettings

__all__ = [
    "Actor",
    "CancelNews",
    "FillNews",
    "Floor",
    "FundingNews",
    "Judge",
    "LedgerNews",
    "LiquidationNews",
    "Malformed",
    "MarketNews",
    "News",
    "OrderNews",
    "StateNews",
    "TwapNews",
    "VenueSettings",
]
