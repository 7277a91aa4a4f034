"""What Risk knows of the account: positions, marks, pending orders, equity and the day's result.

Equity is kept as a float for the continuous checks, which look at every tick, and as Decimal for
the gate, which looks at every order.
"""

from __future__ import annotations

from decimal import Decimal

from tradeagent.agents.blotter import PROTECTIVE
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


class Exposure:
    """Folds what happened into what may still happen, for the worst case of every order."""

    def __init__(self) -> None:
        self.balance = ZERO
        self._positions: dict[str, PositionUpdate] = {}
        self._held: dict[str, tuple[float, float]] = {}
        self._marks: dict[str, tuple[float, int]] = {}
        self._quoted: set[str] = set()
        self._bars: dict[str, int] = {}
        self._orders: dict[str, OrderUpdate] = {}
        self._reserved: dict[str, tuple[Order, int]] = {}
        self._day = 0
        self._day_open: Decimal | None = None

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

    def price(self, symbol: str, close: float, time: int) -> bool:
        """Take a candle's close; returns False where a ticker gives the mark."""
        self._bars[symbol] = time
        if symbol in self._quoted:
            return False
        self._marks[symbol] = (close, time)
        return True

    def quote(self, symbol: str, mark: float, time: int) -> None:
        """Take a ticker's mark."""
        self._quoted.add(symbol)
        self._marks[symbol] = (mark, time)

    def hold(self, update: PositionUpdate) -> None:
        """Take over a position; what it realised changes the balance until the venue tells it."""
        before = self._positions.get(update.symbol)
        realised = before.realised_pnl if before is not None else update.realised_pnl
        funding = before.funding if before is not None else update.funding
        self.balance += update.realised_pnl - realised - (update.funding - funding)
        self._positions[update.symbol] = update
        if update.size:
            self._held[update.symbol] = (float(update.size), float(update.entry_price))
        else:
            self._held.pop(update.symbol, None)

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
        self._reserved.pop(order.intent_id, None)
        if update.status in TERMINAL:
            self._orders.pop(order.cloid, None)
        else:
            self._orders[order.cloid] = update

    def reserve(self, order: Order, until: int) -> None:
        """Count an approved order as pending until it is seen as one or `until` (UTC ns)."""
        self._reserved[order.intent_id] = (order, until)

    def expire(self, now: int) -> None:
        """Forget reservations that came to nothing."""
        for intent, (_, until) in tuple(self._reserved.items()):
            if until < now:
                del self._reserved[intent]

    # -- what follows -----------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Tell whether any position is open."""
        return bool(self._held)

    @property
    def is_flat(self) -> bool:
        """Tell whether every position is closed and no order can open one."""
        return not self._held and all(order.reduce_only for order, _ in self._pending())

    def position(self, symbol: str) -> Decimal:
        """Return the signed position."""
        held = self._positions.get(symbol)
        return held.size if held is not None else ZERO

    def mark(self, symbol: str) -> Decimal | None:
        """Return the last mark, None before the first."""
        found = self._marks.get(symbol)
        return Decimal(repr(found[0])) if found is not None else None

    def bar_length(self, symbol: str) -> int:
        """Return how old a price may be by itself: a bar where there are only bars, else 0."""
        return 0 if symbol in self._quoted or symbol not in self._bars else 60 * SECOND

    def pending(self, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return what may still be bought and sold by increases, and what exits may close."""
        buys = sells = reduces = ZERO
        for order, left in self._pending():
            if order.symbol != symbol:
                continue
            if order.reduce_only:
                reduces += left if order.type not in PROTECTIVE else ZERO
            elif order.side == "buy":
                buys += left
            else:
                sells += left
        return buys, sells, reduces

    def _pending(self) -> list[tuple[Order, Decimal]]:
        working = [(one.order, one.order.size - one.filled) for one in self._orders.values()]
        return working + [(order, order.size) for order, _ in self._reserved.values()]

    def others(self, symbol: str) -> Decimal:
        """Return the worst-case gross value of every other symbol."""
        worst: dict[str, list[Decimal]] = {}
        for name, held in self._positions.items():
            worst[name] = [held.size, held.size]
        for order, left in self._pending():
            if not order.reduce_only:
                span = worst.setdefault(order.symbol, [ZERO, ZERO])
                span[0 if order.side == "buy" else 1] += left if order.side == "buy" else -left
        total = ZERO
        for name, (longest, shortest) in worst.items():
            if name != symbol:
                total += max(longest, -shortest) * (self.mark(name) or self._last_known(name))
        return total

    def _last_known(self, symbol: str) -> Decimal:
        """Return a price for a symbol without a mark: its entry, or its orders' own."""
        held = self._positions.get(symbol)
        if held is not None and held.entry_price:
            return held.entry_price
        prices = [one.limit or one.trigger for one, _ in self._pending() if one.symbol == symbol]
        return max((price for price in prices if price is not None), default=ZERO)

    @property
    def _unrealised(self) -> float:
        total = 0.0
        for symbol, (size, entry) in self._held.items():
            found = self._marks.get(symbol)
            if found is not None:
                total += size * (found[0] - entry)
        return total

    @property
    def equity(self) -> Decimal:
        """Return balance plus unrealised profit at the marks."""
        return self.balance + Decimal(repr(round(self._unrealised, 8)))

    @property
    def day_pnl(self) -> Decimal:
        """Return what the UTC day has brought so far."""
        return self.equity - self._day_open if self._day_open is not None else ZERO

    @property
    def day_loss_ratio(self) -> float:
        """Return the day's loss as a part of its opening equity, 0 when there is none."""
        if not self._day_open:
            return 0.0
        opening = float(self._day_open)
        return max(0.0, (opening - float(self.balance) - self._unrealised) / opening)
