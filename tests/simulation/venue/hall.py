"""A hall for the tests: a floor on a scripted market, a clock to be turned, ways to order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import (
    DataReference,
    DataStatus,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    TickerUpdate,
    Timeframe,
)
from tradeagent.simulation.venue import Actor, Floor, News, VenueSettings
from tradeagent.simulation.venue.judge import Judge

SECOND = 1_000_000_000
NOON = 1_790_078_400 * SECOND
"""2026-09-22T12:00:00Z, a full hour."""
USER, OTHER = "0x" + "a" * 40, "0x" + "b" * 40
BTC = InstrumentUpdate(
    symbol="BTC",
    tick=Decimal("0.1"),
    lot=Decimal("0.00001"),
    significant=5,
    max_leverage=40,
    margin_tiers=((Decimal(150_000_000), 20),),
)
ETH = InstrumentUpdate(
    symbol="ETH", tick=Decimal("0.01"), lot=Decimal("0.0001"), significant=5, max_leverage=25
)
Json = dict[str, Any]


class Script:
    """A market of two coins that shows what the test says, when it says it."""

    name = "script"
    recorded = False

    def __init__(self) -> None:
        self.coming: deque[tuple[int, MarketEvent]] = deque()

    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return the two."""
        return (BTC, ETH)

    def timeframes(self, symbol: str) -> Sequence[Timeframe]:
        """Return nothing: there are no candles."""
        return ()

    def shortest(self, symbol: str) -> Timeframe | None:
        """Return None."""
        return None

    def history(self, symbol: str, timeframe: str, before: int, count: int) -> Sequence[MarketData]:
        """Return nothing."""
        return ()

    def status(self) -> Sequence[DataStatus]:
        """Return nothing."""
        return ()

    def references(self) -> Sequence[DataReference]:
        """Return nothing."""
        return ()

    def events(self, start: int) -> Iterator[tuple[int, MarketEvent]]:
        """Return itself: what the test adds comes next."""
        return self

    def __iter__(self) -> Iterator[tuple[int, MarketEvent]]:
        return self

    def __next__(self) -> tuple[int, MarketEvent]:
        if not self.coming:
            raise StopIteration
        return self.coming.popleft()


