"""One connection to Redis: commands packed once, written once, replies matched in order."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from hiredis import HiredisError, ReplyError, pack_command
from hiredis import Reader as Parser

from tradeagent.errors import BusUnavailable, ConfigError
from tradeagent.log import hide

CONNECT = 3.0
"""Seconds a connection may take."""
REPLY = 5.0
"""Seconds after which an answer that has not come never will."""

Reply = Any
Push = Callable[[list[bytes]], None]
_NOTHING = object()
_TLS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and how to log in; shown without the password."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    database: int = 0
    username: str = ""
    password: str = ""
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read `redis://`, `rediss://` or `unix://`, as redis-py does; raises ConfigError."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        unknown = set(query) - _TLS - {"db"}
        if unknown:
            raise ConfigError(f"bus.url: unknown option {min(unknown)}; known are db and ssl_*")
        path = parts.path if parts.scheme == "unix" else ""
        database = query.get("db", parts.path.strip("/") if not path else "") or "0"
        try:
            number, port = int(database), parts.port or 6379
        except ValueError as error:
            raise ConfigError(f"bus.url: port and database must be numbers: {error}") from None
        password = unquote(parts.password or "")
        hide(password)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=port,
            path=path,
            database=number,
            username=unquote(parts.username or ""),
            password=password,
            tls=parts.scheme == "rediss",
            ca=query.get("ssl_ca_certs"),
            certificate=query.get("ssl_certfile"),
            key=query.get("ssl_keyfile"),
            verify=query.get("ssl_cert_reqs", "required") != "none",
        )

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}/{self.database}"

    def context(self) -> ssl.SSLContext | None:
        """Return what encrypts the connection; raises OSError for unreadable files."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def pack(*words: str | bytes | int) -> bytes:
    """Return a command as it is sent."""
    packed: bytes = pack_command(words)  # type: ignore[arg-type]
    return packed


class Wire(asyncio.Protocol):
    """A connection; `push` is called with each message of a subscription, as it comes in."""

    def __init__(self, push: Push | None = None) -> None:
        self._push = push
        self._parser = Parser(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[int, list[Reply], asyncio.Future[list[Reply]]]] = deque()
        self._lost: OSError | None = None
        self._gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand every complete reply to whoever waits for it."""
        parser, push = self._parser, self._push
        try:
            parser.feed(data)
            while (reply := parser.gets()) is not _NOTHING:
                if push is not None and isinstance(reply, list) and reply[0] == b"message":
                    push(reply)
                else:
                    self._answer(reply)
        except HiredisError as error:
            self._fail(ConnectionError(f"no Redis answers there: {error}"))
            if self._transport is not None:
                self._transport.abort()

    def _answer(self, reply: Reply) -> None:
        if not self._waiting:
            return
        count, replies, waiter = self._waiting[0]
        replies.append(reply)
        if len(replies) == count:
            self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(replies)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who waits."""
        self._gone.set()
        self._fail(ConnectionError(f"the connection was lost{f' ({error})' if error else ''}"))

    def _fail(self, error: OSError) -> None:
        self._lost = self._lost or error
        while self._waiting:
            waiter = self._waiting.popleft()[2]
            if not waiter.done():
                waiter.set_exception(self._lost)
                waiter.exception()

    def send(self, packed: bytes, count: int = 1) -> asyncio.Future[list[Reply]]:
        """Write `count` packed commands; the replies may hold ReplyError. Raises OSError."""
        waiter: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if self._lost is not None or self._transport is None:
            raise self._lost or ConnectionError("not connected")
        self._waiting.append((count, [], waiter))
        self._transport.write(packed)
        return waiter

    async def call(self, *command: str | bytes | int, wait: float = REPLY) -> Reply:
        """Return the reply to one command; raises ReplyError, and OSError when none comes."""
        async with asyncio.timeout(wait):
            (reply,) = await self.send(pack(*command))
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def close(self) -> None:
        """End the connection; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()
            await self._gone.wait()


async def connect(address: Address, name: str, push: Push | None = None) -> Wire:
    """Open a connection and log in; raises BusUnavailable with the reason."""
    loop = asyncio.get_running_loop()
    wire = Wire(push)
    try:
        async with asyncio.timeout(CONNECT):
            if address.path:
                await loop.create_unix_connection(lambda: wire, address.path)
            else:
                await loop.create_connection(
                    lambda: wire, address.host, address.port, ssl=address.context()
                )
            await _log_in(wire, address, name)
    except (OSError, ReplyError) as error:
        await wire.close()
        reason = str(error) or "no answer in time"
        raise BusUnavailable(f"Redis at {address} cannot be used: {reason}") from error
    except BaseException:
        await wire.close()
        raise
    return wire


async def _log_in(wire: Wire, address: Address, name: str) -> None:
    if address.password:
        user = (address.username,) if address.username else ()
        await wire.call("AUTH", *user, address.password)
    if address.database:
        await wire.call("SELECT", address.database)
    await wire.call("CLIENT", "SETNAME", name)
