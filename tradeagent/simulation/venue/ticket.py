"""An order as the venue knows it, from the wire to its last status."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal

from tradeagent.messages import ZERO, Order, Side
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.texts import LIVE, OPEN
from tradeagent.simulation.venue.wire import decimal_text

Stage = Literal["waiting", "armed", "resting", "done"]
"""Waiting for its parent to fill, armed for its trigger, in the book, or ended."""
TIFS = {"Gtc": "GTC", "Ioc": "IOC", "Alo": "ALO"}


@dataclass(frozen=True, slots=True)
class Trigger:
    """When and how a trigger order acts: `above` tells that the mark must rise to `price`."""

    price: Decimal
    market: bool
    profit: bool
    above: bool

    def hit(self, mark: Decimal) -> bool:
        """Tell whether the mark has reached it."""
        return mark >= self.price if self.above else mark <= self.price

    @property
    def kind(self) -> str:
        """Return the order type it makes."""
        return ("Take Profit" if self.profit else "Stop") + (" Market" if self.market else " Limit")

    @property
    def condition(self) -> str:
        """Return what it waits for in words."""
        return f"Price {'above' if self.above else 'below'} {self.price.normalize():f}"


@dataclass(slots=True, eq=False)
class Ticket:
    """One order: `size` was asked for, `left` may still fill, `paid` is what its fills are worth.

    `time` is when it was placed and `changed` when its status last did (ms). `whole` tells that it
    follows the position (`positionTpsl`). `parent` is the order whose fill it waits for, `family`
    names the siblings that cancel each other; 0 for none. `fee` is the builder's, as a part of the
    notional. `twap` is the TWAP it is a slice of.
    """

    oid: int
    user: str
    asset: int
    coin: str
    buy: bool
    limit: Decimal
    size: Decimal
    left: Decimal
    time: int
    reduce_only: bool = False
    tif: str = "Gtc"
    cloid: str | None = None
    trigger: Trigger | None = None
    whole: bool = False
    parent: int = 0
    family: int = 0
    fee: Decimal = ZERO
    twap: int | None = None
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    status: str = OPEN
    changed: int = 0
    stage: Stage = "resting"
    children: list[int] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """Return its side as messages name it."""
        return "buy" if self.buy else "sell"

    @property
    def live(self) -> bool:
        """Tell whether it may still fill."""
        return self.stage != "done"

    @property
    def average(self) -> Decimal:
        """Return the average price of its fills."""
        return (self.paid / self.filled).quantize(Decimal("1e-8")) if self.filled else ZERO

    @property
    def market(self) -> bool:
        """Tell whether it takes what there is rather than a price."""
        return self.tif in ("FrontendMarket", "LiquidationMarket") or (
            self.trigger is not None and self.trigger.market
        )

    def order(self, symbol: str, size: Decimal, limit: Decimal) -> Order:
        """Return what the simulated exchange is asked for; its cloid there is the oid here."""
        tif = "IOC" if self.market else TIFS.get(self.tif, "IOC")
        return Order.model_validate(
            {
                "cloid": str(self.oid),
                "intent_id": str(self.oid),
                "symbol": symbol,
                "side": self.side,
                "size": size,
                "type": "limit",
                "limit": limit,
                "tif": tif,
                "reduce_only": self.reduce_only,
            }
        )

    def rank(self) -> str:
        """Return how `orderType` names it."""
        if self.trigger is not None:
            return self.trigger.kind
        if self.twap is not None:
            return "Twap Slice"
        return "Market" if self.market else "Limit"

    def short(self) -> Json:
        """Return it as `openOrders` and `orderUpdates` show it."""
        shown: Json = {
            "coin": self.coin,
            "side": "B" if self.buy else "A",
            "limitPx": decimal_text(self.limit),
            "sz": decimal_text(self.left),
            "oid": self.oid,
            "timestamp": self.time,
            "origSz": decimal_text(self.size),
        }
        if self.cloid is not None:
            shown["cloid"] = self.cloid
        if self.reduce_only:
            shown["reduceOnly"] = True
        return shown

    def full(self, children: list[Json] | None = None) -> Json:
        """Return it as `frontendOpenOrders` shows it, with the children that wait for it."""
        trigger = self.trigger
        return {
            "coin": self.coin,
            "side": "B" if self.buy else "A",
            "limitPx": decimal_text(self.limit),
            "sz": decimal_text(self.left),
            "oid": self.oid,
            "timestamp": self.time,
            "triggerCondition": "N/A" if trigger is None else trigger.condition,
            "isTrigger": trigger is not None,
            "triggerPx": "0.0" if trigger is None else decimal_text(trigger.price),
            "children": children or [],
            "isPositionTpsl": self.whole,
            "reduceOnly": self.reduce_only,
            "orderType": self.rank(),
            "origSz": decimal_text(self.size),
            "tif": None if trigger is not None else self.tif,
            "cloid": self.cloid,
        }

    def answer(self) -> object:
        """Return how the answer to its placement shows it."""
        if self.stage == "waiting":
            return "waitingForFill"
        if self.whole and self.stage == "armed":
            return "waitingForTrigger"
        known: Json = {"oid": self.oid}
        named: Json = {} if self.cloid is None else {"cloid": self.cloid}
        if self.status not in LIVE and self.filled:
            sums = {"totalSz": decimal_text(self.filled), "avgPx": decimal_text(self.average)}
            return {"filled": {**sums, **known, **named}}
        return {"resting": {**known, **named}}

    def dump(self) -> str:
        """Return it as text, for the ledger."""
        shown = {name: getattr(self, name) for name in FIELDS}
        if (trigger := self.trigger) is not None:
            shown["trigger"] = [trigger.price, trigger.market, trigger.profit, trigger.above]
        return json.dumps(shown, default=str, separators=(",", ":"))


FIELDS = tuple(one.name for one in fields(Ticket))
DECIMALS = ("limit", "size", "left", "fee", "filled", "paid")


def load(text: str) -> Ticket:
    """Return a ticket from its text."""
    found = json.loads(text)
    for name in DECIMALS:
        found[name] = Decimal(found[name])
    if (trigger := found["trigger"]) is not None:
        price, market, profit, above = trigger
        found["trigger"] = Trigger(Decimal(price), market, profit, above)
    return Ticket(**found)
