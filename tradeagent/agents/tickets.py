"""Order tickets: the requests that lead a desk to its target."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import fsum
from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import Desk, Entry, Work, shares
from tradeagent.agents.identity import intent_id
from tradeagent.clock import SECOND
from tradeagent.messages import (
    ZERO,
    InstrumentUpdate,
    OrderRequest,
    OrderUpdate,
    Share,
    Side,
    StopPlan,
    TradeSignal,
)
from tradeagent.messages.build import checked
from tradeagent.quant.portfolio import tidy

_new_order_request = checked(OrderRequest)

EXIT_VALID = 60 * SECOND
SLICED = ("twap", "iceberg")


class TradingSettings(AgentSettings):
    """How opinions become one target, and targets become orders.

    `net` adds up weights, `strongest` follows the heaviest opinion, `agree` stays flat while
    opinions differ. Signals below `min_confidence` do not count. Exits are market orders.
    """

    conflict: Literal["net", "strongest", "agree"] = Field(
        default="net",
        description="What to do when strategies differ on a symbol: add up their weights, follow "
        "the heaviest, or be flat.",
    )
    removed: Literal["refuse", "adopt", "close"] = Field(
        default="refuse",
        description="What to do at a start with a position whose strategy is configured no more: "
        "do not start, keep it with its stops until those or the operator close it, or close it.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The least confidence of a signal that counts, from 0 to 1.",
    )
    entry: Literal["market", "limit", "twap", "iceberg"] = Field(
        default="market",
        description="How positions are opened: at once, by a resting limit, by `slices` market "
        "orders over `twap_s`, or by `slices` limits, one shown at a time. Exits are always market "
        "orders.",
    )
    limit_offset_bp: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="How much better than the last price a limit entry asks for, in basis points.",
    )
    reprice_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long a limit entry rests before it is moved to the price of the moment, "
        "in seconds of the clock.",
    )
    reprices: int = Field(
        default=5,
        ge=0,
        le=100,
        description="How often a limit entry is moved; then it is given up.",
    )
    slices: int = Field(
        default=6,
        ge=2,
        le=100,
        description="In how many parts twap and iceberg enter.",
    )
    twap_s: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        description="Over how long twap spreads its parts, in seconds of the clock.",
    )


class Tickets:
    """Writes requests and notes on the desk what is under way."""

    def __init__(self, settings: TradingSettings, account: str) -> None:
        self.instruments: dict[str, InstrumentUpdate] = {}
        self._settings = settings
        self._account = account
        self._sliced = settings.entry in SLICED
        self._rests = settings.entry in ("limit", "iceberg")

    # -- entries ----------------------------------------------------------------------------------

    def entry(
        self, desk: Desk, wanted: dict[str, float], weight: float, leg: str, now: int
    ) -> list[OrderRequest]:
        """Ask for `weight` of a full position more; nothing when no live opinion leads there."""
        leader = desk.leader(wanted, weight)
        if not desk.price or leader is None or desk.refused == (leader.strategy, leader.time):
            return []
        way = self._way(desk, leader, now)
        if (way.until if way.tries else leader.valid_until) < now:
            return []
        if self._sliced and (way.slices >= self._settings.slices or now < way.due):
            return []
        due = self._slices_due(way, now) if self._sliced else 1
        part = due / (self._settings.slices - way.slices) if self._sliced else 1.0
        side: Side = "buy" if weight > 0 else "sell"
        limit, steps = self._limit(desk, side), desk.changes(wanted)
        if self._rests and limit is None:
            return []
        if way.tries:
            leg = f"{leg}:{way.tries}"
        request = _new_order_request(
            intent_id=self._intent(desk, leader.strategy, str(leader.time), leg),
            symbol=desk.symbol,
            side=side,
            weight=min(1.0, abs(weight) * part),
            type="market" if limit is None else "limit",
            limit=limit,
            stop_plan=self._plan(leader),
            strategy=leader.strategy,
            shares=shares(steps),
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=max(leader.valid_until, way.until),
            votes=desk.votes(wanted),
            rationale=leader.rationale,
        )
        self._count(way, due)
        return [self._send(desk, request, {name: one * part for name, one in steps.items()}, now)]

    def _way(self, desk: Desk, leader: TradeSignal, now: int) -> Entry:
        """Return how far the entry of this signal is; another signal begins anew."""
        name = (leader.strategy, leader.time)
        if desk.entry is None or desk.entry.leader != name:
            desk.entry = Entry(name, now, max(leader.valid_until, now + self._longest))
        return desk.entry

    @property
    def _longest(self) -> int:
        """Return how long an entry may go on that was begun in time, ns."""
        settings = self._settings
        if settings.entry == "twap":
            return 2 * int(settings.twap_s * SECOND)  # prices may come rarely
        if not self._rests:
            return 0
        shown = settings.slices if self._sliced else 1
        return self.patience * (settings.reprices + 1) * shown

    @property
    def _step(self) -> int:
        """Return how far apart the slices of twap are, ns."""
        return int(self._settings.twap_s / self._settings.slices * SECOND)

    def _slices_due(self, way: Entry, now: int) -> int:
        """Return how many slices are asked for at once: those that came too rarely are made up."""
        if self._settings.entry != "twap":
            return 1
        left = self._settings.slices - way.slices
        return min(left, max(1, (now - way.since) // self._step + 1 - way.slices))

    def _count(self, way: Entry, slices: int) -> None:
        way.tries += 1
        if self._sliced:
            way.slices += slices
            if self._settings.entry == "twap":
                way.due = way.since + way.slices * self._step

    def is_entering(self, desk: Desk) -> bool:
        """Tell whether slices of the newest entry are still to come."""
        way = desk.entry
        if not self._sliced or way is None or way.slices >= self._settings.slices:
            return False
        leader = desk.opinions.get(way.leader[0])
        if leader is None or leader.strategy in desk.paused:
            return False
        return leader.time == way.leader[1] and desk.refused != way.leader

    def reprice(self, desk: Desk, now: int) -> str:
        """Return why the resting entry should be moved, nothing where it stands well.

        It is noted on the desk that it moves; the caller cancels it. One that was moved often
        enough is given up.
        """
        work, way = desk.work, desk.entry
        if work is None or way is None or work.limit is None or work.cloid is None or work.moving:
            return ""
        if now < work.since + self.patience:
            return ""
        if way.moves >= self._settings.reprices:
            work.since = now
            return "it did not fill in time"
        side: Side = "buy" if fsum(work.steps.values()) > 0 else "sell"
        limit = self._limit(desk, side)
        if limit is None or limit == work.limit:
            work.since = now
            return ""
        way.moves += 1
        way.slices = max(0, way.slices - 1)
        work.moving = True
        return f"to be placed again at {limit:f} instead of {work.limit:f}"

    @property
    def patience(self) -> int:
        """Return how long a limit entry rests before it is moved, ns."""
        return int(self._settings.reprice_s * SECOND)

    # -- exits ------------------------------------------------------------------------------------

    def reduction(self, desk: Desk, wanted: dict[str, float], now: int) -> list[OrderRequest]:
        """Ask to close what the target has less; nothing when that is below a lot."""
        instrument = self.instruments.get(desk.symbol)
        moves, sign = desk.moves(desk.changes(wanted)), 1 if desk.size > 0 else -1
        size = min(-sum(moves.values(), ZERO) * sign, abs(desk.size))
        size = instrument.fit_size(size) if instrument is not None else size
        if size <= 0:
            return []
        given = shares({name: float(move) for name, move in desk.rounded(moves, -size * sign)})
        return [self._exit(desk, size, given, wanted, "reduce", now)]

    def close(
        self, desk: Desk, wanted: dict[str, float], leg: str, reason: str, now: int
    ) -> list[OrderRequest]:
        """Ask to close the whole position; `wanted` is the target that led there."""
        given = shares({name: float(part) for name, part in desk.parts.items()})
        size = tidy(abs(desk.size))
        return [self._exit(desk, size, given, wanted, leg, now, reason)]

    def _exit(
        self,
        desk: Desk,
        size: Decimal,
        given: tuple[Share, ...],
        wanted: dict[str, float],
        leg: str,
        now: int,
        reason: str = "",
    ) -> OrderRequest:
        leader, before = desk.newest(), desk.closed_by
        trigger = f"{leader.time if leader is not None else now}:{now}:{size}"
        if before is not None and before.strategy in desk.opinions:
            before = None  # it has spoken since
        author = before.strategy if before is not None else "operator"
        author = leader.strategy if leader is not None else author
        request = _new_order_request(
            intent_id=self._intent(desk, author, trigger, leg),
            symbol=desk.symbol,
            side="sell" if desk.size > 0 else "buy",
            size=size,
            reduce_only=True,
            strategy=author,
            shares=given,
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=now + EXIT_VALID,
            votes=desk.votes(wanted),
            follows=before.order.cloid if before is not None else "",
            rationale=reason or (leader.rationale if leader is not None else "no opinion is left"),
        )
        return self._send(desk, request, desk.changes(wanted if leg == "reduce" else {}), now)

    def release(self, desk: Desk, steps: Mapping[str, float], now: int) -> list[OrderRequest]:
        """Ask to take back what those who leave hold against the position, at the market.

        It raises the account's position, so it carries the farthest stop at work for that.
        """
        instrument, moves = self.instruments.get(desk.symbol), desk.moves(steps)
        quantity = sum(moves.values(), ZERO)
        size = instrument.fit_size(abs(quantity)) if instrument is not None else ZERO
        if size <= 0:
            return []
        side: Side = "buy" if quantity > 0 else "sell"
        leader, author = desk.newest(), max(steps, key=lambda name: abs(steps[name]))
        trigger = f"{leader.time if leader is not None else now}:{now}:{size}"
        rounded = desk.rounded(moves, size.copy_sign(quantity))
        far = min if side == "buy" else max
        stops = [
            leg.order.trigger
            for leg in desk.legs.values()
            if leg.order.type == "stop" and leg.order.side != side and leg.order.trigger is not None
        ]
        request = _new_order_request(
            intent_id=self._intent(desk, author, trigger, "release"),
            symbol=desk.symbol,
            side=side,
            size=size,
            stop_plan=StopPlan(stop=far(stops)) if stops else None,
            strategy=author,
            shares=shares({name: float(move) for name, move in rounded}),
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=now + EXIT_VALID,
            votes=desk.votes({}),
            rationale=f"{', '.join(steps)} held it against the position and left",
        )
        return [self._send(desk, request, dict(steps), now)]

    def move(self, desk: Desk, stop: OrderUpdate, trigger: Decimal, now: int) -> OrderRequest:
        """Ask to put a resting stop to another trigger."""
        size = min(stop.order.size - stop.filled, abs(desk.size))
        reason = f"the stop follows the price from {stop.order.trigger:f} to {trigger:f}"
        return self._replace(desk, stop, trigger, size, reason, now)

    def shrink(self, desk: Desk, leg: OrderUpdate, size: Decimal, now: int) -> OrderRequest:
        """Ask to make a resting stop or target as small as what its strategy holds."""
        assert leg.order.trigger is not None
        reason = f"{leg.strategy} holds {size:f} of the {leg.order.size:f} it was for"
        return self._replace(desk, leg, leg.order.trigger, size, reason, now)

    def _replace(
        self,
        desk: Desk,
        leg: OrderUpdate,
        trigger: Decimal,
        size: Decimal,
        reason: str,
        now: int,
    ) -> OrderRequest:
        order = leg.order
        return _new_order_request(
            intent_id=self._intent(desk, leg.strategy, order.cloid, f"{size}@{trigger}:{now}"),
            symbol=desk.symbol,
            side=order.side,
            size=size,
            type=order.type,
            trigger=trigger,
            reduce_only=True,
            stop_plan=leg.stop_plan,
            strategy=leg.strategy,
            shares=leg.shares,
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=now + EXIT_VALID,
            replaces=order.cloid,
            group=order.group,
            rationale=reason,
        )

    # -- arithmetic -------------------------------------------------------------------------------

    def _send(
        self, desk: Desk, request: OrderRequest, steps: dict[str, float], now: int
    ) -> OrderRequest:
        if desk.work is not None:
            desk.ended = desk.work  # nobody knows what became of it; late fills count
        desk.work = Work(request.intent_id, now, steps, request.limit, request.size)
        return request

    def _intent(self, desk: Desk, author: str, trigger: str, leg: str) -> str:
        return intent_id(self._account, author, desk.symbol, trigger, leg)

    def _plan(self, leader: TradeSignal) -> StopPlan | None:
        instrument = self.instruments.get(leader.symbol)
        if leader.stop is None or instrument is None:
            return None
        stop, target, even = (
            instrument.fit_price(Decimal(repr(price))) if price is not None else None
            for price in (leader.stop, leader.target, leader.break_even)
        )
        if not stop or stop <= 0:
            return None
        trail = Decimal(repr(leader.trail)) if leader.trail is not None else None
        return StopPlan(stop=stop, target=target, trail=trail, break_even=even)

    def _limit(self, desk: Desk, side: Side) -> Decimal | None:
        instrument = self.instruments.get(desk.symbol)
        if not self._rests or instrument is None:
            return None
        sign = -1 if side == "buy" else 1
        price = desk.price * (1 + sign * self._settings.limit_offset_bp / 1e4)
        limit = instrument.fit_price_against(Decimal(repr(price)), side)
        return limit if limit > 0 else None
