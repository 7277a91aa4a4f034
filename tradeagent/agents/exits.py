"""The requests that close and reduce positions, take parts back, and replace stops."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeagent.agents.desk import Desk, shares
from tradeagent.agents.tickets import Tickets
from tradeagent.clock import SECOND
from tradeagent.messages import (
    ZERO,
    OrderRequest,
    OrderUpdate,
    Share,
    Side,
    StopPlan,
)
from tradeagent.messages.build import typed
from tradeagent.quant.portfolio import tidy

_new_order_request = typed(OrderRequest)

EXIT_VALID = 60 * SECOND


class Exits:
    """Writes exits: market orders, and stops and targets in the place of others."""

    def __init__(self, tickets: Tickets) -> None:
        """Write on `tickets`."""
        self._tickets = tickets

    def reduction(self, desk: Desk, wanted: dict[str, float], now: int) -> list[OrderRequest]:
        """Ask to close what the target has less.

        Nothing when that is below a lot, or worth less than a venue takes for a part: it stays as
        dust until more is to go, or all.
        """
        instrument = self._tickets.instruments.get(desk.symbol)
        moves, sign = desk.moves(desk.changes(wanted)), 1 if desk.size > 0 else -1
        size = min(-sum(moves.values(), ZERO) * sign, abs(desk.size))
        size = instrument.fit_size(size) if instrument is not None else size
        least = instrument.min_notional if instrument is not None else ZERO
        dust = size < abs(desk.size) and size * Decimal(repr(desk.price)) < least
        if size <= 0 or dust:
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
            intent_id=self._tickets.intent(desk, author, trigger, leg),
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
        return self._tickets.send(
            desk, request, desk.changes(wanted if leg == "reduce" else {}), now
        )

    def release(self, desk: Desk, steps: Mapping[str, float], now: int) -> list[OrderRequest]:
        """Ask to take back what those who leave hold against the position, at the market.

        It raises the account's position, so it carries the farthest stop at work for that.
        """
        instrument, moves = self._tickets.instruments.get(desk.symbol), desk.moves(steps)
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
            intent_id=self._tickets.intent(desk, author, trigger, "release"),
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
        return [self._tickets.send(desk, request, dict(steps), now)]

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
            intent_id=self._tickets.intent(
                desk, leg.strategy, order.cloid, f"{size}@{trigger}:{now}"
            ),
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
