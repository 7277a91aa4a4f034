"""The rules of the gate: pure functions over one order in its worst case, each with a code.

Worst case is the position plus everything that may still fill, unknown orders included, plus this
order. What is reduce-only meets only the rules that judge all orders, so no limit on new risk can
ever block an exit.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tradeagent.clock import SECOND
from tradeagent.messages import ZERO, InstrumentUpdate, RuleVerdict, Side, TradingMode
from tradeagent.messages.build import trusted

SMALLEST = Decimal("1e-12")
LARGEST = Decimal("1e12")
"""No price or size of any market lies outside."""
SIXTH = Decimal("1e-6")
"""What ratios are shown to."""

_EXIT_NUMBERS = ("size", "price", "mark", "limit")
_ENTRY_NUMBERS = (*_EXIT_NUMBERS, "stop", "target")
_SUMS = ("position", "open_buys", "open_sells", "other_exposure", "equity", "day_pnl")

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]


class Limits(BaseModel):
    """What an account allows; money in quote currency, ratios of equity unless said otherwise.

    `max_order_qty` is in base units by symbol; a symbol it does not name has no such limit.
    `collar_ratio` and the stop distances are ratios of the price.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_price_age_s: float = Field(
        default=5.0,
        gt=0,
        allow_inf_nan=False,
        description="How old the price behind an entry may be, in seconds of the clock; where a "
        "symbol has candles alone, as long as the shortest of them.",
    )
    max_order_qty: dict[str, Positive] = Field(
        default={},
        description="The largest entry by symbol, in base units; a symbol that is not named has no "
        "such limit.",
    )
    max_order_notional: Positive = Field(
        default=Decimal(10_000),
        description="The largest entry, in quote currency; what Risk sizes itself is cut to it.",
    )
    collar_ratio: Fraction = Field(
        default=Decimal("0.02"),
        description="How far an order's price may be from the mark, as a ratio of the mark.",
    )
    max_position_notional: Positive = Field(
        default=Decimal(25_000),
        description="The largest position in one symbol, open orders included, in quote currency.",
    )
    max_gross_ratio: Positive = Field(
        default=Decimal(2),
        description="The largest exposure over all symbols, open orders included, as a multiple of "
        "equity.",
    )
    max_daily_loss_ratio: Fraction = Field(
        default=Decimal("0.05"),
        description="What a UTC day may lose before only exits are allowed, as a ratio of the "
        "equity it began with.",
    )
    require_stop: bool = Field(
        default=True, description="Whether an entry without a stop is refused."
    )
    min_stop_distance_ratio: Fraction = Field(
        default=Decimal("0.001"),
        description="How near to its price an entry's stop may be, as a ratio of the price.",
    )
    max_stop_distance_ratio: Fraction = Field(
        default=Decimal("0.2"),
        description="How far from its price an entry's stop may be, as a ratio of the price.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_stop_distance_ratio > self.max_stop_distance_ratio:
            raise ValueError("min_stop_distance_ratio must not exceed max_stop_distance_ratio")
        return self


class OrderContext(NamedTuple):
    """One order and all that its judgement rests on; times in UTC ns, sizes in base units.

    `price` is what the decision rested on, `limit` the worst price asked for, None for a market
    order, and `mark` the venue's mark. `protective` is a stop or target that rests at its trigger;
    its `price` is the mark. `open_buys` and `open_sells` are what orders that can raise |position|
    may still fill; `pending_reduces` what working exits may still close, resting stops and targets
    not counted, for the venue cuts those to the position. `other_exposure` is the worst-case gross
    notional of all other symbols. `bar_length` is that of the bar the decision rests on, 0 for a
    tick; `price_time` is when that bar closed.
    """

    instrument: InstrumentUpdate
    side: Side
    size: Decimal
    price: Decimal
    limit: Decimal | None
    reduce_only: bool
    protective: bool
    stop: Decimal | None
    target: Decimal | None
    mode: TradingMode
    position: Decimal
    open_buys: Decimal
    open_sells: Decimal
    pending_reduces: Decimal
    other_exposure: Decimal
    equity: Decimal
    day_pnl: Decimal
    mark: Decimal
    now: int
    price_time: int
    valid_until: int
    bar_length: int = 0

    @property
    def order_price(self) -> Decimal:
        """Return the price the order is valued at: its limit, else what the decision rested on."""
        return self.price if self.limit is None else self.limit

    @property
    def worst_size(self) -> Decimal:
        """Return the largest |position| that this and all open orders can lead to."""
        longest = self.position + self.open_buys
        shortest = self.position - self.open_sells
        if self.side == "buy":
            longest += self.size
        else:
            shortest -= self.size
        return max(longest, -shortest)


Finding = tuple[bool, str, str, str] | None
"""Whether the order passed, the value measured, its limit, and what is wrong in words.

None when it passed and there is no number worth telling. Words are made for what fails only, for
they would be half of the price of a check.
"""


def _bounded(passed: bool, value: object, limit: object, words: str) -> Finding:
    """Return a finding whose `words` name {value} and {limit}."""
    shown, bound = str(value), str(limit)
    return passed, shown, bound, "" if passed else words.format(value=shown, limit=bound)


def state(order: OrderContext, _: Limits) -> Finding:
    """Let pass what the trading state allows."""
    mode = order.mode
    if mode is TradingMode.ACTIVE:
        return None
    if mode is TradingMode.REDUCE_ONLY or mode is TradingMode.FLATTENING:
        passed, allowed = order.reduce_only, "reduce-only orders"
    else:
        passed, allowed = order.reduce_only and order.protective, "protective reduce-only orders"
    return passed, mode.value, allowed, f"{mode.value} allows {allowed} alone"


def finite(order: OrderContext, _: Limits) -> Finding:
    """Refuse numbers that no market has: NaN, infinite, zero, negative, absurdly large or small.

    An exit is judged by its own numbers and the mark only.
    """
    names = _EXIT_NUMBERS if order.reduce_only else _ENTRY_NUMBERS
    for name in names:
        number = getattr(order, name)
        if number is not None and not (number.is_finite() and SMALLEST <= number <= LARGEST):
            bounds = f"{SMALLEST!s} to {LARGEST!s}"
            return False, str(number), bounds, f"{name} is {number!s}, not within {bounds}"
    if not order.reduce_only:
        for name in _SUMS:
            number = getattr(order, name)
            if not number.is_finite():
                return False, str(number), "finite", f"{name} is {number!s}"
    return None


def grid(order: OrderContext, _: Limits) -> Finding:
    """Refuse sizes off the lot and prices off the tick of the instrument."""
    instrument = order.instrument
    if not instrument.size_fits(order.size):
        lot = str(instrument.lot)
        return False, str(order.size), lot, f"size {order.size!s} is no multiple of lot {lot}"
    for name in ("limit", "stop", "target"):
        price = getattr(order, name)
        if price is not None and not instrument.price_fits(price):
            tick = str(instrument.tick)
            return False, str(price), tick, f"{name} {price!s} is off the price grid, tick {tick}"
    return None


def collar(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a price too far from the mark, on either side."""
    away = abs(order.order_price - order.mark) / order.mark
    passed = away <= limits.collar_ratio
    value, limit = str(away.quantize(SIXTH)), str(limits.collar_ratio)
    if passed:
        return True, value, limit, ""
    text = f"{order.order_price!s} is {value} from mark {order.mark!s}, at most {limit}"
    return False, value, limit, text


def reduce(order: OrderContext, _: Limits) -> Finding:
    """Refuse a reduce-only order that could raise or flip the position."""
    if not order.reduce_only:
        return None
    held = order.position if order.side == "sell" else -order.position
    left = max(held - order.pending_reduces, ZERO)
    if order.size <= left:
        return True, str(order.size), str(left), ""
    text = f"{order.side} {order.size!s}, position {order.position!s} leaves {left!s} to close"
    return False, str(order.size), str(left), text


def fresh(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a decision that expired or whose price is old: of a bar, by more than one bar."""
    allowed = order.bar_length / SECOND if order.bar_length else limits.max_price_age_s
    age = (order.now - order.price_time) / SECOND
    value, limit = f"{age:.3f}", f"{allowed:g}"
    if order.now > order.valid_until:
        late = (order.now - order.valid_until) / SECOND
        return False, value, limit, f"the request expired {late:.3f} s ago"
    words = "the price is {value} s old, at most {limit} s"
    return _bounded(abs(age) <= allowed, value, limit, words)


def min_notional(order: OrderContext, _: Limits) -> Finding:
    """Refuse an order worth less than the venue takes."""
    worth, least = order.size * order.order_price, order.instrument.min_notional
    return _bounded(worth >= least, worth, least, "the order is worth {value}, at least {limit}")


def max_qty(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an order above its symbol's limit in base units or above that of money."""
    most = limits.max_order_qty.get(order.instrument.symbol)
    if most is not None and order.size > most:
        return False, str(order.size), str(most), f"size {order.size!s}, at most {most}"
    worth = order.size * order.order_price
    allowed = limits.max_order_notional
    return _bounded(worth <= allowed, worth, allowed, "the order is worth {value}, at most {limit}")


def position(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could lead to too large a position in the symbol."""
    worst = order.worst_size * order.price
    allowed = limits.max_position_notional
    words = "the position could be worth {value}, at most {limit}"
    return _bounded(worst <= allowed, worst, allowed, words)


def gross(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what could lead to too much exposure over all symbols for the equity."""
    worst = order.other_exposure + order.worst_size * order.price
    allowed = limits.max_gross_ratio * order.equity
    words = "all exposure could be {value}, at most {limit}"
    return _bounded(worst <= allowed, worst, allowed, words)


def daily_loss(order: OrderContext, limits: Limits) -> Finding:
    """Refuse new risk after the day's loss, a part of the equity the day began with."""
    allowed = limits.max_daily_loss_ratio * (order.equity - order.day_pnl)
    loss = -order.day_pnl
    passed = order.equity > 0 and loss <= allowed
    return _bounded(passed, loss, allowed, "the day's loss is {value}, at most {limit}")


def stop_plan(order: OrderContext, limits: Limits) -> Finding:
    """Refuse an entry with no stop, or a stop or target on the wrong side or out of reach."""
    price, stop, target = order.order_price, order.stop, order.target
    sign = 1 if order.side == "buy" else -1
    if target is not None and (target - price) * sign <= 0:
        text = f"target {target!s} of a {order.side} at {price!s} is on the wrong side"
        return False, str(target), str(price), text
    if stop is None:
        needed = "required" if limits.require_stop else "optional"
        return not limits.require_stop, "none", needed, f"no stop; it is {needed}"
    nearest, farthest = limits.min_stop_distance_ratio, limits.max_stop_distance_ratio
    away = (price - stop) * sign / price
    value, limit = str(away.quantize(SIXTH)), f"{nearest!s} to {farthest!s}"
    if nearest <= away <= farthest:
        return True, value, limit, ""
    text = f"stop {stop!s} of a {order.side} at {price!s} is {value} away, {limit} allowed"
    return False, value, limit, text


_verdict = trusted(RuleVerdict)
"""What a verdict is made of is typed already: validation would double the time of a check."""


class Rule:
    """A rule: its code, the orders it judges, the judgement, and what passing means in words."""

    __slots__ = ("_passed", "code", "judge", "judges")

    def __init__(
        self,
        code: str,
        judges: Literal["increases", "all"],
        judge: Callable[[OrderContext, Limits], Finding],
        passing: str = "passed",
    ) -> None:
        self.code = code
        self.judges = judges
        self.judge = judge
        self._passed = RuleVerdict(rule=code, passed=True, text=passing)

    def check(self, order: OrderContext, limits: Limits) -> RuleVerdict:
        """Return the verdict on `order`; a rule that cannot be evaluated has failed."""
        try:
            finding = self.judge(order, limits)
        # The gate fails closed: whatever goes wrong in a rule is a denial that names it, and the
        # agent that asked lives on to judge the next order.
        except Exception as error:
            words = f"{self.code} broke: {error!r}"
            return _verdict(rule=self.code, passed=False, value="", limit="", text=words)
        if finding is None:
            return self._passed
        passed, value, limit, words = finding
        return _verdict(rule=self.code, passed=passed, value=value, limit=limit, text=words)


RULES = (
    Rule("STATE", "all", state, "ACTIVE allows any order"),
    Rule("FINITE", "all", finite, "every number is finite and within bounds"),
    Rule("GRID", "all", grid, "size and prices are on the grid"),
    Rule("COLLAR", "all", collar),
    Rule("REDUCE", "all", reduce, "the order is not reduce-only"),
    Rule("FRESH", "increases", fresh),
    Rule("MIN_NOTIONAL", "increases", min_notional),
    Rule("MAX_QTY", "increases", max_qty),
    Rule("POSITION", "increases", position),
    Rule("GROSS", "increases", gross),
    Rule("DAILY_LOSS", "increases", daily_loss),
    Rule("STOP_PLAN", "increases", stop_plan),
)
"""Every rule, in the order of the verdicts."""

_FOR_EXITS = tuple(rule for rule in RULES if rule.judges == "all")


def check_all(order: OrderContext, limits: Limits) -> tuple[RuleVerdict, ...]:
    """Return the verdicts of all rules that judge `order`; it may go if all passed."""
    rules = _FOR_EXITS if order.reduce_only else RULES
    return tuple([rule.check(order, limits) for rule in rules])
