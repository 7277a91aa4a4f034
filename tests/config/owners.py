"""Refine a loaded configuration against the models of the layers that own its sections."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.compliance import ComplianceSettings
from tradeagent.agents.data import DataSettings
from tradeagent.agents.execution import ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.monitor import MonitorSettings
from tradeagent.agents.tickets import TradingSettings
from tradeagent.config import Loaded
from tradeagent.integrations.hyperliquid.settings import (
    HyperliquidFeedSettings,
    HyperliquidSettings,
)
from tradeagent.simulation import ExchangeSettings, MarketSettings
from tradeagent.strategies import load_strategy


class RecordedSettings(BaseModel):
    """What this test takes a recorded feed to be: a list of files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[dict[str, object], ...] = ()


EXCHANGES: dict[object, type[BaseModel]] = {
    "simulated": ExchangeSettings,
    "hyperliquid": HyperliquidSettings,
}
FEEDS: dict[object, type[BaseModel]] = {
    "generated": MarketSettings,
    "recorded": RecordedSettings,
    "hyperliquid": HyperliquidFeedSettings,
}
AGENTS: dict[str, type[AgentSettings]] = {
    "compliance": ComplianceSettings,
    "execution": ExecutionSettings,
    "data": DataSettings,
    "monitor": MonitorSettings,
    "trading": TradingSettings,
}


def refine_all(loaded: Loaded) -> None:
    """Judge every raw section as the app does."""
    loaded.refine(("risk",), RiskSettings)
    loaded.refine(("exchange",), EXCHANGES[loaded.settings.exchange["type"]], skip={"type"})
    for index, feed in enumerate(loaded.settings.feeds):
        loaded.refine(("feeds", index), FEEDS[feed.get("type")], skip={"type"})
    for name in loaded.settings.agents:
        loaded.refine(("agents", name), AGENTS[name], skip={"type", "enabled"})
    for name, strategy in loaded.settings.strategies.items():
        loaded.refine(("strategies", name, "params"), load_strategy(strategy.type).Params)
