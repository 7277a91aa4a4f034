"""What a configuration comes to: every part resolved and checked, nothing opened yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.agents.analysis import Analysis
from tradeagent.agents.base import AgentSettings, BaseAgent
from tradeagent.agents.compliance import Compliance, ComplianceSettings
from tradeagent.agents.data import Data, DataSettings
from tradeagent.agents.desk import OPERATOR, Mandate
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.monitor import Monitor, MonitorSettings
from tradeagent.agents.risk import Risk
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus import SCHEMES
from tradeagent.config.load import Loaded
from tradeagent.config.settings import Section, Settings
from tradeagent.errors import ConfigError
from tradeagent.integrations.hyperliquid.settings import (
    HyperliquidFeedSettings,
    HyperliquidSettings,
)
from tradeagent.integrations.recorded import RecordedSettings
from tradeagent.messages import PositionUpdate, Timeframe
from tradeagent.simulation.settings import ExchangeSettings, MarketSettings
from tradeagent.strategies import Strategy, StrategyParams, load_strategy, make_strategy

BUILT_IN: dict[str, type[BaseAgent[Any]]] = {
    "execution": Execution,
    "risk": Risk,
    "compliance": Compliance,
    "trading": Trading,
    "analysis": Analysis,
    "monitor": Monitor,
    "data": Data,
}
"""Our agents in the order they receive a message; they stop in reverse."""
HOST = "analysis"
"""The agent that hosts the configured strategies."""
GROUP = "tradeagent.agents"
Feed = MarketSettings | RecordedSettings | HyperliquidFeedSettings
INDIFFERENT = frozenset({"bus", "supervisor", "api", "log"})
"""Sections that decide nothing: equal runs may differ in them."""


class AgentPlan(BaseModel):
    """One agent to run: its class and its settings."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    kind: type
    settings: AgentSettings


