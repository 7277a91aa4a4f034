"""The requests that open and raise positions: at once, at a limit, in slices."""

from __future__ import annotations

from decimal import Decimal
from math import fsum

from tradeagent.agents.desk import Desk, Entry, shares
from tradeagent.agents.tickets import Tickets, TradingSettings
from tradeagent.clock import SECOND
from tradeagent.messages import (
    OrderRequest,
    Side,
    StopPlan,
    TradeSignal,
)
from tradeagent.messages.build import typed

_new_order_request = typed(OrderRequest)

SLICED = ("twap", "iceberg")


class Entries:
    """Writes entries as the settings want them, and knows how far each has come."""

    def __init__(self, settings: TradingSettings, tickets: Tickets) -> None:
        """Write on `tickets`."""
        self._settings = settings
        self._tickets = tickets
        self._sliced = settings.entry in SLICED
        self._rests = settings.entry in ("limit", "iceberg")

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
            intent_id=self._tickets.intent(desk, leader.strategy, str(leader.time), leg),
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
        return [
            self._tickets.send(
                desk, request, {name: one * part for name, one in steps.items()}, now
            )
        ]

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

    def _plan(self, leader: TradeSignal) -> StopPlan | None:
        instrument = self._tickets.instruments.get(leader.symbol)
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
        instrument = self._tickets.instruments.get(desk.symbol)
        if not self._rests or instrument is None:
            return None
        sign = -1 if side == "buy" else 1
        price = desk.price * (1 + sign * self._settings.limit_offset_bp / 1e4)
        limit = instrument.fit_price_against(Decimal(repr(price)), side)
        return limit if limit > 0 else None
