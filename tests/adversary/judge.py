"""The judge: watches what reaches the exchange, and works out anew what may.

It imports messages alone. What it knows comes from the exchange's own calls and reports, and from
what agents said on the bus; nothing is asked of the gate.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from tradeagent.messages import (
    Envelope,
    ExecutionReport,
    Fill,
    FundingPayment,
    Message,
    Order,
    OrderRequest,
    Origin,
    PositionUpdate,
    RiskAssessment,
    RiskOverride,
    StopPlan,
    StrategyState,
    TradingMode,
    TradingState,
)

ZERO = Decimal(0)
PROTECTIVE = ("stop", "take_profit")
MAY_REFUSE_EXITS = frozenset({"STATE", "FINITE", "GRID", "COLLAR", "REDUCE", "SELF_TRADE"})
"""The rules that may ever stand in the way of an exit, and only for its own numbers."""
RANK = {mode: rank for rank, mode in enumerate(("ACTIVE", "REDUCE_ONLY", "FLATTENING", "HALTED"))}
DUST = Decimal("1e-9")


@dataclass
class Sent:
    """An order as it was given to the exchange, and what filled of it."""

    order: Order
    filled: Decimal = ZERO
    ended: bool = False


@dataclass
class Judge:
    """Keeps the exchange's truth and every breach of a promise, in words."""

    max_position: Decimal
    tolerance: Decimal = Decimal("1.03")
    breaches: list[str] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    approved: dict[str, RiskAssessment] = field(default_factory=dict)
    plans: dict[str, StopPlan] = field(default_factory=dict)
    sizes: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    marks: dict[str, Decimal] = field(default_factory=dict)
    told: dict[str, PositionUpdate] = field(default_factory=dict)
    lately: dict[str, tuple[int, tuple[PositionUpdate, ...]]] = field(default_factory=dict)
    """When a position was told last, and all that was told of it in that moment."""
    requests: dict[str, OrderRequest] = field(default_factory=dict)
    fills: set[tuple[str, str]] = field(default_factory=set)
    booked: set[tuple[str, str]] = field(default_factory=set)
    cash: Decimal = ZERO
    mode: TradingMode = TradingMode.ACTIVE
    paused: dict[str, int] = field(default_factory=dict)
    lifted_until: int = 0
    now: int = 0

    def breach(self, text: str) -> None:
        """Note a broken promise."""
        self.breaches.append(text)

    # -- what agents say --------------------------------------------------------------------------

    def hear(self, envelope: Envelope[Message]) -> None:
        """Take note of a message on the bus."""
        message, genuine = envelope.payload, envelope.origin is Origin.DERIVED
        self.now = max(self.now, envelope.ts)
        match message:
            case RiskAssessment() if envelope.source == "risk" and genuine:
                self._judged(message)
            case OrderRequest():
                self.requests[message.intent_id] = message
                since = self.paused.get(message.strategy, self.now)
                back = message.reduce_only or self._takes_back(message)
                if genuine and not back and since < self.now:
                    self.breach(f"{message.strategy} is paused and asks for {message.side}")
            case TradingState() if genuine or envelope.source == "operator":
                self.mode = message.mode
            case RiskOverride() if message.rule != "STATE" and message.valid_until:
                self.lifted_until = max(self.lifted_until, message.valid_until)
            case StrategyState():
                self.paused.pop(message.strategy, None)
                if message.mode == "paused":
                    self.paused[message.strategy] = envelope.ts
            case PositionUpdate() if genuine:
                when, crossing = self.lately.get(message.symbol, (0, ()))
                crossing = (*crossing, message) if when == envelope.ts else (message,)
                self.lately[message.symbol] = envelope.ts, crossing
                self.told[message.symbol] = message
                if sum(part.size for part in message.parts) != message.size:
                    self.breach(f"the parts do not add up to {message.size}")
            case Fill() if genuine:
                name = (message.cloid, message.tid)
                if name in self.booked:
                    self.breach(f"{name} was booked twice")
                self.booked.add(name)

    def _takes_back(self, request: OrderRequest) -> bool:
        """Tell whether a request only closes what those it is for hold against the others.

        Where several fills come in one moment it may have been decided between them.
        """
        names = {share.strategy for share in request.shares} | {request.strategy}
        sign = -1 if request.side == "buy" else 1
        _, crossing = self.lately.get(request.symbol, (0, ()))
        against = [
            sum((max(sign * one.size, ZERO) for one in told.parts if one.strategy in names), ZERO)
            for told in crossing
        ]
        return request.size is not None and request.size <= max(against, default=ZERO)

    def _judged(self, verdict: RiskAssessment) -> None:
        if verdict.verdict != "rejected" and verdict.order is not None:
            self.approved[verdict.order.cloid] = verdict
            if verdict.stop_plan is not None:
                self.plans[verdict.order.cloid] = verdict.stop_plan
            return
        request = self.requests.get(verdict.intent_id)
        if request is not None and request.reduce_only:
            blocked = set(verdict.reasons) - MAY_REFUSE_EXITS
            if blocked:
                self.breach(f"an exit was refused by {sorted(blocked)}")

    # -- what reaches the exchange ----------------------------------------------------------------

    def placed(self, order: Order, now: int) -> None:
        """Judge an order at the exchange's door; `now` is the exchange's time (UTC ns)."""
        if order.cloid in self.sent:
            self.breach(f"{order.cloid} was sent twice")
        protective = order.type in PROTECTIVE and order.reduce_only
        if order.group is not None and order.replaces is None:
            self._leg(order)
        else:
            self._approval(order, now)
        if order.replaces is not None:
            self._moved(order)
        if self.mode is TradingMode.HALTED and not protective:
            self.breach(f"{order.type} {order.side} was sent while HALTED")
        if self.mode is not TradingMode.ACTIVE and not order.reduce_only:
            self.breach(f"an increase was sent in {self.mode}")
        self.sent[order.cloid] = Sent(order)
        if not order.reduce_only:
            self._worst(order)

    def _approval(self, order: Order, now: int) -> None:
        verdict = self.approved.get(order.cloid)
        if verdict is None:
            self.breach(f"{order.cloid} was sent without Risk's approval")
        elif verdict.order != order:
            self.breach(f"{order.cloid} is not what was approved")
        elif now > verdict.expires_at:
            self.breach(f"{order.cloid} was sent after its approval expired")

    def _leg(self, order: Order) -> None:
        entry, _, _ = (order.group or "").partition(":")
        plan, sent = self.plans.get(entry), self.sent.get(entry)
        if plan is None or sent is None:
            self.breach(f"{order.cloid} protects nothing")
            return
        if order.trigger not in (plan.stop, plan.target) or order.size > sent.filled:
            self.breach(f"{order.cloid} is not the stop that was planned")
        if order.side == sent.order.side or not order.reduce_only:
            self.breach(f"{order.cloid} does not reduce")

    def _moved(self, order: Order) -> None:
        """Judge a stop that takes the place of a resting one: no larger, no further away."""
        before = self.sent.get(order.replaces or "")
        if before is None or order.trigger is None or before.order.trigger is None:
            self.breach(f"{order.cloid} replaces no stop")
            return
        sign = 1 if order.side == "sell" else -1
        if order.size > before.order.size - before.filled:
            self.breach(f"{order.cloid} is larger than the stop it replaces")
        if (order.trigger - before.order.trigger) * sign < 0:
            self.breach(f"{order.cloid} protects less than the stop it replaces")
        if order.side != before.order.side or not order.reduce_only:
            self.breach(f"{order.cloid} does not reduce")

    def _worst(self, order: Order) -> None:
        """Compare the largest position that open increases can lead to with its limit."""
        if self.now <= self.lifted_until:
            return
        symbol, held = order.symbol, self.sizes[order.symbol]
        pending = {"buy": ZERO, "sell": ZERO}
        for one in self.sent.values():
            if one.order.symbol == symbol and not one.ended and not one.order.reduce_only:
                pending[one.order.side] += one.order.size - one.filled
        worst = max(held + pending["buy"], pending["sell"] - held)
        worth = worst * self.marks.get(symbol, ZERO)
        if worth > self.max_position * self.tolerance:
            self.breach(f"{symbol} could be worth {worth:.2f}, the limit is {self.max_position}")

    # -- what the exchange does -------------------------------------------------------------------

    def reported(self, report: ExecutionReport) -> None:
        """Take in the exchange's own word on an order."""
        sent = self.sent.get(report.cloid)
        done = report.execution
        if sent is None:
            return
        if done is not None and (report.cloid, done.tid) not in self.fills:
            self.fills.add((report.cloid, done.tid))
            self._filled(sent, done.size, done.price)
            self.cash -= done.fee
            if done.fee < 0:
                self.breach(f"the fee of {report.cloid} is {done.fee}")
        ended = ("FILLED", "CANCELED", "REJECTED")
        if report.status in ended and not report.cancel_refused:
            sent.ended = sent.ended or report.status != "FILLED" or sent.filled == sent.order.size

    def _filled(self, sent: Sent, size: Decimal, price: Decimal) -> None:
        order = sent.order
        before = self.sizes[order.symbol]
        moved = size if order.side == "buy" else -size
        after = self.sizes[order.symbol] = before + moved
        sent.filled += size
        self.cash -= moved * price
        if sent.filled > order.size:
            self.breach(f"{order.cloid} filled {sent.filled} of {order.size}")
        if order.reduce_only and (abs(after) > abs(before) or before * after < 0):
            self.breach(f"reduce-only {order.cloid} moved {before} to {after}")

    def funded(self, payment: FundingPayment, rate: float) -> None:
        """Check a funding payment: longs pay where the rate is above 0, by about the mark."""
        due = self.sizes[payment.symbol] * self.marks[payment.symbol] * Decimal(repr(rate))
        if abs(payment.payment - due) > Decimal("0.01") + abs(due) * Decimal("0.3"):
            self.breach(f"funding of {payment.payment} where about {due:.4f} is due")
        self.cash -= payment.payment

    # -- at the end -------------------------------------------------------------------------------

    def settle(self, held: dict[str, Decimal], equity: Decimal, deposit: Decimal) -> None:
        """Compare the exchange's own books, and the daemon's, with what happened."""
        for symbol in {*held, *self.sizes, *self.told}:
            mine = self.sizes[symbol]
            if held.get(symbol, ZERO) != mine:
                self.breach(f"the exchange holds {held.get(symbol, ZERO)} {symbol}, not {mine}")
            told = self.told[symbol].size if symbol in self.told else ZERO
            if told != mine:
                self.breach(f"the daemon believes in {told} {symbol}, it is {mine}")
        worth = sum((size * self.marks[name] for name, size in self.sizes.items() if size), ZERO)
        if abs(deposit + self.cash + worth - equity) > Decimal("0.01"):
            self.breach(f"equity is {equity}, by its fills {deposit + self.cash + worth}")
        if self.booked - self.fills:
            self.breach(f"booked, never filled: {sorted(self.booked - self.fills)[:3]}")
