"""Place, modify and cancel orders, as single ones and in the groups of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tradeagent.messages import ZERO, ExecutionReport, OrderStatus
from tradeagent.simulation.matching import UNMATCHED
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.clerk import Clerk
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.orders import Admission, Refused, builder_fee, listed, read
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.ticket import Ticket

TOLERANCE = Decimal("0.1")
"""How far from the mark a market order that was triggered may fill."""
SOMEBODY = "0x"
IMMEDIATE = ("Ioc", "FrontendMarket")


def ok(kind: str, statuses: list[object]) -> Json:
    """Return the answer to an action that names each order's outcome."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


def err(text: str) -> Json:
    """Return the answer that refuses an action as a whole."""
    return {"status": "err", "response": text}


def items(action: Json, key: str) -> list[Json]:
    """Return the parts of an action; raises Malformed."""
    found = action.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Malformed(f"{key} is a list of objects")
    return found


class Placing:
    """What an account does with orders; whoever calls it is inside an event of the house."""

    def __init__(self, house: House, clerk: Clerk) -> None:
        self._house = house
        self._clerk = clerk
        self.admission = Admission(house)

    def check(self, action: Json) -> None:
        """Raise Malformed for orders that cannot be read, before anything is done."""
        wires: list[object] = []
        match action.get("type"):
            case "order":
                wires = list(items(action, "orders"))
            case "modify":
                wires = [action.get("order")]
            case "batchModify":
                wires = [one.get("order") for one in items(action, "modifies")]
            case "cancel" | "cancelByCloid":
                items(action, "cancels")
        for wire in wires:
            if not isinstance(wire, dict):
                raise Malformed("an order is an object")
            self._read(SOMEBODY, wire)

    # -- placing

    def order(self, seat: Seat, action: Json) -> Json:
        """Carry out `order`."""
        wires = items(action, "orders")
        if not wires:
            return err(texts.EMPTY)
        grouping = action.get("grouping")
        try:
            fee = builder_fee(seat, action.get("builder"))
            tickets = [self._read(seat.user, wire, fee) for wire in wires]
            if grouping == "normalTpsl":
                return ok("order", self._family(seat, tickets))
            if grouping == "positionTpsl":
                _check_position_group(tickets)
        except Refused as refused:
            return err(refused.text)
        family = 0
        statuses: list[object] = []
        for ticket in tickets:
            if not isinstance(ticket, Ticket):
                statuses.append(ticket)
                continue
            ticket.whole = grouping == "positionTpsl"
            answer = self.place(seat, ticket)
            if ticket.whole and ticket.live and ticket.oid:
                family = ticket.family = family or ticket.oid
                self._house.ledger.keep(ticket)
            statuses.append(answer)
        return ok("order", statuses)

    def _read(self, user: str, wire: Json, fee: Decimal = ZERO) -> Ticket | Json:
        """Return a ticket, or the error of an asset that does not exist."""
        try:
            asset = listed(self._house, wire)
        except Refused as refused:
            return {"error": f"{refused.text} asset={wire.get('a')}"}
        ticket = read(self._house, user, wire, asset)
        ticket.fee = fee
        return ticket

    def place(self, seat: Seat, ticket: Ticket, replaced: Ticket | None = None) -> object:
        """Place one order and return its entry among the statuses.

        One that is refused after its grid and cloid were right gets a number and a status too.
        """
        asset = self._house.asset(ticket)
        try:
            self.admission.admit(seat, ticket, asset, replaced)
            if ticket.trigger is None:
                self.admission.affords(seat, ticket, asset, replaced)
                self.admission.passive(seat, ticket, asset)
        except Refused as refused:
            return self._refuse(seat, ticket, refused)
        self.number(seat, ticket)
        if ticket.trigger is not None:
            ticket.stage = "armed"
            self._house.stand(seat, ticket, texts.OPEN)
            return ticket.answer()
        return self.enter(seat, ticket, asset, ticket.limit)

    def number(self, seat: Seat, ticket: Ticket) -> None:
        """Give an order its number."""
        ticket.oid = self._house.next_oid()
        ticket.changed = ticket.time
        self._house.ledger.order(ticket)
        seat.put(ticket)

    def _refuse(self, seat: Seat, ticket: Ticket, refused: Refused) -> Json:
        """Answer a refusal; one for a cloid that lives on leaves no trace."""
        if refused.text != texts.SAME_CLOID:
            ticket.oid = self._house.next_oid()
            self._house.ledger.order(ticket)
            self._house.stand(seat, ticket, refused.status)
        return {"error": f"{refused.text} asset={ticket.asset}"}

    def enter(self, seat: Seat, ticket: Ticket, asset: Asset, limit: Decimal) -> object:
        """Let an order meet the market, and tell how it stands then."""
        house = self._house
        self._step_aside(seat, ticket, asset, limit)
        ticket.stage = "resting"
        order = ticket.order(asset.symbol, ticket.left, limit)
        report = seat.pit.place(order, house.moment())
        self._clerk.settle(seat)
        if report.status is not OrderStatus.OPEN:
            return self._turned_down(seat, ticket, report)
        if ticket.live:
            if ticket.trigger is None:
                house.stand(seat, ticket, texts.OPEN)
            if ticket.reduce_only:
                self._clerk.trim(seat, asset)
                self._clerk.settle(seat)
        elif not ticket.filled:
            text = texts.NO_LIQUIDITY if ticket.market else texts.UNMATCHED
            return {"error": f"{text} asset={ticket.asset}"}
        return ticket.answer()

    def _turned_down(self, seat: Seat, ticket: Ticket, report: ExecutionReport) -> Json:
        """Answer for an order that found nothing, or too much, to match."""
        stall = self._house.stalls[ticket.coin]
        if report.reason == UNMATCHED:
            text = texts.NO_LIQUIDITY if ticket.market else texts.UNMATCHED
            status = texts.STATUS_OF[text]
        else:
            touch = stall.bbo(0)["bbo"]
            assert isinstance(touch, list)
            text = texts.POST_ONLY.format(bid=touch[0]["px"], ask=touch[1]["px"])
            status = texts.STATUS_OF[texts.POST_ONLY]
        if ticket.live:
            self._house.stand(seat, ticket, status)
            self._clerk.orphan(seat, ticket)
        return {"error": f"{text} asset={ticket.asset}"}

    def _step_aside(self, seat: Seat, ticket: Ticket, asset: Asset, limit: Decimal) -> None:
        """Cancel resting orders of the same account that this one would trade with."""
        if ticket.tif == "Alo":
            return
        reach = limit
        size = ticket.left
        stall = self._house.stalls[asset.coin]
        for price, shown in stall.asks if ticket.buy else stall.bids:
            size -= Decimal(repr(shown))
            if size <= 0:
                last = Decimal(repr(price))
                reach = min(last, limit) if ticket.buy else max(last, limit)
                break
        for one in seat.of(asset.coin):
            if one is ticket or one.stage != "resting" or one.buy == ticket.buy:
                continue
            if one.limit <= reach if ticket.buy else one.limit >= reach:
                self._clerk.end(seat, one, texts.SELF_TRADE)

    # -- groups

    def _family(self, seat: Seat, tickets: Sequence[Ticket | Json]) -> list[object]:
        """Place a parent and the triggers that wait for it to fill; raises Refused."""
        whole = [one for one in tickets if isinstance(one, Ticket)]
        if len(whole) != len(tickets):
            return [next(one for one in tickets if not isinstance(one, Ticket))]
        parent, children = whole[0], whole[1:]
        _check_family(parent, children)
        asset = self._house.asset(parent)
        for child in children:
            try:
                self.admission.child(seat, child, asset, parent)
            except Refused as refused:
                return [{"error": f"{refused.text} asset={child.asset}"}]
        try:
            self.admission.admit(seat, parent, asset, None)
            self.admission.affords(seat, parent, asset, None)
            self.admission.passive(seat, parent, asset)
        except Refused as refused:
            return [self._refuse(seat, parent, refused)]
        self.number(seat, parent)
        for child in children:
            child.stage = "waiting"
            child.parent, child.family = parent.oid, parent.oid
            self.number(seat, child)
            parent.children.append(child.oid)
            self._house.stand(seat, child, texts.OPEN)
        answer = self.enter(seat, parent, asset, parent.limit)
        if isinstance(answer, dict) and "error" in answer:
            return [answer]
        return [answer, *("waitingForFill" for _ in children)]

    # -- canceling

    def cancel(self, seat: Seat, action: Json) -> Json:
        """Carry out `cancel` and `cancelByCloid`."""
        named = action.get("type") == "cancelByCloid"
        asset, key = ("asset", "cloid") if named else ("a", "o")
        cancels = items(action, "cancels")
        if not cancels:
            return err(texts.EMPTY)
        fast = action.get("f") is True
        statuses = [self._cancel(seat, one.get(asset), one.get(key), fast) for one in cancels]
        self._clerk.settle(seat)
        return ok("cancel", statuses)

    def _cancel(self, seat: Seat, asset: object, key: object, fast: bool) -> object:
        ticket = seat.find(key) if isinstance(key, int | str) else None
        missing = ticket is None or ticket.asset != asset
        if ticket is None or missing or (fast and ticket.trigger is not None):
            return {"error": f"{texts.NO_SUCH_ORDER} asset={asset}"}
        self._clerk.end(seat, ticket, texts.CANCELED)
        return "success"

    def cancel_all(self, seat: Seat, status: str, coin: str = "") -> int:
        """Cancel every order of an account, or those in a coin; returns how many there were."""
        count = 0
        for ticket in list(seat.tickets.values()):
            if ticket.live and (not coin or ticket.coin == coin):
                self._clerk.end(seat, ticket, status)
                count += 1
        self._clerk.settle(seat)
        return count

    # -- modifying

    def modify(self, seat: Seat, action: Json) -> Json:
        """Carry out `modify` and `batchModify`."""
        if action.get("type") == "modify":
            answer = self._modify(seat, action, action.get("a") is True)
            if isinstance(answer, dict) and "error" in answer:
                return err(str(answer["error"]))
            return {"status": "ok", "response": {"type": "default"}}
        modifies = items(action, "modifies")
        if not modifies:
            return err(texts.EMPTY)
        always = action.get("a") is True
        return ok("order", [self._modify(seat, one, always) for one in modifies])

    def _modify(self, seat: Seat, modify: Json, always: bool) -> object:
        """Cancel an order and place another in its stead, with a number of its own."""
        wire = modify.get("order")
        if not isinstance(wire, dict):
            raise Malformed("a modify needs an order")
        key = modify.get("oid")
        old = seat.find(key) if isinstance(key, int | str) else None
        asset = wire.get("a")
        if old is None or old.asset != asset or old.stage == "waiting":
            return {"error": f"{texts.CANNOT_MODIFY} asset={asset}"}
        new = self._read(seat.user, wire, old.fee)
        if not isinstance(new, Ticket):
            return new
        new.whole, new.family = old.whole and new.trigger is not None, old.family
        said = always or modify.get("a") is True or not self._house.settings.always_place
        if not said and self._executable(new):
            return {"error": f"{texts.ALWAYS_PLACE} asset={asset}"}
        new.children, old.children = old.children, []
        self._clerk.end(seat, old, texts.CANCELED)
        self._clerk.settle(seat)
        answer = self.place(seat, new)
        if new.live:
            for oid in new.children:
                seat.tickets[oid].parent = new.oid
                self._house.ledger.keep(seat.tickets[oid])
        elif not new.filled:
            self._clerk.orphan(seat, new)
        if isinstance(answer, dict) and "error" in answer:
            return {"error": texts.MODIFY_FAILED.format(why=answer["error"])}
        return answer

    def _executable(self, ticket: Ticket) -> bool:
        """Tell whether an order is a trigger or may trade at once."""
        if ticket.trigger is not None or ticket.tif in IMMEDIATE:
            return True
        stall = self._house.stalls[ticket.coin]
        if ticket.tif == "Alo" or not stall.open:
            return False
        bid, ask = stall.bids[0][0], stall.asks[0][0]
        return float(ticket.limit) >= ask if ticket.buy else float(ticket.limit) <= bid

    # -- triggers

    def fire(self, coin: str, mark: Decimal) -> None:
        """Let the trigger orders act whose price the mark has reached, oldest first."""
        for seat in list(self._house.seats.values()):
            for ticket in seat.of(coin):
                hit = ticket.stage == "armed" and ticket.trigger is not None
                if hit and ticket.trigger is not None and ticket.trigger.hit(mark):
                    self._trigger(seat, ticket, mark)

    def _trigger(self, seat: Seat, ticket: Ticket, mark: Decimal) -> None:
        asset = self._house.asset(ticket)
        assert ticket.trigger is not None
        limit = ticket.limit
        if ticket.reduce_only:
            closable = seat.position(asset.symbol).closable(ticket.side)
            if not closable:
                self._clerk.end(seat, ticket, texts.REDUCE_ONLY_CANCELED)
                return
            ticket.left = closable if ticket.whole else min(ticket.left, closable)
            if ticket.whole:
                ticket.size = closable
        if ticket.trigger.market:
            # [?] the limit of a market trigger does not hold it back: it takes up to 10% off.
            worst = mark * (1 + TOLERANCE if ticket.buy else 1 - TOLERANCE)
            worst = max(worst, limit) if ticket.buy else min(worst, limit)
            rounding = ROUND_CEILING if ticket.buy else ROUND_FLOOR
            limit = asset.instrument.fit_price(worst, rounding) or asset.instrument.tick
        self._house.stand(seat, ticket, texts.TRIGGERED)
        try:
            self.admission.affords(seat, ticket, asset, None)
        except Refused as refused:
            self._house.stand(seat, ticket, refused.status)
            return
        self.enter(seat, ticket, asset, limit)


def _check_family(parent: Ticket, children: Sequence[Ticket]) -> None:
    """Refuse a group whose children are not one or two triggers that close the parent."""
    kinds = [one.trigger.profit for one in children if one.trigger is not None]
    if parent.trigger is not None or not children or len(kinds) != len(children):
        raise Refused(texts.TRIGGERS)
    if len(kinds) != len(set(kinds)):
        raise Refused(texts.TRIGGERS)
    for one in children:
        if not one.reduce_only or one.buy == parent.buy or one.asset != parent.asset:
            raise Refused(texts.GROUPING)


def _check_position_group(tickets: Sequence[Ticket | Json]) -> None:
    for one in tickets:
        if isinstance(one, Ticket):
            if one.trigger is None:
                raise Refused(texts.TRIGGERS)
            if not one.reduce_only:
                raise Refused(texts.GROUPING)
