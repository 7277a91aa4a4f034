"""Let one answer serve all who ask the same before the question is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

from tradeagent.errors import VenueUnavailable

T = TypeVar("T")


class Gathering:
    """Questions that wait to be sent, and who waits with them.

    Whoever asks the same while one waits gets its answer; whoever asks after it was sent does not,
    for what it asks about may have happened since.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Future[tuple[object] | VenueUnavailable | None]] = {}

    async def ask(
        self,
        question: Hashable,
        ready: Callable[[], Awaitable[None]],
        send: Callable[[], Awaitable[T]],
    ) -> T:
        """Return what `send` returns once `ready` has, or the answer to the same question.

        Raises VenueUnavailable as either does.
        """
        while (asked := self._waiting.get(question)) is not None:
            answer = await asyncio.shield(asked)
            if isinstance(answer, VenueUnavailable):
                raise type(answer)(*answer.args)
            if answer is not None:
                return cast(T, answer[0])
        own = self._waiting[question] = asyncio.get_running_loop().create_future()
        try:
            try:
                await ready()
            finally:
                del self._waiting[question]
            found = await send()
        except VenueUnavailable as error:
            own.set_result(error)
            raise
        except BaseException:
            own.set_result(None)  # who asked first has left; another one asks
            raise
        own.set_result((found,))
        return found
