"""A venue inside the test's own process, and a plain client that signs with the SDK's functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from eth_account.signers.local import LocalAccount
from hyperliquid.utils import signing as sdk

from tests.venue.server import wallet
from tradeagent.clock import SECOND, AcceleratedClock, Clock
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.venue import Floor, VenueSettings
from tradeagent.simulation.venue.intake import Rules
from tradeagent.simulation.venue.serving import Ports, serve_venue

ORIGIN = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z."""
MARKET = GeneratedMarket(MarketSettings(seed=3, tick_seconds=1, book_seconds=5))
"""One market for all: it keeps nothing but what it has drawn."""
FREE = Rules(limited=False)
ENOUGH = 20.0
JSON = {"Content-Type": "application/json"}
Json = dict[str, Any]


class Place:
    """A venue that is open, and what the test asks it directly."""

    def __init__(
        self, floor: Floor, clock: Clock, url: str, admin: str, http: aiohttp.ClientSession
    ) -> None:
        self.floor = floor
        self._clock = clock
        self.url = url
        self.admin = admin
        self.http = http

    async def later(self, seconds: float) -> None:
        """Return when the venue's clock, which runs faster than ours, shows so much more."""
        await self._clock.sleep(seconds)

    async def switch(self, name: str, **more: object) -> Json:
        """Switch a fault on; fails when the venue does not know it."""
        async with self.http.post(self.admin, json={"switch": name, **more}) as answer:
            assert answer.status == 200, await answer.text()
            found: Json = await answer.json()
            return found

    async def clear(self) -> None:
        """Switch every fault off."""
        async with self.http.delete(self.admin) as answer:
            assert answer.status == 200

    async def info(self, kind: str, **more: object) -> Any:
        """Return the answer to a query."""
        return (await self.ask("/info", {"type": kind, **more}))[1]

    async def ask(self, path: str, body: object) -> tuple[int, Any]:
        """Return status and answer: JSON where it is JSON, else the text."""
        sent = json.dumps(body)
        async with self.http.post(self.url + path, data=sent, headers=JSON) as answer:
            text = await answer.text()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, text

    async def price(self, coin: str = "BTC", part: float = 1.0) -> str:
        """Return a price on the grid, that part of the mid."""
        mid = float((await self.info("allMids"))[coin])
        return f"{Decimal(f'{mid * part:.4g}'):f}"


