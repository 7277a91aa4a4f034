"""A slow venue that spells out every case of the matching rules, to compare the fast one with.

It knows one symbol with whole prices and sizes, no fees, and slippage in whole per cent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

MINUTE = 60_000_000_000


@dataclass
class Wish:
    """An order in the reference's own words."""

    cloid: str
    side: str
    size: int
    type: str
    price: int | None = None
    tif: str = "GTC"
    reduce_only: bool = False
    group: str | None = None
    placed: int = 0


@dataclass
class Bar:
    """A minute's candle in whole prices."""

    time: int
    open: int
    high: int
    low: int
    close: int


Told = tuple[str, str, int | None, int | None, int]
"""(cloid, status, price, size, time) of one report."""


class ReferenceVenue:
    """Every order is looked at for every price, one case at a time."""

    def __init__(self, slippage_percent: int) -> None:
        self.slippage = slippage_percent
        self.position = 0
        self.resting: list[Wish] = []
        self.told: list[Told] = []
        self.done_groups: set[str] = set()
        self.quote: tuple[int, int, int] | None = None
        self.entry_bar: Bar | None = None
        self.last_bar: Bar | None = None
        self.now = 0

    def place(self, wish: Wish) -> str:
        """Return the status of the acknowledgement."""
        wish.placed = self.now
        if wish.reduce_only and not self._reducible(wish):
            return "REJECTED"
        if not wish.reduce_only and not self.quote and not self.last_bar and wish.type != "limit":
            return "REJECTED"
        if wish.group in self.done_groups:
            return "REJECTED"
        if self.quote and wish.type == "limit":
            if wish.tif == "ALO" and self._crosses(wish):
                return "REJECTED"
            if wish.tif == "IOC" and not self._crosses(wish):
                return "CANCELED"
        self.resting.append(wish)
        if self.quote:
            self._arrive_at_quote(wish)
        elif wish.type == "stop" and self.entry_bar is not None:
            bar, self.entry_bar = self.entry_bar, None
            found = self._in_bar(wish, bar)
            if found is not None and found[1] is not None:
                self._execute(wish, found[1], self.now)
        return "OPEN"

    def cancel(self, cloid: str) -> None:
        """Take an order out without a report."""
        self.resting = [wish for wish in self.resting if wish.cloid != cloid]

    def tick(self, bid: int, ask: int, mark: int) -> None:
        """Judge every order by a quote, stops first."""
        waiting_ioc = self.quote is None
        self.quote = (bid, ask, mark)
        for wants_stop in (True, False):
            for wish in list(self.resting):
                if wish not in self.resting or (wish.type == "stop") is not wants_stop:
                    continue
                if wish.type == "limit":
                    assert wish.price is not None
                    if self._crosses(wish):
                        at_touch = wish.tif == "IOC" and waiting_ioc
                        touch = ask if wish.side == "buy" else bid
                        self._execute(wish, touch if at_touch else wish.price, self.now)
                    elif wish.tif == "IOC":
                        self._end(wish, self.now)
                elif wish.type == "market" or self._triggered(wish):
                    self._execute(wish, self._slipped(wish, self._touch(wish)), self.now)

    def bar(self, bar: Bar) -> None:
        """Judge every order by a candle, the first come first served as the rules say."""
        self.last_bar, self.entry_bar = bar, None
        if self.quote:
            return
        while True:
            found = []
            for age, wish in enumerate(self.resting):
                if wish.type == "stop":
                    in_time = wish.placed < bar.time + MINUTE
                else:
                    in_time = wish.placed <= bar.time
                outcome = self._in_bar(wish, bar) if in_time else None
                if outcome is not None:
                    found.append((outcome[0], age, wish, outcome[1]))
            if not found:
                return
            turn, _, wish, price = min(found, key=lambda one: one[:2])
            opening = turn[0] == "1 at the open"
            when = max(bar.time, wish.placed) if opening else self.now
            if price is None:
                self._end(wish, when)
            else:
                self._execute(wish, price, when)

    def _in_bar(self, wish: Wish, bar: Bar) -> tuple[tuple[str, str, int], int | None] | None:
        """Return (turn, price): price None ends the order, None altogether leaves it."""
        opening, inside, stop, other = "1 at the open", "2 inside", "1 stop", "2 other"
        price, buys = wish.price, wish.side == "buy"
        if wish.type == "market":
            return (opening, other, 0), self._slipped(wish, bar.open)
        assert price is not None
        distance = abs(bar.open - price)
        if wish.type == "stop":
            if (buys and bar.open >= price) or (not buys and bar.open <= price):
                return (opening, stop, 0), self._slipped(wish, bar.open)
            if (buys and bar.high >= price) or (not buys and bar.low <= price):
                return (inside, stop, distance), self._slipped(wish, price)
            return None
        falling = buys
        beyond = bar.open < price if falling else bar.open > price
        through = bar.low < price if falling else bar.high > price
        if wish.type == "take_profit":
            if beyond:
                return (opening, other, 0), self._slipped(wish, bar.open)
            return ((inside, other, distance), self._slipped(wish, price)) if through else None
        if wish.tif == "IOC":
            return (opening, other, 0), bar.open if beyond else None
        if beyond:
            new = bar.time - wish.placed < MINUTE
            return (opening, other, 0), None if new and wish.tif == "ALO" else bar.open
        return ((inside, other, distance), price) if through else None

    def _arrive_at_quote(self, wish: Wish) -> None:
        if wish.type == "limit":
            if self._crosses(wish):
                self._execute(wish, self._touch(wish), self.now)
        elif wish.type == "market" or self._triggered(wish):
            self._execute(wish, self._slipped(wish, self._touch(wish)), self.now)

    def _crosses(self, wish: Wish) -> bool:
        assert self.quote is not None
        assert wish.price is not None
        if wish.side == "buy":
            return self.quote[1] <= wish.price
        return self.quote[0] >= wish.price

    def _touch(self, wish: Wish) -> int:
        assert self.quote is not None
        return self.quote[1] if wish.side == "buy" else self.quote[0]

    def _triggered(self, wish: Wish) -> bool:
        assert self.quote is not None
        assert wish.price is not None
        mark = self.quote[2]
        if (wish.type, wish.side) in (("stop", "sell"), ("take_profit", "buy")):
            return mark <= wish.price
        return mark >= wish.price

    def _slipped(self, wish: Wish, price: int) -> int:
        lost = Fraction(price * self.slippage, 100)
        return math.ceil(price + lost) if wish.side == "buy" else math.floor(price - lost)

    def _reducible(self, wish: Wish) -> int:
        return max(-self.position if wish.side == "buy" else self.position, 0)

    def _execute(self, wish: Wish, price: int, when: int) -> None:
        size = min(wish.size, self._reducible(wish)) if wish.reduce_only else wish.size
        if size == 0:
            self._end(wish, when)
            return
        before = self.position
        self.position += size if wish.side == "buy" else -size
        self.resting.remove(wish)
        status = "FILLED" if size == wish.size else "PARTIAL"
        self.told.append((wish.cloid, status, price, size, when))
        if size < wish.size:
            self.told.append((wish.cloid, "CANCELED", None, None, when))
        if wish.group:
            self.done_groups.add(wish.group)
            for other in [one for one in self.resting if one.group == wish.group]:
                self._end(other, when)
        for other in list(self.resting):
            turned = before * self.position <= 0 != before
            if turned and other.reduce_only and not self._reducible(other):
                self._end(other, when)
        grew = abs(self.position) > abs(before) or before * self.position < 0
        if grew and not self.quote:
            self.entry_bar = self.last_bar

    def _end(self, wish: Wish, when: int) -> None:
        self.resting.remove(wish)
        self.told.append((wish.cloid, "CANCELED", None, None, when))
