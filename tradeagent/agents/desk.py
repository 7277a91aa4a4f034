"""What Trading knows of one symbol, and the target its strategies add up to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import fsum
from typing import Literal, NamedTuple

from tradeagent.agents.legs import PROTECTIVE
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Share,
    TradeSignal,
    Vote,
)
from tradeagent.messages.build import typed

_new_vote = typed(Vote)

Conflict = Literal["net", "strongest", "agree"]
SIGNS = {"long": 1.0, "short": -1.0, "flat": 0.0}
OPERATOR = "operator"
"""Who asks by hand; what he holds is his to close."""
NEVER = 1 << 62
"""A time (ns) that does not come."""
LEAST = 1e-9
"""A change of the target weight below this is none."""


class Mandate(NamedTuple):
    """What a strategy may do: its share of a full position, in which symbols, heard through whom.

    Without `symbols` it may trade all; `agent` is who speaks for it until another is heard.
    """

    weight: float
    symbols: frozenset[str] | None = None
    agent: str = ""

    def covers(self, symbol: str) -> bool:
        """Tell whether a symbol is the strategy's to trade."""
        return self.symbols is None or symbol in self.symbols


@dataclass(slots=True)
class Work:
    """The request under way: since when, its order once there is one, and what it leads to.

    `steps` are the changes of weight it was asked for, `counted` is how much of it is held by now.
    `limit` is the price an entry rests at, `size` what an exit asked for, `cloid` is known once
    Execution has told of the order. `moving` tells that it was cancelled on purpose: to be placed
    again at another price, or because nobody wants it any more; `unsure` that nobody knows what
    became of it.
    """

    intent: str
    since: int
    steps: dict[str, float]
    limit: Decimal | None = None
    size: Decimal | None = None
    cloid: str | None = None
    approved: bool = False
    moving: bool = False
    unsure: bool = False
    counted: Decimal = ZERO


@dataclass(slots=True)
class Entry:
    """How far the way into a position is, for one leading signal (strategy, time).

    It began at `since` and may go on `until` (ns). `slices` of it were asked for, the next may be
    at `due` (ns); `tries` counts every request, `moves` those placed again at another price.
    """

    leader: tuple[str, int]
    since: int
    until: int
    slices: int = 0
    due: int = 0
    tries: int = 0
    moves: int = 0


