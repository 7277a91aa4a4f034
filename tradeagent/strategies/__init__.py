"""Ideas about when to be long, short or flat: one per file, found by name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from tradeagent.errors import ConfigError, fault
from tradeagent.strategies.base import (
    Bars,
    Decision,
    Event,
    Inputs,
    Strategy,
    StrategyParams,
    View,
    stop_price,
)

__all__ = [
    "BUILT_IN",
    "Bars",
    "Decision",
    "Event",
    "Inputs",
    "Strategy",
    "StrategyParams",
    "View",
    "load_strategy",
    "make_strategy",
    "stop_price",
    "strategy_names",
]

GROUP = "tradeagent.strategies"
"""The entry point group in which other packages offer theirs."""

BUILT_IN = {
    "breakout": "tradeagent.strategies.breakout:Breakout",
    "pairs": "tradeagent.strategies.pairs:Pairs",
    "rsi_reversal": "tradeagent.strategies.rsi_reversal:RsiReversal",
    "sma_cross": "tradeagent.strategies.sma_cross:SmaCross",
    "trend_pullback": "tradeagent.strategies.trend_pullback:TrendPullback",
}


def strategy_names() -> list[str]:
    """Return the names of all strategies: ours, then those of other packages."""
    offered = entry_points(group=GROUP).names
    return [*BUILT_IN, *sorted(offered - BUILT_IN.keys())]


def load_strategy(type_: str) -> type[Strategy]:
    """Return the class a `type` names: built in, an entry point, or `package.module:Class`.

    Raises ConfigError with the remedy when there is no such strategy.
    """
    target = BUILT_IN.get(type_) or (type_ if ":" in type_ else _offered(type_))
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"strategy type {type_!r}: cannot import {module!r}: {error}; "
            "put its folder on PYTHONPATH"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"strategy type {type_!r}: cannot import {module!r}: {fault(error)}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError(f"strategy type {type_!r}: {module} has no Strategy called {name!r}")
    return found


def make_strategy(kind: type[Strategy], name: str, symbol: str, params: StrategyParams) -> Strategy:
    """Return a fresh strategy; raises ConfigError where it cannot be made or say its inputs."""
    try:
        made = kind(name, symbol, params)
        made.inputs()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{kind.__name__} cannot be made: {fault(error)}") from error
    return made


def _offered(name: str) -> str:
    for entry in entry_points(group=GROUP, name=name):
        return f"{entry.module}:{entry.attr}"
    known = strategy_names()
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}."
    raise ConfigError(
        f"strategy type {name!r} is unknown; {hint} Your own is named package.module:Class"
    )
