"""Serve /ws: subscribe, unsubscribe, ping and post, and bring news to those who listen."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from aiohttp import WSMsgType, web

from tradeagent.clock import Clock
from tradeagent.simulation.venue import limits
from tradeagent.simulation.venue.base import Json, Malformed, MarketNews, News, StateNews
from tradeagent.simulation.venue.channels import (
    CALLED,
    MARKED,
    MARKET_STATES,
    OPENINGS,
    STATES,
    VIEWS,
    Key,
    key_of,
    normal,
    told,
)
from tradeagent.simulation.venue.connection import Message, Socket
from tradeagent.simulation.venue.intake import Intake
from tradeagent.simulation.venue.posts import Posts

MARK_EVERY = 5_000
"""Milliseconds between two messages that tell of nothing but other marks."""


def compact(value: object) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


class Streams:
    """All sockets, and who of them listens to what."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self.sockets: dict[int, Socket] = {}
        self._intake = intake
        self._floor = intake.floor
        self._clock = clock
        self._posts = Posts(intake)
        self._marked = 0
        self._board = intake.board
        self._listeners: dict[Key, dict[tuple[int, str], tuple[Socket, Json]]] = {}
        self._opened = limits.Rolling(limits.MOST_NEW_CONNECTIONS)
        self._messages = limits.Rolling(limits.MOST_MESSAGES)
        self._stop = self._floor.listen(self.hear)

    def close(self) -> None:
        """Hear no more news."""
        self._stop()

    def cut_all(self) -> None:
        """Break every connection."""
        for socket in tuple(self.sockets.values()):
            socket.cut()

    # -- news

    def hear(self, news: News) -> None:
        """Bring a piece of news to every socket that listens to it."""
        for key, data in told(news):
            listeners = self._listeners.get(key)
            if listeners:
                self._tell(key, data, list(listeners.items()))
        if isinstance(news, StateNews):
            for kind in STATES:
                self._refresh((kind, news.user, ""))
        elif isinstance(news, MarketNews) and news.kind == "allMids":
            for kind in MARKET_STATES:
                self._refresh((kind, "", ""))
            self._mark(news.time)

    def _mark(self, now: int) -> None:
        """Show what is worth another sum at other marks, every few seconds (`now` in ms)."""
        if now - self._marked < MARK_EVERY:
            return
        self._marked = now
        for key in tuple(self._listeners):
            if key[0] in MARKED:
                self._refresh(key)

    def _tell(
        self, key: Key, data: object, listeners: list[tuple[tuple[int, str], tuple[Socket, Json]]]
    ) -> None:
        """Send one message to all; a book goes out as each reader wants it aggregated."""
        kind = key[0]
        message = Message(CALLED.get(kind, kind), data, key[1] if key[1][:2] == "0x" else "")
        for (_, name), (socket, sub) in listeners:
            if kind == "l2Book" and (sub["nSigFigs"] is not None or sub.get("fast")):
                self._show(socket, sub, name)
            else:
                socket.send(message)

    def _refresh(self, key: Key) -> None:
        """Show a state again to those who listen to it."""
        for (_, name), (socket, sub) in list(self._listeners.get(key, {}).items()):
            self._show(socket, sub, name)

    def _show(self, socket: Socket, sub: Json, name: str = "") -> None:
        """Send what a channel shows in full; a later state replaces one that still waits."""
        kind = str(sub["type"])
        view = partial(VIEWS[kind], self._floor, sub)
        socket.send(Message(CALLED.get(kind, kind), view, str(sub.get("user", "")), name))

    # -- connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold a connection until it ends."""
        ip = request.remote or ""
        self._board.sockets += 1
        socket = Socket(self._board.sockets, ip, self._clock, self._board)
        await socket.response.prepare(request)
        refusal = self._crowded(ip)
        if refusal:
            await socket.response.send_str(compact({"channel": "error", "data": refusal}))
            await socket.response.close(code=1008, message=refusal.encode())
            return socket.response
        self.sockets[socket.number] = socket
        transport = request.transport
        assert transport is not None
        try:
            async with asyncio.TaskGroup() as group:
                socket.open(group, transport.abort)
                tasks = [group.create_task(socket.write()), group.create_task(socket.watch())]
                await self._read(socket, group)
                for task in tasks:
                    task.cancel()
        finally:
            del self.sockets[socket.number]
            for name in tuple(socket.subscriptions):
                self._forget(socket, name)
        return socket.response

    def _crowded(self, ip: str) -> str:
        """Return why one more connection of an address is too many, empty when it is not."""
        now = self._intake.real_ms()
        if not self._intake.rules.limited:
            return ""
        if sum(one.ip == ip for one in self.sockets.values()) >= limits.MOST_CONNECTIONS:
            return f"Cannot open more than {limits.MOST_CONNECTIONS} connections."
        if not self._opened.take(ip, 1, now):
            most = limits.MOST_NEW_CONNECTIONS
            return f"Cannot open more than {most} new connections per minute."
        return ""

    async def _read(self, socket: Socket, group: asyncio.TaskGroup) -> None:
        async for message in socket.response:
            if message.type is not WSMsgType.TEXT:
                continue
            if not self._intake.rules.limited or self._messages.take(
                socket.ip, 1, self._intake.real_ms()
            ):
                self._take(socket, message.data, group)
            else:
                socket.send(Message("error", "Cannot send more than 2000 messages per minute."))

    # -- requests

    def _take(self, socket: Socket, text: str, group: asyncio.TaskGroup) -> None:
        """Do what a message asks for."""
        bad = Message("error", f"Error parsing JSON into valid websocket request: {text}")
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            socket.send(bad)
            return
        method = asked.get("method") if isinstance(asked, dict) else None
        if method == "ping":
            socket.send(Message("pong", None))
        elif method in ("subscribe", "unsubscribe") and "subscription" in asked:
            self._change(socket, method, asked["subscription"])
        elif method == "post" and type(asked.get("id")) is int:
            self._posts.begin(socket, asked["id"], asked.get("request"), group)
        else:
            socket.send(bad)

    def _change(self, socket: Socket, method: str, asked: object) -> None:
        try:
            sub = normal(asked, self._floor)
        except Malformed:
            socket.send(Message("error", f"Invalid subscription {compact(asked)}"))
            return
        name = compact(sub)
        on = method == "subscribe"
        refusal = self._refusal(socket, sub, name) if on else ""
        if not on and name not in socket.subscriptions:
            refusal = f"Already unsubscribed: {compact(asked)}"
        if refusal:
            socket.send(Message("error", refusal))
            return
        answer = {"method": method, "subscription": sub}
        if not on:
            self._forget(socket, name)
            socket.send(Message("subscriptionResponse", answer))
            return
        socket.subscriptions[name] = sub
        self._listeners.setdefault(key_of(sub), {})[socket.number, name] = (socket, sub)
        if "user" in sub:
            self._intake.named.add(str(sub["user"]))
        socket.send(Message("subscriptionResponse", answer))
        self._welcome(socket, sub, name)

    def _welcome(self, socket: Socket, sub: Json, name: str) -> None:
        """Send the first message of a channel: what is so far, read now, before any later news."""
        kind = str(sub["type"])
        if kind in OPENINGS:
            data = OPENINGS[kind](self._floor, sub)
            if data not in (None, []):
                socket.send(Message(kind, data, str(sub.get("user", ""))))
        elif kind in VIEWS:
            self._show(socket, sub, name)

    def _refusal(self, socket: Socket, sub: Json, name: str) -> str:
        """Return why a subscription is one too many, empty when it is not."""
        if name in socket.subscriptions:
            return f"Already subscribed: {name}"
        if not self._intake.rules.limited:
            return ""
        own = [one for one in self.sockets.values() if one.ip == socket.ip]
        if sum(len(one.subscriptions) for one in own) >= limits.MOST_SUBSCRIPTIONS:
            return f"Cannot subscribe to more than {limits.MOST_SUBSCRIPTIONS} channels."
        users = set().union(*(one.users for one in own))
        if "user" in sub and len(users | {str(sub["user"])}) > limits.MOST_USERS:
            return f"Cannot track more than {limits.MOST_USERS} total users."
        return ""

    def _forget(self, socket: Socket, name: str) -> None:
        key = key_of(socket.subscriptions.pop(name))
        listeners = self._listeners[key]
        del listeners[socket.number, name]
        if not listeners:
            del self._listeners[key]