class Desk:
    """One symbol: opinions, the position and its parts, and the order under way.

    `held` are the weights the position was asked for, `adopted` those of them that no strategy
    looks after. `legs` are the working stops and targets, `managed` those that follow the price.
    `closed_by` is the stop or target that filled last, `ended` the request that ended last. `alarm`
    is when something falls due by itself (ns), and `stirred` tells of a change of which nobody has
    asked yet what follows.
    """

    __slots__ = (
        "_entries",
        "adopted",
        "alarm",
        "closed_by",
        "ended",
        "entry",
        "entry_price",
        "held",
        "legs",
        "managed",
        "opinions",
        "parts",
        "paused",
        "price",
        "price_time",
        "refused",
        "released",
        "size",
        "stirred",
        "symbol",
        "work",
    )

    def __init__(self, symbol: str, paused: Collection[str] = ()) -> None:
        """Hold for the strategies that are `paused` at most what they have."""
        self.symbol = symbol
        self.paused = paused
        self.opinions: dict[str, TradeSignal] = {}
        self.size = ZERO
        self.entry_price = ZERO
        self._entries: dict[str, Decimal] = {}
        self.parts: dict[str, Decimal] = {}
        self.held: dict[str, float] = {}
        self.adopted: dict[str, float] = {}
        self.price = 0.0
        self.price_time = 0
        self.work: Work | None = None
        self.ended: Work | None = None
        self.entry: Entry | None = None
        self.legs: dict[str, OrderUpdate] = {}
        self.managed: dict[str, OrderUpdate] = {}
        self.closed_by: OrderUpdate | None = None
        self.refused: tuple[str, int] | None = None
        self.released = False
        """Whether the operator gave up what he holds, until that is closed."""
        self.alarm = NEVER
        self.stirred = True

    # -- what happens -----------------------------------------------------------------------------

    def mark(self, price: float, time: int) -> None:
        """Keep the newest price."""
        self.price, self.price_time = price, time

    def hold(self, held: PositionUpdate) -> None:
        """Take over a position: the netted size, and each strategy's part that is not flat.

        Until a price is known, its entry stands for one.
        """
        self.stirred = True
        if not self.price and held.size:
            self.mark(float(held.entry_price), held.time)
        self.size, self.entry_price = held.size, held.entry_price
        self._entries = {part.strategy: part.entry_price for part in held.parts if part.size}
        self.parts = {part.strategy: part.size for part in held.parts if part.size}
        if self.adopted:
            self.adopted = {name: one for name, one in self.adopted.items() if name in self.parts}
        if OPERATOR not in self.parts:
            self.released = False
        elif self.work is None:
            self._keep_operator()

    def hear(self, opinion: TradeSignal) -> None:
        """Take up a strategy's newest opinion."""
        self.opinions[opinion.strategy] = opinion
        self.adopted.pop(opinion.strategy, None)

    def close_by(self, other: OrderUpdate) -> None:
        """Forget the opinions of those from whom another order than ours took the position.

        A stop, a target, the operator or the venue did. Who holds nothing any more has lost it, as
        has whom a stop was for; the others go on.
        """
        lost = [name for name in self.held if name not in self.parts]
        for name in lost:
            del self.held[name]
        if other.order.type in PROTECTIVE:
            lost += [share.strategy for share in other.shares]
        for name in lost:
            self.opinions.pop(name, None)
            if name != OPERATOR:
                self.adopted.pop(name, None)
            self.closed_by = other

    def doubt(self, stop: OrderUpdate) -> None:
        """Forget the opinions of those who would hold without a stop, so that it is closed."""
        for share in stop.shares:
            self.opinions.pop(share.strategy, None)

    def take_over(self, known: Collection[str], *, adopt: bool) -> None:
        """Count the parts nobody wants any more among what is held, so that they are closed.

        Those of strategies that are not `known` stay with their stops where they are adopted, as
        what an operator holds always does.
        """
        for name in [name for name in self.parts if name not in self.held]:
            self._adopt(name)
            if name != OPERATOR and (name in known or not adopt):
                del self.adopted[name]

    def _keep_operator(self) -> None:
        """Keep what the operator holds, unless he gave it up."""
        if OPERATOR in self.parts and not self.released:
            self._adopt(OPERATOR)

    def _adopt(self, name: str) -> None:
        """Keep the part of one whom nobody speaks for, at the weight its size has by the others."""
        size = float(self.parts[name])
        others = [other for other in self.held if other in self.parts and other != name]
        kept = float(sum((self.parts[other] for other in others), ZERO))
        weight = fsum(self.held[other] for other in others)
        self.held[name] = size * weight / kept if kept and weight else size / abs(size)
        self.adopted[name] = self.held[name]

    def guard(self, leg: OrderUpdate, *, managed: bool) -> None:
        """Keep a working stop or target in its newest state; forget one that has ended."""
        self.stirred = True
        name = leg.order.cloid
        before = self.legs.pop(name, None)
        self.managed.pop(name, None)
        if leg.status not in TERMINAL:
            self.legs[name] = leg
            stayed = before is not None and before.status is OrderStatus.PEND_REPLACE
            if managed and not stayed:  # one that could not be moved is tried again later
                self.managed[name] = leg

    def finish(self, update: OrderUpdate) -> None:
        """Take the order under way for ended: what filled of it is held, the rest is not.

        Nobody holds a weight without a part, and what the operator holds by now is his.
        """
        work, self.work = self.work, None
        assert work is not None
        self.ended = work
        self.count(update)
        self.held.update(self.adopted)
        self.held = {name: one for name, one in self.held.items() if name in self.parts}
        self._keep_operator()
        if not update.filled and not work.moving:
            self.refuse(update.strategy)

    def count(self, update: OrderUpdate) -> None:
        """Count what filled of the request that ended last, late fills included, as held."""
        work = self.ended
        assert work is not None
        part = float((update.filled - work.counted) / (work.size or update.order.size))
        work.counted = update.filled
        for name, step in work.steps.items():
            weight = self.held.pop(name, 0.0) + step * part
            if abs(weight) > LEAST and name not in self.adopted:
                self.held[name] = weight

    def refuse(self, strategy: str) -> None:
        """Note that a strategy's opinion led to nothing, so that it is not tried again."""
        opinion = self.opinions.get(strategy)
        self.refused = (strategy, opinion.time) if opinion is not None else None

    # -- what follows -----------------------------------------------------------------------------

    def target(
        self, weights: Mapping[str, float], conflict: Conflict, now: int
    ) -> dict[str, float]:
        """Return the weight each strategy adds to the target at `now` (ns); long is above 0."""
        wanted: dict[str, float] = {}
        for name, opinion in self.opinions.items():
            if opinion.exit_at is not None and opinion.exit_at <= now:
                continue
            weight = SIGNS[opinion.direction] * opinion.strength * weights.get(name, 0.0)
            if weight and name in self.paused:
                held = self.held.get(name, 0.0)
                weight = held if weight * held > 0 else 0.0
            if weight:
                wanted[name] = weight
        if len(wanted) > 1 and conflict == "strongest":
            name = max(wanted, key=lambda name: abs(wanted[name]))
            wanted = {name: wanted[name]}
        elif len(wanted) > 1 and conflict == "agree":
            agreed = len({weight > 0 for weight in wanted.values()}) == 1
            wanted = wanted if agreed else {}
        return {**wanted, **self.adopted} if self.adopted else wanted

    def votes(self, wanted: Mapping[str, float]) -> tuple[Vote, ...]:
        """Return what every opinion adds to the target `wanted`, nothing included."""
        return tuple(
            _new_vote(strategy=name, weight=wanted.get(name, 0.0), time=opinion.time)
            for name, opinion in self.opinions.items()
        )

    def leader(self, wanted: Mapping[str, float], weight: float) -> TradeSignal | None:
        """Return the newest opinion on the side of `weight`; its stop and reason lead."""
        opinions = self.opinions
        agreeing = [
            opinions[name]
            for name in wanted
            if name in opinions and wanted[name] * weight > 0 and name not in self.paused
        ]
        return max(agreeing, key=lambda signal: signal.time, default=None)

    def newest(self) -> TradeSignal | None:
        """Return the newest opinion of all."""
        return max(self.opinions.values(), key=lambda signal: signal.time, default=None)

    def changes(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """Return by how much each strategy's weight changes on the way to `wanted`, if it does."""
        held, kept = self.held, self.adopted
        names = [name for name in {**held, **wanted} if name not in kept]
        steps = {name: wanted.get(name, 0.0) - held.get(name, 0.0) for name in names}
        return {name: step for name, step in steps.items() if abs(step) > LEAST}

    def gives(self, name: str, step: float) -> bool:
        """Tell whether a change of weight only takes from what a strategy holds."""
        held = self.held.get(name, 0.0)
        after = held + step
        return abs(after) < abs(held) and after * held >= 0

    def moves(self, steps: Mapping[str, float]) -> dict[str, Decimal]:
        """Return by how much each strategy's size changes with its weight.

        One that holds a part gives of that what it wants less; one without moves by the size of an
        average weight.
        """
        total = fsum(self.held.values())
        unit = float(self.size) / total if total else 0.0
        moves: dict[str, Decimal] = {}
        for name, step in steps.items():
            part, held = self.parts.get(name, ZERO), self.held.get(name, 0.0)
            share = (
                part * Decimal(repr(step / held)) if part and held else Decimal(repr(step * unit))
            )
            if share:
                moves[name] = share
        return moves

    def rounded(
        self, moves: Mapping[str, Decimal], quantity: Decimal
    ) -> Iterable[tuple[str, Decimal]]:
        """Return moves that add up to `quantity`; what rounding took off is the largest part's."""
        after = {name: abs(part + moves.get(name, ZERO)) for name, part in self.parts.items()}
        largest = max(after, key=after.__getitem__)
        left = quantity - sum(moves.values(), ZERO)
        return {**moves, largest: moves.get(largest, ZERO) + left}.items()

    def entry_of(self, strategy: str) -> Decimal:
        """Return the average price at which a strategy holds its part, else that of the whole."""
        return self._entries.get(strategy) or self.entry_price

    def next_exit(self, now: int) -> int:
        """Return when the next opinion ends by itself (ns)."""
        ends = (one.exit_at for one in self.opinions.values() if one.exit_at is not None)
        return min((end for end in ends if end > now), default=NEVER)


@cache
def whole(strategy: str) -> tuple[Share]:
    """Return the shares of an order that one strategy wants alone."""
    return (Share(strategy=strategy, part=Decimal(1)),)


def shares(weights: Mapping[str, float]) -> tuple[Share, ...]:
    """Return each strategy's part of an order; the parts add up to exactly 1."""
    named = [(name, weight) for name, weight in weights.items() if weight]
    if len(named) == 1:
        return whole(named[0][0])
    total = fsum(weights.values())
    if not named or not total:
        return ()
    parts = [Share(strategy=name, part=Decimal(repr(weight / total))) for name, weight in named]
    rest = 1 - sum((share.part for share in parts[:-1]), ZERO)
    return (*parts[:-1], Share(strategy=named[-1][0], part=rest))
