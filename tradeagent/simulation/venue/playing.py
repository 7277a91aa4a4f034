"""Play the market: its events and what is due at a time of its own, each when its time has come."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.clock import SECOND
from tradeagent.integrations.base import MarketEvent, MarketFeed
from tradeagent.messages import InstrumentUpdate
from tradeagent.simulation.venue.base import MarketNews
from tradeagent.simulation.venue.candles import number
from tradeagent.simulation.venue.clerk import Clerk
from tradeagent.simulation.venue.house import MILLISECOND, House
from tradeagent.simulation.venue.placing import Placing
from tradeagent.simulation.venue.portfolio import Portfolio
from tradeagent.simulation.venue.rates import Rates
from tradeagent.simulation.venue.timed import Timed

MINUTE = 60 * SECOND
LOOK_BACK = 60 * MINUTE
"""How much of a recorded market is looked at before the start, to begin with prices."""


class Playing:
    """Plays a feed on the venue's clock; the accounts meet every event of it.

    It begins with the market up to now, which nobody meets but what rests: as it is at the end.
    """

    def __init__(
        self,
        house: House,
        feed: MarketFeed,
        clerk: Clerk,
        placing: Placing,
        timed: Timed,
        portfolio: Portfolio,
    ) -> None:
        """Look at the market up to now, then let what rests meet it."""
        self._house = house
        self._clerk = clerk
        self._placing = placing
        self._timed = timed
        self._portfolio = portfolio
        self.rates = Rates(house, feed)
        now = house.clock.now()
        back = LOOK_BACK if feed.recorded else 0
        self._events = feed.events(max(now - now % MINUTE - back, 0))
        self._next = next(self._events, None)
        self._begin(now)

    def following(self, now: int) -> int:
        """Return when to look again after `now` (UTC ns): at the next event, soon in any case."""
        soon = now + SECOND
        return soon if self._next is None else max(min(self._next[0], soon), now + 1)

    def catch_up(self) -> None:
        """Play what the market shows and what is due by now; a feed at its end is asked again."""
        self._next = self._next or next(self._events, None)
        while self._next is not None and self._next[0] <= self._house.clock.now():
            time, event = self._next
            self._next = next(self._events, None)
            self._tick()
            self._play(time, event)
        self._tick()

    def _begin(self, now: int) -> None:
        while self._next is not None and self._next[0] <= now:
            time, event = self._next
            if not isinstance(event, InstrumentUpdate):
                asset = self._house.listings.by_symbol.get(event.symbol)
                if asset is not None:
                    self._house.stalls[asset.coin].hear(event, time)
            self._next = next(self._events, None)
        with self._house.event():
            for seat in self._house.seats.values():
                self._house.show(seat)
                self._clerk.settle(seat)
            for coin, stall in self._house.stalls.items():
                if stall.open:
                    self._placing.fire(coin, Decimal(repr(stall.mark)))

    def _tick(self) -> None:
        """Carry out what is due at a time of its own."""
        due, now = self._timed.next(), self._house.now_ms()
        if due is not None and due <= now:
            with self._house.event():
                self._timed.run(now)
        if self.rates.is_due(now):
            with self._house.event():
                self.rates.note(now)
                self._portfolio.note()

    def _play(self, time: int, event: MarketEvent) -> None:
        """Let an event of the feed move the market, and the accounts meet it."""
        house = self._house
        if isinstance(event, InstrumentUpdate):
            return
        asset = house.listings.by_symbol.get(event.symbol)
        if asset is None or asset.delisted:
            return
        stall = house.stalls[asset.coin]
        mark = stall.mark
        with house.event():
            shown = stall.hear(event, time)
            moment = house.moment()
            for seat in list(house.seats.values()):
                for one in shown:
                    seat.pit.take(one, moment)
                self._clerk.settle(seat)
            if stall.mark != mark:
                self._placing.fire(asset.coin, Decimal(repr(stall.mark)))
                house.reprice(asset)
            if shown and house.listeners:
                self._announce(asset.coin, time // MILLISECOND)

    def _announce(self, coin: str, time: int) -> None:
        for news in self._house.stalls[coin].news(time):
            self._house.tell(news)
        mids = {
            one: number(stall.mid)
            for one, stall in self._house.stalls.items()
            if stall.open and not stall.asset.delisted
        }
        self._house.tell(MarketNews("allMids", "", {"mids": mids}, time))
