"""A venue that answers as it is told: real sockets and real JSON, no rules of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web
from pydantic import SecretStr

from tradeagent.clock import MILLISECOND, Clock, WallClock
from tradeagent.integrations.base import VenueEvent
from tradeagent.integrations.hyperliquid import Credentials, HyperliquidSettings
from tradeagent.integrations.hyperliquid.exchange import HyperliquidExchange

KEY = "0x" + "22" * 32
SIGNER = "0x1563915e194d8cfba1943570603f7606a3115508"
ACCOUNT = "0x" + "ab" * 20
META = {
    "universe": [
        {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56},
        {"szDecimals": 4, "name": "ETH", "maxLeverage": 25, "marginTableId": 25},
        {"szDecimals": 1, "name": "OLD", "maxLeverage": 3, "marginTableId": 3, "isDelisted": True},
    ],
    "marginTables": [
        [
            56,
            {
                "description": "tiered",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ]
    ],
}
EMPTY = {
    "accountValue": "1000.0",
    "totalNtlPos": "0.0",
    "totalRawUsd": "1000.0",
    "totalMarginUsed": "0.0",
}
Answer = Callable[[dict[str, Any]], Any]


class Lost(Exception):
    """Raised by a script to cut the connection without an answer."""


class ScriptedVenue:
    """Answers each kind of question, and each action, by a script that a test may replace."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.url = ""
        self.questions: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.subscribed: list[dict[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.pings = 0
        self.deaf = False
        self.info: dict[str, Answer] = {
            "exchangeStatus": lambda _: {"time": self.now(), "specialStatuses": None},
            "userRole": lambda _: {"role": "agent", "data": {"user": ACCOUNT}},
            "extraAgents": lambda _: [],
            "userAbstraction": lambda _: "default",
            "meta": lambda _: META,
            "allMids": lambda _: {"BTC": "60510.5", "ETH": "2500.0"},
            "userRateLimit": lambda _: {
                "cumVlm": "0.0",
                "nRequestsUsed": 10,
                "nRequestsCap": 10000,
                "nRequestsSurplus": 0,
            },
            "orderStatus": lambda _: {"status": "unknownOid"},
            "frontendOpenOrders": lambda _: [],
            "userFillsByTime": lambda _: [],
            "userFunding": lambda _: [],
            "clearinghouseState": lambda _: {
                "marginSummary": EMPTY,
                "crossMarginSummary": EMPTY,
                "crossMaintenanceMarginUsed": "0.0",
                "withdrawable": "1000.0",
                "assetPositions": [],
                "time": self.now(),
            },
        }
        self.exchange: Answer = lambda _: ok({"resting": {"oid": 77}})

    def now(self) -> int:
        """Return the time in ms."""
        return self.clock.now() // MILLISECOND

    async def answer_info(self, request: web.Request) -> web.StreamResponse:
        question = json.loads(await request.read())
        self.questions.append(question)
        return await _answered(request, self.info[question["type"]], question)

    async def answer_exchange(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.bodies.append(body)
        action = json.loads(body)
        self.actions.append(action)
        return await _answered(request, self.exchange, action)

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT or self.deaf:
                continue
            said = json.loads(message.data)
            if said["method"] == "ping":
                self.pings += 1
                await socket.send_json({"channel": "pong"})
            else:
                self.subscribed.append(said["subscription"])
                echo = {"nSigFigs": None, **said["subscription"]}
                await socket.send_json(
                    {
                        "channel": "subscriptionResponse",
                        "data": {"method": said["method"], "subscription": echo},
                    }
                )
        return socket

    async def say(self, channel: str, data: object) -> None:
        """Send a message to whoever is connected."""
        for socket in self.sockets:
            if not socket.closed:
                with suppress(ConnectionError):  # the other side may just have left
                    await socket.send_json({"channel": channel, "data": data})

    async def price(self) -> None:
        """Tell the middles of all books."""
        await self.say("allMids", {"mids": self.info["allMids"]({})})

    async def hang_up(self) -> None:
        """Cut every stream."""
        for socket in self.sockets:
            with suppress(ConnectionError):
                await socket.close()
        self.sockets.clear()


async def _answered(
    request: web.Request, script: Answer, asked: dict[str, Any]
) -> web.StreamResponse:
    try:
        told = script(asked)
        if asyncio.iscoroutine(told):
            told = await told
    except Lost:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    return told if isinstance(told, web.StreamResponse) else web.json_response(told)


def ok(*statuses: object, kind: str = "order") -> dict[str, object]:
    """Return the answer to an action that was carried out."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}


def err(text: str) -> dict[str, object]:
    """Return the answer to an action that was refused as a whole."""
    return {"status": "err", "response": text}


def fill(tid: int, **changes: object) -> dict[str, object]:
    """Return a fill as the venue tells it."""
    return {
        "coin": "BTC",
        "px": "60510.0",
        "sz": "0.01",
        "side": "B",
        "time": 1_700_000_000_000,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x" + "0" * 64,
        "oid": 77,
        "crossed": True,
        "fee": "0.27",
        "tid": tid,
        "feeToken": "USDC",
        "twapId": None,
        **changes,
    }


def basic(cloid: str | None, **changes: object) -> dict[str, object]:
    """Return an order as the stream of updates tells it."""
    named = {"cloid": cloid} if cloid is not None else {}
    return {
        "coin": "BTC",
        "side": "B",
        "limitPx": "60000.0",
        "sz": "0.02",
        "oid": 77,
        "timestamp": 1_700_000_000_000,
        "origSz": "0.02",
        **named,
        **changes,
    }


def middle(exchange: HyperliquidExchange, symbol: str) -> Decimal | None:
    """Return the middle that a market order would be priced from, None without a fresh one."""
    return exchange._market.mid(symbol)


class Tasks:
    """Owns what it spawns; a failed task fails the test that ends it."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` as a task."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.append(task)
        return task

    async def end(self) -> None:
        """End every task; raises what one has failed with."""
        for task in self.tasks:
            task.cancel()
        for ended in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


@asynccontextmanager
async def serving(venue: ScriptedVenue) -> AsyncIterator[ScriptedVenue]:
    """Let a venue answer on a free port of this machine."""
    app = web.Application()
    app.router.add_post("/info", venue.answer_info)
    app.router.add_post("/exchange", venue.answer_exchange)
    app.router.add_get("/ws", venue.stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    venue.url = f"http://{host}:{port}"
    try:
        yield venue
    finally:
        await venue.hang_up()
        await runner.cleanup()


class Trader:
    """Our exchange on a scripted venue, and all it has told."""

    def __init__(self, venue: ScriptedVenue, exchange: HyperliquidExchange) -> None:
        self.venue = venue
        self.exchange = exchange
        self.told: list[VenueEvent] = []
        self._news = asyncio.Event()
        exchange.subscribe(self._hear)

    def _hear(self, event: VenueEvent) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, wanted: Callable[[list[VenueEvent]], bool]) -> None:
        """Return when what was told is as wanted."""
        async with asyncio.timeout(10):
            while not wanted(self.told):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def trading(
    clock: Clock | None = None,
    state: Any = None,
    script: Callable[[ScriptedVenue], None] = lambda _: None,
    **changes: object,
) -> AsyncIterator[Trader]:
    """Yield our exchange, started on a scripted venue."""
    clock = clock or WallClock()
    async with serving(ScriptedVenue(clock)) as venue:
        script(venue)
        tasks = Tasks()
        settings = HyperliquidSettings.model_validate(
            {"network": "local", "url": venue.url, "fills_within": 0.2, **changes}
        )
        credentials = Credentials(account=ACCOUNT, key=SecretStr(KEY))
        exchange = HyperliquidExchange(settings, credentials, clock, tasks.spawn, state)
        trader = Trader(venue, exchange)
        try:
            await exchange.start()
            await venue.price()
            yield trader
        finally:
            await exchange.close()
            await tasks.end()
