"""What a backtest came to: typed, and a folder that outlives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from tradeagent.messages import Fill, OrderUpdate
from tradeagent.quant.curve import Curve, Prices
from tradeagent.quant.performance import Metrics
from tradeagent.quant.trades import Trade


class Origin(BaseModel):
    """What was run on what, so that it can be run again: names, digests and the range played."""

    model_config = ConfigDict(frozen=True)

    strategies: dict[str, dict[str, object]]
    """The parameters of each strategy, by its name."""
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    start: str
    end: str
    data: dict[str, str]
    """The sha256 of each file played, by its name."""
    configuration: str
    code: str
    seed: int
    journal: str
    """The hash of the journal's last entry."""
    version: str
    terms: dict[str, str] = {}
    """What trading cost and what orders met, in words, by name."""


@dataclass(frozen=True)
class Result:
    """One backtest: what was run, how it went, and the rows it rests on."""

    origin: Origin
    metrics: Metrics
    curve: Curve
    trades: tuple[Trade, ...]
    orders: tuple[OrderUpdate, ...]
    """The last state of each order, in the order of their first mention."""
    fills: tuple[Fill, ...]
    prices: Mapping[str, Prices]
    """The candles of each symbol traded."""
    warnings: tuple[str, ...] = ()
    """What the reader must know before believing the rest, in words."""
