"""The configuration: settings, the layers they come from, and secrets."""

from tradeagent.config.layers import Option, profiles
from tradeagent.config.load import Loaded, load
from tradeagent.config.reference import Described, describe, reference
from tradeagent.config.secrets import Secret, SecretSource, redact_url
from tradeagent.config.settings import AgentEntry, Section, Settings, StrategySettings

__all__ = [
    "AgentEntry",
    "Described",
    "Loaded",
    "Option",
    "Secret",
    "SecretSource",
    "Section",
    "Settings",
    "StrategySettings",
    "describe",
    "load",
    "profiles",
    "redact_url",
    "reference",
]
