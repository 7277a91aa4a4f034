"""Show what an account has: `clearinghouseState` and what else follows from positions and money.

With signed sizes: account value = raw USD + sum of size x mark, where the raw USD is the money less
the cost of all positions. (Section 2.3 of the protocol, checked there on recorded answers.)
"""

from __future__ import annotations

from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.account import Position
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.wire import decimal_text

USD = Decimal("1e-6")
RATIO = Decimal("1e-7")
PRICE = Decimal("1e-8")
TENTH = Decimal("0.1")


class Clearinghouse:
    """Works out what accounts are worth at the marks; it changes nothing."""

    def __init__(self, house: House) -> None:
        self._house = house

    def value(self, seat: Seat, *, crossed: bool = False) -> Decimal:
        """Return what an account is worth; `crossed` leaves out what stands isolated."""
        return self._raw(seat, crossed) + self._signed(seat, crossed)

    def free(self, seat: Seat) -> Decimal:
        """Return the margin that new orders may use."""
        return self.value(seat, crossed=True) - self.used(seat, crossed=True)

    def withdrawable(self, seat: Seat) -> Decimal:
        """Return what may leave the account: what neither initial margin nor a tenth of all
        positions holds.
        """
        held = max(self.used(seat), TENTH * self._notional(seat, False))
        return max(self.value(seat) - held, ZERO)

    def used(self, seat: Seat, *, crossed: bool = False) -> Decimal:
        """Return the margin of all positions, or of those that are crossed."""
        return sum((self._used(seat, one) for one in self._held(seat, crossed)), ZERO)

    def state(self, seat: Seat, time: int) -> Json:
        """Answer `clearinghouseState` at `time` (ms)."""
        crossed = self._held(seat, True)
        margin = seat.clearing.margin
        keep = sum((margin.keep(one, margin.mark(one)) for one in crossed), ZERO)
        return {
            "marginSummary": self._summary(seat, False),
            "crossMarginSummary": self._summary(seat, True),
            "crossMaintenanceMarginUsed": decimal_text(keep.quantize(USD)),
            "withdrawable": decimal_text(self.withdrawable(seat)),
            "assetPositions": [
                {"type": "oneWay", "position": self._position(seat, one)}
                for one in self._held(seat, False)
            ],
            "time": time,
        }

    def active(self, seat: Seat, asset: Asset) -> Json:
        """Answer `activeAssetData`; pairs are buy and sell.

        What closes the position first frees its margin [?].
        """
        leverage = seat.leverage(asset.instrument)
        held = seat.position(asset.symbol)
        mark = Decimal(repr(self._house.stalls[asset.coin].mark))
        free = max(self.free(seat), ZERO)
        sizes, dollars = [], []
        for closable in (held.closable("buy"), held.closable("sell")):
            most = free + (2 * self._used(seat, held) if closable else ZERO)
            dollars.append(decimal_text(most.quantize(USD)))
            size = asset.instrument.fit_size(most * leverage / mark) if mark else ZERO
            sizes.append(decimal_text(size))
        return {
            "user": seat.user,
            "coin": asset.coin,
            "leverage": self._leverage(seat, asset, held),
            "maxTradeSzs": sizes,
            "availableToTrade": dollars,
            "markPx": decimal_text(mark),
        }

    def _summary(self, seat: Seat, crossed: bool) -> Json:
        return {
            "accountValue": decimal_text(self.value(seat, crossed=crossed)),
            "totalNtlPos": decimal_text(self._notional(seat, crossed)),
            "totalRawUsd": decimal_text(self._raw(seat, crossed)),
            "totalMarginUsed": decimal_text(self.used(seat, crossed=crossed)),
        }

    def _position(self, seat: Seat, held: Position) -> Json:
        asset = self._house.listings.by_symbol[held.symbol]
        mark = seat.clearing.margin.mark(held)
        unrealised = held.unrealised(mark)
        leverage = seat.leverage(asset.instrument)
        opened, changed = seat.choices.bases.get(asset.coin, (ZERO, ZERO))
        limit = seat.clearing.margin.liquidation_price(held)
        return {
            "coin": asset.coin,
            "szi": decimal_text(held.size),
            "leverage": self._leverage(seat, asset, held),
            "entryPx": decimal_text(held.entry_price),
            "positionValue": decimal_text(abs(held.size) * mark),
            "unrealizedPnl": decimal_text(unrealised),
            "returnOnEquity": decimal_text(
                (unrealised * leverage / abs(held.cost)).quantize(RATIO)
            ),
            "liquidationPx": None if limit is None else decimal_text(limit.quantize(PRICE)),
            "marginUsed": decimal_text(self._used(seat, held)),
            "maxLeverage": asset.leverage,
            "cumFunding": {
                "allTime": decimal_text(held.funding),
                "sinceOpen": decimal_text(held.funding - opened),
                "sinceChange": decimal_text(held.funding - changed),
            },
        }

    def _leverage(self, seat: Seat, asset: Asset, held: Position) -> Json:
        value = seat.leverage(asset.instrument)
        if not seat.isolated(asset.symbol):
            return {"type": "cross", "value": value}
        shown: Json = {"type": "isolated", "value": value}
        if held.size:
            shown["rawUsd"] = decimal_text(held.margin - held.cost)
        return shown

    def _used(self, seat: Seat, held: Position) -> Decimal:
        """Return a position's margin: at its leverage, isolated what it has, its result too."""
        if not held.size:
            return ZERO
        mark = seat.clearing.margin.mark(held)
        if seat.isolated(held.symbol):
            return held.margin + held.unrealised(mark)
        asset = self._house.listings.by_symbol[held.symbol]
        return (abs(held.size) * mark / seat.leverage(asset.instrument)).quantize(USD)

    def _held(self, seat: Seat, crossed: bool) -> list[Position]:
        return [one for one in seat.positions() if not (crossed and seat.isolated(one.symbol))]

    def _raw(self, seat: Seat, crossed: bool) -> Decimal:
        """Return the money less what positions cost, and less what is set aside when `crossed`."""
        raw = seat.clearing.account.balance
        for one in seat.positions():
            raw -= one.margin if crossed and seat.isolated(one.symbol) else one.cost
        return raw

    def _signed(self, seat: Seat, crossed: bool) -> Decimal:
        mark = seat.clearing.margin.mark
        return sum((one.size * mark(one) for one in self._held(seat, crossed)), ZERO)

    def _notional(self, seat: Seat, crossed: bool) -> Decimal:
        mark = seat.clearing.margin.mark
        return sum((abs(one.size) * mark(one) for one in self._held(seat, crossed)), ZERO)
