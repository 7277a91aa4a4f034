"""What Trading knows of one symbol, and the target its strategies add up to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Literal

from tradeagent.messages import ZERO, OrderUpdate, PositionUpdate, Share, TradeSignal, Vote
from tradeagent.messages.build import checked

_new_vote = checked(Vote)

Conflict = Literal["net", "strongest", "agree"]
SIGNS = {"long": 1.0, "short": -1.0, "flat": 0.0}


class Desk:
    """One symbol: opinions, the position and its parts, and the order under way.

    `held` are the weights the position was asked for, `wanted` those of the order under way.
    `closed_by` is the stop or target that filled last, until a new opinion comes.
    """

    __slots__ = (
        "cloid",
        "closed_by",
        "held",
        "opinions",
        "parts",
        "price",
        "price_time",
        "protected",
        "refused",
        "size",
        "symbol",
        "wanted",
        "working",
        "working_since",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.opinions: dict[str, TradeSignal] = {}
        self.size = ZERO
        self.parts: dict[str, Decimal] = {}
        self.held: dict[str, float] = {}
        self.wanted: dict[str, float] = {}
        self.price = 0.0
        self.price_time = 0
        self.working: str | None = None
        self.working_since = 0
        self.cloid: str | None = None
        self.closed_by: OrderUpdate | None = None
        self.protected = False
        self.refused: tuple[str, int] | None = None

    def mark(self, price: float, time: int) -> None:
        """Keep the newest price."""
        self.price, self.price_time = price, time

    def hold(self, held: PositionUpdate) -> None:
        """Take over a position: the netted size, and each strategy's part that is not flat."""
        self.size = held.size
        self.parts = {part.strategy: part.size for part in held.parts if part.size}

    def hear(self, opinion: TradeSignal) -> None:
        """Take up a strategy's newest opinion."""
        self.opinions[opinion.strategy] = opinion
        self.closed_by = None

    def close_by(self, leg: OrderUpdate) -> None:
        """Forget every opinion: a stop or target has taken the position off them."""
        self.opinions.clear()
        self.held = {}
        self.closed_by = leg

    def target(self, weights: Mapping[str, float], conflict: Conflict) -> dict[str, float]:
        """Return the weight each strategy adds to the target; long is above 0."""
        wanted: dict[str, float] = {}
        for name, opinion in self.opinions.items():
            weight = SIGNS[opinion.direction] * opinion.strength * weights.get(name, 0.0)
            if weight:
                wanted[name] = weight
        if len(wanted) < 2 or conflict == "net":
            return wanted
        if conflict == "strongest":
            name = max(wanted, key=lambda name: abs(wanted[name]))
            return {name: wanted[name]}
        agreed = len({weight > 0 for weight in wanted.values()}) == 1
        return wanted if agreed else {}

    def votes(self, wanted: Mapping[str, float]) -> tuple[Vote, ...]:
        """Return what every opinion adds to the target `wanted`, nothing included."""
        return tuple(
            _new_vote(strategy=name, weight=wanted.get(name, 0.0), time=opinion.time)
            for name, opinion in self.opinions.items()
        )

    def leader(self, wanted: Mapping[str, float], weight: float) -> TradeSignal | None:
        """Return the newest opinion on the side of `weight`; its stop and reason lead."""
        agreeing = [self.opinions[name] for name in wanted if wanted[name] * weight > 0]
        return max(agreeing, key=lambda signal: signal.time, default=None)

    def newest(self) -> TradeSignal | None:
        """Return the newest opinion of all."""
        return max(self.opinions.values(), key=lambda signal: signal.time, default=None)

    def changes(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """Return by how much each strategy's weight changes on the way to `wanted`."""
        held = self.held
        return {name: wanted.get(name, 0.0) - held.get(name, 0.0) for name in {**held, **wanted}}

    def refuse(self, strategy: str) -> None:
        """Note that a strategy's opinion led to nothing, so that it is not tried again."""
        opinion = self.opinions.get(strategy)
        self.refused = (strategy, opinion.time) if opinion is not None else None


@cache
def whole(strategy: str) -> tuple[Share]:
    """Return the shares of an order that one strategy wants alone."""
    return (Share(strategy=strategy, part=Decimal(1)),)


def shares(weights: Mapping[str, float]) -> tuple[Share, ...]:
    """Return each strategy's part of an order; the parts add up to exactly 1."""
    named = [(name, weight) for name, weight in weights.items() if weight]
    if len(named) == 1:
        return whole(named[0][0])
    total = sum(weights.values())
    if not named or not total:
        return ()
    parts = [Share(strategy=name, part=Decimal(repr(weight / total))) for name, weight in named]
    rest = 1 - sum((share.part for share in parts[:-1]), ZERO)
    return (*parts[:-1], Share(strategy=named[-1][0], part=rest))
