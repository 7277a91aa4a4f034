"""The Trading agent: many strategies' opinions become one target per symbol, and its orders."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings, BaseAgent, every, on
from tradeagent.agents.blotter import PROTECTIVE
from tradeagent.agents.identity import intent_id
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    CancelRequest,
    InstrumentUpdate,
    MarketData,
    Message,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAlert,
    RiskAssessment,
    Severity,
    Share,
    Side,
    StopPlan,
    TickerUpdate,
    TradeSignal,
    TradingMode,
    TradingState,
)
from tradeagent.quant.portfolio import tidy
from tradeagent.storage.base import Past

TOLERANCE = 0.05
"""A change of the target weight below this is not worth an order."""
LOST_AFTER = 120 * SECOND
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


class Desk:
    """What Trading knows of one symbol."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.opinions: dict[str, TradeSignal] = {}
        self.size = ZERO
        self.parts: dict[str, Decimal] = {}
        self.held: dict[str, float] = {}
        self.price = 0.0
        self.price_time = 0
        self.working: str | None = None
        self.working_since = 0
        self.cloid: str | None = None
        self.protected: dict[str, int] = {}
        self.wanted: dict[str, float] = {}
        self.refused: tuple[str, int] | None = None

    def hold(self, held: PositionUpdate) -> None:
        """Take over a position: the netted size, and each strategy's part that is not flat."""
        self.size = held.size
        self.parts = {part.strategy: part.size for part in held.parts if part.size}


