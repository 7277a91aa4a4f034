"""What Risk knows of the account: positions, marks, pending orders, equity and the day's result.

Equity is kept as a float for the continuous checks, which look at every tick, and as Decimal for
the gate, which looks at every order. What may still fill is kept as running totals, so that the
price of a check does not grow with the number of open orders.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from tradeagent.agents.legs import PROTECTIVE
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TERMINAL,
    ZERO,
    AccountUpdate,
    Order,
    OrderUpdate,
    PositionUpdate,
)
from tradeagent.storage.base import Past

DAY = 86_400 * SECOND


class Standing:
    """One symbol: its position, its mark, and what may still be bought, sold and closed.

    `buys` and `sells` are of orders that can raise |position|, `exits` of reduce-only ones; resting
    stops and targets are in none, for the venue cuts those to the position. `bar` is how long the
    shortest candles are, ns.
    """

    __slots__ = ("asked", "bar", "buys", "entry", "exits", "mark", "quoted", "sells", "size")

    def __init__(self) -> None:
        self.size = self.buys = self.sells = self.exits = ZERO
        self.entry = self.mark = 0.0
        self.bar = 0
        self.quoted = False
        self.asked = ZERO

    @property
    def worst(self) -> Decimal:
        """Return the largest |position| that open orders can lead to."""
        return max(self.size + self.buys, self.sells - self.size)

    @property
    def price(self) -> Decimal:
        """Return what a unit is worth: the mark, else the entry, else what orders ask."""
        return Decimal(repr(self.mark or self.entry)) if self.mark or self.entry else self.asked


class Claim(NamedTuple):
    """What one order may still do: in which total of which symbol, and how much."""

    standing: Standing
    total: Literal["buys", "sells", "exits"]
    left: Decimal


class Exposure:
    """Folds what happened into what may still happen, for the worst case of every order."""

    def __init__(self) -> None:
        self.balance = ZERO
        self._standings: dict[str, Standing] = {}
        self._held: dict[str, Standing] = {}
        self._positions: dict[str, PositionUpdate] = {}
        self._claims: dict[str, Claim] = {}
        self._reserved: dict[str, int] = {}
        self._day = 0
        self._day_open: Decimal | None = None

    def __getitem__(self, symbol: str) -> Standing:
        """Return the standing of a symbol, flat when nothing is known."""
        found = self._standings.get(symbol)
        if found is None:
            found = self._standings[symbol] = Standing()
        return found

    def restore(self, past: Past) -> None:
        """Take up positions, open orders, the balance and the day's opening."""
        if past.account is not None:
            self.balance = past.account.balance
        for held in past.positions:
            self.hold(held)
        for update in past.orders:
            self.order(update)
        if past.day_open is not None:
            self._day, self._day_open = past.day_open.day, past.day_open.equity

    # -- what happens -----------------------------------------------------------------------------

    def price(self, symbol: str, close: float, length: int) -> bool:
        """Take a close of a candle `length` ns long; False where a ticker gives the mark."""
        standing = self[symbol]
        standing.bar = min(standing.bar or length, length)
        if not standing.quoted:
            standing.mark = close
        return not standing.quoted

    def quote(self, symbol: str, mark: float) -> None:
        """Take a ticker's mark."""
        standing = self[symbol]
        standing.quoted = True
        standing.mark = mark

    def hold(self, update: PositionUpdate) -> None:
        """Take over a position; what it realised changes the balance until the venue tells it."""
        symbol = update.symbol
        before = self._positions.get(symbol, update)
        self.balance += update.realised_pnl - before.realised_pnl
        self.balance -= update.funding - before.funding
        self._positions[symbol] = update
        standing = self[symbol]
        standing.size, standing.entry = update.size, float(update.entry_price)
        if update.size:
            self._held[symbol] = standing
        else:
            self._held.pop(symbol, None)

    def pay(self, fee: Decimal) -> None:
        """Take a fee off the balance."""
        self.balance -= fee

    def account(self, update: AccountUpdate) -> None:
        """Take over the venue's balance; the first of a UTC day is what its loss is measured by."""
        self.balance = update.balance
        day = update.time // DAY
        if day != self._day or self._day_open is None:
            self._day, self._day_open = day, update.equity

    def order(self, update: OrderUpdate) -> None:
        """Keep what may still fill; an approval that became an order is reserved no more."""
        order = update.order
        if self._reserved.pop(order.intent_id, None) is not None:
            self._claim(order.intent_id, order, ZERO)
        left = ZERO if update.status in TERMINAL else order.size - update.filled
        self._claim(order.cloid, order, left)

    def reserve(self, order: Order, until: int) -> None:
        """Count an approved order as pending until it is seen as one or `until` (UTC ns)."""
        self._reserved[order.intent_id] = until
        self._claim(order.intent_id, order, order.size)

    def expire(self, now: int) -> None:
        """Forget reservations that came to nothing."""
        if not self._reserved:
            return
        for intent in [name for name, until in self._reserved.items() if until < now]:
            del self._reserved[intent]
            self._drop(intent)

    def _claim(self, name: str, order: Order, left: Decimal) -> None:
        """Put an order's claim in the place of the one it had."""
        self._drop(name)
        if not left or (order.reduce_only and order.type in PROTECTIVE):
            return
        standing = self[order.symbol]
        standing.asked = max(standing.asked, order.limit or order.trigger or ZERO)
        total: Literal["buys", "sells", "exits"] = "sells" if order.side == "sell" else "buys"
        if order.reduce_only:
            total = "exits"
        setattr(standing, total, getattr(standing, total) + left)
        self._claims[name] = Claim(standing, total, left)

    def _drop(self, name: str) -> None:
        claim = self._claims.pop(name, None)
        if claim is not None:
            left = getattr(claim.standing, claim.total) - claim.left
            setattr(claim.standing, claim.total, left)

    # -- what follows -----------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Tell whether any position is open."""
        return bool(self._held)

    @property
    def is_flat(self) -> bool:
        """Tell whether every position is closed and no order can open one."""
        return not self._held and all(claim.total == "exits" for claim in self._claims.values())

    def others(self, symbol: str) -> Decimal:
        """Return the worst-case gross value of every other symbol."""
        total = ZERO
        for name, standing in self._standings.items():
            if name != symbol and (worst := standing.worst):
                total += worst * standing.price
        return total

    @property
    def _unrealised(self) -> float:
        total = 0.0
        for standing in self._held.values():
            if standing.mark:
                total += float(standing.size) * (standing.mark - standing.entry)
        return total

    @property
    def equity(self) -> Decimal:
        """Return balance plus unrealised profit at the marks."""
        if not self._held:
            return self.balance
        return self.balance + Decimal(repr(round(self._unrealised, 8)))

    def day_pnl(self, equity: Decimal) -> Decimal:
        """Return what the UTC day has brought so far, down to `equity`."""
        return equity - self._day_open if self._day_open is not None else ZERO

    @property
    def day_loss_ratio(self) -> float:
        """Return the day's loss as a part of its opening equity, 0 when there is none."""
        if not self._day_open:
            return 0.0
        opening = float(self._day_open)
        return max(0.0, (opening - float(self.balance) - self._unrealised) / opening)
