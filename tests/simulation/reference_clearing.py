"""What the slow venue does with a fill: money, groups, exits without a position, liquidation.

It shares no code with the package.
"""

from __future__ import annotations

import math
from fractions import Fraction

from .reference_books import HOUR, Bar, Entry, SlowBooks, Wish, cents


class SlowClearing(SlowBooks):
    """Carries out what was matched, and all that follows from it."""

    def _reducible(self, wish: Wish) -> int:
        return max(-wish.sign * self.held(wish.symbol).size, 0)

    def _carry_out(
        self, wish: Wish, price: int | None, most: int, time: int, *, maker: bool
    ) -> None:
        """Fill an order at a price, or end it where there is none."""
        size = min(most, wish.left)
        if wish.reduce_only:
            size = min(size, self._reducible(wish))
        if price is None or size == 0:
            self._end(wish, time)
            return
        before = self.held(wish.symbol).size
        cut = wish.reduce_only and size == self._reducible(wish)
        wish.filled += size
        fee = self._log_fill(wish, size, price, time, maker=maker)
        status = "FILLED" if wish.filled == wish.size else "PARTIAL"
        self.told.append(
            (wish.cloid, status, price, size, fee, "maker" if maker else "taker", time)
        )
        done = cut or wish.left == 0
        if done:
            self.open.remove(wish)
            if wish.filled < wish.size:
                self.told.append((wish.cloid, "CANCELED", time))
        for other in list(self.open):
            if wish.group and other.group == wish.group and other is not wish:
                other.lost += min(size, other.left)
                if done or other.left == 0:
                    self._end(other, time)
        if done and wish.group:
            self.done_groups.add(wish.group)
        self._position_changed(wish.symbol, before, time)

    def _log_fill(self, wish: Wish, size: int, price: int, time: int, *, maker: bool) -> Fraction:
        fee = cents(size * price * self.fee_rate(maker, time))
        self.log.append(Entry(wish.symbol, wish.sign, size, price, fee, time))
        return fee

    def _position_changed(self, symbol: str, before: int, time: int) -> None:
        after = self.held(symbol).size
        for other in list(self.open):
            turned = before != 0 and before * after <= 0
            hangs = other.symbol == symbol and other.reduce_only
            if turned and hangs and not self._reducible(other):
                self._end(other, time)
        grew = abs(after) > abs(before) or before * after < 0
        if grew and symbol not in self.quotes and symbol in self.bars:
            self.entry_bars[symbol] = self.bars[symbol]

    def _end(self, wish: Wish, time: int) -> None:
        self.open.remove(wish)
        self.told.append((wish.cloid, "CANCELED", time))

    def _fund(self, symbol: str, time: int) -> None:
        """Pay for every full hour that has passed since the last event."""
        last = self.hours.get(symbol)
        self.hours[symbol] = time // HOUR
        rate = self.rates.get(symbol)
        if last is None or not rate or symbol not in self.marks:
            return
        for hour in range(last + 1, time // HOUR + 1):
            size = self.held(symbol).size
            if size:
                payment = cents(size * self.marks[symbol] * rate)
                self.log.append(Entry(symbol, 0, 0, 0, payment, hour * HOUR))
                self.told.append((f"funding-{symbol}-{hour * HOUR}", payment, hour * HOUR))

    def _margin_calls(self, first: str) -> None:
        for symbol in (first, *self.symbols):
            if symbol in self.marks and self.held(symbol).size and self.spare(symbol) < 0:
                self._liquidate(symbol, self._exit(symbol))

    def _call_in_bar(self, symbol: str, bar: Bar, price: int | None) -> None:
        """Liquidate where the way of a bar passes the mark at which the margin is used up."""
        size = self.held(symbol).size
        if not size:
            return
        extreme = (bar.low if size > 0 else bar.high) if price is None else price
        if self.spare(symbol, extreme) >= 0:
            return
        at_open, at_extreme = self.spare(symbol, bar.open), self.spare(symbol, extreme)
        if at_open <= 0:
            spot = Fraction(bar.open)
        else:
            spot = bar.open + (extreme - bar.open) * at_open / (at_open - at_extreme)
        self._liquidate(symbol, spot)

    def _exit(self, symbol: str) -> Fraction | int:
        quote = self.quotes.get(symbol)
        held = self.held(symbol)
        if quote is None:
            return self.marks.get(symbol, held.cost / held.size)
        return quote.bid if held.size > 0 else quote.ask

    def _liquidate(self, symbol: str, price: Fraction | int) -> None:
        victims = [(symbol, price)]
        if symbol not in self.rules.isolated:
            shared = [one for one in self.symbols if one not in self.rules.isolated]
            others = [one for one in shared if one != symbol and self.held(one).size]
            victims += [(other, self._exit(other)) for other in others]
        for name, at in victims:
            for wish in [one for one in self.open if one.symbol == name]:
                self._end(wish, self.now)
            size = self.held(name).size
            closing = Wish("liquidation", name, -1 if size > 0 else 1, abs(size), "market")
            paid = self._slipped(closing, at)
            fee = self._log_fill(closing, abs(size), paid, self.now, maker=False)
            self.told.append(("liquidation", "FILLED", paid, abs(size), fee, "taker", self.now))
            self._position_changed(name, size, self.now)

    def _slipped(self, wish: Wish, price: Fraction | int) -> int:
        lost = price * self.rules.slippage
        return math.ceil(price + lost) if wish.sign > 0 else math.floor(price - lost)
