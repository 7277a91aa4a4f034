"""The gate's arithmetic: from a request and the account to an exact order, approved or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import whole
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.identity import cloid, seal
from tradeagent.agents.pace import Counts, Pace
from tradeagent.agents.standing import Standing
from tradeagent.agents.trips import Edge
from tradeagent.messages import (
    ZERO,
    InstrumentUpdate,
    Order,
    OrderRequest,
    Restriction,
    RiskAssessment,
    RuleVerdict,
    TradingMode,
)
from tradeagent.messages.build import checked, trusted
from tradeagent.quant.protections import REPEATED, Protections, ProtectionSettings
from tradeagent.quant.rules import Limits, OrderContext
from tradeagent.quant.sizing import (
    Sizing,
    capped_kelly,
    fixed_fraction,
    risk_per_trade,
    volatility_target,
)
from tradeagent.quant.vitals import WatchSettings

_new_order = checked(Order)
_new_risk_assessment = trusted(RiskAssessment)
"""What an assessment is made of is typed already: validating 30 verdicts costs twice the rules."""


class RiskSettings(AgentSettings):
    """How orders are sized, what is allowed, and how long an approval holds.

    `fraction` of equity makes a full position with `fixed_fraction`; with `risk_per_trade` a full
    position loses `risk` of equity at its stop; with `volatility_target` it moves equity by
    `volatility_target` a year; with `capped_kelly` it is what the strategy's own round trips call
    for. The last two size by `risk`, or `fraction`, until there is enough history.
    """

    sizing: Literal["fixed_fraction", "risk_per_trade", "volatility_target", "capped_kelly"] = (
        Field(
            default="risk_per_trade",
            description="How a full position is sized: by `fraction`, by `risk` and the stop, by "
            "the symbol's volatility, or by the strategy's own results.",
        )
    )
    fraction: Decimal = Field(
        default=Decimal("0.2"),
        gt=0,
        le=10,
        description="What a full position is worth with fixed_fraction, and whenever an entry has "
        "no stop, as a ratio of equity.",
    )
    risk: Decimal = Field(
        default=Decimal("0.005"),
        gt=0,
        le=1,
        description="What a full position loses at its stop with risk_per_trade, as a ratio of "
        "equity.",
    )
    volatility_target: Decimal = Field(
        default=Decimal("0.2"),
        gt=0,
        le=10,
        description="By how much a full position moves equity in a year with volatility_target: an "
        "annual standard deviation, as a ratio of equity.",
    )
    volatility_bars: int = Field(
        default=120,
        ge=10,
        le=100_000,
        description="Over how many of a symbol's shortest candles its volatility is measured.",
    )
    kelly_min_trades: int = Field(
        default=30,
        ge=2,
        description="How many round trips a strategy must have before capped_kelly believes them.",
    )
    max_weight: Decimal = Field(
        default=Decimal("0.5"),
        gt=0,
        le=10,
        description="What a full position is worth at most with volatility_target and "
        "capped_kelly, as a ratio of equity.",
    )
    approval_ttl_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="How long an approval holds, in seconds of the clock; raise it where the clock "
        "is accelerated.",
    )
    limits: Limits = Field(default=Limits(), description="What the account allows.")
    protections: ProtectionSettings = Field(
        default=ProtectionSettings(), description="When new entries pause by themselves."
    )
    watch: WatchSettings = Field(
        default=WatchSettings(), description="When the continuous checks speak up."
    )


class Sized(NamedTuple):
    """The size of an order, how it came about, and whether a limit made it smaller."""

    size: Decimal
    text: str
    cut: bool


class History(NamedTuple):
    """What sizes may rest on: a symbol's annual volatility and a strategy's round trips.

    `volatility` is None while only `seen` returns of those needed are known.
    """

    volatility: float | None = None
    seen: int = 0
    edge: Edge = Edge()


def order_size(
    request: OrderRequest,
    instrument: InstrumentUpdate,
    standing: Standing,
    equity: Decimal,
    settings: RiskSettings,
    history: History,
) -> Sized:
    """Return the size a request asks for, or what the sizing rule and the limits make of it."""
    if request.reduce_only:
        return _exit_size(request, standing)
    if request.size is not None:
        return Sized(request.size, "size as requested", cut=False)
    price, limits = request.limit or request.price, settings.limits
    wanted = _full_position(request, price, equity, settings, history)
    weight = request.weight
    quantity = wanted.quantity if weight == 1 else wanted.quantity * Decimal(repr(weight))
    most = limits.max_order_notional / price
    if limits.max_order_qty:
        most = min(most, limits.max_order_qty.get(request.symbol, most))
    size = instrument.fit_size(min(quantity, most))
    cut = quantity > most
    limited = ", all that one order may be worth" if cut else ""
    text = f"{wanted.explanation}; x weight {weight:g} = {size:f}{limited}"
    return Sized(size, text, cut)


def _exit_size(request: OrderRequest, standing: Standing) -> Sized:
    """Return what an exit asks for, cut to what other exits leave: a smaller one beats none."""
    held = standing.size if request.side == "sell" else -standing.size
    size = request.size if request.size is not None else abs(held)
    left = held - standing.exits
    if 0 < left < size and request.type != "stop":
        return Sized(left, f"{size:f}, cut to what other exits leave of {held:f}", cut=True)
    return Sized(size, "size as requested" if request.size else "the whole position", cut=False)


def _full_position(
    request: OrderRequest,
    price: Decimal,
    equity: Decimal,
    settings: RiskSettings,
    history: History,
) -> Sizing:
    sizing, lacking = settings.sizing, ""
    if sizing == "volatility_target":
        if history.volatility is not None:
            volatility = Decimal(repr(round(history.volatility, 6)))
            return volatility_target(
                equity, settings.volatility_target, volatility, price, settings.max_weight
            )
        lacking = f"{history.seen} of {settings.volatility_bars} returns known for its volatility: "
    elif sizing == "capped_kelly":
        edge = history.edge
        if edge.trades >= settings.kelly_min_trades and edge.payoff > 0:
            rate = (Decimal(edge.wins) / edge.trades).quantize(Decimal("1e-6"))
            payoff = edge.payoff.quantize(Decimal("1e-6"))
            if payoff > 0:
                return capped_kelly(equity, rate, payoff, settings.max_weight, price)
        lacking = (
            f"{edge.wins} wins in {edge.trades} of {settings.kelly_min_trades} round trips, too "
            "little for Kelly: "
        )
    plan = request.stop_plan
    if sizing == "fixed_fraction" or plan is None or plan.stop == price:
        found = fixed_fraction(equity, settings.fraction, price)
    else:
        found = risk_per_trade(equity, settings.risk, price, plan.stop)
    return Sizing(found.quantity, lacking + found.explanation) if lacking else found


class Ground(NamedTuple):
    """What the gate knows besides the request: the state, its books, and what is in force."""

    mode: TradingMode
    now: int
    known_source: bool
    exposure: Exposure
    pace: Pace
    protections: Protections
    restriction: Restriction | None


def exit_context(
    request: OrderRequest, instrument: InstrumentUpdate, size: Decimal, ground: Ground
) -> OrderContext:
    """Return a reduce-only order with what it is judged by: its own numbers and its position.

    Where no mark is known yet, as after a start, the price it rests on stands for it. A stop rests
    at its trigger and meets nobody now.
    """
    standing, protective = ground.exposure[request.symbol], request.type == "stop"
    return OrderContext(
        instrument=instrument,
        side=request.side,
        size=size,
        price=request.price,
        limit=request.limit,
        reduce_only=True,
        mode=ground.mode,
        position=standing.size,
        pending_reduces=ZERO if protective else standing.exits,
        mark=standing.price if standing.mark else request.price,
        now=ground.now,
        protective=protective,
        touch=standing.touch(request.side),
        own_opposite=None if protective else standing.opposite(request.side),
        stop=request.trigger,
    )


def entry_context(
    request: OrderRequest,
    instrument: InstrumentUpdate,
    size: Decimal,
    equity: Decimal,
    counts: Counts,
    ground: Ground,
) -> OrderContext:
    """Return an increase and all that its judgement rests on."""
    _, now, known_source, exposure, pace, protections, restriction = ground
    symbol, side, strategy, plan = (
        request.symbol, request.side, request.strategy, request.stop_plan,
    )  # fmt: skip
    limits, standing, others = exposure.limits, exposure[symbol], exposure.others(symbol)
    group = limits.groups.get(standing.group)
    lock = protections.locked(symbol, strategies(request), now)
    return OrderContext(
        instrument=instrument,
        side=side,
        size=size,
        price=request.price,
        limit=request.limit,
        reduce_only=False,
        mode=ground.mode,
        position=standing.size,
        pending_reduces=standing.exits,
        mark=standing.price,
        now=now,
        touch=standing.touch(side),
        own_opposite=standing.opposite(side),
        stop=plan.stop if plan is not None else None,
        target=plan.target if plan is not None else None,
        open_buys=standing.buys,
        open_sells=standing.sells,
        other_exposure=others.gross,
        equity=equity,
        day_pnl=exposure.day_pnl(equity),
        price_time=request.price_time,
        valid_until=request.valid_until,
        bar_length=0 if standing.quoted else standing.bar,
        account_time=exposure.heard,
        known_source=known_source,
        immediate=request.type == "market" or request.tif == "IOC",
        mid=standing.mid(),
        depth=standing.depth(side, now, limits),
        other_long=others.long,
        other_short=others.short,
        group_others=exposure.group_others(symbol),
        group_ratio=group.max_ratio if group is not None else None,
        other_margin=others.margin,
        other_maintenance=others.maintenance,
        margin_rate=standing.rates[0],
        maintenance_rate=standing.rates[1],
        venue_margin=exposure.venue_margin,
        high_water=exposure.high_water,
        open_orders=exposure.open_orders,
        last_second=counts.second,
        last_minute=counts.minute,
        strategy_minute=counts.strategy,
        known_intent=pace.knows(request.intent_id),
        twin_age=pace.twin_age(request, size, now),
        repeats=pace.repeats(request, now),
        paused_until=protections.until(REPEATED, strategy),
        locked_until=lock.until if lock is not None else 0,
        lock=lock.text if lock is not None else "",
        restriction=restriction,
        hour_orders=pace.hour_orders(now) if restriction is not None else 0,
        day_notional=pace.day_notional(now),
    )


def strategies(request: OrderRequest) -> tuple[str, ...]:
    """Return the strategies that want an order, not those it outweighed."""
    if len(request.shares) < 2:
        return (request.strategy,)
    return (request.strategy, *(share.strategy for share in request.shares if share.part > 0))


def approval(
    request: OrderRequest,
    sized: Sized,
    verdicts: tuple[RuleVerdict, ...],
    expires: int,
    key: bytes,
    epoch: int,
) -> RiskAssessment:
    """Return the sealed approval of an order, good until `expires` (UTC ns)."""
    order = _new_order(
        cloid=cloid(request.intent_id, 0, epoch),
        intent_id=request.intent_id,
        symbol=request.symbol,
        side=request.side,
        size=sized.size,
        type=request.type,
        limit=request.limit,
        trigger=request.trigger,
        tif=request.tif,
        reduce_only=request.reduce_only,
        group=request.group,
        replaces=request.replaces,
    )
    return _new_risk_assessment(
        intent_id=request.intent_id,
        symbol=request.symbol,
        verdict="resized" if sized.cut else "approved",
        reasons=(),
        rules=verdicts,
        sizing=sized.text,
        order=order,
        price=request.price,
        stop_plan=request.stop_plan,
        strategy=request.strategy,
        shares=request.shares or whole(request.strategy),
        expires_at=expires,
        seal=seal(key, order, request.stop_plan, expires),
    )


def rejection(
    request: OrderRequest, now: int, verdicts: tuple[RuleVerdict, ...], sizing: str = ""
) -> RiskAssessment:
    """Return the refusal of a request, with every rule's verdict."""
    return _new_risk_assessment(
        intent_id=request.intent_id,
        symbol=request.symbol,
        verdict="rejected",
        reasons=tuple(verdict.rule for verdict in verdicts if not verdict.passed),
        rules=verdicts,
        sizing=sizing,
        order=None,
        price=None,
        stop_plan=None,
        strategy=request.strategy,
        shares=request.shares,
        expires_at=now,
        seal="",
    )


def unknown(symbol: str) -> RuleVerdict:
    """Return the verdict on a symbol of which too little is known to judge."""
    text = f"no instrument or no price is known for {symbol}"
    return RuleVerdict("FRESH", passed=False, text=text)


def absurd(error: ArithmeticError) -> RuleVerdict:
    """Return the verdict on numbers that cannot be reckoned with."""
    return RuleVerdict("FINITE", passed=False, text=f"the numbers lead to nothing: {error!r}")


def too_small(request: OrderRequest, instrument: InstrumentUpdate) -> RuleVerdict:
    """Return the verdict on a size below the lot."""
    text = f"the size of {request.symbol} rounds to nothing on lot {instrument.lot}"
    return RuleVerdict("MIN_NOTIONAL", False, 0, instrument.min_notional, text)
