"""Opinions: indicator values, sentiment and trade signals. All expire."""

from __future__ import annotations

from typing import Literal

from tradeagent.messages.base import Delivery, Finite, Message, Name, Price, Ratio, Time

Direction = Literal["long", "short", "flat"]


class Analysis(Message, expires=True):
    """Indicator values or a model's view of one symbol, with its evidence."""

    symbol: Name
    analyst: Name
    time: Time
    timeframe: str = ""
    values: dict[str, Finite] = {}
    view: Direction | None = None
    confidence: Ratio | None = None
    evidence: str = ""
    valid_until: Time


class Sentiment(Message, expires=True):
    """How the crowd feels about one symbol: `score` from -1 (fear) to 1 (greed)."""

    symbol: Name
    analyst: Name
    time: Time
    score: Finite
    confidence: Ratio
    evidence: str = ""
    valid_until: Time


class StrategyState(Message, delivery=Delivery.URGENT):
    """What one strategy may do from now on, by an operator's word and for a reason.

    `strategy` may name an agent: then it holds for every strategy that signals through it.
    `paused` opens and adds nothing, and what it holds stays with its stops; `closed` gives up what
    it holds as well.
    """

    strategy: Name
    mode: Literal["active", "paused", "closed"]
    reason: Name
    actor: Name


class TradeSignal(Message, expires=True):
    """What a strategy wants of one symbol.

    `time` (UTC ns) and `price` are those of the candle or tick the signal rests on, so that nobody
    needs that candle to have arrived first. `stop` and `target` are prices. The stop follows the
    best price at the distance `trail`, and goes to the entry once the price has reached
    `break_even`. At `exit_at` (UTC ns) the opinion ends and its position is closed.
    """

    symbol: Name
    strategy: Name
    direction: Direction
    time: Time
    price: Price
    strength: Ratio = 1.0
    confidence: Ratio = 1.0
    stop: Price | None = None
    target: Price | None = None
    trail: Price | None = None
    break_even: Price | None = None
    exit_at: Time | None = None
    timeframe: str = ""
    values: dict[str, Finite] = {}
    rationale: str = ""
    valid_until: Time
