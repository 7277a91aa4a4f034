"""How things stand as /info shows them: as they are, or as they were a while ago."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.board import Stall
from tradeagent.simulation.venue.candles import number
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.house import House


class View(Protocol):
    """A moment of the venue: `time` in ms, `upto` the number of the last thing that happened."""

    time: int
    upto: int

    def levels(self, coin: str) -> Json:
        """Return a coin's levels, as `l2Book` shows them."""
        ...

    def ctx(self, coin: str) -> Json:
        """Return a coin's context."""
        ...

    def mid(self, coin: str) -> str:
        """Return the middle of a coin's touch."""
        ...

    def state(self, user: str) -> Json:
        """Return an account's `clearinghouseState`."""
        ...

    def orders(self, user: str) -> tuple[list[Json], list[Json]]:
        """Return an account's open orders in the short and in the full form."""
        ...


class Present:
    """The venue as it is now."""

    def __init__(self, house: House, clearinghouse: Clearinghouse) -> None:
        self._house = house
        self._clearinghouse = clearinghouse
        self.time = house.now_ms()
        self.upto = house.ledger.seq

    def levels(self, coin: str) -> Json:
        """Return a coin's levels."""
        return self._stall(coin).l2(self.time)

    def ctx(self, coin: str) -> Json:
        """Return a coin's context."""
        return self._stall(coin).ctx()

    def mid(self, coin: str) -> str:
        """Return the middle of a coin's touch."""
        return number(self._stall(coin).mid)

    def state(self, user: str) -> Json:
        """Return an account's `clearinghouseState`."""
        return self._clearinghouse.state(self._house.peek(user), self.time)

    def orders(self, user: str) -> tuple[list[Json], list[Json]]:
        """Return an account's open orders, those that wait for a parent inside it."""
        seat = self._house.peek(user)
        shown = [one for one in seat.tickets.values() if one.stage in ("armed", "resting")]
        return [one.short() for one in shown], [self._house.full(seat, one) for one in shown]

    def _stall(self, coin: str) -> Stall:
        return self._house.stalls[coin]


@dataclass(slots=True)
class Past:
    """The venue as it was: what was put aside of it at `time`."""

    time: int
    upto: int
    books: dict[str, tuple[Json, Json, str]] = field(default_factory=dict)
    users: dict[str, tuple[Json, tuple[list[Json], list[Json]]]] = field(default_factory=dict)
    unseen: View | None = None

    def levels(self, coin: str) -> Json:
        """Return a coin's levels."""
        return self.books[coin][0]

    def ctx(self, coin: str) -> Json:
        """Return a coin's context."""
        return self.books[coin][1]

    def mid(self, coin: str) -> str:
        """Return the middle of a coin's touch."""
        return self.books[coin][2]

    def state(self, user: str) -> Json:
        """Return an account's `clearinghouseState`; one that was not there yet had nothing."""
        if user in self.users:
            return self.users[user][0]
        assert self.unseen is not None
        return {**self.unseen.state("0x" + "0" * 40), "time": self.time}

    def orders(self, user: str) -> tuple[list[Json], list[Json]]:
        """Return an account's open orders."""
        return self.users[user][1] if user in self.users else ([], [])


class Lag:
    """Puts moments aside while /info is to lag, and finds the one to be shown.

    From the moment it is set, the view stands still until it is `behind`, and then follows.
    """

    def __init__(self, house: House, clearinghouse: Clearinghouse) -> None:
        self._house = house
        self._clearinghouse = clearinghouse
        self._behind = 0
        self._moments: deque[Past] = deque()

    def set(self, behind: int) -> None:
        """Lag by `behind` ms; 0 shows the present again."""
        self._behind = behind
        self._moments.clear()
        self.note()

    def note(self) -> None:
        """Put the present aside, if the view lags; called whenever something has changed."""
        if not self._behind:
            return
        now = Present(self._house, self._clearinghouse)
        past = Past(now.time, now.upto, unseen=now)
        for coin in self._house.stalls:
            past.books[coin] = now.levels(coin), now.ctx(coin), now.mid(coin)
        for user in self._house.seats:
            past.users[user] = now.state(user), now.orders(user)
        self._moments.append(past)

    def view(self) -> View:
        """Return what /info shows."""
        if not self._behind:
            return Present(self._house, self._clearinghouse)
        shown = self._house.now_ms() - self._behind
        while len(self._moments) > 1 and self._moments[1].time <= shown:
            self._moments.popleft()
        past = self._moments[0]
        past.time = max(past.time, shown)
        return past
