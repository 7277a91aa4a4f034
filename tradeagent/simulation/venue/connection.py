"""Hold one WebSocket: what it listens to, what waits to be sent, and what the switches do to it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable

from aiohttp import ClientConnectionResetError, web

from tradeagent.clock import SECOND, Clock
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.switches import (
    CutSocket,
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    Occasion,
    ReorderEvent,
    Stall,
    Switchboard,
)

IDLE = 60 * SECOND
MOST_WAITING = 20_000
"""Messages after which a socket that nobody reads is cut."""


class Message:
    """Something to be sent, written out once for all its readers and not before it is needed."""

    __slots__ = ("_text", "channel", "data", "key", "user")

    def __init__(self, channel: str, data: object, user: str = "", key: str = "") -> None:
        """Show `data`, or what it returns if it is a function; `key` names a state it shows."""
        self.channel = channel
        self.data = data
        self.user = user
        self.key = key
        self._text = ""

    def text(self) -> str:
        """Return the message as it is sent; empty when there turns out to be nothing to say."""
        if not self._text:
            data = self.data() if callable(self.data) else self.data
            if data is None and self.channel != "pong":
                return ""
            body = {"channel": self.channel, **({} if data is None else {"data": data})}
            self._text = json.dumps(body, separators=(",", ":"))
        return self._text

    def joined(self, other: Message) -> Message | None:
        """Return this and what came right behind as one, if both are steps of orders at once."""
        if self.channel != "orderUpdates" or other.channel != "orderUpdates":
            return None
        assert isinstance(self.data, list)
        assert isinstance(other.data, list)
        moments = {step["statusTimestamp"] for step in (*self.data, *other.data)}
        if self.user != other.user or len(moments) > 1:
            return None
        return Message(self.channel, [*self.data, *other.data], self.user)


class Socket:
    """One connection: its subscriptions and its outbox, in order."""

    def __init__(self, number: int, ip: str, clock: Clock, board: Switchboard) -> None:
        self.number = number
        self.ip = ip
        self.subscriptions: dict[str, Json] = {}
        self.response = web.WebSocketResponse(compress=False, max_msg_size=4 * 1024 * 1024)
        self._clock = clock
        self._board = board
        self._outbox: deque[Message] = deque()
        self._waiting: set[str] = set()
        self._filled = asyncio.Event()
        self._held: Message | None = None
        self._sent = clock.now()
        self._cut: Callable[[], None] = lambda: None
        self._group: asyncio.TaskGroup | None = None

    @property
    def users(self) -> set[str]:
        """Return the accounts it listens to."""
        return {str(sub["user"]) for sub in self.subscriptions.values() if "user" in sub}

    def open(self, group: asyncio.TaskGroup, cut: Callable[[], None]) -> None:
        """Begin to send; `cut` breaks the connection at once."""
        self._cut = cut
        self._group = group

    def cut(self) -> None:
        """Break the connection without a word."""
        self._cut()

    def send(self, message: Message) -> None:
        """Queue a message, if the switches let it pass."""
        if self._board:
            self._spoil(message)
        else:
            self._queue(message)

    def _spoil(self, message: Message) -> None:
        """Let switches drop, double, hold back or delay a message, or break the socket."""
        board = self._board
        occasion = Occasion("ws", "", message.user, message.channel, self.number)
        if board.struck(Stall, occasion) is not None:
            return
        if board.struck(CutSocket, occasion) is not None:
            self.cut()
            return
        if board.struck(DropEvent, occasion) is not None:
            return
        if (late := board.struck(DelayEvent, occasion)) is not None and self._group is not None:
            self._group.create_task(self._later(message, late.seconds))
            return
        if board.struck(DuplicateEvent, occasion) is not None:
            self._outbox.append(message)
        if board.struck(ReorderEvent, occasion) is not None and self._held is None:
            self._held = message
            return
        self._queue(message, alone=True)

    async def _later(self, message: Message, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._queue(message)

    def _queue(self, message: Message, alone: bool = False) -> None:
        """Put a message last; steps of orders join those before them unless it is `alone`."""
        if message.key in self._waiting:
            return
        if message.key:
            self._waiting.add(message.key)
        last = self._outbox[-1] if self._outbox and not alone else None
        joined = None if last is None else last.joined(message)
        if joined is None:
            self._outbox.append(message)
        else:
            self._outbox[-1] = joined
        if self._held is not None:
            self._outbox.append(self._held)
            self._held = None
        if len(self._outbox) > MOST_WAITING:
            self.cut()
        self._filled.set()

    async def write(self) -> None:
        """Send what is queued, until the connection ends."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._outbox:
                    message = self._outbox.popleft()
                    self._waiting.discard(message.key)
                    if shown := message.text():
                        await self.response.send_str(shown)
                        self._sent = self._clock.now()
        except ClientConnectionResetError:
            self.cut()

    async def watch(self) -> None:
        """Close the connection when nothing was sent over it for a minute."""
        while (due := self._sent + IDLE) > self._clock.now():
            await self._clock.sleep_until(due)
        await self.response.close(code=1000, message=b"Inactive")