class Trading(BaseAgent[TradingSettings]):
    """Keep one target per symbol, ask for the orders that lead to it, attribute every fill.

    A strategy's weight is its share of a full position. One order per symbol is under way at a
    time; what changes meanwhile is looked at when it has ended. A flip closes first and opens once
    flat. A position that a stop or target closed stays closed until a new signal comes.
    """

    essential = True

    def __init__(
        self,
        settings: TradingSettings,
        weights: Mapping[str, float],
        account: str,
        name: str = "trading",
    ) -> None:
        """Give each strategy of `weights` its share of a full position."""
        super().__init__(settings, name)
        self.mode = TradingMode.ACTIVE
        self.desks: dict[str, Desk] = {}
        self.instruments: dict[str, InstrumentUpdate] = {}
        self._weights = dict(weights)
        self._account = account

    def desk(self, symbol: str) -> Desk:
        """Return the desk of a symbol."""
        found = self.desks.get(symbol)
        if found is None:
            found = self.desks[symbol] = Desk(symbol)
        return found

    def restore(self, past: Past) -> None:
        """Take up each strategy's positions, last opinions and what is under way."""
        if past.trading_state is not None:
            self.mode = past.trading_state.mode
        self.instruments = {one.symbol: one for one in past.instruments}
        for held in past.positions:
            desk = self.desk(held.symbol)
            desk.hold(held)
            desk.price, desk.price_time = float(held.entry_price), held.time
        self._restore_orders(past)
        for signal in past.signals:
            desk = self.desk(signal.symbol)
            if signal.strategy in desk.parts or desk.working is not None:
                desk.opinions[signal.strategy] = signal
        for desk in self.desks.values():
            desk.wanted = self._target(desk)
            desk.held = {name: part for name, part in desk.wanted.items() if name in desk.parts}

    def _restore_orders(self, past: Past) -> None:
        for update in past.orders:
            if update.status in TERMINAL:
                continue
            desk = self.desk(update.symbol)
            if update.order.type in PROTECTIVE:
                desk.protected[update.strategy] = desk.protected.get(update.strategy, 0) + 1
            else:
                desk.working, desk.working_since = update.order.intent_id, past.ts
                desk.cloid = update.order.cloid

    # -- what is known ----------------------------------------------------------------------------

    @on(InstrumentUpdate)
    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument's grid."""
        self.instruments[instrument.symbol] = instrument

    @on(MarketData)
    def handle_market_data(self, bar: MarketData) -> None:
        """Keep the newest price of each symbol."""
        desk = self.desks.get(bar.symbol) or self.desk(bar.symbol)
        desk.price, desk.price_time = bar.close, bar.close_time

    @on(TickerUpdate)
    def quoted(self, tick: TickerUpdate) -> None:
        """Keep the newest price of each symbol."""
        desk = self.desks.get(tick.symbol) or self.desk(tick.symbol)
        desk.price, desk.price_time = tick.last, tick.time

    @on(TradeSignal)
    def handle_signal(self, signal: TradeSignal) -> list[Message]:
        """Take up a strategy's new opinion and work out what follows."""
        if signal.confidence < self.settings.min_confidence:
            return []
        desk = self.desk(signal.symbol)
        if signal.price and signal.time > desk.price_time:
            desk.price, desk.price_time = signal.price, signal.time
        desk.opinions[signal.strategy] = signal
        return self.generate_signals(desk)

    # -- targets ----------------------------------------------------------------------------------

    def generate_signals(self, desk: Desk) -> list[Message]:
        """Merge the live opinions on a symbol into one target; return the order to get there."""
        if desk.working is not None or self.mode not in (
            TradingMode.ACTIVE,
            TradingMode.REDUCE_ONLY,
        ):
            return []
        wanted = self._target(desk)
        target, held, size = sum(wanted.values()), sum(desk.held.values()), desk.size
        if size == 0:
            return self._open(desk, wanted, target, "open") if abs(target) > TOLERANCE else []
        if target * float(size) <= 0 or abs(target) <= TOLERANCE:
            return self._close(desk, "close")
        if abs(target) > abs(held) + TOLERANCE:
            return self._open(desk, wanted, target - held, "add")
        if abs(target) < abs(held) - TOLERANCE:
            return self._reduce(desk, wanted, target, held)
        return []

    def _target(self, desk: Desk) -> dict[str, float]:
        """Return the weight each strategy adds to the target; long is above 0."""
        signs = {"long": 1.0, "short": -1.0, "flat": 0.0}
        wanted = {
            name: signs[opinion.direction] * opinion.strength * self._weights.get(name, 0.0)
            for name, opinion in desk.opinions.items()
        }
        wanted = {name: weight for name, weight in wanted.items() if weight}
        if not wanted:
            return {}
        if self.settings.conflict == "strongest":
            name = max(wanted, key=lambda name: abs(wanted[name]))
            return {name: wanted[name]}
        if self.settings.conflict == "agree" and len({w > 0 for w in wanted.values()}) > 1:
            return {}
        return wanted

    def _open(self, desk: Desk, wanted: dict[str, float], weight: float, leg: str) -> list[Message]:
        leader = self._leader(desk, wanted, weight)
        if not desk.price or leader is None or leader.valid_until < self.now():
            return []
        if desk.refused == (leader.strategy, leader.time):
            return []
        changes = _changes(desk.held, wanted)
        side: Side = "buy" if weight > 0 else "sell"
        desk.wanted = wanted
        return [
            self._request(
                desk,
                leader,
                leg,
                side=side,
                weight=min(1.0, abs(weight)),
                shares=_shares(changes),
                stop_plan=self._plan(leader),
                limit=self._limit(desk, side),
                valid_until=leader.valid_until,
                rationale=leader.rationale,
            )
        ]

    def _leader(self, desk: Desk, wanted: dict[str, float], weight: float) -> TradeSignal | None:
        """Return the newest opinion on the side of `weight`; its stop and reason lead."""
        agreeing = [desk.opinions[name] for name in wanted if wanted[name] * weight > 0]
        return max(agreeing, key=lambda signal: signal.time, default=None)

    def _reduce(
        self, desk: Desk, wanted: dict[str, float], target: float, held: float
    ) -> list[Message]:
        instrument = self.instruments.get(desk.symbol)
        size = abs(desk.size) * Decimal(repr(1 - target / held))
        size = instrument.fit_size(size) if instrument is not None else size
        changes = _changes(desk.held, wanted)
        leader = max(desk.opinions.values(), key=lambda signal: signal.time, default=None)
        if size <= 0:
            return []
        desk.wanted = wanted
        return [
            self._request(
                desk,
                leader,
                "reduce",
                side="sell" if desk.size > 0 else "buy",
                size=size,
                reduce_only=True,
                shares=_shares(changes),
                valid_until=self.now() + EXIT_VALID,
                rationale="the target is smaller",
            )
        ]

    def _close(self, desk: Desk, leg: str, reason: str = "") -> list[Message]:
        leader = max(desk.opinions.values(), key=lambda signal: signal.time, default=None)
        parts = {name: float(size) for name, size in desk.parts.items()}
        desk.wanted = {}
        return [
            self._request(
                desk,
                leader,
                leg,
                side="sell" if desk.size > 0 else "buy",
                size=tidy(abs(desk.size)),
                reduce_only=True,
                shares=_shares(parts),
                valid_until=self.now() + EXIT_VALID,
                rationale=reason or (leader.rationale if leader is not None else "no opinion left"),
            )
        ]

    def _request(
        self, desk: Desk, leader: TradeSignal | None, leg: str, **order: object
    ) -> OrderRequest:
        strategy = leader.strategy if leader is not None else "operator"
        trigger = str(leader.time) if leader is not None else str(self.now())
        if leg in ("close", "reduce"):
            trigger = f"{trigger}:{self.now()}"
        intent = intent_id(self._account, strategy, desk.symbol, trigger, leg)
        request = OrderRequest.model_validate(
            {
                "intent_id": intent,
                "symbol": desk.symbol,
                "strategy": strategy,
                "price": Decimal(repr(desk.price)),
                "price_time": desk.price_time,
                "type": "limit" if order.get("limit") is not None else "market",
                **order,
            }
        )
        desk.working, desk.working_since, desk.cloid = intent, self.now(), None
        return request

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
        if self.settings.entry == "market" or instrument is None:
            return None
        sign = -1 if side == "buy" else 1
        price = desk.price * (1 + sign * self.settings.limit_offset_bp / 1e4)
        return instrument.fit_price_against(Decimal(repr(price)), side)

    # -- what became of it ------------------------------------------------------------------------

    @on(RiskAssessment)
    def judged(self, verdict: RiskAssessment) -> None:
        """Let go of what Risk refused; the same signal is not tried again."""
        desk = self.desks.get(verdict.symbol)
        if desk is None or desk.working != verdict.intent_id or verdict.approved:
            return
        desk.working = None
        opinion = desk.opinions.get(verdict.strategy)
        desk.refused = (verdict.strategy, opinion.time) if opinion is not None else None

    @on(PositionUpdate)
    def positioned(self, held: PositionUpdate) -> None:
        """Take over the position and each strategy's part of it."""
        self.desk(held.symbol).hold(held)

    @on(OrderUpdate)
    def ordered(self, update: OrderUpdate) -> list[Message]:
        """Look at the target again when an order has ended."""
        desk = self.desk(update.symbol)
        protective = update.order.type in PROTECTIVE
        if protective and update.status is OrderStatus.PREPARED:
            desk.protected[update.strategy] = desk.protected.get(update.strategy, 0) + 1
        if update.status not in TERMINAL:
            if update.order.intent_id == desk.working:
                desk.cloid = update.order.cloid
            return []
        if protective and update.filled:
            desk.opinions.clear()
            desk.held = {}
        elif desk.working == update.order.intent_id:
            desk.working = None
            self._ended(desk, update)
        return self.manage_positions(desk) if update.filled else []

    def _ended(self, desk: Desk, update: OrderUpdate) -> None:
        """Note what an entry or exit of ours has led to; what failed is not tried at once again."""
        if update.filled:
            desk.held = desk.wanted
            return
        opinion = desk.opinions.get(update.strategy)
        desk.refused = (update.strategy, opinion.time) if opinion is not None else None

    def manage_positions(self, desk: Desk) -> list[Message]:
        """Return what a changed position calls for: stops that protect nothing go, flips open."""
        gone: list[Message] = []
        if desk.working is None and desk.size == 0 and desk.protected:
            desk.protected.clear()
            gone.append(
                CancelRequest(
                    symbol=desk.symbol,
                    keep_protective=False,
                    reason="the position is closed",
                    actor=self.name,
                )
            )
        return gone + self.generate_signals(desk)

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Take over the trading state; FLATTENING closes every position."""
        self.mode = state.mode
        return self._flatten() if state.mode is TradingMode.FLATTENING else []

    def _flatten(self) -> list[Message]:
        return [
            message
            for desk in self.desks.values()
            if desk.size and desk.working is None
            for message in self._close(desk, "flatten", "the account is being flattened")
        ]

    @every(60)
    def look_again(self) -> list[Message]:
        """Take up what got lost: orders without an end, and positions still to be flattened."""
        messages: list[Message] = []
        for desk in self.desks.values():
            if desk.working is not None and self.now() - desk.working_since > LOST_AFTER:
                messages.extend(self._give_up(desk))
            elif desk.size:
                messages.extend(self.generate_signals(desk))
        if self.mode is TradingMode.FLATTENING:
            messages.extend(self._flatten())
        return messages

    def _give_up(self, desk: Desk) -> list[Message]:
        """Cancel an order that does not end, or forget a request that nobody answered."""
        if desk.cloid is not None:
            wish = CancelRequest(
                cloid=desk.cloid, reason="the order did not fill in time", actor=self.name
            )
            desk.working_since = self.now()
            return [wish]
        lost, desk.working = desk.working, None
        return [
            RiskAlert(
                code="REQUEST_LOST",
                severity=Severity.WARNING,
                symbol=desk.symbol,
                evidence=f"nobody answered the request {lost}",
            )
        ]


def _changes(held: Mapping[str, float], wanted: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each strategy's weight changes."""
    return {name: wanted.get(name, 0.0) - held.get(name, 0.0) for name in {**held, **wanted}}


def _shares(weights: Mapping[str, float]) -> tuple[Share, ...]:
    """Return each strategy's part of an order; the parts add up to exactly 1."""
    total = sum(weights.values())
    named = [(name, weight) for name, weight in weights.items() if weight]
    if not named or not total:
        return ()
    parts = [Share(strategy=name, part=Decimal(repr(weight / total))) for name, weight in named]
    rest = 1 - sum((share.part for share in parts[:-1]), ZERO)
    return (*parts[:-1], Share(strategy=named[-1][0], part=rest))
