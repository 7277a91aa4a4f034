"""The way of an order out to the venue: its commit, the last look, the sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tradeagent.agents.base import Runtime
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.identity import is_repeated
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.sendgate import SendGate
from tradeagent.agents.venue import Venue
from tradeagent.clock import SECOND
from tradeagent.crash import crashpoint
from tradeagent.errors import Fenced, JournalError, NotSent, OrderRefused, VenueUnavailable
from tradeagent.messages import (
    ExecutionReport,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Severity,
    Submission,
    TradingMode,
)

S = OrderStatus
PAUSE = 1.0
"""Seconds before a stop or target is tried again."""
LEAST_LIFE = 2 * SECOND
"""How long a request must still live to be sent once more, ns."""
ALL = 1 << 62
"""A seq that no message has: the whole journal."""
FRESH_FOR = 10 * SECOND
"""How long after its preparation an order may still be sent, ns."""


class OrderRouter:
    """Sends prepared orders to the venue, each after its commit and a last look at it."""

    def __init__(
        self,
        venue: Venue,
        blotter: Blotter,
        gate: SendGate,
        agent: str,
        runtime: Callable[[], Runtime],
    ) -> None:
        """Speak for `agent`; `runtime` returns what carries it, once it runs."""
        self.mode = TradingMode.ACTIVE
        self.gate = gate
        self._venue = venue
        self._blotter = blotter
        self._agent = agent
        self._runtime = runtime
        self._submissions: dict[str, Submission] = {}

    def is_prepared(self, order: Order) -> bool:
        """Tell whether an order is in the books and has not been settled or sent."""
        known = self._blotter.orders.get(order.cloid)
        return known is not None and known.status is S.PREPARED

    async def send(
        self, update: OrderUpdate, prepared: int, committed: Awaitable[None]
    ) -> list[Message]:
        """Wait for the commit, look once more, and place the order `prepared` at (UTC ns).

        Where it goes over a wire the request is made first, for the record, and sent with that.
        An exit leaves even where it cannot be recorded: a position that cannot be closed is worse.
        Not so a stop that moves: the one before it still protects.
        So a stop that an earlier run may have sent already is asked for first. Nothing leaves once
        another process has taken over.
        """
        order = update.order
        crashpoint("CP1")
        submission = self._submissions.pop(order.cloid, None)
        if submission is None:
            made = await self._made(order)
            if made is not None:
                return [made] if self.is_prepared(order) else self._passed(order)
        try:
            await committed
        except Fenced as error:
            return self._withheld(order, str(error))
        except JournalError as error:
            if not order.reduce_only or order.replaces is not None:
                return self._withheld(order, str(error))
        if self._blotter.may_be_out(order):
            known = await self._venue.status(order)
            if known.status is not S.NOT_PLACED:
                return [known]
        if not self.is_prepared(order):
            return self._passed(order)
        refusal = self._refusal(update, prepared)
        if refusal:
            return self._withheld(order, refusal)
        refusal = self.gate.refusal(order, self._runtime().time())
        if refusal:
            return [*self._withheld(order, f"SEND_GATE: {refusal}"), self._stopped(order, refusal)]
        crashpoint("CP2")
        report = await self._venue.place(order, submission)
        crashpoint("CP5" if order.replaces is None else "CP8")
        if report.status is S.UNKNOWN and submission is not None:
            self.take(submission)  # the very same may be sent once more
        return [report]

    async def send_again(self, update: OrderUpdate) -> ExecutionReport | None:
        """Send the very bytes of a request without an answer once more; None where it may not be.

        The venue takes a nonce once, so it can come to no second order. An earlier run may have
        made the request. That it cannot leave now says nothing of the first time it left.
        """
        order = update.order
        submission = self._submissions.pop(order.cloid, None)
        if submission is None or self._runtime().time() > update.dies_at - LEAST_LIFE:
            return None
        try:
            await self._runtime().committed(ALL)
        except Fenced:
            return None
        except JournalError:
            if not order.reduce_only:
                return None
        known = self._blotter.orders.get(order.cloid)
        if known is None or known.status is not S.UNKNOWN or self._unwanted(update):
            return None
        report = await self._venue.place(order, submission)
        return None if report.status is S.NOT_PLACED else report

    async def _made(self, order: Order) -> Message | None:
        """Return the request for an order, or why there is none; None where none is needed."""
        if is_repeated(order):  # whatever is in its way is given time to pass
            await self._runtime().sleep(PAUSE)
        try:
            return self._venue.exchange.prepare(order)
        except OrderRefused as refused:
            self.gate.forget(order)
            return self._venue.say(order, S.REJECTED, str(refused))
        except (VenueUnavailable, NotSent) as error:
            return self._withheld(order, str(error))[0]

    def take(self, submission: Submission) -> None:
        """Keep a request that is on record, until its order is sent."""
        self._submissions[submission.cloid] = submission

    def _refusal(self, update: OrderUpdate, prepared: int) -> str:
        """Return why an order must not leave now, or nothing."""
        now = self._runtime().time()
        if now - prepared > FRESH_FOR * max(1.0, self._runtime().speed):
            return "it waited too long to be sent"
        return self._unwanted(update)

    def _unwanted(self, update: OrderUpdate) -> str:
        """Return why an order is not to leave any more, or nothing."""
        order, now = update.order, self._runtime().time()
        if order.cloid in self._blotter.unwanted:
            return "cancelled before it was sent"
        if order.replaces is not None and order.replaces not in self._blotter.working:
            return "what it replaces is gone"
        if not order.reduce_only and now > update.expires_at:
            return "its approval has expired"
        protective = order.reduce_only and order.type in PROTECTIVE
        if self.mode is TradingMode.ACTIVE or protective:
            return ""
        if order.reduce_only and self.mode in (TradingMode.REDUCE_ONLY, TradingMode.FLATTENING):
            return ""
        return f"trading is {self.mode}"

    def _passed(self, order: Order) -> list[Message]:
        """Say nothing of an order that was settled meanwhile, or has left by another way."""
        self.gate.forget(order)
        return []

    def _withheld(self, order: Order, reason: str) -> list[Message]:
        self.gate.forget(order)
        return [self._venue.say(order, S.NOT_PLACED, reason)]

    def _stopped(self, order: Order, reason: str) -> Incident:
        return Incident(
            code="SEND_GATE",
            severity=Severity.CRITICAL,
            agent=self._agent,
            symbol=order.symbol,
            text=f"{order.cloid} was stopped on its way out: {reason}",
        )
