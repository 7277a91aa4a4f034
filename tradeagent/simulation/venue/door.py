"""Open the venue's door: POST /info, POST /exchange and GET /ws on one port of the loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tradeagent.clock import Clock
from tradeagent.errors import CommandError
from tradeagent.simulation.venue.base import Malformed
from tradeagent.simulation.venue.intake import UNPROCESSABLE, Intake, Reply, Silence
from tradeagent.simulation.venue.streams import Streams
from tradeagent.simulation.venue.switches import Lose, Maintenance, Occasion, TooManyRequests

HOST = "127.0.0.1"
LARGEST_BODY = 4 * 1024 * 1024
Ask = Callable[[object, str], Awaitable[Reply]]


def _response(reply: Reply) -> web.Response:
    if reply.status != 200 or reply.raw:
        return web.Response(status=reply.status, text=str(reply.body))
    text = json.dumps(reply.body, separators=(",", ":"))
    return web.Response(text=text, content_type="application/json")


class Door:
    """The HTTP side of the venue."""

    def __init__(self, intake: Intake, streams: Streams, clock: Clock) -> None:
        self._intake = intake
        self._streams = streams
        self._clock = clock

    def app(self) -> web.Application:
        """Return the application to be served."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._exchange)
        app.router.add_get("/ws", self._ws)
        return app

    async def _info(self, request: web.Request) -> web.Response:
        return await self._serve(request, self._intake.info)

    async def _exchange(self, request: web.Request) -> web.Response:
        return await self._serve(request, self._intake.exchange)

    async def _serve(self, request: web.Request, ask: Ask) -> web.Response:
        """Answer a request; one that is to stay unanswered holds its connection for a while."""
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return web.Response(status=400, text="Failed to parse the request body as JSON")
        try:
            reply = await ask(body, request.remote or "")
        except Malformed as error:
            return web.Response(status=422, text=f"{UNPROCESSABLE}: {error}")
        except Silence as silence:
            return await self._cut(request, silence.seconds)
        return _response(reply)

    async def _cut(self, request: web.Request, seconds: float) -> web.Response:
        """Break a connection after a while, without an answer."""
        await self._clock.sleep(seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=502)

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        board, occasion = self._intake.board, Occasion("ws")
        if (lost := board.struck(Lose, occasion)) is not None:
            return await self._cut(request, lost.seconds)
        if board.struck(TooManyRequests, occasion) is not None:
            return web.Response(status=429)
        if board.struck(Maintenance, occasion) is not None:
            return web.Response(status=502)
        return await self._streams.serve(request)


@asynccontextmanager
async def listen(app: web.Application, port: int, option: str) -> AsyncIterator[str]:
    """Serve an application on the loopback; yields its URL. Port 0 takes any free one.

    Raises CommandError, which names `option`, where the port cannot be used.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise CommandError(
                f"{option}: {HOST}:{port} cannot be used ({error.strerror}); "
                "give a free port, or 0 for any"
            ) from error
        host, taken, *_ = runner.addresses[0]
        yield f"http://{host}:{taken}"
    finally:
        await runner.cleanup()
