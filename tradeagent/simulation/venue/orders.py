"""Read orders off the wire and judge them: form, grid, band, value, reduce-only, room, margin."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.account import Position
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.board import Stall
from tradeagent.simulation.venue.candles import number
from tradeagent.simulation.venue.house import MILLISECOND, House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.ticket import Ticket, Trigger

LEAST_VALUE = Decimal(10)
BAND = Decimal("0.8")
MOST_OPEN = 1000
PER_ORDER = 5_000_000
CAP = 5000
BUILDER_UNIT = Decimal("0.00001")
"""A builder's fee comes in tenths of a basis point."""


class Refused(Exception):
    """An order the venue does not take: `text` says why, `status` is how it stands then."""

    def __init__(self, text: str, status: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.status = status or texts.STATUS_OF.get(text, texts.REJECTED)


def number_of(value: object) -> Decimal:
    """Return a decimal of the wire; raises Malformed."""
    if not isinstance(value, str):
        raise Malformed(f"{value!r} is no decimal")
    try:
        found = Decimal(value)
    except ArithmeticError as error:
        raise Malformed(f"{value!r} is no decimal") from error
    if not found.is_finite():
        raise Malformed(f"{value!r} is no decimal")
    return found


def listed(house: House, wire: Json) -> Asset:
    """Return the asset of an order; raises Refused for none, Malformed without a number."""
    asset = house.listings.at(_integer(wire.get("a")))
    if asset is None:
        raise Refused(texts.BAD_ASSET)
    return asset


def _integer(value: object) -> int:
    if type(value) is not int:
        raise Malformed(f"{value!r} is no integer")
    return value


def read(house: House, user: str, wire: Json, asset: Asset) -> Ticket:
    """Return the ticket of an order as it came; it has no number yet."""
    kind = wire.get("t")
    if not isinstance(kind, dict):
        raise Malformed("an order needs a type")
    cloid = wire.get("c")
    size = number_of(wire.get("s"))
    ticket = Ticket(
        oid=0,
        user=user,
        asset=asset.number,
        coin=asset.coin,
        buy=wire.get("b") is True,
        limit=number_of(wire.get("p")),
        size=size,
        left=size,
        time=house.moment() // MILLISECOND,
        reduce_only=wire.get("r") is True,
        cloid=None if cloid is None else str(cloid),
    )
    if isinstance(limit := kind.get("limit"), dict):
        ticket.tif = str(limit.get("tif"))
    elif isinstance(trigger := kind.get("trigger"), dict):
        profit = trigger.get("tpsl") == "tp"
        ticket.trigger = Trigger(
            price=number_of(trigger.get("triggerPx")),
            market=trigger.get("isMarket") is True,
            profit=profit,
            above=ticket.buy != profit,
        )
    else:
        raise Malformed("an order is limit or trigger")
    return ticket


class Admission:
    """Judges one order: each check raises Refused."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.refused_stops: dict[str, int] = {}
        """How many trigger orders of an account are still to be refused, -1 for all of them."""

    def admit(self, seat: Seat, ticket: Ticket, asset: Asset, replaced: Ticket | None) -> None:
        """Judge a new order on its own; `replaced` is one it would take the place of."""
        stall = self._house.stalls[asset.coin]
        self._form(ticket, asset)
        if asset.delisted:
            raise Refused(texts.DELISTED)
        if not stall.open:
            raise Refused(texts.NO_LIQUIDITY)
        self._cloid(seat, ticket, replaced)
        position = seat.position(asset.symbol)
        if ticket.trigger is None:
            self._band(ticket, stall)
        else:
            self._trigger(seat, ticket.trigger, Decimal(repr(stall.mark)))
        if not ticket.whole:
            self.value(ticket, position.closable(ticket.side))
        if ticket.reduce_only:
            self._reduces(ticket, position)
        self._room(seat, ticket, replaced)

    def child(self, seat: Seat, ticket: Ticket, asset: Asset, parent: Ticket) -> None:
        """Judge a trigger order that waits for `parent` to fill: at its limit, or at the mark if
        that is better.
        """
        self._form(ticket, asset)
        self._cloid(seat, ticket, None)
        assert ticket.trigger is not None
        mark = Decimal(repr(self._house.stalls[asset.coin].mark))
        better = min if parent.buy else max
        self._trigger(seat, ticket.trigger, better(parent.limit, mark))
        self.value(ticket, parent.size)
        self._room(seat, ticket, None)

    def affords(self, seat: Seat, ticket: Ticket, asset: Asset, replaced: Ticket | None) -> None:
        """Judge the margin of an order that may raise a position."""
        if ticket.reduce_only:
            return
        margin = seat.clearing.margin
        orders = seat.clearing.books[asset.symbol].orders
        old = None if replaced is None else orders.get(str(replaced.oid))
        order = ticket.order(asset.symbol, ticket.left, ticket.limit)
        if not margin.affords(order, old):
            raise Refused(texts.MARGIN)
        held = abs(seat.position(asset.symbol).size) + ticket.left
        notional = held * Decimal(repr(self._house.stalls[asset.coin].mark))
        leverage = seat.leverage(asset.instrument)
        if seat.position(asset.symbol).closable(ticket.side):
            return
        if leverage > asset.instrument.leverage(notional):
            raise Refused(texts.TIER)

    def passive(self, seat: Seat, ticket: Ticket, asset: Asset) -> None:
        """Refuse a post-only order that would match, with an order of its own account too."""
        if ticket.tif != "Alo" or ticket.trigger is not None:
            return
        stall = self._house.stalls[asset.coin]
        bid, ask = stall.bids[0][0], stall.asks[0][0]
        for one in seat.of(asset.coin):
            if one.stage == "resting" and one.buy != ticket.buy:
                price = float(one.limit)
                bid, ask = (max(bid, price), ask) if one.buy else (bid, min(ask, price))
        if ticket.limit >= Decimal(repr(ask)) if ticket.buy else ticket.limit <= Decimal(repr(bid)):
            text = texts.POST_ONLY.format(bid=number(bid), ask=number(ask))
            raise Refused(text, texts.STATUS_OF[texts.POST_ONLY])

    @staticmethod
    def _form(ticket: Ticket, asset: Asset) -> None:
        if not ticket.size and not ticket.whole:
            raise Refused(texts.ZERO_SIZE)
        if ticket.size < 0 or not asset.size_fits(ticket.size):
            raise Refused(texts.BAD_SIZE)
        prices = [ticket.limit]
        if ticket.trigger is not None:
            prices.append(ticket.trigger.price)
        for price in prices:
            if price <= 0:
                raise Refused(texts.BAD_PRICE)
            if not asset.price_fits(price):
                raise Refused(texts.TICK)

    @staticmethod
    def _cloid(seat: Seat, ticket: Ticket, replaced: Ticket | None) -> None:
        """A live cloid is not given twice [?]: the second order is refused, the first stands."""
        if ticket.cloid is None:
            return
        oid = seat.cloids.get(ticket.cloid)
        if oid is not None and (replaced is None or replaced.oid != oid):
            raise Refused(texts.SAME_CLOID)

    @staticmethod
    def _band(ticket: Ticket, stall: Stall) -> None:
        mark = Decimal(repr(stall.mark))
        if abs(ticket.limit - mark) > BAND * mark:
            raise Refused(texts.TOO_FAR)

    def _trigger(self, seat: Seat, trigger: Trigger, price: Decimal) -> None:
        """Refuse a trigger that `price` has reached already."""
        for user in (seat.user, ""):
            if left := self.refused_stops.get(user, 0):
                self.refused_stops[user] = max(left - 1, -1)
                raise Refused(texts.BAD_TRIGGER)
        if trigger.hit(price):
            raise Refused(texts.BAD_TRIGGER)

    @staticmethod
    def value(ticket: Ticket, closable: Decimal) -> None:
        """Refuse an order worth less than $10, unless it closes the whole position.

        The same is asked of trigger orders [?].
        """
        if ticket.left * ticket.limit >= LEAST_VALUE:
            return
        whole = ticket.size == closable or (ticket.reduce_only and ticket.size > closable)
        if not (closable and whole):
            raise Refused(texts.LEAST)

    @staticmethod
    def _reduces(ticket: Ticket, position: Position) -> None:
        """Refuse a reduce-only order without a position; cut a larger one to it."""
        closable = position.closable(ticket.side)
        if not closable:
            raise Refused(texts.INCREASES)
        if ticket.trigger is None:
            ticket.left = min(ticket.left, closable)

    @staticmethod
    def _room(seat: Seat, ticket: Ticket, replaced: Ticket | None) -> None:
        count = len(seat.tickets) - (replaced is not None)
        most = min(MOST_OPEN + int(seat.traded) // PER_ORDER, CAP)
        crowded = count >= MOST_OPEN and (ticket.reduce_only or ticket.trigger is not None)
        if count >= most or crowded:
            raise Refused(texts.TOO_MANY)


def builder_fee(seat: Seat, builder: object) -> Decimal:
    """Return the part of the notional that an order's builder gets; raises Refused, Malformed."""
    if builder is None:
        return ZERO
    if not isinstance(builder, dict):
        raise Malformed("a builder has an address and a fee")
    tenths = _integer(builder.get("f"))
    if tenths > seat.choices.builders.get(str(builder.get("b")).lower(), 0):
        raise Refused(texts.BUILDER)
    return tenths * BUILDER_UNIT
