"""The Execution agent: the only one that speaks to a venue, and only with Risk's approval."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings, BaseAgent, on
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.catchup import CatchUp, hold_dead_man
from tradeagent.agents.identity import sealed
from tradeagent.agents.legs import PROTECTIVE
from tradeagent.agents.lifecycle import advance
from tradeagent.agents.proof import Proof, ProofSettings, patience
from tradeagent.agents.recall import PAUSES, Recall
from tradeagent.agents.reconcile import ReconcileSettings, Reconciliation
from tradeagent.agents.router import ALL, OrderRouter
from tradeagent.agents.sendgate import SendGate
from tradeagent.agents.venue import Venue
from tradeagent.clock import SECOND
from tradeagent.crash import crashpoint
from tradeagent.errors import Fenced, JournalError, NotSent, VenueUnavailable
from tradeagent.integrations.base import Exchange, Unsubscribe, VenueEvent
from tradeagent.messages import (
    AgentState,
    CancelRequest,
    ExecutionReport,
    FundingPayment,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    Severity,
    Submission,
    TaskRequest,
    TradingMode,
    TradingState,
    VenueStatement,
    VenueStatus,
)
from tradeagent.messages.build import changed, typed
from tradeagent.storage.base import Past

_new_order_update = typed(OrderUpdate)

S = OrderStatus
RECONCILE = "reconcile"
"""The task that an operator asks for."""
DAY = 86_400 * SECOND
HOUR = 3600 * SECOND
IN_STEP = 300.0
"""Seconds between two comparisons with a remote venue."""


class ExecutionSettings(AgentSettings):
    """What leaves for the venue at most, whatever Risk has approved."""

    max_notional_per_minute: Decimal = Field(
        default=Decimal(250_000),
        gt=0,
        allow_inf_nan=False,
        description="The most that orders which can raise a position may be worth within a minute, "
        "in quote currency; beyond it nothing leaves and trading halts.",
    )
    on_stop: Literal["cancel", "keep"] = Field(
        default="cancel",
        description="What becomes of entries that rest at a remote venue when the daemon stops in "
        "order; stops and targets stay in any case.",
    )
    dead_man_s: float = Field(
        default=60.0,
        ge=0,
        allow_inf_nan=False,
        description="How long after the last sign of us a remote venue cancels resting entries, in "
        "seconds of the clock, where it offers that. It would cancel stops as well, so it is asked "
        "for only while no position is open. 0 never asks for it.",
    )
    proof: ProofSettings = Field(
        default=ProofSettings(),
        description="Change it to ask more or less about orders without an answer.",
    )
    reconcile: ReconcileSettings = Field(
        default=ReconcileSettings(),
        description="Change it to compare with a remote venue more or less often.",
    )


class Execution(BaseAgent[ExecutionSettings]):
    """Turn approvals into orders, reports into fills, and fills into positions.

    An order is journaled and committed before a byte is sent. An error of the venue is no refusal:
    without proof an order is UNKNOWN. Fills are booked once, by (order, trade id).
    """

    essential = True
    borrowed = frozenset({"venue"})

    def __init__(
        self,
        settings: ExecutionSettings,
        exchange: Exchange,
        account: str,
        seal_key: bytes,
        name: str = "execution",
    ) -> None:
        super().__init__(settings, name)
        self.venue = Venue(exchange, lambda: self.runtime.time())
        self.blotter = Blotter(account, name)
        gate = SendGate(settings.max_notional_per_minute)
        self.router = OrderRouter(self.venue, self.blotter, gate, name, lambda: self.runtime)
        self.reconciliation = Reconciliation(self.blotter, name, settings.reconcile)
        self.proof = Proof(
            self.venue,
            settings.proof,
            lambda: self.runtime.time(),
            lambda seconds: self.runtime.sleep(seconds),
        )
        self.recall = Recall(self.venue, self.blotter, lambda: self.runtime, self.start)
        self.catch_up = CatchUp(self.venue, self.blotter, lambda: self.runtime)
        self._asked_for: set[str] = set()
        """The orders that are being asked for, by cloid."""
        self._key = seal_key
        self._compared = -1
        self._leave: Unsubscribe | None = None

    # -- start ------------------------------------------------------------------------------------

    def restore(self, past: Past) -> None:
        """Take up orders, requests under way, booked fills, positions and the trading state."""
        self.blotter.restore(past)
        for submission in past.submissions:
            if self.blotter.orders[submission.cloid].order.type in PROTECTIVE:
                self.router.take(submission)  # whose lack nobody may wait for
        if past.trading_state is not None:
            self.router.mode = past.trading_state.mode

    async def setup(self) -> None:
        """Connect, then learn what happened while we were away, before anything is sent.

        A remote venue that is away at the start is called until it answers; nothing opens before.
        """
        try:
            await self._arrive()
        except (VenueUnavailable, NotSent) as error:
            if not self.venue.remote:
                raise
            away = VenueStatus(state="down", reason=str(error), time=self.runtime.time())
            self.publish(away)
            self.attend(self._keep_calling())
        for message in self._called_back():
            self.publish(message)
        self._remind()
        if self.venue.remote:
            pace, horizon = self.settings.reconcile, self.settings.dead_man_s
            self.attend(self._follow(pace.statement_s, self.catch_up.state))
            self.attend(self._follow(pace.audit_s, self.catch_up.audit))
            if horizon:
                self.attend(hold_dead_man(self.venue, self.blotter, lambda: self.runtime, horizon))

    async def _arrive(self) -> None:
        exchange = self.venue.exchange
        if self._leave is None:  # before the line opens: what it tells first is not told again
            self._leave = exchange.subscribe(self._reported)
        await exchange.start()
        for message in [*await exchange.get_market_data(), *await self.catch_up.reconcile()]:
            self.runtime.publish(self.name, message)
        for update in tuple(self.blotter.working.values()):
            if update.status is S.UNKNOWN:
                self._inquire(update)
            elif update.status is S.PEND_CANCEL:
                self.recall.call_off(update.order)

    async def _keep_calling(self) -> None:
        pauses = patience(PAUSES)
        while True:
            await self.runtime.sleep(next(pauses))
            with suppress(VenueUnavailable, NotSent):
                return await self._arrive()

    async def teardown(self) -> None:
        """Call resting entries off at a remote venue, then listen to it no more; stops stay."""
        stops = self.state is AgentState.STOPPING  # and is not made anew
        if stops and self.venue.remote and self.settings.on_stop == "cancel":
            await self._call_off_entries()
        if self._leave is not None:
            self._leave()
            self._leave = None

    async def _call_off_entries(self) -> None:
        """Cancel what could raise a position while nobody looks, unless another daemon does."""
        with suppress(JournalError):  # a cancel needs no record
            try:
                await self.runtime.committed(ALL)
            except Fenced:
                return
        for report in await self.recall.entries():
            self._reported(report)

    def _reported(self, event: VenueEvent) -> None:
        self.runtime.publish("exchange", event)

    async def get_order_status(self, order: Order) -> ExecutionReport:
        """Return how an order stands by the venue's word, UNKNOWN when it gives none."""
        known = self.blotter.orders.get(order.cloid)
        return await self.venue.status(order, 0 if known is None else known.dies_at)

    # -- orders out -------------------------------------------------------------------------------

    @on(RiskAssessment)
    def execute_order(self, approval: RiskAssessment) -> Message | list[Message] | None:
        """Prepare an approved order; refuse what is not approved exactly so and in time."""
        order = approval.order
        if not approval.approved or order is None:
            return None
        if not sealed(self._key, approval.seal, order, approval.stop_plan, approval.expires_at):
            return Incident(
                code="FORGED_APPROVAL",
                severity=Severity.ERROR,
                agent=self.name,
                symbol=order.symbol,
                text=f"an approval of {order.cloid} carries a wrong seal and was refused",
            )
        if self.blotter.knows(order):
            return None
        late = self.now() > approval.expires_at
        update = _new_order_update(
            order=order,
            status=S.EXPIRED_LOCAL if late else S.PREPARED,
            strategy=approval.strategy,
            shares=approval.shares,
            stop_plan=approval.stop_plan,
            expires_at=approval.expires_at,
            reason="the approval came too late" if late else "",
        )
        if late:
            return update
        self.blotter.keep(update)
        self.router.gate.allow(approval)
        return [update, *self._replacing(order)]

    def _replacing(self, order: Order) -> list[Message]:
        """Note on a resting order that another is to take its place."""
        before = self.blotter.working.get(order.replaces or "")
        if before is None or before.status not in (S.OPEN, S.PARTIAL):
            return []
        pending = advance(before, S.PEND_REPLACE)
        self.blotter.keep(pending)
        return [pending]

    @on(OrderUpdate)
    def prepared(self, update: OrderUpdate) -> None:
        """Send an order once its own PREPARED has its place in the journal and is durable."""
        if update.status is not S.PREPARED:
            return
        hand = self.hand
        own = hand is None or hand.source == self.name
        if own and self.router.is_prepared(update.order):
            work = self.router.send(update, self.now(), self.committed())
            way = "out" if update.order.reduce_only else "in"  # no exit waits for an entry's answer
            self.start(work, lane=f"{update.symbol} {way}")

    @on(Submission)
    def submit(self, submission: Submission) -> OrderUpdate | None:
        """Note on an order when its request dies; it is sent once that is durable."""
        update = self.blotter.orders.get(submission.cloid)
        if update is None or update.status is not S.PREPARED or update.dies_at:
            return None
        self.router.take(submission)
        noted = changed(update, dies_at=submission.dies_at)
        self.blotter.keep(noted)
        return noted

    @on(CancelRequest)
    def cancel_order(self, wish: CancelRequest) -> list[Message]:
        """Cancel what the wish names; cancels wait for nobody."""
        if wish.cloid is not None:
            named = self.blotter.working.get(wish.cloid)
            meant = [named] if named is not None else []
        else:
            meant = list(
                self.blotter.matching(
                    wish.symbol, wish.strategy, protective=not wish.keep_protective
                )
            )
        return self.recall.withdraw(meant, wish.reason)

    @on(TradingState)
    def obey(self, state: TradingState) -> list[Message]:
        """Take over the trading state; outside ACTIVE, resting increases are cancelled."""
        self.router.mode = state.mode
        return self._called_back()

    def _called_back(self) -> list[Message]:
        mode = self.router.mode
        return [] if mode is TradingMode.ACTIVE else self.recall.withdraw_resting(mode)

    # -- reports in -------------------------------------------------------------------------------

    @on(ExecutionReport)
    def book(self, report: ExecutionReport) -> list[Message]:
        """Fold the venue's word into the order, the fill and the position it changes."""
        messages = self.blotter.book(report)
        if report.execution is not None:
            crashpoint("CP6")
        if messages:
            self.reconciliation.touch(report.symbol, self.now())
        self._look_after(report.cloid)
        for told in messages:
            if isinstance(told, OrderUpdate) and told.status is S.UNKNOWN:
                self._inquire(told)
        messages.extend(self.recall.once_seen(report.cloid))
        if report.execution is not None and (self.venue.remote or not self.runtime.exact):
            self.start(self.venue.account())  # for those who look; the hour tells a simulation
        return messages

    def _look_after(self, cloid: str) -> None:
        """Ask how a resting order stands whose replacement did not, or may not, take its place."""
        update = self.blotter.orders.get(cloid)
        if update is None or update.status not in (S.REJECTED, S.NOT_PLACED, S.UNKNOWN):
            return
        before = self.blotter.working.get(update.order.replaces or "")
        if before is not None and before.status is S.PEND_REPLACE:
            self.start(self.get_order_status(before.order))

    def _inquire(self, update: OrderUpdate) -> None:
        """Start to find out what became of an order; the venue is asked until that is proven."""
        if update.order.cloid not in self._asked_for:
            self._asked_for.add(update.order.cloid)
            self.start(self._settle(update))

    async def _settle(self, update: OrderUpdate) -> Sequence[Message]:
        try:
            return await self.proof.settle(update, self.router.send_again)
        finally:
            self._asked_for.discard(update.order.cloid)

    @on(FundingPayment)
    def funded(self, payment: FundingPayment) -> PositionUpdate | None:
        """Book funding on the position."""
        return self.blotter.fund(payment)

    # -- keeping in step --------------------------------------------------------------------------

    def _remind(self) -> None:
        if self.venue.remote:
            self.remind("keep_in_step", IN_STEP)
        else:  # at the full hour, so that a day's first account is that of midnight
            self.remind("keep_in_step", (HOUR - self.runtime.time() % HOUR) / SECOND)

    def keep_in_step(self) -> None:
        """Compare with the venue on schedule, and ask again for cancels without an answer.

        One in this process is compared with daily; in between it tells what the account is worth.
        """
        self._remind()
        self.recall.again()
        day = self.now() // DAY
        if self.venue.remote or day != self._compared:
            self._compared = day
            self.start(self.catch_up.try_reconcile(), lane="reconcile")
        else:
            self.start(self.venue.account())

    @on(TaskRequest)
    def compare_now(self, wish: TaskRequest) -> None:
        """Compare with the venue because an operator asks for it."""
        if wish.task == RECONCILE:
            self.start(self.catch_up.reconcile_for(wish), lane="reconcile")

    @on(VenueStatus)
    def connected(self, status: VenueStatus) -> None:
        """Learn what was missed once the venue is heard again."""
        if status.state == "up":
            self.start(self.catch_up.try_reconcile(), lane="reconcile")

    @on(VenueStatement)
    def stated(self, statement: VenueStatement) -> list[Message]:
        """Compare our books with the venue's statement; what differs for good is an incident.

        The venue's position is taken over then; an entry of ours that we know nothing of is
        cancelled, and what a list lacks is asked about.
        """
        findings = self.reconciliation.compare(statement)
        messages: list[Message] = [statement.account, *findings.said]
        for symbol, size, price in findings.adjusted:
            messages.append(self.blotter.adjust(symbol, size, price, statement.time))
        for orphan in findings.orphans:
            if not orphan.reduce_only:  # what protects a position is never taken from it
                self.recall.call_off(orphan)
        for update in findings.asked:
            self._inquire(update)
        messages.extend(self._called_back())  # a cancel may have been refused
        if findings.again:
            soon = self.settings.reconcile.again_s
            self.start(self.catch_up.look_again(soon), lane="reconcile")
        return messages

    async def _follow(
        self, seconds: float, look: Callable[[], Awaitable[Sequence[Message]]]
    ) -> None:
        """Publish what `look` finds, again and again."""
        while True:
            await self.runtime.sleep(seconds)
            for message in await look():
                self.runtime.publish(self.name, message)