class Trader:
    """A key that acts at a place; its nonces are the venue's time, each used once."""

    def __init__(self, place: Place, key: LocalAccount, last: int = 0) -> None:
        """Sign with `key`; `last` is a number below the first nonce."""
        self.place = place
        self.key = key
        self.user = key.address.lower()
        self._last = last

    def nonce(self) -> int:
        """Return a nonce that was not used."""
        self._last = max(self.place.floor.now_ms(), self._last + 1)
        return self._last

    def signed(self, action: Json, nonce: int | None = None, **more: Any) -> Json:
        """Return the body of a request; `vault`, `expires` and `mainnet` change what is signed."""
        used = self.nonce() if nonce is None else nonce
        vault, expires = more.get("vault"), more.get("expires")
        signature = sdk.sign_l1_action(
            self.key, action, vault, used, expires, more.get("mainnet", False)
        )
        return {
            "action": action,
            "nonce": used,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    async def act(self, action: Json, nonce: int | None = None, **more: Any) -> Any:
        """Send an action; returns what the venue answers with status 200."""
        status, answer = await self.place.ask("/exchange", self.signed(action, nonce, **more))
        assert status == 200, (status, answer)
        return answer

    async def send(self, kind: str, sign: Callable[..., Any], **fields: Any) -> Any:
        """Send a user-signed action with a function of the SDK."""
        nonce = self.nonce()
        moment = "time" if kind in ("usdSend", "withdraw3", "spotSend") else "nonce"
        action: Json = {**fields, moment: nonce, "type": kind}
        signature = sign(self.key, action, False)
        body = {"action": action, "nonce": nonce, "signature": signature}
        return (await self.place.ask("/exchange", body))[1]

    async def approve(self, agent: LocalAccount, name: str = "") -> None:
        """Let a key act for this account."""
        answer = await self.send(
            "approveAgent", sdk.sign_agent, agentAddress=agent.address, agentName=name
        )
        assert answer["status"] == "ok", answer

    async def status(self, action: Json, **more: Any) -> Any:
        """Send an action of one order or cancel; returns its one status."""
        answer = await self.act(action, **more)
        assert answer["status"] == "ok", answer
        (found,) = answer["response"]["data"]["statuses"]
        return found

    async def rest(self, part: float = 0.8, cloid: str | None = None) -> int:
        """Rest a small order far below the market; returns its number."""
        placed = await self.status(order(await self.place.price(part=part), cloid=cloid))
        return int(placed["resting"]["oid"])


def order(price: str, size: str = "0.01", tif: str = "Gtc", **more: Any) -> Json:
    """Return an action with one order of BTC; `buy`, `reduce`, `cloid` and `type` change it."""
    one: Json = {
        "a": 0,
        "b": more.get("buy", True),
        "p": price,
        "s": size,
        "r": more.get("reduce", False),
        "t": more.get("type", {"limit": {"tif": tif}}),
    }
    if more.get("cloid") is not None:
        one["c"] = more["cloid"]
    return {"type": "order", "orders": [one], "grouping": "na"}


def cancel(oid: int) -> Json:
    """Return an action that cancels an order of BTC."""
    return {"type": "cancel", "cancels": [{"a": 0, "o": oid}]}


class Line:
    """A WebSocket to a place; each channel is read in its own order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.unread: list[Json] = []

    async def send(self, method: str, **more: object) -> None:
        """Send a message."""
        await self.socket.send_str(json.dumps({"method": method, **more}))

    async def subscribe(self, kind: str, **more: object) -> Json:
        """Subscribe; returns the acknowledgement."""
        await self.send("subscribe", subscription={"type": kind, **more})
        return await self.until("subscriptionResponse")

    async def unsubscribe(self, kind: str, **more: object) -> Json:
        """Unsubscribe; returns the acknowledgement."""
        await self.send("unsubscribe", subscription={"type": kind, **more})
        return await self.until("subscriptionResponse")

    async def until(self, channel: str, fits: Callable[[Any], object] = lambda _: True) -> Json:
        """Return the next message of a channel whose data fits; the others of it are passed by."""
        async with asyncio.timeout(ENOUGH):
            while True:
                for index, said in enumerate(self.unread):
                    if said["channel"] == channel:
                        del self.unread[index]
                        if fits(said.get("data")):
                            return said
                        break
                else:
                    self.unread.append(json.loads(await self.socket.receive_str()))


@asynccontextmanager
async def opened(rules: Rules = FREE, speed: float = 1.0, **more: Any) -> AsyncIterator[Place]:
    """Open a venue; `origin` (UTC ns), `seed`, `state` and `settings` change it."""
    clock = AcceleratedClock(more.get("origin", ORIGIN), speed)
    state: Path | None = more.get("state")
    settings = more.get("settings", VenueSettings())
    floor = Floor(settings, MARKET, clock, state)
    seed = more.get("seed", 1)
    async with (
        serve_venue(floor, clock, rules, Ports(), seed) as (url, admin),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ENOUGH)) as http,
    ):
        yield Place(floor, clock, url, admin, http)


@asynccontextmanager
async def line(place: Place) -> AsyncIterator[Line]:
    """Open a WebSocket, closed at the end."""
    async with place.http.ws_connect(f"{place.url}/ws", max_msg_size=0) as socket:
        yield Line(socket)


def trader(place: Place, number: int = 1) -> Trader:
    """Return a trader with a key of its own."""
    return Trader(place, wallet(50_000 + number))
