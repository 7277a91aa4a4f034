"""Change leverage and isolated margin of an account while it trades."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.account import CENT
from tradeagent.simulation.venue import texts
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.clerk import Clerk
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.orders import number_of
from tradeagent.simulation.venue.placing import err
from tradeagent.simulation.venue.seat import Seat

DONE: Json = {"status": "ok", "response": {"type": "default"}}
MICRO = Decimal("1e-6")
KEPT_PART = Decimal("0.1")
"""What must be left of a position's value when margin is taken off it."""


class Margins:
    """What an account does with margin; whoever calls it is inside an event of the house."""

    def __init__(self, house: House, clerk: Clerk, clearinghouse: Clearinghouse) -> None:
        self._house = house
        self._clerk = clerk
        self._clearinghouse = clearinghouse

    def update_leverage(self, seat: Seat, action: Json) -> Json:
        """Carry out `updateLeverage`."""
        asset = self._house.listings.at(int(str(action.get("asset"))))
        leverage, crossed = int(str(action.get("leverage"))), action.get("isCross") is True
        if asset is None:
            return err(texts.BAD_ASSET)
        if not 1 <= leverage <= asset.leverage:
            return err(texts.LEVERAGE)
        symbol, leverages = asset.symbol, seat.clearing.margin.leverages
        held = seat.position(symbol)
        if held.size and crossed == seat.isolated(symbol):
            return err(texts.SWITCH)
        before = leverages.chosen.get(symbol)
        leverages.chosen[symbol] = leverage
        if crossed:
            leverages.isolated.discard(symbol)
        else:
            leverages.isolated.add(symbol)
        if held.size and not self._backed(seat, asset):
            leverages.chosen.pop(symbol)
            if before is not None:
                leverages.chosen[symbol] = before
            return err(texts.LEVERAGE_MARGIN)
        self._house.keep(seat)
        self._settle(seat)
        return DONE

    def _backed(self, seat: Seat, asset: Asset) -> bool:
        """Tell whether the account can carry its position at the leverage it has chosen now.

        An isolated one gets the margin it lacks; more than it needs stays with it.
        """
        if not seat.isolated(asset.symbol):
            return self._clearinghouse.free(seat) >= 0
        lacking = -self._spare(seat, asset)
        if lacking <= 0:
            return True
        if lacking > self._clearinghouse.free(seat):
            return False
        self._back(seat, asset, lacking)
        return True

    def _spare(self, seat: Seat, asset: Asset) -> Decimal:
        """Return by how much an isolated position's margin exceeds its initial margin."""
        held = seat.position(asset.symbol)
        mark = seat.clearing.margin.mark(held)
        own = held.margin + held.unrealised(mark)
        return own - abs(held.size) * mark / seat.leverage(asset.instrument)

    def _back(self, seat: Seat, asset: Asset, amount: Decimal) -> None:
        amount = amount.quantize(CENT, ROUND_CEILING)
        seat.clearing.back(seat.position(asset.symbol), amount)

    def update_isolated(self, seat: Seat, action: Json) -> Json:
        """Carry out `updateIsolatedMargin`: `ntli` is in millionths, below 0 it takes off."""
        asset = self._house.listings.at(int(str(action.get("asset"))))
        if asset is None:
            return err(texts.BAD_ASSET)
        return self._move(seat, asset, int(str(action.get("ntli"))) * MICRO)

    def top_up(self, seat: Seat, action: Json) -> Json:
        """Carry out `topUpIsolatedOnlyMargin`: add what brings a position to a leverage."""
        asset = self._house.listings.at(int(str(action.get("asset"))))
        leverage = number_of(action.get("leverage"))
        if asset is None:
            return err(texts.BAD_ASSET)
        if leverage <= 0:
            return err(texts.LEVERAGE)
        held = seat.position(asset.symbol)
        mark = seat.clearing.margin.mark(held)
        wanted = abs(held.size) * mark / leverage
        return self._move(seat, asset, max(wanted - held.margin - held.unrealised(mark), ZERO))

    def _move(self, seat: Seat, asset: Asset, amount: Decimal) -> Json:
        """Add margin to an isolated position, or take it off."""
        held = seat.position(asset.symbol)
        if not held.size or not seat.isolated(asset.symbol):
            return err(texts.NOT_ISOLATED)
        if amount > self._clearinghouse.free(seat):
            return err(texts.ADD_MARGIN)
        if amount < 0:
            mark = seat.clearing.margin.mark(held)
            value = abs(held.size) * mark
            keep = max(value / seat.leverage(asset.instrument), KEPT_PART * value)
            if held.margin + held.unrealised(mark) + amount < keep:
                return err(texts.TAKE_MARGIN)
        self._back(seat, asset, amount)
        self._settle(seat)
        return DONE

    def _settle(self, seat: Seat) -> None:
        seat.clearing.unbraced = True
        self._clerk.settle(seat)
