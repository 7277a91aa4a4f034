"""Order tickets: the requests that lead a desk to its target."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import Desk, shares
from tradeagent.agents.identity import intent_id
from tradeagent.clock import SECOND
from tradeagent.messages import (
    InstrumentUpdate,
    OrderRequest,
    Share,
    Side,
    StopPlan,
    TradeSignal,
)
from tradeagent.messages.build import checked
from tradeagent.quant.portfolio import tidy

_new_order_request = checked(OrderRequest)

EXIT_VALID = 60 * SECOND


class TradingSettings(AgentSettings):
    """How opinions become one target, and targets become orders.

    `net` adds up weights, `strongest` follows the heaviest opinion, `agree` stays flat while
    opinions differ. Signals below `min_confidence` do not count. Entries are market orders, or
    limits `limit_offset_bp` better than the price.
    """

    conflict: Literal["net", "strongest", "agree"] = Field(
        default="net",
        description="What to do when strategies differ on a symbol: add up their weights, follow "
        "the heaviest, or be flat.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The least confidence of a signal that counts, from 0 to 1.",
    )
    entry: Literal["market", "limit"] = Field(
        default="market",
        description="How positions are opened; exits are always market orders.",
    )
    limit_offset_bp: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="How much better than the last price a limit entry asks for, in basis points.",
    )


class Tickets:
    """Writes requests and notes on the desk that one is under way."""

    def __init__(self, settings: TradingSettings, account: str) -> None:
        self.instruments: dict[str, InstrumentUpdate] = {}
        self._settings = settings
        self._account = account

    def entry(
        self, desk: Desk, wanted: dict[str, float], weight: float, leg: str, now: int
    ) -> list[OrderRequest]:
        """Ask for `weight` of a full position more; nothing when no live opinion leads there."""
        leader = desk.leader(wanted, weight)
        if not desk.price or leader is None or leader.valid_until < now:
            return []
        if desk.refused == (leader.strategy, leader.time):
            return []
        side: Side = "buy" if weight > 0 else "sell"
        limit = self._limit(desk, side)
        request = _new_order_request(
            intent_id=self._intent(desk, leader.strategy, str(leader.time), leg),
            symbol=desk.symbol,
            side=side,
            weight=min(1.0, abs(weight)),
            type="market" if limit is None else "limit",
            limit=limit,
            stop_plan=self._plan(leader),
            strategy=leader.strategy,
            shares=shares(desk.changes(wanted)),
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=leader.valid_until,
            votes=desk.votes(wanted),
            rationale=leader.rationale,
        )
        return [self._send(desk, request, wanted, now)]

    def reduction(
        self, desk: Desk, wanted: dict[str, float], part: float, now: int
    ) -> list[OrderRequest]:
        """Ask to close `part` of the position; nothing when that is below a lot."""
        instrument = self.instruments.get(desk.symbol)
        size = abs(desk.size) * Decimal(repr(part))
        size = instrument.fit_size(size) if instrument is not None else size
        if size <= 0:
            return []
        parts = shares(desk.changes(wanted))
        request = self._exit(desk, size, parts, wanted, "reduce", "the target is smaller", now)
        return [self._send(desk, request, wanted, now)]

    def close(
        self, desk: Desk, wanted: dict[str, float], leg: str, reason: str, now: int
    ) -> list[OrderRequest]:
        """Ask to close the whole position; `wanted` is the target that led there."""
        parts = shares({name: float(size) for name, size in desk.parts.items()})
        request = self._exit(desk, tidy(abs(desk.size)), parts, wanted, leg, reason, now)
        return [self._send(desk, request, {}, now)]

    def _exit(
        self,
        desk: Desk,
        size: Decimal,
        parts: tuple[Share, ...],
        wanted: Mapping[str, float],
        leg: str,
        reason: str,
        now: int,
    ) -> OrderRequest:
        leader, before = desk.newest(), desk.closed_by
        trigger = f"{leader.time}:{now}" if leader is not None else f"{now}:{now}"
        author = before.strategy if before is not None else "operator"
        author = leader.strategy if leader is not None else author
        return _new_order_request(
            intent_id=self._intent(desk, author, trigger, leg),
            symbol=desk.symbol,
            side="sell" if desk.size > 0 else "buy",
            size=size,
            reduce_only=True,
            strategy=author,
            shares=parts,
            price=Decimal(repr(desk.price)),
            price_time=desk.price_time,
            valid_until=now + EXIT_VALID,
            votes=desk.votes(wanted),
            follows=before.order.cloid if before is not None else "",
            rationale=reason or (leader.rationale if leader is not None else "no opinion is left"),
        )

    def _send(
        self, desk: Desk, request: OrderRequest, wanted: dict[str, float], now: int
    ) -> OrderRequest:
        desk.wanted = wanted
        desk.working, desk.working_since, desk.cloid = request.intent_id, now, None
        return request

    def _intent(self, desk: Desk, author: str, trigger: str, leg: str) -> str:
        return intent_id(self._account, author, desk.symbol, trigger, leg)

    def _plan(self, leader: TradeSignal) -> StopPlan | None:
        instrument = self.instruments.get(leader.symbol)
        if leader.stop is None or instrument is None:
            return None
        stop = instrument.fit_price(Decimal(repr(leader.stop)))
        target = leader.target
        fitted = instrument.fit_price(Decimal(repr(target))) if target is not None else None
        return StopPlan(stop=stop, target=fitted) if stop > 0 else None

    def _limit(self, desk: Desk, side: Side) -> Decimal | None:
        instrument = self.instruments.get(desk.symbol)
        if self._settings.entry == "market" or instrument is None:
            return None
        sign = -1 if side == "buy" else 1
        price = desk.price * (1 + sign * self._settings.limit_offset_bp / 1e4)
        return instrument.fit_price_against(Decimal(repr(price)), side)
