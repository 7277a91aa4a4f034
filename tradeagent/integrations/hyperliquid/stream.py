"""One WebSocket to the venue that is opened again whenever it ends, stalls or goes quiet."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import from_json
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tradeagent.clock import Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.channels import CHANNELS
from tradeagent.integrations.hyperliquid.settings import LineSettings
from tradeagent.integrations.hyperliquid.silence import Silences
from tradeagent.integrations.hyperliquid.timing import elapsed, within

LARGEST = 16 * 1024 * 1024
"""The longest message that is read, in bytes: snapshots are long."""
MINUTE = 60.0
LOOKED_AT = 0.5
"""How often silence is looked for, in seconds."""
PING = '{"method":"ping"}'
GREETING = "Websocket connection established."
"""What the venue may say first, which is no JSON; the official SDK knows it, too."""
TWICE = "Already subscribed: "
"""How the venue confirms what it was asked for twice; what it sends stays as it is."""

Hear = Callable[[str, object], None]
Changed = Callable[[bool, str], None]


@dataclass(slots=True, eq=False)
class Watch:
    """A subscription, and whether it is confirmed."""

    subscription: Mapping[str, str]
    acked: bool = False


class Stream:
    """Keeps subscriptions alive and hands on what they say, typed.

    `hear` is given channel and data; what it raises as VenueUnavailable closes the connection, as
    does a message that is not as documented: what was missed is asked for after the next opening.
    `changed` is told when all subscriptions are confirmed, and when the connection is lost, with
    the reason. What is said before `up` is heard, too.
    """

    def __init__(self, settings: LineSettings, clock: Clock, hear: Hear, changed: Changed) -> None:
        self._settings = settings
        self._clock = clock
        self._hear = hear
        self._changed = changed
        self._watches: list[Watch] = []
        self._silences = Silences()
        self._last = self._pinged = 0.0
        self._connects: deque[float] = deque()
        self._chance = random.Random(clock.now())  # noqa: S311 - spreads pauses, no secret
        self._again = ""
        self._up = asyncio.Event()
        self.unknown = 0
        """Messages of channels that nobody has told us of."""

    def watch(
        self, subscription: Mapping[str, str], limit: float | None = None, *, quiet: bool = False
    ) -> None:
        """Subscribe at every opening; `limit` is how long it may be silent, in seconds.

        Subscriptions to one coin speak for each other, as a book and its touch do, unless they are
        `quiet` by nature: each of those counts alone, and is given more time where it is so often.
        """
        if limit is not None:
            self._silences.watch(
                subscription["type"], subscription.get("coin", ""), limit, quiet=quiet
            )
        self._watches.append(Watch(subscription))

    async def up(self) -> None:
        """Return when all subscriptions are confirmed."""
        await self._up.wait()

    def reopen(self, reason: str) -> None:
        """Close the connection, so that what was missed is asked for after the next opening."""
        self._again = self._again or reason

    async def run(self) -> None:
        """Keep the connection open, without end."""
        self._up.clear()
        pause = self._settings.backoff_first
        while True:
            await self._allowed()
            try:
                await self._serve()
                reason = "the venue closed the stream"
            except (OSError, TimeoutError, WebSocketException, VenueUnavailable) as error:
                reason = str(error) or type(error).__name__
            if self._up.is_set():
                pause = self._settings.backoff_first
                self._up.clear()
            self._changed(False, reason)
            await self._clock.sleep(pause * self._chance.uniform(0.5, 1.0))
            pause = min(2 * pause, self._settings.backoff_most)

    async def _allowed(self) -> None:
        """Return when a new connection is within the limit of a minute."""
        connects = self._connects
        while connects and connects[0] <= elapsed(self._clock) - MINUTE:
            connects.popleft()
        if len(connects) >= self._settings.connects_per_minute:
            await self._clock.sleep(connects[0] + MINUTE - elapsed(self._clock))
            connects.popleft()
        connects.append(elapsed(self._clock))

    async def _serve(self) -> None:
        """Open a connection and use it until it ends; raises what ended it."""
        place = self._settings.place
        async with within(self._clock, self._settings.request_timeout):
            socket = await connect(
                place.stream,
                open_timeout=None,
                ping_interval=None,
                close_timeout=1,
                max_size=LARGEST,
                proxy=None if self._settings.network == "local" else True,
            )
        try:
            await self._use(socket)
        finally:
            socket.transport.abort()

    async def _use(self, socket: ClientConnection) -> None:
        now = elapsed(self._clock)
        self._last = self._pinged = now
        self._again = ""
        self._silences.begin(now)
        for one in self._watches:
            one.acked = False
            asked = {"method": "subscribe", "subscription": dict(one.subscription)}
            await socket.send(json.dumps(asked))
        try:
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(self._look(socket, now), name="hyperliquid.look")
                async for message in socket:
                    self._take(message)
                guard.cancel()
        except ExceptionGroup as many:
            raise many.exceptions[0] from None

    async def _look(self, socket: ClientConnection, opened: float) -> None:
        """Ping, and raise VenueUnavailable when the venue is silent for too long."""
        settings = self._settings
        while True:
            await self._clock.sleep(LOOKED_AT)
            now = elapsed(self._clock)
            if self._again:
                raise VenueUnavailable(self._again)
            if not self._up.is_set() and now - opened > settings.ack_within:
                raise VenueUnavailable("the venue did not confirm all subscriptions")
            since = now - self._pinged
            if self._pinged > self._last:
                if since > settings.pong_within:
                    raise VenueUnavailable("the venue answers no ping")
            elif since > settings.ping_every:
                self._pinged = now
                await socket.send(PING)
            if silent := self._silences.found(now):
                raise VenueUnavailable(silent)

    def _take(self, message: str | bytes) -> None:
        """Hand one message on; raises VenueUnavailable for one that is not as documented."""
        self._last = now = elapsed(self._clock)
        if message == GREETING:
            return
        try:
            envelope = from_json(message)
            channel = envelope["channel"]
            shape = CHANNELS.get(channel)
            if shape is None:
                self._housekeep(channel, envelope.get("data"))
                return
            data = shape(envelope["data"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            kind = "shape" if isinstance(error, ValidationError) else "message"
            raise VenueUnavailable(f"a {kind} nobody told us of: {message!r:.200}") from None
        self._silences.heard(channel, data, now)
        self._hear(channel, data)

    def _housekeep(self, channel: object, data: object) -> None:
        if channel == "subscriptionResponse" and isinstance(data, dict):
            self._acknowledge(data.get("subscription"))
        elif channel == "error":
            if isinstance(data, str) and data.startswith(TWICE):
                self._acknowledge(from_json(data.removeprefix(TWICE)))
                return
            raise VenueUnavailable(f"the venue refuses a subscription: {data!r:.200}")
        elif channel != "pong":
            self.unknown += 1

    def _acknowledge(self, echoed: object) -> None:
        """Note what is confirmed: the echo holds what was asked for, and perhaps more."""
        if not isinstance(echoed, dict):
            return
        for one in self._watches:
            asked = one.subscription.items()
            if not one.acked and all(
                str(echoed.get(key, "")).lower() == value.lower() for key, value in asked
            ):
                one.acked = True
                break
        if all(one.acked for one in self._watches) and not self._up.is_set():
            self._confirmed()

    def _confirmed(self) -> None:
        self._up.set()
        self._changed(True, "")