class StrategyPlan(BaseModel):
    """One strategy to run, on each of its symbols."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    kind: type
    params: StrategyParams
    symbols: tuple[str, ...]
    weight: float = Field(gt=0, le=1)

    def make(self) -> list[Strategy]:
        """Return a fresh strategy for each symbol."""
        return [make_strategy(self.kind, self.name, one, self.params) for one in self.symbols]

    def mandate(self) -> Mandate:
        """Return what it may trade: its symbols, and those it asks for beside them."""
        made = [(one.symbol, *one.inputs().symbols) for one in self.make()]
        symbols = frozenset(symbol for several in made for symbol in several)
        return Mandate(self.weight, symbols, HOST)


@dataclass(frozen=True)
class Plan:
    """A configuration, resolved; `mistakes` were refused before one is made."""

    settings: Settings
    identity: str
    """What a state directory belongs to: profile, network and account."""
    record: bytes
    """All settings that can change a decision, as JSON: what a replay is made from."""
    seed: int
    only: tuple[str, ...]
    """The agents this process was told to run; all when none is named."""
    exchange: ExchangeSettings | HyperliquidSettings
    feed: MarketSettings | RecordedSettings | HyperliquidFeedSettings
    strategies: tuple[StrategyPlan, ...]
    agents: tuple[AgentPlan, ...]

    @property
    def digest(self) -> str:
        """Return a digest of all settings that can change a decision."""
        return hashlib.sha256(self.record).hexdigest()

    @property
    def watched(self) -> tuple[str, ...]:
        """Return every symbol that is traded or that a strategy asks for."""
        named = [symbol for symbol, _ in self.needed()]
        traded = [symbol for one in self.strategies for symbol in one.symbols]
        return tuple(dict.fromkeys([*self.settings.watchlist, *traded, *named]))

    @property
    def removed(self) -> str:
        """Return what is to be done with positions whose strategy is configured no more."""
        found = (one.settings for one in self.agents if isinstance(one.settings, TradingSettings))
        return next((settings.removed for settings in found), "adopt")

    def runs(self, agent: str) -> bool:
        """Tell whether this process runs an agent."""
        return any(one.name == agent for one in self.agents)

    def needed(self) -> list[tuple[str, Timeframe]]:
        """Return every (symbol, timeframe) of candles that a strategy asks for."""
        wanted: dict[tuple[str, Timeframe], None] = {}
        for plan in self.strategies:
            for strategy in plan.make():
                inputs = strategy.inputs()
                for symbol in (strategy.symbol, *inputs.symbols):
                    for timeframe in inputs.bars:
                        wanted[symbol, timeframe] = None
        return list(wanted)


def unclaimed(plan: Plan, positions: Iterable[PositionUpdate]) -> list[str]:
    """Return what strategies hold that are not configured any more, in words."""
    known = {OPERATOR: Mandate(1.0), **{one.name: one.mandate() for one in plan.strategies}}
    nothing = Mandate(0.0, frozenset())
    return [
        f"{part.strategy} holds {part.size:f} {held.symbol}"
        for held in positions
        for part in held.parts
        if part.size and not known.get(part.strategy, nothing).covers(held.symbol)
    ]


def make_plan(loaded: Loaded, seed: int | None = None, only: Collection[str] = ()) -> Plan:
    """Resolve a configuration; `seed` replaces the feed's, `only` names the agents to run.

    Raises ConfigError with every mistake at once.
    """
    feed, exchange = _feed(loaded, seed), _exchange(loaded)
    _check_real(loaded, feed, exchange)
    _check_bus(loaded)
    listed = _listed(feed)
    strategies = _strategies(loaded, _symbols(loaded, listed), listed)
    agents = _agents(loaded, only)
    if loaded.settings.clock.mode == "simulated" and only and "data" not in only:
        loaded.complain(("clock", "mode"), "simulated time needs the data agent in this process")
    loaded.settle()
    assert exchange is not None
    assert feed is not None
    return Plan(
        settings=loaded.settings,
        identity=f"{loaded.settings.profile}-{_whose(exchange)}",
        record=json.dumps(loaded.record(INDIFFERENT)).encode(),
        only=tuple(only),
        seed=feed.seed if isinstance(feed, MarketSettings) else (seed or 0),
        exchange=exchange,
        feed=feed,
        strategies=tuple(strategies),
        agents=tuple(agents),
    )


def _feed(loaded: Loaded, seed: int | None) -> Feed | None:
    feeds, path = loaded.settings.feeds, ("feeds", 0)
    if len(feeds) != 1:
        loaded.complain(("feeds",), f"exactly one feed is needed, not {len(feeds)}")
        return None
    kind = feeds[0].get("type")
    if kind == "generated":
        market = loaded.refine(path, MarketSettings, skip=("type",))
        if market is not None and seed is not None:
            market = market.model_copy(update={"seed": seed})
        return market
    if kind == "recorded":
        recorded = loaded.refine(path, RecordedSettings, skip=("type",))
        if recorded is not None and not recorded.files:
            loaded.complain((*path, "files"), "no file to play; name one with --data FILE")
        return recorded
    if kind == "hyperliquid":
        return loaded.refine(path, HyperliquidFeedSettings, skip=("type",))
    known = "generated, recorded, hyperliquid"
    loaded.complain((*path, "type"), f"unknown feed {kind!r}; known: {known}")
    return None


def _exchange(loaded: Loaded) -> ExchangeSettings | HyperliquidSettings | None:
    kind = loaded.settings.exchange.get("type", "simulated")
    if kind == "simulated":
        return loaded.refine(("exchange",), ExchangeSettings, skip=("type",))
    if kind == "hyperliquid":
        return loaded.refine(("exchange",), HyperliquidSettings, skip=("type",))
    known = "simulated, hyperliquid"
    loaded.complain(("exchange", "type"), f"unknown exchange {kind!r}; known: {known}")
    return None


def _whose(exchange: ExchangeSettings | HyperliquidSettings) -> str:
    """Return network and account of an exchange."""
    if isinstance(exchange, ExchangeSettings):
        return "simulated-main"
    return f"{exchange.network}-{exchange.account or 'main'}"


def _check_real(
    loaded: Loaded, feed: Feed | None, exchange: ExchangeSettings | HyperliquidSettings | None
) -> None:
    """Refuse what cannot go together with real time, or would trade one market on another."""
    live = isinstance(feed, HyperliquidFeedSettings)
    real = isinstance(exchange, HyperliquidSettings)
    mode = loaded.settings.clock.mode
    if (live or real) and mode == "simulated":
        loaded.complain(("clock", "mode"), "a venue out of this process needs wall time")
    if live and not loaded.settings.watchlist:
        loaded.complain(("watchlist",), "name the symbols to listen to, as in [BTC, ETH]")
    if not isinstance(exchange, HyperliquidSettings):
        return
    if not isinstance(feed, HyperliquidFeedSettings):
        loaded.complain(("feeds",), "orders on Hyperliquid need its own prices: type: hyperliquid")
    elif feed.place != exchange.place:
        loaded.complain(("feeds", 0, "network"), f"must be {exchange.network}, as the exchange's")
    if exchange.network != "local" and not exchange.account:
        text = "say whose account it is, here or in HYPERLIQUID_ACCOUNT_ADDRESS"
        loaded.complain(("exchange", "account"), text)
    if exchange.network != "local" and mode != "wall":
        loaded.complain(("clock", "mode"), f"{exchange.network} runs on wall time")


def refuse_unarmed(plan: Plan, flag: bool, written: bool) -> None:
    """Raise ConfigError where real money would be traded and file and command line do not say so.

    `flag` is what the command line says, `written` whether `live` stands in an operator's own file.
    The third fact, that the network names the key an agent of the account, is asked at the start.
    """
    exchange = plan.exchange
    real = isinstance(exchange, HyperliquidSettings) and exchange.network == "mainnet"
    missing = []
    if real and not (plan.settings.live and written):
        missing.append("live: real money needs 'live: true' in your own configuration file")
    if real and not flag:
        missing.append("--live: real money needs this option on the command line")
    if flag and not real:
        missing.append("--live: there is no real money here: exchange.network is not mainnet")
    if missing:
        raise ConfigError(*missing)


def _check_bus(loaded: Loaded) -> None:
    scheme = loaded.settings.bus.url.partition("://")[0]
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        loaded.complain(("bus", "url"), f"{scheme}:// is no bus; use one of {known}")


def _listed(feed: Feed | None) -> Sequence[str]:
    """Return the symbols the feed has; none where it is wrong, or live and not heard yet."""
    if isinstance(feed, MarketSettings):
        return [one.symbol for one in feed.listings]
    if isinstance(feed, RecordedSettings):
        return tuple(dict.fromkeys(file.listed for file in feed.files))
    return ()


def _symbols(loaded: Loaded, listed: Sequence[str]) -> Sequence[str]:
    """Return the symbols to trade: the watchlist, or all that the feed has."""
    watchlist = loaded.settings.watchlist
    for index, symbol in enumerate(watchlist):
        _check_symbol(loaded, ("watchlist", index), symbol, listed)
    return watchlist or listed


def _check_symbol(
    loaded: Loaded, path: tuple[str | int, ...], symbol: str, listed: Sequence[str]
) -> None:
    if listed and symbol not in listed:
        loaded.complain(path, f"{symbol!r} is not in the feed; it has {', '.join(listed)}")


def _strategies(
    loaded: Loaded, symbols: Sequence[str], listed: Sequence[str]
) -> list[StrategyPlan]:
    plans = []
    for name, entry in loaded.settings.strategies.items():
        if not entry.enabled:
            continue
        try:
            kind = load_strategy(entry.type)
        except ConfigError as error:
            loaded.complain(("strategies", name, "type"), error.mistakes[0])
            continue
        for index, symbol in enumerate(entry.symbols):
            _check_symbol(loaded, ("strategies", name, "symbols", index), symbol, listed)
        params = loaded.refine(("strategies", name, "params"), kind.Params)
        if params is None:
            continue
        plan = StrategyPlan(
            name=name,
            kind=kind,
            params=params,
            symbols=entry.symbols or tuple(symbols),
            weight=entry.weight,
        )
        try:
            plan.make()
        except ConfigError as error:
            loaded.complain(("strategies", name), error.mistakes[0])
            continue
        plans.append(plan)
    return plans


def _agents(loaded: Loaded, only: Collection[str]) -> list[AgentPlan]:
    entries: dict[str, Section] = {**{name: {} for name in BUILT_IN}, **loaded.settings.agents}
    for name in only:
        if name not in entries:
            loaded.complain(
                ("agents",), f"--agents: there is no agent {name!r}{_hint(name, entries)}"
            )
    plans = []
    for name, entry in entries.items():
        if entry.get("enabled", True) is False or (only and name not in only):
            continue
        kind = _agent_class(loaded, name, str(entry.get("type", name)))
        if kind is None:
            continue
        if name == "risk":
            settings: AgentSettings | None = loaded.refine(("risk",), RiskSettings)
        else:
            settings = loaded.refine(("agents", name), kind.settings_type, skip=("type", "enabled"))
        if settings is not None:
            plans.append(AgentPlan(name=name, kind=kind, settings=settings))
    return plans


def _agent_class(loaded: Loaded, name: str, type_: str) -> type[BaseAgent[Any]] | None:
    """Return the class a `type` names: built in, an entry point, or `package.module:Class`."""
    if type_ in BUILT_IN:
        return BUILT_IN[type_]
    offered = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    module, _, attribute = offered.get(type_, type_).partition(":")
    path = ("agents", name, "type")
    if not attribute:
        loaded.complain(
            path, f"unknown agent type {type_!r}{_hint(type_, [*BUILT_IN, *offered])};"
            " your own is named package.module:Class",
        )  # fmt: skip
        return None
    try:
        found = getattr(import_module(module), attribute, None)
    except (ImportError, TypeError) as error:
        loaded.complain(path, f"cannot import {module!r}: {error}; put its folder on PYTHONPATH")
        return None
    if not (isinstance(found, type) and issubclass(found, BaseAgent)):
        loaded.complain(path, f"{module} has no agent called {attribute!r}")
        return None
    return found


def _hint(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


SECTIONS: dict[str, type[BaseModel]] = {
    "exchange": ExchangeSettings,
    "exchange (type: hyperliquid)": HyperliquidSettings,
    "feeds.generated": MarketSettings,
    "feeds.recorded": RecordedSettings,
    "feeds.hyperliquid": HyperliquidFeedSettings,
    "risk": RiskSettings,
    "agents.compliance": ComplianceSettings,
    "agents.execution": ExecutionSettings,
    "agents.data": DataSettings,
    "agents.trading": TradingSettings,
    "agents.monitor": MonitorSettings,
}
"""The owner's model of each section that other layers read."""
