"""What became of a request without an answer: found out, or proven to have come to nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, repeat

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.agents.venue import NEVER_SEEN, Venue
from tradeagent.clock import SECOND
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import LONGEST_LIFE, ExecutionReport, Order, OrderStatus, OrderUpdate

Found = Sequence[ExecutionReport]
SendAgain = Callable[[OrderUpdate], Awaitable[ExecutionReport | None]]


class ProofSettings(BaseModel):
    """When an order without an answer is asked for, and what proves that it was never placed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked_again_s: tuple[float, ...] = Field(
        default=(0.5, 1.0, 2.0, 4.0, 8.0),
        min_length=1,
        description="The pauses before a venue is asked again what became of an order, in seconds "
        "of the clock; the last one is repeated.",
    )
    dead_for_s: float = Field(
        default=5.0,
        ge=0,
        allow_inf_nan=False,
        description="How long before the moment that the venue's own state tells of a request must "
        "have died, in seconds, for its absence to count.",
    )
    apart_s: float = Field(
        default=3.0,
        ge=0,
        allow_inf_nan=False,
        description="How far apart the two answers must be that prove an order was never placed, "
        "in seconds of the clock.",
    )


def patience(pauses: Sequence[float]) -> Iterator[float]:
    """Yield each pause, and the last one without end."""
    return chain(pauses, repeat(pauses[-1]))


class Proof:
    """Asks until the venue shows the order, or everything speaks against it, twice.

    A request that died can never arrive. So what was never placed is proven by a state of the venue
    that is younger than that death and knows neither order, nor fill, nor open order of the name;
    one answer may come from a node that lags behind, so it takes two, some time apart.
    """

    def __init__(
        self,
        venue: Venue,
        settings: ProofSettings,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Tell time by `now` (UTC ns) and wait by `sleep` (s)."""
        self._venue = venue
        self._settings = settings
        self._now = now
        self._sleep = sleep

    async def settle(self, update: OrderUpdate, send_again: SendAgain) -> Found:
        """Return what the venue shows of an order, or that it was never placed; it may take long.

        The same request is sent once more, for it may only be lost. A failed question proves
        nothing.
        """
        pauses = patience(self._settings.asked_again_s)
        denied: int | None = None
        while True:
            pause = next(pauses)
            await self._sleep(pause if denied is None else min(pause, self._settings.apart_s))
            try:
                shown = await self._shown(update.order, update.dies_at)
                if shown:
                    return shown
                if shown is None:
                    report = await send_again(update)
                    if report is not None and report.status is not OrderStatus.UNKNOWN:
                        return (report,)
                    continue
            except VenueUnavailable:
                continue
            now = self._now()
            if not update.dies_at or (
                denied is not None and now - denied >= self._settings.apart_s * SECOND
            ):
                return (self._venue.say(update.order, OrderStatus.NOT_PLACED, NEVER_SEEN),)
            denied = now if denied is None else denied

    async def _shown(self, order: Order, dies_at: int) -> Found | None:
        """Return what is shown of an order, nothing where all deny it, None where none can yet."""
        exchange = self._venue.exchange
        if not dies_at:
            known = await exchange.get_order_status(order.symbol, order.cloid)
            return () if known is None else (known,)
        state = (await exchange.get_account_info()).time
        report = await exchange.get_order_status(order.symbol, order.cloid)
        if report is None and state <= dies_at + int(self._settings.dead_for_s * SECOND):
            return None
        fills = [
            one
            for one in await exchange.get_fills(max(0, dies_at - LONGEST_LIFE))
            if one.cloid == order.cloid
        ]
        if report is not None:
            return (*fills, report)
        if fills:
            return fills
        if any(one.cloid == order.cloid for one in await exchange.get_open_orders()):
            return (self._venue.say(order, OrderStatus.OPEN, "it is among the open orders"),)
        return ()
