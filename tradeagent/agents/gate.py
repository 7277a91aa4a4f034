"""The gate's arithmetic: from a request and the account to an exact order, approved or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.exposure import Exposure
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.line import Line
from tradeagent.agents.pace import Counts, Pace
from tradeagent.agents.standing import Standing
from tradeagent.agents.trips import Edge, Trips
from tradeagent.messages import (
    ZERO,
    InstrumentUpdate,
    MarketData,
    OrderRequest,
    Restriction,
    TradingMode,
)
from tradeagent.quant.protections import REPEATED, Protections, ProtectionSettings
from tradeagent.quant.rules import Limits, OrderContext
from tradeagent.quant.sizing import (
    Sizing,
    capped_kelly,
    fixed_fraction,
    fixed_quantity,
    risk_per_trade,
    volatility_target,
)
from tradeagent.quant.vitals import WatchSettings
from tradeagent.quant.volatility import Volatility

SizingRule = Literal[
    "fixed_fraction", "risk_per_trade", "volatility_target", "capped_kelly", "fixed_quantity"
]


class RiskSettings(AgentSettings):
    """How orders are sized, what is allowed, and how long an approval holds.

    `fraction` of equity makes a full position with `fixed_fraction`; with `risk_per_trade` a full
    position loses `risk` of equity at its stop; with `volatility_target` it moves equity by
    `volatility_target` a year; with `capped_kelly` it is what the strategy's own round trips call
    for. The last two size by `risk`, or `fraction`, until there is enough history. With
    `fixed_quantity` it is `quantity` of the base currency.
    """

    sizing: SizingRule = Field(
        default="risk_per_trade",
        description="How a full position is sized: by `fraction`, by `risk` and the stop, by the "
        "symbol's volatility, by the strategy's own results, or always `quantity`.",
    )
    quantity: Decimal = Field(
        default=Decimal(1),
        gt=0,
        allow_inf_nan=False,
        description="What a full position is with fixed_quantity, in base units of any symbol.",
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


class Histories:
    """Keeps what sizes rest on, as far as the way of sizing asks for it."""

    def __init__(self, settings: RiskSettings, trips: Trips) -> None:
        self._sizing = settings.sizing
        self._bars = settings.volatility_bars
        self._trips = trips
        self._volatilities: dict[str, Volatility] = {}

    def bar(self, bar: MarketData) -> None:
        """Take a candle."""
        if self._sizing == "volatility_target":
            self._volatility(bar.symbol).update(bar.close, bar.close_time - bar.time)

    def of(self, request: OrderRequest) -> History:
        """Return what the size of a request may rest on."""
        if self._sizing == "volatility_target":
            volatility = self._volatility(request.symbol)
            return History(volatility=volatility.annual, seen=volatility.seen)
        if self._sizing == "capped_kelly":
            return History(edge=self._trips.edge(request.strategy))
        return History()

    def _volatility(self, symbol: str) -> Volatility:
        found = self._volatilities.get(symbol)
        if found is None:
            found = self._volatilities[symbol] = Volatility(self._bars)
        return found


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
        return _exit_size(request, standing, instrument)
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


def _exit_size(request: OrderRequest, standing: Standing, instrument: InstrumentUpdate) -> Sized:
    """Return what an exit asks for, cut to what other exits leave: a smaller one beats none.

    Where the venue has made its grid coarser, what does not fit it stays behind.
    """
    held = standing.size if request.side == "sell" else -standing.size
    size = request.size if request.size is not None else abs(held)
    left = held - standing.exits
    if 0 < left < size and request.type not in PROTECTIVE:
        return Sized(left, f"{size:f}, cut to what other exits leave of {held:f}", cut=True)
    fitted = instrument.fit_size(size)
    if 0 < fitted < size and request.type not in PROTECTIVE:
        return Sized(fitted, f"{size:f}, cut to the venue's grid", cut=True)
    return Sized(size, "size as requested" if request.size else "the whole position", cut=False)


def _full_position(
    request: OrderRequest,
    price: Decimal,
    equity: Decimal,
    settings: RiskSettings,
    history: History,
) -> Sizing:
    sizing, lacking = settings.sizing, ""
    if sizing == "fixed_quantity":
        return fixed_quantity(settings.quantity)
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
    line: Line


def exit_context(
    request: OrderRequest, instrument: InstrumentUpdate, size: Decimal, ground: Ground
) -> OrderContext:
    """Return a reduce-only order with what it is judged by: its own numbers and its position.

    Where no mark is known yet, as after a start, the price it rests on stands for it. A stop rests
    at its trigger and meets nobody now.
    """
    standing, protective = ground.exposure[request.symbol], request.type in PROTECTIVE
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
    _, now, known_source, exposure, pace, protections, restriction, line = ground
    symbol, side, plan, wishes = request.symbol, request.side, request.stop_plan, counts.wishes
    limits, standing, totals = exposure.limits, exposure[symbol], exposure.totals
    others = totals.others(symbol, standing)
    group = limits.groups.get(standing.group)
    lock = protections.locked(symbol, [wish.strategy for wish in wishes], now)
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
        dearest=standing.dearest,
        unpriced=totals.unpriced(symbol),
        other_exposure=others.gross,
        equity=equity,
        day_pnl=exposure.day_pnl(equity),
        price_time=request.price_time,
        valid_until=request.valid_until,
        bar_length=0 if standing.quoted else standing.bar,
        account_time=exposure.told_at(now),
        known_source=known_source,
        immediate=request.type == "market" or request.tif == "IOC",
        mid=standing.mid(),
        depth=standing.depth(side, now, limits),
        other_long=others.long,
        other_short=others.short,
        group_others=totals.group_others(standing),
        group_ratio=group.max_ratio if group is not None else None,
        other_margin=others.margin,
        other_maintenance=others.maintenance,
        margin_rate=standing.rates[0],
        maintenance_rate=standing.rates[1],
        venue_margin=exposure.venue_margin,
        high_water=exposure.high_water,
        open_orders=len(exposure.claims),
        last_second=counts.second,
        last_minute=counts.minute,
        strategy_minute=counts.strategy,
        known_intent=pace.knows(request.intent_id),
        twin_age=pace.twin_age(request, size, now),
        repeats=max(pace.repeats(wish, symbol, side, now) for wish in wishes),
        paused_until=max(protections.until(REPEATED, wish.strategy) for wish in wishes),
        locked_until=lock.until if lock is not None else 0,
        lock=lock.text if lock is not None else "",
        restriction=restriction,
        hour_orders=pace.hour_orders(now) if restriction is not None else 0,
        day_notional=pace.day_notional(now),
        venue_trouble=line.trouble,
        actions_left=line.actions_left,
    )
