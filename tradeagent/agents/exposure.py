"""What Risk knows of the account: positions, marks, pending orders, equity and the day's result.

Equity is kept as a float for the continuous checks, which look at every tick, and as Decimal for
the gate, which looks at every order. What may still fill, and what that is worth, is kept as
running totals, so that the price of a check does not grow with open orders or symbols.
"""

from __future__ import annotations

from decimal import Decimal

from tradeagent.agents.claims import Claims
from tradeagent.agents.standing import Standing
from tradeagent.agents.totals import Totals
from tradeagent.clock import SECOND
from tradeagent.messages import (
    TIMEFRAMES,
    ZERO,
    AccountUpdate,
    InstrumentUpdate,
    MarketData,
    OrderBookUpdate,
    PositionUpdate,
    TickerUpdate,
)
from tradeagent.quant.rules import Limits
from tradeagent.quant.rules.account import margin_rates
from tradeagent.quant.vitals import FAR, Vitals
from tradeagent.storage.base import Past

DAY = 86_400 * SECOND


class Exposure:
    """Folds what happened into what may still happen, for the worst case of every order."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits = limits if limits is not None else Limits()
        self.balance = ZERO
        self.heard = 0
        self.stands = False
        """Whether the account stands until it is told again, however long ago that was."""
        self.hastened = False
        """Whether a symbol turned out to have shorter candles than was thought."""
        self.venue_margin = ZERO
        self.high_water = ZERO
        self.instruments: dict[str, InstrumentUpdate] = {}
        self._standings: dict[str, Standing] = {}
        self._held: dict[str, Standing] = {}
        self._positions: dict[str, PositionUpdate] = {}
        self.totals = Totals()
        self.claims = Claims(self.__getitem__, self.totals.moved)
        self._group_of = {
            symbol: name for name, group in limits.groups.items() for symbol in group.symbols
        }
        self._day = 0
        self._day_open: Decimal | None = None
        self._tick_age = int(limits.max_price_age_s * SECOND)
        """After how long without a ticker candles give the mark again, ns."""

    def __getitem__(self, symbol: str) -> Standing:
        """Return the standing of a symbol, flat when nothing is known."""
        found = self._standings.get(symbol)
        if found is None:
            rates = margin_rates(self.limits.max_leverage, self.limits.max_leverage)
            group = self._group_of.get(symbol, "")
            found = self._standings[symbol] = Standing(rates, group)
        return found

    def restore(self, past: Past) -> None:
        """Take up positions, open orders, the balance, the day's opening and the highest equity."""
        for instrument in past.instruments:
            self.listed(instrument)
        if past.account is not None:
            self.balance = past.account.balance
        for held in past.positions:
            self.hold(held)
        for update in past.orders:
            self.claims.order(update, past.ts)
        if past.day_open is not None:
            self._day, self._day_open = past.day_open.day, past.day_open.equity
        self.high_water = past.high_water
        self.claims.forget_ended()

    # -- what happens -----------------------------------------------------------------------------

    def listed(self, instrument: InstrumentUpdate) -> None:
        """Learn an instrument: its grid, and the margin it needs."""
        self.instruments[instrument.symbol] = instrument
        standing = self[instrument.symbol]
        standing.rates = margin_rates(instrument.max_leverage, self.limits.max_leverage)
        self.totals.moved(instrument.symbol, standing)

    def price(self, bar: MarketData) -> Standing | None:
        """Take the close of a candle; returns whom it marks, None where a ticker gives the mark."""
        length, symbol = TIMEFRAMES[bar.timeframe], bar.symbol
        standing = self._standings.get(symbol) or self[symbol]
        if length != standing.bar:
            self.hastened = self.hastened or length < standing.bar
            standing.bar = min(standing.bar or length, length)
        closed = bar.time + length
        if closed < standing.heard:
            return None  # a longer candle that was completed late
        standing.heard = closed
        if standing.quoted:
            if standing.tick is not None and closed - standing.tick.time <= self._tick_age:
                return None
            standing.quoted = False
        standing.mark = bar.close
        if standing.at_stake:
            self.totals.moved(symbol, standing)
        else:
            standing.moved()
        return standing

    def quote(self, tick: TickerUpdate) -> Standing:
        """Take a ticker: its mark, and what orders meet; returns whom it marks."""
        standing = self._standings.get(tick.symbol) or self[tick.symbol]
        standing.quoted = True
        standing.tick = tick
        standing.heard = tick.time
        standing.mark = tick.mark or (tick.bid + tick.ask) / 2
        if standing.at_stake:
            self.totals.moved(tick.symbol, standing)
        else:
            standing.moved()
        return standing

    def show(self, book: OrderBookUpdate) -> None:
        """Take a book."""
        self[book.symbol].book = book

    def hold(self, update: PositionUpdate) -> None:
        """Take over a position; what it realised changes the balance until the venue tells it."""
        symbol = update.symbol
        before = self._positions.get(symbol, update)
        self.balance += update.realised_pnl - before.realised_pnl
        self.balance -= update.funding - before.funding
        self._positions[symbol] = update
        standing = self[symbol]
        if before.size * update.size <= 0:
            standing.bare = 0  # the next position is as old as it is, not as the last one
        standing.size, standing.entry = update.size, float(update.entry_price)
        standing.units = float(update.size)
        self.totals.moved(symbol, standing)
        if update.size:
            self._held[symbol] = standing
        else:
            self._held.pop(symbol, None)
        if self.stands:
            self.high_water = max(self.high_water, self.equity)

    def pay(self, fee: Decimal) -> None:
        """Take a fee off the balance."""
        self.balance -= fee

    def account(self, update: AccountUpdate, now: int) -> None:
        """Take over the venue's word; the first of a UTC day is what its loss is measured by.

        Where the account stands, what the venue uses as margin is what our own positions do.
        """
        self.balance, self.heard, self.stands = update.balance, now, update.stands
        self.venue_margin = ZERO if update.stands else update.margin_used
        self.high_water = max(self.high_water, update.equity)
        day = update.time // DAY
        if day != self._day or self._day_open is None:
            self._day, self._day_open = day, update.equity

    # -- what follows -----------------------------------------------------------------------------

    @property
    def measured_by(self) -> tuple[Decimal, Decimal, int]:
        """Return what the account's losses are measured by: balance, highest equity and day."""
        return self.balance, self.high_water, self._day

    def told_at(self, now: int) -> int:
        """Return as of when the account is known at `now`, UTC ns; 0 when it never was told."""
        return now if self.stands else self.heard

    @property
    def holds(self) -> bool:
        """Tell whether any position is open."""
        return bool(self._held)

    @property
    def held(self) -> int:
        """Return in how many symbols a position is open."""
        return len(self._held)

    @property
    def is_flat(self) -> bool:
        """Tell whether every position is closed and no order can open one."""
        return not self._held and not self.claims.can_open

    @property
    def _unrealised(self) -> float:
        total = 0.0
        for standing in self._held.values():
            if standing.mark:
                total += standing.units * (standing.mark - standing.entry)
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

    def vitals(self, now: int, move: float = 0.0) -> Vitals:
        """Return how the account stands at the marks of now.

        With `move` each mark has moved by that part against us, in each regard.
        """
        unrealised = gross = margin = maintenance = bare = 0.0
        blind = -FAR if self._held else 0.0  # before the next candle is due it is no silence
        wants_stop = self.limits.require_stop
        for standing in self._held.values():
            worth = abs(standing.units) * (standing.mark or standing.entry)
            if standing.mark:
                unrealised += standing.units * (standing.mark - standing.entry)
            gross += worth
            margin += worth * float(standing.rates[0])
            maintenance += worth * float(standing.rates[1])
            standing.heard = standing.heard or now  # after a start it is waited for from then on
            blind = max(blind, (now - standing.heard - standing.bar) / SECOND)
            if wants_stop:
                bare = max(bare, self._bare(standing, now))
        equity = float(self.balance) + unrealised
        if move:
            equity -= move * gross
            gross, margin, maintenance = (one * (1 + move) for one in (gross, margin, maintenance))
        opening, high = float(self._day_open or 0), float(self.high_water)
        safe = equity if equity > 0 else 1e-9
        return Vitals(
            day_loss=max(0.0, (opening - equity) / opening) if opening > 0 else 0.0,
            drawdown=max(0.0, (high - equity) / high) if high > 0 else 0.0,
            gross=gross / safe,
            margin=margin / safe,
            liquidation_distance=(equity - maintenance) / gross if gross else FAR,
            account_age=(now - self.told_at(now)) / SECOND if self.heard else 0.0,
            blind=blind,
            unprotected=bare,
            unknown_orders=self.claims.unknown,
            unknown_age=self.claims.unknown_age(now),
            venue_rejects=self.claims.rejected,
        )

    def bracket(self, move: float) -> None:
        """Note between which marks of what is held the account is in order: `move` either way."""
        for standing in self._held.values():
            mark = standing.mark or standing.entry
            standing.low, standing.high = mark * (1 - move), mark * (1 + move)

    def counting(self) -> set[str]:
        """Return which of the vitals grow with time alone."""
        growing = set()
        if self.heard and not self.stands:
            growing.add("account_age")
        if self._held:
            growing.add("blind")
        if any(one.bare for one in self._held.values()):
            growing.add("unprotected")
        if self.claims.unknown:
            growing.add("unknown_age")
        return growing

    def _bare(self, standing: Standing, now: int) -> float:
        """Return for how long (s) the stops have been smaller than the position."""
        if standing.stops >= abs(standing.size):
            standing.bare = 0
            return 0.0
        standing.bare = standing.bare or now
        return (now - standing.bare) / SECOND
