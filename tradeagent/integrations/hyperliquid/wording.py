"""Put orders into the venue's words: actions with their keys in the order that is signed."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
from tradeagent.messages import InstrumentUpdate, Order

CLOID = re.compile(r"0x[0-9a-f]{32}")
TIFS = {"GTC": "Gtc", "IOC": "Ioc", "ALO": "Alo"}
TRIGGERS = {"stop": "sl", "take_profit": "tp"}

Action = dict[str, object]


def number(value: Decimal) -> str:
    """Return a number as it is signed: no trailing zeros, no exponent."""
    return format(value.normalize(), "f")


def at_once(order: Order) -> bool:
    """Tell whether an order fills when it arrives or not at all."""
    return order.type == "market" or (order.type == "limit" and order.tif == "IOC")


class Wording:
    """Words orders of one instrument: prices on its grid, rounded toward less risk.

    A size is never changed: what was approved and what fills would differ. One off the grid, which
    was made for another grid, is refused.
    """

    def __init__(self, asset: int, instrument: InstrumentUpdate, settings: HyperliquidSettings):
        self._asset = asset
        self._instrument = instrument
        self._slippage = Decimal(repr(settings.slippage))
        self._stop_slippage = Decimal(repr(settings.stop_slippage))

    def place(self, order: Order, mid: Decimal | None) -> Action:
        """Return the action that places an order.

        `mid` prices a market order. Raises OrderRefused, and VenueUnavailable without a mid.
        """
        return {"type": "order", "orders": [self._order(order, mid)], "grouping": "na"}

    def replace(self, order: Order, mid: Decimal | None) -> Action:
        """Return the action that puts an order in the place of the one it `replaces`.

        Raises as `place`. Whatever may trade when it arrives, or waits for a trigger, must be
        marked to be placed anyway (`a`); a post-only order needs no mark.
        """
        target = order.replaces or ""
        oid: int | str = target if target.startswith("0x") else int(target)
        change: Action = {
            "type": "batchModify",
            "modifies": [{"oid": oid, "order": self._order(order, mid)}],
        }
        if order.type != "limit" or order.tif != "ALO":
            change["a"] = True
        return change

    def _order(self, order: Order, mid: Decimal | None) -> Action:
        if not CLOID.fullmatch(order.cloid):
            raise OrderRefused(f"MALFORMED: {order.cloid} must be 0x and 32 hexadecimal digits")
        if not self._instrument.size_fits(order.size):
            lot = self._instrument.lot
            raise OrderRefused(f"GRID: size {order.size:f} is not a multiple of {lot:f}")
        return {
            "a": self._asset,
            "b": order.side == "buy",
            "p": number(self._price(order, mid)),
            "s": number(order.size),
            "r": order.reduce_only,
            "t": self._kind(order),
            "c": order.cloid,
        }

    def _kind(self, order: Order) -> Action:
        if order.type in TRIGGERS:
            trigger = number(self._trigger(order))
            return {
                "trigger": {"isMarket": True, "triggerPx": trigger, "tpsl": TRIGGERS[order.type]}
            }
        return {"limit": {"tif": "Ioc" if at_once(order) else TIFS[order.tif]}}

    def _price(self, order: Order, mid: Decimal | None) -> Decimal:
        """Return the worst price an order takes."""
        if order.limit is not None:
            price = order.limit
        elif order.type in TRIGGERS:
            price = self._beyond(order, self._trigger(order), self._stop_slippage)
        elif order.type == "market":
            if mid is None:
                raise VenueUnavailable(f"no fresh price of {order.symbol} to order at the market")
            price = self._beyond(order, mid, self._slippage)
        else:
            raise OrderRefused("MALFORMED: a limit order needs a limit price")
        return self._positive(self._instrument.fit_price_against(price, order.side))

    def _trigger(self, order: Order) -> Decimal:
        """Return the trigger on the grid, rounded to the side that is reached first."""
        if order.trigger is None:
            raise OrderRefused(f"MALFORMED: a {order.type} order needs a trigger price")
        falls = (order.side == "sell") == (order.type == "stop")
        rounding = ROUND_CEILING if falls else ROUND_FLOOR
        return self._positive(self._instrument.fit_price(order.trigger, rounding))

    @staticmethod
    def _beyond(order: Order, price: Decimal, by: Decimal) -> Decimal:
        return price * (1 + by if order.side == "buy" else 1 - by)

    def _positive(self, price: Decimal) -> Decimal:
        if price <= 0:
            raise OrderRefused(f"GRID: the price rounds to nothing on {self._instrument.tick:f}")
        return price
