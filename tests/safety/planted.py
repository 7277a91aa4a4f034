"""A daemon with a bug in it, to see that the suites would catch it.

Usage: PLANTED=BUG python -m tests.safety.planted [OPTIONS]      (options as of `tradeagent`)
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tradeagent.__main__ import main
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.catchup import CatchUp
from tradeagent.agents.router import OrderRouter
from tradeagent.agents.venue import Venue
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import Message, Order, OrderStatus, OrderUpdate, VenueStatement
from tradeagent.storage.base import Settled
from tradeagent.storage.scribe import Scribe

S = OrderStatus
SLOW = 0.3
"""Seconds that a slow disk takes for a commit."""


def slow_disk() -> None:
    """Every commit takes a while; no bug, but what shows one."""
    write = Scribe.write

    def slowly(self: Scribe, group: Sequence[Any]) -> None:
        time.sleep(SLOW)
        write(self, group)

    Scribe.write = slowly  # type: ignore[method-assign]


def timeout_is_rejection() -> None:
    """A request without an answer is taken for a refused one."""
    say = Venue.say

    def mistaken(self: Venue, order: Order, status: S, reason: str) -> Any:
        return say(self, order, S.REJECTED if status is S.UNKNOWN else status, reason)

    Venue.say = mistaken  # type: ignore[method-assign]


def sent_before_it_is_recorded() -> None:
    """An order leaves before the journal has it, on a slow disk."""
    slow_disk()
    send = OrderRouter.send

    async def hastily(
        self: OrderRouter, update: OrderUpdate, prepared: int, _: Awaitable[None]
    ) -> list[Message]:
        return await send(self, update, prepared, Settled())

    OrderRouter.send = hastily  # type: ignore[method-assign]


def fills_not_told_apart() -> None:
    """A fill that is told again is booked again."""
    Blotter.is_news = lambda *_: True  # type: ignore[method-assign]


def tried_again_under_another_name() -> None:
    """An order without an answer is placed anew."""
    restate = Blotter._restate

    def anew(self: Blotter, update: OrderUpdate, report: Any) -> list[Message]:
        messages = restate(self, update, report)
        if report.status is S.UNKNOWN and update.status is S.PREPARED:
            messages.append(self._again(update))
        return messages

    Blotter._restate = anew  # type: ignore[method-assign]


def failed_query_is_flat() -> None:
    """A venue that does not answer is taken to say that nothing is held."""
    known: list[VenueStatement] = []

    async def state(self: CatchUp) -> Sequence[Message]:
        try:
            known[:] = [await self._venue.exchange.get_statement()]
        except VenueUnavailable:
            now = self._runtime().time()
            empty = {"asked": now, "time": now, "holdings": ()}
            return tuple(one.model_copy(update=empty) for one in known)
        return tuple(known)

    CatchUp.state = state  # type: ignore[method-assign]


def epoch_not_checked() -> None:
    """A daemon goes on writing after another has taken over."""
    Scribe._assert_ours = lambda *_: None  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        slow_disk,
        timeout_is_rejection,
        sent_before_it_is_recorded,
        fills_not_told_apart,
        tried_again_under_another_name,
        failed_query_is_flat,
        epoch_not_checked,
    )
}

if __name__ == "__main__":
    BUGS[os.environ["PLANTED"]]()
    main()
