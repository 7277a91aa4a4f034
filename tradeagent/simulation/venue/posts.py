"""Carry out requests that come over a socket: the same as over HTTP, many at a time."""

from __future__ import annotations

import asyncio
from collections import Counter

from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.connection import Message, Socket
from tradeagent.simulation.venue.intake import Intake, Silence
from tradeagent.simulation.venue.limits import MOST_POSTS

REASONS = {
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    502: "Bad Gateway",
}


class Posts:
    """The requests that are under way over sockets, counted for each IP."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._pending: Counter[str] = Counter()

    def begin(self, socket: Socket, number: int, asked: object, group: asyncio.TaskGroup) -> None:
        """Begin a request, unless too many are under way."""
        if self._pending[socket.ip] >= MOST_POSTS:
            socket.send(Message("error", f"too many pending post requests id={number}"))
            return
        self._pending[socket.ip] += 1
        group.create_task(self._carry_out(socket, number, asked))

    async def _carry_out(self, socket: Socket, number: int, asked: object) -> None:
        """Answer a post as the same request over HTTP would be."""
        try:
            answer = await self._answer(asked, socket.ip)
        except Malformed as error:
            answer = {"type": "error", "payload": f"422 {REASONS[422]}: {error}"}
        except Silence:
            return
        finally:
            self._pending[socket.ip] -= 1
        socket.send(Message("post", {"id": number, "response": answer}))

    async def _answer(self, asked: object, ip: str) -> Json:
        kind = asked.get("type") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or kind not in ("info", "action"):
            raise Malformed("a post is an object with type info or action")
        body = asked.get("payload")
        ask = self._intake.info if kind == "info" else self._intake.exchange
        reply = await ask(body, ip)
        if reply.status != 200:
            return {"type": "error", "payload": f"{reply.status} {REASONS[reply.status]}"}
        if kind == "action":
            return {"type": "action", "payload": reply.body}
        assert isinstance(body, dict)
        return {"type": "info", "payload": {"type": body["type"], "data": reply.body}}
