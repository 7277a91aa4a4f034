"""One order and all that its judgement rests on, and how a rule speaks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from tradeagent.messages import ZERO, InstrumentUpdate, Restriction, Side, TradingMode
from tradeagent.messages.risk import Measure

ONE = Decimal(1)

Finding = tuple[Measure, Measure, str]
"""The value measured, its limit, and what is wrong in words: none when the order passed.

Words are made for what fails only, for they would be half of the price of a check.
"""
PASSED: Finding = (None, None, "")
"""What a rule finds that has no number worth telling."""
up = Context(prec=10, rounding=ROUND_CEILING).divide
down = Context(prec=10, rounding=ROUND_FLOOR).divide
"""Ratios of ten digits, rounded to the side of caution: so the verdict shows what was judged."""


@dataclass(slots=True)
class OrderContext:
    """One order and all that its judgement rests on; times in UTC ns, sizes in base units.

    `price` is what the decision rested on, `limit` the worst price asked for, None for a market
    order, `mark` the venue's mark, `mid` the middle of bid and ask; `touch` is the best price that
    an order which is `immediate` meets and `depth` what stands there within the slippage allowed,
    None where no quote or book is known. `own_opposite` is the best limit of our own on the other
    side. `protective` is a stop or target that rests at its trigger; its `price` is the mark.

    `open_buys` and `open_sells` are what orders that can raise |position| may still fill, `dearest`
    is the highest limit among those, 0 without any; `unpriced` names another symbol in which an
    order works that nothing tells the worth of, if there is one. `pending_reduces` is what working
    exits may still close, resting stops and targets not counted, for the venue cuts those to the
    position. Worst cases of all other symbols: `other_exposure` is
    their gross notional, `other_long` and `other_short` (below 0) what they may net to,
    `group_others` the gross notional of those in the symbol's group, `other_margin` and
    `other_maintenance` the margin they need; `venue_margin` is what the venue says is used.
    `margin_rate` and `maintenance_rate` are the margin of one unit of notional in this symbol.

    `bar_length` is that of the bar the decision rests on, 0 for a tick; `price_time` is when that
    bar closed and `account_time` when the venue last told of the account. `last_second`,
    `last_minute` and `strategy_minute` count entries asked for, this one included. `twin_age` is
    how long ago (ns) the same order was approved, `repeats` how many entries of the strategy were
    on this side of the symbol. `hour_orders` and `day_notional` are approved entries of the last
    hour and the UTC day. `venue_trouble` is why the venue cannot be relied on now, and
    `actions_left` how many actions it still allows, None where it counts none. Worked out from
    these: `worth` at `order_price`; the `longest` and the `shortest` position that this and all
    open orders can lead to; and, of the larger of both, its `worst_value`, and with all other
    symbols `worst_exposure` and `worst_margin`.

    What several rules share is worked out once, at the end; where a broken number prevents that,
    it stays unset, and every rule that reads it breaks, which denies.
    """

    instrument: InstrumentUpdate
    side: Side
    size: Decimal
    price: Decimal
    limit: Decimal | None
    reduce_only: bool
    mode: TradingMode
    position: Decimal
    pending_reduces: Decimal
    mark: Decimal
    now: int
    protective: bool = False
    touch: Decimal | None = None
    own_opposite: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    open_buys: Decimal = ZERO
    open_sells: Decimal = ZERO
    dearest: Decimal = ZERO
    unpriced: str = ""
    other_exposure: Decimal = ZERO
    equity: Decimal = ZERO
    day_pnl: Decimal = ZERO
    price_time: int = 0
    valid_until: int = 0
    bar_length: int = 0
    account_time: int = 0
    known_source: bool = False
    immediate: bool = True
    mid: Decimal | None = None
    depth: Decimal | None = None
    other_long: Decimal = ZERO
    other_short: Decimal = ZERO
    group_others: Decimal = ZERO
    group_ratio: Decimal | None = None
    other_margin: Decimal = ZERO
    other_maintenance: Decimal = ZERO
    margin_rate: Decimal = ONE
    maintenance_rate: Decimal = ONE
    venue_margin: Decimal = ZERO
    high_water: Decimal = ZERO
    open_orders: int = 0
    last_second: int = 1
    last_minute: int = 1
    strategy_minute: int = 1
    known_intent: bool = False
    twin_age: int | None = None
    repeats: int = 0
    paused_until: int = 0
    locked_until: int = 0
    lock: str = ""
    restriction: Restriction | None = None
    hour_orders: int = 0
    day_notional: Decimal = ZERO
    venue_trouble: str = ""
    actions_left: int | None = None
    order_price: Decimal = field(init=False, repr=False)
    value: Decimal = field(init=False, repr=False)
    worth: Decimal = field(init=False, repr=False)
    longest: Decimal = field(init=False, repr=False)
    shortest: Decimal = field(init=False, repr=False)
    worst_value: Decimal = field(init=False, repr=False)
    worst_exposure: Decimal = field(init=False, repr=False)
    worst_margin: Decimal = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what the order is worth, and the worst case it can lead to."""
        self.order_price = self.price if self.limit is None else self.limit
        with suppress(ArithmeticError, TypeError):
            self._work_out()

    def _work_out(self) -> None:
        size = self.size
        self.worth = size * self.order_price
        longest, shortest = self.position + self.open_buys, self.position - self.open_sells
        if self.side == "buy":
            longest += size
        else:
            shortest -= size
        self.longest, self.shortest = longest, shortest
        self.value = max(self.price, self.order_price, self.mark, self.dearest)
        self.worst_value = worst = max(longest, -shortest) * self.value
        self.worst_exposure = self.other_exposure + worst
        self.worst_margin = self.other_margin + worst * self.margin_rate
