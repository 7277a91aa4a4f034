"""What all parts of the venue share: accounts, market, ledger, time, and news not yet told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from tradeagent.clock import Clock
from tradeagent.integrations.base import MarketFeed
from tradeagent.simulation.venue.base import (
    CancelNews,
    FillNews,
    FundingNews,
    Hear,
    Json,
    LedgerNews,
    LiquidationNews,
    MarketNews,
    News,
    OrderNews,
    StateNews,
    TwapNews,
)
from tradeagent.simulation.venue.board import Stall
from tradeagent.simulation.venue.candles import DAY
from tradeagent.simulation.venue.ledger import SeatBook, VenueLedger
from tradeagent.simulation.venue.listing import Asset, Listings
from tradeagent.simulation.venue.numbers import hash_of
from tradeagent.simulation.venue.seat import Choices, Seat
from tradeagent.simulation.venue.settings import VenueSettings
from tradeagent.simulation.venue.texts import BY_VENUE, LIVE
from tradeagent.simulation.venue.ticket import Ticket
from tradeagent.simulation.venue.wire import decimal_text

MILLISECOND = 1_000_000
ORDER_OF_NEWS = {
    MarketNews: 0,
    FillNews: 1,
    FundingNews: 1,
    LiquidationNews: 1,
    LedgerNews: 1,
    TwapNews: 2,
    OrderNews: 3,
    CancelNews: 3,
    StateNews: 4,
}


class House:
    """The venue's common ground; `event` wraps all that one request, price or moment brings about.

    What happens inside is one transaction, and its news are told after it is on disk: prices, then
    fills, then orders, as the venue does.
    """

    def __init__(
        self, settings: VenueSettings, feed: MarketFeed, clock: Clock, state: Path | None
    ) -> None:
        """Stand where `state` stood; raises StateError."""
        self.settings = settings
        self.clock = clock
        self.skew = 0
        self.listings = Listings(feed.instruments())
        self.ledger = VenueLedger(state)
        for coin, decimals, leverage, gone in self.ledger.rows("SELECT * FROM listings"):
            if (asset := self.listings.by_coin.get(str(coin))) is not None:
                numbers = int(decimals or 0), int(leverage or 0)
                self.listings.put(asset.relisted(*numbers, bool(gone)))
        born = clock.now() - settings.history_days * DAY
        self.stalls = {one.coin: Stall(one, feed, born, settings.seed) for one in self.listings}
        self.listeners: list[Hear] = []
        self.after: Callable[[], None] = lambda: None
        """Called when something has happened and was told."""
        self._latest = 0
        self._busy = False
        self._portions: dict[str, Decimal] = {}
        self._news: list[News] = []
        self._changed: dict[str, None] = {}
        self.seats = {user: self._restored(user, kept) for user, kept in self.ledger.seats()}

    # -- time

    def now(self) -> int:
        """Return the venue's time in UTC ns, with its skew."""
        return self.clock.now() + self.skew

    def now_ms(self) -> int:
        """Return the venue's time in UTC ms."""
        return self.now() // MILLISECOND

    def moment(self) -> int:
        """Return the time in UTC ns as the accounts know it: it never goes back, and is one and
        the same for all that one event brings about.
        """
        if not self._busy:
            self._latest = max(self._latest, self.now())
        return self._latest

    # -- one thing that happens

    @contextmanager
    def event(self) -> Iterator[None]:
        """Keep all that happens inside or nothing of it, then tell it; raises StateError."""
        self.moment()
        self._busy = True
        try:
            with self.ledger.transaction():
                yield
        finally:
            self._busy = False
        news, self._news = self._news, []
        users, self._changed = self._changed, {}
        news += [StateNews(user) for user in users]
        news.sort(key=lambda one: ORDER_OF_NEWS[type(one)])
        for one in news:
            for hear in tuple(self.listeners):
                hear(one)
        self.after()

    def tell(self, news: News) -> None:
        """Tell something once what happens now is on disk."""
        self._news.append(news)

    def touch(self, seat: Seat) -> None:
        """Note that an account's positions, money or orders have changed."""
        self._changed[seat.user] = None

    def reprice(self, asset: Asset) -> None:
        """Note that accounts with a position in an asset are worth something else."""
        for seat in self.seats.values():
            if seat.position(asset.symbol).size:
                self.touch(seat)

    # -- accounts

    def peek(self, user: str) -> Seat:
        """Return an account, or what it would be if it were opened now."""
        return self.seats.get(user) or self._made(user, Choices())

    def seat(self, user: str) -> Seat:
        """Return an account, opened with the usual balance when there is none."""
        found = self.seats.get(user)
        if found is None:
            found = self._made(user, Choices())
            balance = self.settings.balance
            self.ledger.open_seat(user, balance)
            found.known = True
            self.seats[user] = found
            self.keep(found)
            self.flow(found, "deposit", balance, {"type": "deposit", "usdc": balance})
        return found

    def keep(self, seat: Seat) -> None:
        """Keep what an account has arranged."""
        leverages = seat.clearing.margin.leverages
        seat.choices.leverages = leverages.chosen
        seat.choices.isolated = sorted(leverages.isolated)
        self.ledger.keep_seat(seat.user, seat.choices.dump())

    def _made(self, user: str, choices: Choices) -> Seat:
        exchange, grid = self.settings.exchange, self.listings.instruments()
        seat = Seat(user, exchange, grid, SeatBook(self.ledger, user), choices)
        usual = self._portions.get("", Decimal(1))
        seat.clearing.portion = self._portions.get(user, usual)
        self.show(seat)
        return seat

    def _restored(self, user: str, kept: Json) -> Seat:
        seat = self._made(user, Choices.load({k: v for k, v in kept.items() if k != "used"}))
        seat.known = True
        seat.used = int(str(kept["used"]))
        seat.days = self.ledger.days(user)
        for ticket in self.ledger.tickets(user):
            seat.put(ticket)
        return seat

    def show(self, seat: Seat) -> None:
        """Let an account without orders see the market as it is."""
        for stall in self.stalls.values():
            for shown in stall.standing(self.moment()):
                seat.pit.take(shown, self.moment())

    def portion(self, part: Decimal, user: str) -> None:
        """Let only a part of what would match fill, for one account or, without a user, all."""
        self._portions[user] = part
        for seat in self.seats.values():
            if user in ("", seat.user):
                seat.clearing.portion = part

    def relist(self, asset: Asset) -> None:
        """Go on with other terms of an asset."""
        self.listings.put(asset)
        self.stalls[asset.coin].asset = asset
        terms = asset.decimals, asset.leverage, asset.delisted
        self.ledger.keep_listing(asset.coin, *terms)
        for seat in self.seats.values():
            seat.clearing.books[asset.symbol].relist(asset.instrument)

    # -- orders, fills and money

    def asset(self, ticket: Ticket) -> Asset:
        """Return the asset of an order."""
        found = self.listings.at(ticket.asset)
        assert found is not None
        return found

    def next_oid(self) -> int:
        """Return the number of the next order."""
        self.ledger.oid += 1
        return self.ledger.oid

    def full(self, seat: Seat, ticket: Ticket) -> Json:
        """Return an order as `frontendOpenOrders` shows it."""
        waiting = (seat.tickets.get(oid) for oid in ticket.children)
        return ticket.full([one.full() for one in waiting if one is not None])

    def stand(self, seat: Seat, ticket: Ticket, status: str) -> None:
        """Let an order stand otherwise from now on: on record, to be told."""
        ticket.status, ticket.changed = status, self.moment() // MILLISECOND
        if status == "filled":
            ticket.left = Decimal(0)
        if status not in LIVE:
            ticket.stage = "done"
            seat.drop(ticket)
        full = self.full(seat, ticket)
        self.ledger.status(ticket, full)
        self.ledger.keep(ticket)
        self.tell(OrderNews(seat.user, ticket.short(), full, status, ticket.changed))
        if status in BY_VENUE:
            self.tell(CancelNews(seat.user, ticket.coin, ticket.oid))
        self.touch(seat)

    def flow(self, seat: Seat, kind: str, usd: Decimal, delta: Json, coin: str = "") -> None:
        """Note money that came or went, `usd` above 0 when it came, and tell it."""
        time = self.moment() // MILLISECOND
        texts = {
            key: decimal_text(one) if isinstance(one, Decimal) else one
            for key, one in delta.items()
        }
        update: Json = {"time": time, "hash": hash_of(f"flow|{self.ledger.seq}"), "delta": texts}
        self.ledger.flow(time, seat.user, kind, coin, usd, update)
        if delta:
            self.tell(LedgerNews(seat.user, update))
        self.touch(seat)

    def move(self, seat: Seat, kind: str, usd: Decimal, delta: Json) -> None:
        """Move money in, or out below 0, and note it."""
        account = seat.clearing.account
        account.transfer(usd)
        seat.deposit += usd
        seat.clearing.unbraced = True
        self.ledger.keep_deposit(seat.user, seat.deposit)
        self.flow(seat, kind, usd, delta)