class Turned:
    """A clock that the test turns."""

    simulated = False
    speed = 1.0

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> int:
        """Return the time."""
        return self.time

    async def sleep_until(self, when: int) -> None:
        """Turn it."""
        self.time = max(self.time, when)

    async def sleep(self, seconds: float) -> None:
        """Turn it."""
        self.time += int(seconds * SECOND)

    def hold(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


class Hall:
    """A floor, its market and clock, and all news of accounts it has told."""

    def __init__(self, state: Path | None = None, **settings: Any) -> None:
        self.clock = Turned()
        self.script = Script()
        self.state = state
        self.settings = VenueSettings.model_validate(settings)
        self.heard: list[News] = []
        self._nonce = 0
        self.script.coming.append((NOON, _ticker("BTC", NOON, 59_999, 60_001)))
        self.script.coming.append((NOON, _ticker("ETH", NOON, 2999, 3001)))
        self.floor = self._open()

    def _open(self) -> Floor:
        floor = Floor(self.settings, self.script, self.clock, self.state)
        floor.listen(self.heard.append)
        return floor

    def restart(self) -> None:
        """Open the floor again on what is on disk, without closing it properly first."""
        self.floor._house.ledger.db.close()  # as a kill does
        self.floor.close()
        for coin, stall in self.floor._house.stalls.items():
            known = {"mark": stall.mark, "funding": stall.funding}
            self.show(coin, stall.bids[0][0], stall.asks[0][0], **known)
        self.floor = self._open()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.time += int(seconds * SECOND)
        self.floor.catch_up()

    def show(self, coin: str, bid: float, ask: float, **more: Any) -> None:
        """Put a quote on its way, for now."""
        self.script.coming.append(
            (self.clock.time, _ticker(coin, self.clock.time, bid, ask, **more))
        )

    def tick(self, bid: float, ask: float, coin: str = "BTC", **more: Any) -> None:
        """Let a second pass and show a quote."""
        self.clock.time += SECOND
        self.show(coin, bid, ask, **more)
        self.floor.catch_up()

    def trade(self, side: str, price: float, size: float, coin: str = "BTC") -> None:
        """Let a second pass and show a trade of others."""
        self.clock.time += SECOND
        trade = MarketTrade.model_validate(
            {"symbol": coin, "time": self.clock.time, "price": price, "size": size, "side": side}
        )
        self.script.coming.append((self.clock.time, trade))
        self.floor.catch_up()

    # -- acting

    def act(self, user: str = USER, signer: str = "", **action: Any) -> Json:
        """Carry out an action of the account; returns the answer."""
        self._nonce += 1
        nonce = self.floor.now_ms() + self._nonce
        return self.floor.act(Actor(user, signer or user, nonce), action)

    def orders(
        self, *orders: Json, user: str = USER, grouping: str = "na", **more: Any
    ) -> list[Any]:
        """Place orders; returns their entries."""
        answer = self.act(user, type="order", orders=list(orders), grouping=grouping, **more)
        assert answer["status"] == "ok", answer
        return answer["response"]["data"]["statuses"]

    def place(self, *wire: Any, user: str = USER, **more: Any) -> Any:
        """Place one order, given as `order` takes it; returns its entry."""
        return self.orders(order(*wire, **more), user=user)[0]

    def cancel(self, *oids: int, user: str = USER, asset: int = 0) -> list[Any]:
        """Cancel orders; returns their entries."""
        cancels = [{"a": asset, "o": oid} for oid in oids]
        return self.act(user, type="cancel", cancels=cancels)["response"]["data"]["statuses"]

    # -- asking

    def ask(self, kind: str, user: str = USER, **more: Any) -> Any:
        """Ask /info about the account."""
        return self.floor.answer({"type": kind, "user": user, **more})

    def status(self, oid: int | str, user: str = USER) -> str:
        """Return how an order stands."""
        found = self.ask("orderStatus", user, oid=oid)
        return found["order"]["status"] if found["status"] == "order" else "unknownOid"

    def position(self, coin: str = "BTC", user: str = USER) -> Json:
        """Return a position as the clearinghouse shows it, flat where there is none."""
        for one in self.ask("clearinghouseState", user)["assetPositions"]:
            if one["position"]["coin"] == coin:
                return one["position"]
        return {"szi": "0.0"}

    def open(self, user: str = USER) -> dict[int, Json]:
        """Return the open orders in full, by oid."""
        return {one["oid"]: one for one in self.ask("frontendOpenOrders", user)}

    def judge(self) -> Judge:
        """Return the judge of the ledger."""
        assert self.state is not None
        return Judge(self.state)


def order(
    buy: bool,
    price: float | str,
    size: float | str,
    tif: str = "Gtc",
    *,
    reduce: bool = False,
    cloid: str | None = None,
    asset: int = 0,
) -> Json:
    """Return a limit order as it comes over the wire."""
    wire = {"a": asset, "b": buy, "p": str(price), "s": str(size), "r": reduce}
    wire |= {"t": {"limit": {"tif": tif}}}
    return wire if cloid is None else {**wire, "c": cloid}


def trigger(
    buy: bool,
    at: float | str,
    size: float | str,
    kind: str = "sl",
    *,
    limit: float | str | None = None,
    reduce: bool = True,
    cloid: str | None = None,
) -> Json:
    """Return a trigger order: at market unless it has a limit."""
    terms = {"isMarket": limit is None, "triggerPx": str(at), "tpsl": kind}
    wire = order(buy, at if limit is None else limit, size, reduce=reduce, cloid=cloid)
    return {**wire, "t": {"trigger": terms}}


def named(number: int) -> str:
    """Return a client order id."""
    return f"0x{number:032x}"


def _ticker(coin: str, time: int, bid: float, ask: float, **more: Any) -> TickerUpdate:
    values = {"last": bid, "bid_size": 1.0, "ask_size": 1.0, **more}
    return TickerUpdate.model_validate(
        {"symbol": coin, "time": time, "bid": float(bid), "ask": float(ask), **values}
    )
