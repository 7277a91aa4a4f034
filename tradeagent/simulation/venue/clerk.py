"""Turn what the simulated exchange reports of an account into fills, statuses and flows.

What follows from a fill follows here too: children are armed, siblings canceled, reduce-only orders
cut to the position.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradeagent.messages import ZERO, Execution, ExecutionReport, FundingPayment, Order
from tradeagent.simulation.account import CENT, Position
from tradeagent.simulation.clearing import CUT, LIQUIDATED, NOTHING_TO_REDUCE
from tradeagent.simulation.matching import POST_ONLY, UNMATCHED
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import (
    FillNews,
    FundingNews,
    Json,
    LiquidationNews,
    MarketNews,
    TwapNews,
)
from tradeagent.simulation.venue.board import OTHER
from tradeagent.simulation.venue.house import MILLISECOND, House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.numbers import hash_of, tid_of
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.ticket import Ticket
from tradeagent.simulation.venue.wire import decimal_text

LIQUIDATOR = "0x" + "2" * 40
SETTLED = "Settlement"


class Clerk:
    """Writes up what happens to an account; `settle` is called after whatever may move it.

    `settling` tells that positions are closed because their asset is delisted.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.settling = False
        self._block = 0

    def settle(self, seat: Seat) -> None:
        """Write up all there is, and what follows from it, until nothing is left."""
        while told := seat.clearing.commit():
            self._block = self._house.ledger.number()
            fills: list[Json] = []
            moved: dict[str, None] = {}
            for event in told:
                if isinstance(event, FundingPayment):
                    self._fund(seat, event)
                elif event.execution is not None:
                    fills.append(self._fill(seat, event, event.execution))
                    moved[event.symbol] = None
                else:
                    self._ended(seat, event)
            if fills:
                self._house.tell(FillNews(seat.user, tuple(fills)))
                self._liquidated(seat, told)
            for symbol in moved:
                self._follow(seat, self._house.listings.by_symbol[symbol])
            self._house.touch(seat)

    # -- fills

    def _fill(self, seat: Seat, report: ExecutionReport, execution: Execution) -> Json:
        house, symbol = self._house, report.symbol
        asset = house.listings.by_symbol[symbol]
        ticket = seat.tickets.get(int(report.cloid)) if report.cloid.isdigit() else None
        if ticket is None:
            assert report.order is not None
            ticket = self._forced(seat, asset, report.order)
        price, size = execution.price, execution.size
        before = seat.held.get(symbol) or Position(symbol)
        time = house.moment()
        after = before.filled(ticket.side, size, price, execution.fee, time)
        seat.held[symbol] = after
        ticket.filled += size
        ticket.left -= size
        ticket.paid += price * size
        shown = self._shown(seat, ticket, execution, before, after.realised - before.realised)
        if execution.liquidation and not self.settling:
            mark = decimal_text(seat.clearing.margin.mark(after))
            told: Json = {"liquidatedUser": seat.user, "markPx": mark, "method": "market"}
            shown["liquidation"] = told
        house.ledger.fill(ticket, int(str(shown["time"])), shown)
        taken = execution.liquidity == "taker"
        day, volume, taker = seat.trade(price * size, taken, time)
        house.ledger.traded(seat.user, day, volume, taker)
        self._rebase(seat, asset, before, after)
        if taken:
            self._print(seat, asset, ticket, shown)
        if ticket.twap is not None:
            data: Json = {"fill": shown, "twapId": ticket.twap}
            house.ledger.twap(seat.user, "slice", data)
            house.tell(TwapNews(seat.user, "slice", data))
        if not ticket.left:
            house.stand(seat, ticket, texts.FILLED)
            seat.just_filled.append(ticket)
        else:
            house.ledger.keep(ticket)
        return shown

    def _shown(
        self,
        seat: Seat,
        ticket: Ticket,
        execution: Execution,
        before: Position,
        closed: Decimal,
    ) -> Json:
        """Return a fill as the protocol shows it."""
        notional = execution.price * execution.size
        key = f"{self._house.settings.seed}|{self._house.ledger.seq}|{ticket.oid}|{execution.tid}"
        shown: Json = {
            "coin": ticket.coin,
            "px": decimal_text(execution.price),
            "sz": decimal_text(execution.size),
            "side": "B" if ticket.buy else "A",
            "time": self._house.moment() // MILLISECOND,
            "startPosition": decimal_text(before.size),
            "dir": self._direction(seat, ticket, execution, before),
            "closedPnl": decimal_text(closed),
            "hash": hash_of(f"{self._house.settings.seed}|{self._block}"),
            "oid": ticket.oid,
            "crossed": execution.liquidity == "taker",
            "fee": decimal_text(execution.fee),
            "tid": tid_of(key),
            "feeToken": "USDC",
            "twapId": ticket.twap,
        }
        if ticket.cloid is not None:
            shown["cloid"] = ticket.cloid
        if ticket.fee:
            shown["builderFee"] = decimal_text((notional * ticket.fee).quantize(CENT))
        return shown

    def _direction(self, seat: Seat, ticket: Ticket, execution: Execution, before: Position) -> str:
        if self.settling:
            return SETTLED
        if execution.liquidation:
            kind = "Isolated" if seat.isolated(before.symbol) else "Cross"
            return f"Liquidated {kind} {'Long' if before.size > 0 else 'Short'}"
        closable = before.closable(ticket.side)
        if not closable:
            return "Open Long" if ticket.buy else "Open Short"
        if execution.size > closable:
            return "Short > Long" if ticket.buy else "Long > Short"
        return "Close Short" if ticket.buy else "Close Long"

    def _forced(self, seat: Seat, asset: Asset, order: Order) -> Ticket:
        """Return the ticket of an order the venue itself has made, to close a position."""
        house = self._house
        time = house.moment() // MILLISECOND
        mark = seat.clearing.margin.mark(seat.position(asset.symbol))
        ticket = Ticket(
            oid=house.next_oid(),
            user=seat.user,
            asset=asset.number,
            coin=asset.coin,
            buy=order.side == "buy",
            limit=mark,
            size=order.size,
            left=order.size,
            time=time,
            reduce_only=True,
            tif="LiquidationMarket",
        )
        house.ledger.order(ticket)
        return ticket

    def _print(self, seat: Seat, asset: Asset, ticket: Ticket, shown: Json) -> None:
        """Show a fill that took liquidity among the public trades."""
        stall = self._house.stalls[asset.coin]
        time = self._house.moment()
        users = (seat.user, OTHER) if ticket.buy else (OTHER, seat.user)
        trade = stall.show_trade(ticket.buy, str(shown["px"]), str(shown["sz"]), time, users)
        trade |= {"tid": shown["tid"], "hash": shown["hash"]}
        self._house.tell(MarketNews("trades", asset.coin, [trade], time // MILLISECOND))

    def _rebase(self, seat: Seat, asset: Asset, before: Position, after: Position) -> None:
        """Note what funding had come to when a position was opened, and when it changed."""
        if not after.size:
            seat.choices.bases.pop(asset.coin, None)
        elif before.size * after.size <= 0:
            seat.choices.bases[asset.coin] = (after.funding, after.funding)
        else:
            opened = seat.choices.bases.get(asset.coin, (after.funding, ZERO))[0]
            seat.choices.bases[asset.coin] = (opened, after.funding)
        self._house.keep(seat)

    # -- ends

    def _ended(self, seat: Seat, report: ExecutionReport) -> None:
        """Write up an order that ended without a fill, or with what was left of it."""
        ticket = seat.tickets.get(int(report.cloid)) if report.cloid.isdigit() else None
        if ticket is None:
            return
        self._house.stand(seat, ticket, self._status(ticket, report.reason))
        self.orphan(seat, ticket)

    def _status(self, ticket: Ticket, reason: str) -> str:
        if reason == UNMATCHED:
            if ticket.filled:
                return texts.CANCELED
            missing = texts.NO_LIQUIDITY if ticket.market else texts.UNMATCHED
            return texts.STATUS_OF[missing]
        if reason == LIQUIDATED:
            return texts.DELISTED_CANCELED if self.settling else texts.LIQUIDATED
        if reason in (NOTHING_TO_REDUCE, CUT):
            return texts.REDUCE_ONLY_CANCELED
        return texts.STATUS_OF[texts.POST_ONLY] if reason == POST_ONLY else texts.CANCELED

    def end(self, seat: Seat, ticket: Ticket, status: str) -> None:
        """End a live order, in the book or waiting, and what hangs on it."""
        if ticket.stage == "resting":
            book = seat.clearing.books[self._house.asset(ticket).symbol]
            resting = book.orders.get(str(ticket.oid))
            if resting is not None:
                seat.pit.withdraw(resting, self._house.moment())
        self._house.stand(seat, ticket, status)
        self.orphan(seat, ticket)

    def orphan(self, seat: Seat, parent: Ticket) -> None:
        """Cancel the children of an order that ended before it had filled."""
        for oid in parent.children:
            child = seat.tickets.get(oid)
            if child is not None and child.stage == "waiting":
                self.end(seat, child, texts.CANCELED)

    # -- what follows

    def _follow(self, seat: Seat, asset: Asset) -> None:
        """Look after the orders that hang on what has filled in a coin."""
        mine = seat.of(asset.coin)
        filled = [one for one in seat.just_filled if one.coin == asset.coin]
        seat.just_filled = [one for one in seat.just_filled if one.coin != asset.coin]
        for one in filled:
            for oid in one.children:
                child = seat.tickets.get(oid)
                if child is not None and child.stage == "waiting":
                    child.stage = "armed"
                    self._house.ledger.keep(child)
            for sibling in mine:
                related = one.family != 0 and sibling.family == one.family and sibling is not one
                if related and sibling.stage in ("armed", "resting"):
                    self.end(seat, sibling, texts.SIBLING_CANCELED)
        self.trim(seat, asset)

    def trim(self, seat: Seat, asset: Asset) -> None:
        """Cut reduce-only orders to the position; the newest is served first.

        One that is larger than all of the position shrinks to it; of several that are more than it
        together, the older ones go. Without a position all go, triggers too.
        """
        position = seat.position(asset.symbol)
        room = {side: position.closable("buy" if side else "sell") for side in (True, False)}
        whole = dict(room)
        for one in reversed(seat.of(asset.coin)):
            if not one.reduce_only or one.stage == "waiting" or not one.live:
                continue
            if not whole[one.buy]:
                self.end(seat, one, texts.REDUCE_ONLY_CANCELED)
                continue
            if one.stage == "armed":
                continue
            if one.left > room[one.buy]:
                if room[one.buy] < whole[one.buy]:
                    self.end(seat, one, texts.REDUCE_ONLY_CANCELED)
                    continue
                self._shrink(seat, asset, one, one.left - room[one.buy])
            room[one.buy] -= one.left

    def _shrink(self, seat: Seat, asset: Asset, one: Ticket, size: Decimal) -> None:
        resting = seat.clearing.books[asset.symbol].orders.get(str(one.oid))
        if resting is not None:
            seat.clearing.shrink(resting, size)
        one.left -= size
        self._house.ledger.keep(one)

    def close_out(self, seat: Seat, coin: str = "", *, settling: bool = False) -> bool:
        """Close a position, or all, against the account's will; tells whether there was one.

        It is liquidated at the touch, or settled at the mark.
        """
        self.settling = settling
        held = [
            one
            for one in list(seat.positions())
            if not coin or self._house.listings.by_symbol[one.symbol].coin == coin
        ]
        for one in held:
            book = seat.clearing.books[one.symbol]
            touch = book.exit_price(one.size)
            if settling or touch is None:
                price = seat.clearing.margin.mark(one)
            else:
                price = book.terms.slipped(touch, one.size < 0)
            seat.clearing.liquidate(one, price, self._house.moment())
        self.settle(seat)
        self.settling = False
        return bool(held)

    # -- money

    def _fund(self, seat: Seat, paid: FundingPayment) -> None:
        """Write up a funding payment, which is above 0 when it was received."""
        house, coin = self._house, self._house.listings.by_symbol[paid.symbol].coin
        before = seat.held[paid.symbol]
        seat.held[paid.symbol] = before.paid(paid.payment)
        time = paid.time // MILLISECOND
        told: Json = {
            "coin": coin,
            "usdc": decimal_text(-paid.payment),
            "szi": decimal_text(before.size),
            "fundingRate": decimal_text(paid.rate),
            "nSamples": None,
        }
        update: Json = {
            "time": time,
            "hash": "0x" + "0" * 64,
            "delta": {"type": "funding", **told},
        }
        house.ledger.flow(time, seat.user, "funding", coin, -paid.payment, update)
        house.tell(FundingNews(seat.user, {"time": time, **told}))

    def _liquidated(self, seat: Seat, told: Iterable[object]) -> None:
        """Tell of a liquidation, once for all its positions."""
        closed = [
            one
            for one in told
            if isinstance(one, ExecutionReport) and one.execution and one.execution.liquidation
        ]
        if not closed or self.settling:
            return
        value = seat.clearing.account.balance
        positions: list[Json] = []
        worth = ZERO
        for one in closed:
            assert one.execution is not None
            assert one.order is not None
            sign = -1 if one.order.side == "buy" else 1
            worth += one.execution.size * one.execution.price
            coin = self._house.listings.by_symbol[one.symbol].coin
            positions.append({"coin": coin, "szi": decimal_text(sign * one.execution.size)})
        delta: Json = {
            "type": "liquidation",
            "accountValue": value,
            "leverageType": "Isolated" if seat.isolated(closed[0].symbol) else "Cross",
            "liquidatedPositions": positions,
        }
        self._house.flow(seat, "liquidation", ZERO, delta)
        event: Json = {
            "lid": self._house.ledger.seq,
            "liquidator": LIQUIDATOR,
            "liquidated_user": seat.user,
            "liquidated_ntl_pos": decimal_text(worth),
            "liquidated_account_value": decimal_text(value),
        }
        self._house.tell(LiquidationNews(seat.user, event))
