"""A slow venue that spells out every rule of the exchange, to compare the fast one with.

It shares no code with the package. Prices and sizes are whole numbers, money is a fraction.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from .reference_books import MINUTE, Bar, Quote, Shown, Wish
from .reference_clearing import SlowClearing

Sides = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class SlowVenue(SlowClearing):
    """Every order is looked at for every event, one rule at a time."""

    # -- orders -----------------------------------------------------------------------------------

    def place(self, wish: Wish) -> str:
        """Return the status of the acknowledgement."""
        self.land()
        return self._admit(wish, None)

    def modify(self, cloid: str, wish: Wish) -> str:
        """Return the status of the acknowledgement of the replacing order."""
        self.land()
        old = self._find(cloid)
        if old is None or old.symbol != wish.symbol or old.sign != wish.sign:
            return "REJECTED"
        wish.replaces = cloid
        return self._admit(wish, old)

    def cancel(self, symbol: str, cloid: str) -> str | None:
        """Return the status that is answered, None when the cancel is refused."""
        self.land()
        wish = self._find(cloid)
        if wish is None or wish.symbol != symbol:
            return None
        if self.rules.cancel_delay:
            self._send(wish, self.now + self.rules.cancel_delay, cancels=True)
            return "PARTIAL" if wish.filled else "OPEN"
        self.open.remove(wish)
        return "CANCELED"

    def _admit(self, wish: Wish, old: Wish | None) -> str:
        if not self._fits(wish, old) or wish.group in self.done_groups:
            return "REJECTED"
        quoted = wish.symbol in self.quotes
        if quoted and not self.rules.order_delay and wish.kind == "limit":
            if wish.tif == "ALO" and self._crosses(wish):
                return "REJECTED"
            if wish.tif == "IOC" and not self._crosses(wish):
                return "CANCELED" if old is None else "REJECTED"
        wish.placed = self.now + self.rules.order_delay
        self.open.append(wish)
        if self.rules.order_delay:
            self._send(wish, wish.placed, cancels=False)
        else:
            self._arrive(wish, self.now)
        return "OPEN"

    def _fits(self, wish: Wish, old: Wish | None) -> bool:
        if wish.reduce_only:
            return self._reducible(wish) > 0
        mark = self.marks.get(wish.symbol)
        limit = wish.price if wish.kind == "limit" else wish.worst
        if mark is None and limit is None:
            return False
        needed = Fraction(0)
        for symbol in self.symbols:
            if symbol == wish.symbol:
                worst = self._side(symbol, wish, old)
                if worst <= self._worst(symbol, old):
                    return True
            else:
                worst = self._worst(symbol, None)
            price = self.marks.get(symbol, (limit if symbol == wish.symbol else 0) or 0)
            held = self.held(symbol)
            if symbol in self.rules.isolated:
                needed += held.margin
                worst -= abs(held.size)
            needed += Fraction(worst * price, self.rules.leverage[symbol])
        free = self.balance() + sum(
            (self.gain(one) for one in self.symbols if one not in self.rules.isolated), Fraction(0)
        )
        return needed <= free

    def _worst(self, symbol: str, without: Wish | None) -> int:
        """Return the largest position that resting increases can make."""
        sides = (Wish("", symbol, sign, 0, "limit", 0) for sign in (1, -1))
        return max(self._side(symbol, side, without) for side in sides)

    def _side(self, symbol: str, wish: Wish, without: Wish | None) -> int:
        """Return the position on the side of `wish` when all increases there and it have filled."""
        waiting = [
            one.left
            for one in self.open
            if one.symbol == symbol
            and one.sign == wish.sign
            and not one.reduce_only
            and one is not without
        ]
        return wish.sign * self.held(symbol).size + sum(waiting) + wish.size

    def land(self) -> None:
        """Let arrive what is due."""
        while True:
            due = sorted(one[:2] for one in self.coming if one[0] <= self.now)
            if not due:
                return
            coming = next(one for one in self.coming if one[:2] == due[0])
            self.coming.remove(coming)
            time, _, wish, cancels = coming
            if wish in self.open:
                if cancels:
                    self._end(wish, time)
                elif not wish.arrived:
                    self._arrive(wish, time)

    def _send(self, wish: Wish, due: int, *, cancels: bool) -> None:
        self.count += 1
        self.coming.append((due, self.count, wish, cancels))

    def _arrive(self, wish: Wish, time: int) -> None:
        if wish.replaces is not None:
            old = self._find(wish.replaces)
            if old is None:
                self._end(wish, time)
                return
            terms = ("kind", "price", "worst", "tif", "reduce_only", "group")
            same = all(getattr(old, name) == getattr(wish, name) for name in terms)
            if same and old.arrived and wish.size <= old.left:
                self.open.remove(wish)
                self.open[self.open.index(old)] = wish
                for name in ("placed", "ahead", "triggered", "arrived"):
                    setattr(wish, name, getattr(old, name))
                self.told.append((old.cloid, "CANCELED", time))
                return
            self._end(old, time)
        wish.arrived = True
        if wish.symbol in self.quotes:
            self._meet(wish, time, arriving=True)
            if wish.kind == "limit":
                wish.ahead = self._shown_at(wish, self._sides(wish.symbol))
        elif wish.kind == "stop" and wish.symbol in self.entry_bars:
            bar = self.entry_bars.pop(wish.symbol)
            found = self._in_bar(wish, bar, None)
            if found is not None:
                self._carry_out(wish, found[1], wish.size, time, maker=False)

    def _find(self, cloid: str) -> Wish | None:
        return next((wish for wish in self.open if wish.cloid == cloid), None)

    # -- the market -------------------------------------------------------------------------------

    def quote(self, symbol: str, quote: Quote, mark: int | None, rate: Fraction | None) -> None:
        """Judge every order by a quote; the middle stands in for a mark."""
        self.land()
        if rate is not None:
            self.rates[symbol] = rate
        self.quotes[symbol] = quote
        self.stated[symbol] = mark
        self.marks[symbol] = Fraction(quote.bid + quote.ask, 2) if mark is None else mark
        book = self.books.get(symbol)
        if book and (book.bids[0][0], book.asks[0][0]) != (quote.bid, quote.ask):
            del self.books[symbol]
        if symbol in self.trades_heard:
            self._move_up(symbol, self._touch_sides(quote))
        self._fund(symbol, self.now)
        self._judge_all(symbol)
        self._margin_calls(symbol)

    def book(self, symbol: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        """Judge every order by a book; a quote must have come before."""
        self.land()
        self.quotes[symbol] = replace(self.quotes[symbol], bid=bids[0][0], ask=asks[0][0])
        self.books[symbol] = Shown(bids, asks, dict([*bids, *asks]))
        mark = self.stated[symbol]
        self.marks[symbol] = Fraction(bids[0][0] + asks[0][0], 2) if mark is None else mark
        self._move_up(symbol, (bids, asks))
        self._fund(symbol, self.now)
        self._judge_all(symbol)
        self._margin_calls(symbol)

    def trade(self, symbol: str, price: int, size: int, aggressor: int) -> None:
        """Judge resting limits by a trade; the queue before them is served first."""
        self.land()
        self._fund(symbol, self.now)
        if symbol in self.quotes:
            self.trades_heard.add(symbol)
            spent = 0
            for wish in list(self.open):
                if wish not in self.open or not wish.arrived or wish.kind != "limit":
                    continue
                if wish.symbol != symbol or wish.sign == aggressor:
                    continue
                assert wish.price is not None
                if wish.sign * (wish.price - price) > 0:
                    self._carry_out(wish, wish.price, wish.left, self.now, maker=True)
                elif wish.price == price and wish.ahead is not None:
                    reaches = size - wish.ahead - spent
                    wish.ahead = max(wish.ahead - size, 0)
                    if reaches > 0:
                        before = wish.filled
                        self._carry_out(wish, price, reaches, self.now, maker=True)
                        spent += wish.filled - before
        self._margin_calls(symbol)

    def bar(self, symbol: str, bar: Bar) -> None:
        """Judge every order by a candle: stops, then the adverse extreme, then the rest."""
        self.land()
        if symbol in self.quotes:
            return
        before = self.marks.get(symbol)
        self.bars[symbol] = bar
        self.marks[symbol] = bar.close
        self.entry_bars.pop(symbol, None)
        seen: set[str] = set()
        while True:
            found = []
            for age, wish in enumerate(self.open):
                if wish.symbol != symbol or not wish.arrived or wish.cloid in seen:
                    continue
                stop = wish.kind == "stop"
                in_time = wish.placed < bar.time + MINUTE if stop else wish.placed <= bar.time
                outcome = self._in_bar(wish, bar, before) if in_time else None
                if outcome is not None:
                    found.append((outcome[0], age, wish, outcome[1]))
            if not found:
                break
            turn, _, wish, price = min(found, key=lambda one: one[:2])
            seen.add(wish.cloid)
            opening = turn[0] == "1 at the open"
            if not opening and price is not None:
                self._call_in_bar(symbol, bar, price if wish.kind == "stop" else None)
            if wish in self.open:
                when = max(bar.time, wish.placed) if opening else self.now
                early = bar.time - wish.placed < MINUTE
                maker = wish.kind == "limit" and not (opening and (early or wish.tif == "IOC"))
                self._carry_out(wish, price, wish.left, when, maker=maker)
        self._call_in_bar(symbol, bar, None)
        self._margin_calls(symbol)
        self._fund(symbol, self.now)

    def _in_bar(
        self, wish: Wish, bar: Bar, mark: Fraction | int | None
    ) -> tuple[tuple[str, str, int], int | None] | None:
        """Return (turn, price): price None ends the order, None altogether leaves it."""
        opening, inside, stop, other = "1 at the open", "2 inside", "1 stop", "2 other"
        price, buys = wish.price, wish.sign > 0
        if wish.kind == "market":
            return (opening, other, 0), self._allowed(wish, self._slipped(wish, bar.open), mark)
        assert price is not None
        distance = abs(bar.open - price)
        if wish.kind == "stop":
            if wish.triggered or (bar.open - price) * wish.sign >= 0:
                return (opening, stop, 0), self._allowed(wish, self._slipped(wish, bar.open), None)
            if (buys and bar.high >= price) or (not buys and bar.low <= price):
                return (inside, stop, distance), self._allowed(
                    wish, self._slipped(wish, price), None
                )
            return None
        beyond = bar.open < price if buys else bar.open > price
        through = bar.low < price if buys else bar.high > price
        if wish.kind == "take_profit":
            if wish.triggered or beyond:
                return (opening, other, 0), self._allowed(wish, self._slipped(wish, bar.open), None)
            taken = self._allowed(wish, self._slipped(wish, price), None)
            return ((inside, other, distance), taken) if through else None
        if wish.tif == "IOC":
            return (opening, other, 0), bar.open if beyond else None
        if beyond:
            new = bar.time - wish.placed < MINUTE
            return (opening, other, 0), None if new and wish.tif == "ALO" else bar.open
        return ((inside, other, distance), price) if through else None

    def _judge_all(self, symbol: str) -> None:
        for wants_stop in (True, False):
            for wish in list(self.open):
                meant = wish.arrived and wish.symbol == symbol
                if wish in self.open and meant and (wish.kind == "stop") is wants_stop:
                    self._meet(wish, self.now, arriving=False)

    def _meet(self, wish: Wish, time: int, *, arriving: bool) -> None:
        """Judge one order by touch and mark."""
        if wish.kind == "limit":
            if self._crosses(wish):
                if arriving and wish.tif == "ALO":
                    self._end(wish, time)
                elif arriving or wish.tif == "IOC":
                    self._take(wish, time)
                else:
                    self._carry_out(wish, wish.price, wish.left, time, maker=True)
            if wish.tif == "IOC" and wish in self.open:
                self._end(wish, time)
            return
        if wish.kind != "market" and not wish.triggered:
            assert wish.price is not None
            rising = (wish.kind == "stop") == (wish.sign > 0)
            mark = self.marks[wish.symbol]
            if (mark < wish.price) if rising else (mark > wish.price):
                return
            wish.triggered = True
        self._take(wish, time)

    def _take(self, wish: Wish, time: int) -> None:
        """Let an order take the touch, or level after level of a book."""
        mark = self.marks[wish.symbol]
        book = self.books.get(wish.symbol)
        quote = self.quotes[wish.symbol]
        if book is None:
            touch = quote.ask if wish.sign > 0 else quote.bid
            price = touch if wish.kind == "limit" else self._slipped(wish, touch)
            self._carry_out(wish, self._allowed(wish, price, mark), wish.left, time, maker=False)
            return
        for price, _ in book.asks if wish.sign > 0 else book.bids:
            if not book.left[price]:
                continue
            if self._allowed(wish, price, mark) is None:
                if wish.kind != "limit":
                    self._end(wish, time)
                return
            before = wish.filled
            self._carry_out(wish, price, book.left[price], time, maker=False)
            book.left[price] -= wish.filled - before
            if wish not in self.open:
                return
        if wish.kind == "market":
            self._end(wish, time)

    def _allowed(self, wish: Wish, price: int, mark: Fraction | int | None) -> int | None:
        """Return a price unless it is beyond what the order takes."""
        worst = wish.price if wish.kind == "limit" else wish.worst
        if worst is None and wish.kind == "market" and mark is not None:
            far = mark * (1 + wish.sign * self.rules.cap)
            worst = math.ceil(far) if wish.sign > 0 else math.floor(far)
        return price if worst is None or wish.sign * (price - worst) <= 0 else None

    def _crosses(self, wish: Wish) -> bool:
        quote = self.quotes[wish.symbol]
        assert wish.price is not None
        return quote.ask <= wish.price if wish.sign > 0 else quote.bid >= wish.price

    def _touch_sides(self, quote: Quote) -> Sides:
        if quote.bid_size is None or quote.ask_size is None:
            return [], []
        return [(quote.bid, quote.bid_size)], [(quote.ask, quote.ask_size)]

    def _sides(self, symbol: str) -> Sides:
        book = self.books.get(symbol)
        return (book.bids, book.asks) if book else self._touch_sides(self.quotes[symbol])

    def _shown_at(self, wish: Wish, sides: Sides) -> int | None:
        levels = sides[0] if wish.sign > 0 else sides[1]
        assert wish.price is not None
        if wish.price in dict(levels):
            return dict(levels)[wish.price]
        farther = [price for price, _ in levels if wish.sign * (wish.price - price) > 0]
        return 0 if farther else None

    def _move_up(self, symbol: str, sides: Sides) -> None:
        for wish in self.open:
            if wish.symbol == symbol and wish.arrived and wish.kind == "limit":
                size = self._shown_at(wish, sides)
                if size is not None:
                    wish.ahead = size if wish.ahead is None else min(size, wish.ahead)
