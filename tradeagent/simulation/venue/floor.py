"""The whole venue behind its door: accounts, orders and the market they meet, played on a clock."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tradeagent.clock import SECOND, Clock
from tradeagent.integrations.base import MarketFeed
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.acts import Acts
from tradeagent.simulation.venue.answers import Answers
from tradeagent.simulation.venue.base import Actor, Hear, Json
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.clerk import Clerk
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.placing import Placing, err
from tradeagent.simulation.venue.playing import Playing
from tradeagent.simulation.venue.portfolio import Portfolio
from tradeagent.simulation.venue.records import Records
from tradeagent.simulation.venue.settings import VenueSettings
from tradeagent.simulation.venue.timed import Timed
from tradeagent.simulation.venue.views import Lag
from tradeagent.simulation.venue.wire import address

NONCES = 100
"""How many nonces of a signer are remembered: the highest."""


class Floor:
    """The venue: `answer` serves /info, `act` serves /exchange, `listen` feeds /ws.

    Nothing suspends but `run`. News are told after what they tell of is on disk, and before `act`
    returns. What the market did while the venue was down is not made up for: the orders meet the
    market as it is at the start.
    """

    def __init__(
        self, settings: VenueSettings, feed: MarketFeed, clock: Clock, state: Path | None
    ) -> None:
        """Stand where the folder `state` stood; None keeps everything in memory.

        Raises StateError, LockedError where another venue has the folder.
        """
        self._clock = clock
        self._house = house = House(settings, feed, clock, state)
        clearinghouse = Clearinghouse(house)
        self._clerk = clerk = Clerk(house)
        self._placing = placing = Placing(house, clerk)
        timed = Timed(house, placing)
        portfolio = Portfolio(house, clearinghouse)
        self._acts = Acts(house, clerk, placing, timed, clearinghouse)
        self._lag = Lag(house, clearinghouse)
        house.after = self._lag.note
        self._playing = Playing(house, feed, clerk, placing, timed, portfolio)
        records = Records(house, clearinghouse, timed, portfolio)
        self._answers = Answers(house, self._lag, records, self._playing.rates)
        self._nonces: dict[str, list[int]] = {}
        self._early: dict[str, int] = {}

    async def run(self) -> None:
        """Play the market and the venue's timers until cancelled."""
        while True:
            self.catch_up()
            await self._clock.sleep_until(self._playing.following(self._clock.now()))

    def catch_up(self) -> None:
        """Play what the market shows and what is due by now."""
        self._playing.catch_up()

    def close(self) -> None:
        """Close the ledger; orders stay where they are."""
        self._house.ledger.close()

    def now_ms(self) -> int:
        """Return the venue's own time, with its skew."""
        return self._house.now_ms()

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Hand every later piece of news to `hear`; returns what ends that."""
        self._house.listeners.append(hear)
        return lambda: self._house.listeners.remove(hear)

    # -- who

    def master_of(self, signer: str) -> str | None:
        """Return the account an address signs for: its own, or its master's. None: unknown yet,
        or an agent no more.
        """
        return self._acts.transfers.master_of(signer)

    def was_agent(self, address: str) -> bool:
        """Tell whether an address is or was an agent: it never gets an account of its own."""
        return self._acts.transfers.was_agent(address)

    def nonces(self, signer: str) -> list[int]:
        """Return the nonces that `signer` has used, highest last, at most the 100 highest."""
        found = self._nonces.get(signer)
        if found is None:
            query = (
                "SELECT nonce FROM actions WHERE signer = ? AND burned = 1 "
                "ORDER BY nonce DESC LIMIT ?"
            )
            rows = self._house.ledger.rows(query, signer, NONCES)
            found = self._nonces[signer] = sorted(int(one or 0) for (one,) in rows)
        return found

    def spent(self, user: str, count: int) -> None:
        """Count `count` requests against the address budget of `user`; kept with what follows."""
        seat = self._house.seats.get(user)
        if seat is not None:
            seat.used += count
        else:
            self._early[user] = self._early.get(user, 0) + count

    def budget(self, user: str) -> tuple[int, int]:
        """Return (requests used, requests allowed) of `user`; what was reserved is not used."""
        seat = self._house.peek(user)
        return max(seat.used - seat.choices.reserved, 0), seat.allowed

    # -- requests

    def answer(self, request: Json) -> object:
        """Answer an /info request, ready for JSON; raises Malformed."""
        return self._answers.answer(request)

    def act(self, actor: Actor, action: Json) -> Json:
        """Carry out an action that passed signature, nonce, expiry and budget; raises Malformed.

        Returns {"status": "ok", "response": ..} or {"status": "err", "response": text}.
        """
        self._acts.check(action)
        if actor.user not in self._house.seats and self.was_agent(actor.user):
            text = texts.NO_FUNDS.format(address=actor.user)
            return self.turn_away(actor, action, text, burns=False)
        self.catch_up()
        with self._house.event():
            seat = self._house.seat(actor.user)
            seat.used += self._early.pop(actor.user, 0)
            outcome = self._acts.carry_out(seat, action, actor)
            self._clerk.settle(seat)
            self._note(actor, action, outcome, burns=True)
        return outcome

    def turn_away(self, actor: Actor, action: Json, text: str, *, burns: bool) -> Json:
        """Put an action on record that the door refused; returns {"status": "err", ..}.

        `burns` tells that its nonce is used up all the same.
        """
        outcome = err(text)
        with self._house.event():
            self._note(actor, action, outcome, burns=burns)
        return outcome

    def _note(self, actor: Actor, action: Json, outcome: Json, *, burns: bool) -> None:
        if burns:
            used = self.nonces(actor.signer)
            insort(used, actor.nonce)
            del used[:-NONCES]
        ledger = self._house.ledger
        ledger.act(self._house.now_ms(), actor, action, outcome, burns)
        if (seat := self._house.seats.get(actor.user)) is not None:
            ledger.keep_used(seat.user, seat.used)

    # -- switches

    def lag(self, seconds: float) -> None:
        """Let /info show what was `seconds` ago, its `time` too; 0 ends that."""
        self._lag.set(int(seconds * 1000))

    def skew(self, seconds: float) -> None:
        """Let the venue's own time be off by `seconds`."""
        self._house.skew = int(seconds * SECOND)

    def fill_parts(self, fraction: float, user: str = "") -> None:
        """Fill only a fraction of what would match, for one account or all; 1 ends that."""
        self._house.portion(Decimal(repr(fraction)), user and address(user))

    def reject_stops(self, count: int, user: str = "") -> None:
        """Refuse the next `count` trigger orders with BadTriggerPx; -1 for all, 0 ends that."""
        self._placing.admission.refused_stops[user and address(user)] = count

    def liquidate(self, user: str, coin: str = "") -> bool:
        """Liquidate a position, or all of an account, now; tells whether there was one."""
        self.catch_up()
        with self._house.event():
            seat = self._house.seats.get(address(user))
            return seat is not None and self._clerk.close_out(seat, coin)

    def relist(
        self,
        coin: str,
        *,
        decimals: int | None = None,
        leverage: int | None = None,
        delisted: bool | None = None,
    ) -> None:
        """Change what is listed: size decimals, most leverage, delisting.

        Delisting cancels the orders and settles the positions at the mark. Raises KeyError for an
        unknown coin.
        """
        house = self._house
        asset = house.listings.by_coin[coin].relisted(decimals, leverage, delisted)
        self.catch_up()
        with self._house.event():
            house.relist(asset)
            if asset.delisted:
                for seat in list(house.seats.values()):
                    self._placing.cancel_all(seat, texts.DELISTED_CANCELED, coin)
                    self._clerk.close_out(seat, coin, settling=True)
