"""Place, replace and cancel orders, and tell from the answers what is proven."""

from __future__ import annotations

from collections import OrderedDict

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.condition import ORDERS, POST_ONLY, Condition
from tradeagent.integrations.hyperliquid.market import Market
from tradeagent.integrations.hyperliquid.outcomes import (
    HALF_MODIFIED,
    TOO_MANY,
    UNMATCHED,
    Entry,
    FailedEntry,
    FilledEntry,
    RestingEntry,
    begins,
    entries,
    is_post_only,
)
from tradeagent.integrations.hyperliquid.sender import Sender
from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
from tradeagent.integrations.hyperliquid.standings import PARTLY, Standings
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.integrations.hyperliquid.wording import CLOID, Action, at_once
from tradeagent.messages import TERMINAL, ExecutionReport, Order, OrderStatus, Submission
from tradeagent.messages.build import changed

S = OrderStatus
REMEMBERED = 10_000
ASKED_AGAIN = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Pauses before it is asked again how a cancelled order has ended, in seconds."""
TOO_LATE = SECOND
"""An order is not sent any more when it would be void within this time, ns."""
LANDED = 5 * SECOND
"""How long after a request is void it may still show that it arrived, ns."""
NEVER_SEEN = "the venue has not seen it"


class Desk:
    """Sends what was prepared, and reports what the venue's answer proves."""

    def __init__(
        self,
        settings: HyperliquidSettings,
        clock: Clock,
        market: Market,
        sender: Sender,
        orders: Standings,
        condition: Condition,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._market = market
        self._sender = sender
        self._orders = orders
        self._condition = condition
        self._sent: OrderedDict[str, Submission] = OrderedDict()

    @property
    def _time(self) -> VenueTime:
        return self._sender.venue_time

    def prepare(self, order: Order) -> Submission:
        """Return the signed request for an order; raises OrderRefused or VenueUnavailable."""
        wording = self._market.wording(order.symbol)
        mid = self._market.mid(order.symbol)
        word = wording.place if order.replaces is None else wording.replace
        settings = self._settings
        signed = self._sender.sign(
            word(order, mid), settings.ioc_expiry if at_once(order) else settings.resting_expiry
        )
        return Submission(
            cloid=order.cloid,
            symbol=order.symbol,
            signer=self._sender.signer,
            nonce=signed.nonce,
            dies_at=signed.dies_at,
            body=signed.body,
        )

    async def send(self, order: Order, submission: Submission | None) -> ExecutionReport:
        """Send an order, or one that replaces another; returns what the answer proves.

        One that was sent before, if only by an earlier run, is asked for first; only the very
        bytes that were sent may go out again while they can still arrive, as the venue takes them
        once. Raises OrderRefused, NotSent and VenueUnavailable.
        """
        before = self._sent.get(order.cloid)
        if submission is not None and self._sender.is_older(submission.nonce):
            before = before or submission
        if before is not None:
            seen = self._orders.sightings.find(order.cloid)
            known = seen.end if seen is not None else None
            known = known or await self._orders.status(order.cloid)
            if known is not None:
                return known
            submission = submission or before
            if submission.nonce != before.nonce and self._now() <= before.dies_at + LANDED:
                raise VenueUnavailable("an earlier request for this order may still arrive")
        submission = submission or self.prepare(order)
        again = before is not None and before.nonce == submission.nonce
        try:
            return await self._outcome(order, await self._post(order, submission, again=again))
        except (OrderRefused, NotSent) as refusal:
            self._note(str(refusal))
            if again:
                raise VenueUnavailable(f"not sent again: {refusal}") from None
            raise

    async def _post(self, order: Order, submission: Submission, *, again: bool) -> Entry:
        """Post a request, unless it may not leave; returns what the venue says of its order."""
        self._look(order, submission)
        self._remember(order, submission)
        try:
            data = await self._sender.post(submission.body, entry=not order.reduce_only)
        except NotSent:
            if not again:
                del self._sent[order.cloid]
            raise
        finally:
            self._watch()
        (entry,) = entries(data, 1, again=again)
        return entry

    def _look(self, order: Order, submission: Submission) -> None:
        """Look once more whether a request may leave; raises NotSent or OrderRefused."""
        if self._now() > submission.dies_at - TOO_LATE:
            raise NotSent("EXPIRED: it would be void before it arrives")
        if order.reduce_only:
            return
        status = self._condition.status
        if status.state == "down":
            raise NotSent(f"VENUE_DOWN: {status.reason}")
        self._sender.admit()

    def _remember(self, order: Order, submission: Submission) -> None:
        seen = self._orders.sightings.meet(order.symbol, order.cloid, size=order.size)
        rests = order.type == "limit" and order.tif != "IOC"
        seen.partly = order.reduce_only or not rests
        self._sent[order.cloid] = submission
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def _outcome(self, order: Order, entry: Entry) -> ExecutionReport:
        if isinstance(entry, FailedEntry):
            self._note(entry.error)
            unmatched = begins(entry.error, UNMATCHED) and order.replaces is None
            return self._over(order, S.CANCELED if unmatched else S.REJECTED, entry.error)
        if order.type != "limit" or order.tif != "ALO":
            self._condition.over(POST_ONLY)
        if isinstance(entry, RestingEntry):
            seen = self._orders.sightings.meet(order.symbol, order.cloid, entry.resting.oid)
            return self._report(order, S.PARTIAL if seen.filled else S.OPEN)
        if not isinstance(entry, FilledEntry):
            return self._report(order, S.OPEN)
        filled = entry.filled.total_sz
        seen = self._orders.sightings.meet(order.symbol, order.cloid, entry.filled.oid)
        if filled >= order.size:
            return self._report(order, S.FILLED)
        if not at_once(order):
            return self._report(order, S.PARTIAL)
        since = self._now() // MILLISECOND - int(self._settings.ioc_expiry * 1000)
        await self._orders.gather(seen, filled, since)
        if seen.filled < filled:
            raise VenueUnavailable(f"the venue does not show the fills of {order.cloid} yet")
        return self._over(order, S.CANCELED, PARTLY)

    async def modify(
        self, cloid: str, order: Order, submission: Submission | None
    ) -> ExecutionReport:
        """Put an order in the place of another, and see to it that its end is told."""
        if order.replaces != cloid:
            order = changed(order, replaces=cloid)
        report = await self.send(order, submission)
        if report.status is not S.REJECTED or begins(report.reason, HALF_MODIFIED):
            seen = self._orders.sightings.meet(order.symbol, cloid)
            if await self._orders.ended(seen, self._settings.fills_within) is None:
                self._orders.end(seen, await self._end_of(cloid))
        return report

    async def cancel(self, symbol: str, cloid: str) -> ExecutionReport:
        """Cancel an order: how it ended, or how it stands where the venue refuses.

        Where the venue has not seen it the report says UNKNOWN: it may still be on its way. Raises
        VenueUnavailable and NotSent.
        """
        asset = self._market.listing.number(symbol)
        if asset is None or not (CLOID.fullmatch(cloid) or cloid.isdigit()):
            return self._unseen(symbol, cloid, NEVER_SEEN)
        try:
            (entry,) = entries(await self._withdraw(asset, cloid), 1)
        except OrderRefused as refusal:
            raise VenueUnavailable(f"the cancel was refused as a whole: {refusal}") from None
        finally:
            self._watch()
        if not isinstance(entry, FailedEntry):
            seen = self._orders.sightings.meet(symbol, cloid)
            ended = await self._orders.ended(seen, self._settings.fills_within)
            return ended or await self._end_of(cloid)
        known = await self._orders.status(cloid)
        if known is None:
            return self._unseen(symbol, cloid, entry.error)
        return changed(known, cancel_refused=True, reason=known.reason or entry.error)

    async def _withdraw(self, asset: int, cloid: str) -> bytes:
        """Post a cancel, once more where no answer came: it may be repeated."""
        if cloid.startswith("0x"):
            named = {"asset": asset, "cloid": cloid}
            action: Action = {"type": "cancelByCloid", "cancels": [named]}
        else:
            action = {"type": "cancel", "cancels": [{"a": asset, "o": int(cloid)}]}
        expiry = self._settings.ioc_expiry
        await self._time.known(self._settings.request_timeout)
        try:
            return await self._sender.post(self._sender.sign(action, expiry).body)
        except (VenueUnavailable, NotSent):
            return await self._sender.post(self._sender.sign(action, expiry).body)

    async def _end_of(self, cloid: str) -> ExecutionReport:
        """Return the end of an order that must have ended; raises VenueUnavailable."""
        for pause in ASKED_AGAIN:
            await self._clock.sleep(pause)
            report = await self._orders.status(cloid)
            if report is not None and report.status in TERMINAL:
                return report
        raise VenueUnavailable(f"the venue does not show the end of {cloid} yet")

    def _now(self) -> int:
        return self._time.now()

    def _watch(self) -> None:
        """Tell when orders find no answer, and when they do again."""
        if self._sender.breaker.is_open:
            self._condition.trouble(ORDERS, "degraded", "orders get no answer")
        else:
            self._condition.over(ORDERS)

    def _note(self, refusal: str) -> None:
        if is_post_only(refusal):
            self._condition.trouble(POST_ONLY, "degraded", refusal)
        if begins(refusal, TOO_MANY):
            self._sender.actions.exhaust()

    def _unseen(self, symbol: str, cloid: str, reason: str) -> ExecutionReport:
        return ExecutionReport(
            cloid=cloid,
            symbol=symbol,
            status=S.UNKNOWN,
            time=self._now(),
            cancel_refused=True,
            reason=reason,
        )

    def _over(self, order: Order, status: OrderStatus, reason: str) -> ExecutionReport:
        """Return the report of an order that ended at once."""
        report = self._report(order, status, reason)
        self._orders.sightings.meet(order.symbol, order.cloid).end = report
        return report

    def _report(self, order: Order, status: OrderStatus, reason: str = "") -> ExecutionReport:
        seen = self._orders.sightings.find(order.cloid)
        return ExecutionReport(
            cloid=order.cloid,
            symbol=order.symbol,
            status=status,
            time=self._now(),
            oid=str(seen.oid) if seen is not None and seen.oid is not None else None,
            reason=reason,
        )
