"""What Execution does when a remote venue is slow, refuses, or is away at a bad moment."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import pytest

from tests.agents.far import FarExchange, finished
from tests.agents.test_execution import ALL, approval
from tests.agents.test_remote import Calm, Floor, resting_entry
from tests.harness import KEY, START
from tradeagent.agents.blotter import Blotter
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.identity import cloid, seal
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import NotSent, VenueUnavailable
from tradeagent.messages import (
    CancelRequest,
    ExecutionReport,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Submission,
    TradingMode,
    TradingState,
    VenueStatus,
)
from tradeagent.messages import Execution as Done
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

S = OrderStatus
D = Decimal


class Stage(Floor):
    """An Execution agent at a venue of the test's choice."""

    def __init__(
        self,
        venue: type[Calm],
        on_stop: Literal["cancel", "keep"] = "cancel",
        store: MemoryStore | None = None,
    ) -> None:
        self.clock = SimulatedClock(START)
        store = store or MemoryStore(keep=True)
        supervisor = self.supervisor = Supervisor(self.clock, store.past, store.journal.committed)
        self.bus = MemoryBus(self.clock, supervisor, store.journal)
        supervisor.connect(self.bus)
        self.exchange = venue(self.clock)
        settings = ExecutionSettings(on_stop=on_stop)
        supervisor.add(lambda: Execution(settings, self.exchange, "test", KEY))
        self.said: list[Message] = []
        self.bus.subscribe(Subscriber("ear", {Message: self.said.append}, observer=True))

    def steps(self, cloid: str) -> list[OrderStatus]:
        """Return every status that was said of an order."""
        return [
            one.status
            for one in self.said
            if isinstance(one, OrderUpdate) and one.order.cloid == cloid
        ]


class LateRiser(Calm):
    """A venue that is away at first, and tells that it is up while the line is opened."""

    calls = 0

    async def start(self) -> None:
        """Fail once, then say `up`."""
        self.calls += 1
        if self.calls == 1:
            raise VenueUnavailable("no answer")
        for deliver in tuple(self._listeners):
            deliver(VenueStatus(state="up", time=self.clock.now()))


async def test_a_venue_that_was_away_at_the_start_is_heard_to_come_back() -> None:
    """What it tells while the line is opened reaches everybody, or nobody would trade again."""
    stage = Stage(LateRiser)

    await stage.run(5)

    assert [one.state for one in stage.said if isinstance(one, VenueStatus)] == ["down", "up"]


class Slow(Calm):
    """A venue that is slow with the first order and with fills, and silent about the second."""

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Hold the first order for three seconds; let the second arrive late and unanswered."""
        if not self.arrived:
            report = await super().place_order(order, submission)
            await self.clock.sleep(3)
            return report
        assert submission is not None
        late = self.clock.now() + 8 * SECOND
        self.clock.call_at(late, lambda: self._arrive(order, submission))
        await self.clock.sleep(1)
        raise VenueUnavailable("no answer")

    async def get_fills(self, since: int) -> tuple[ExecutionReport, ...]:
        """Answer after five seconds, but for the start."""
        if self.clock.now() > START:
            await self.clock.sleep(5)
        return tuple(await super().get_fills(since))


async def test_an_order_sent_during_a_reconciliation_is_not_taken_for_never_placed() -> None:
    """What a reconciliation asks is no proof about an order that left while it was asking."""
    stage = Stage(Slow)
    first = resting_entry()
    order = Order(
        cloid=cloid("other", 0, 1),
        intent_id="other",
        symbol="BTC",
        side="buy",
        size=D(1),
        type="limit",
        limit=D(60),
    )
    mark = seal(KEY, order, first.stop_plan, first.expires_at)
    second = first.model_copy(update={"intent_id": "other", "order": order, "seal": mark})
    stage.at(6, first)
    stage.at(6.5, second)
    stage.at(7, VenueStatus(state="up", time=START))

    await stage.run(40)

    assert order.cloid in stage.exchange.arrived
    assert S.NOT_PLACED not in stage.steps(order.cloid)


class Stubborn(Calm):
    """A venue that refuses the first cancel of an order that rests."""

    async def cancel_order(self, symbol: str, cloid: str) -> ExecutionReport:
        """Refuse once."""
        if self.cancelled:
            return await super().cancel_order(symbol, cloid)
        self.cancelled.append(cloid)
        return ExecutionReport(
            cloid=cloid, symbol=symbol, status=S.OPEN, time=self.clock.now(), cancel_refused=True
        )


async def test_a_refused_cancel_of_an_entry_is_tried_again_while_trading_is_halted() -> None:
    """An entry does not rest on in HALTED because a venue once refused its cancel."""
    stage = Stage(Stubborn, on_stop="keep")
    entry = resting_entry()
    assert entry.order is not None
    stage.at(1, entry)
    stage.at(
        3,
        TradingState(
            mode=TradingMode.HALTED,
            previous=TradingMode.ACTIVE,
            reason="test",
            actor="test",
            since=START,
        ),
    )

    await stage.run(60)

    assert stage.steps(entry.order.cloid)[-1] is S.CANCELED


class Closed(Calm):
    """A venue that takes no connection between the second and the thirtieth second."""

    tries = 0

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Refuse the connection to stops for a while."""
        if order.type == "stop" and self.clock.now() < START + 30 * SECOND:
            self.tries += 1
            raise NotSent("connection refused")
        return await super().place_order(order, submission)


async def test_a_stop_that_finds_no_connection_is_tried_again_with_patience() -> None:
    """It is placed once the venue is there again, without a flood of attempts before."""
    stage = Stage(Closed)
    stage.at(1, approval())

    await stage.run(40)

    (stop,) = await stage.exchange.get_open_orders()
    assert (stop.type, stop.size) == ("stop", D(1))
    assert isinstance(stage.exchange, Closed)
    assert 5 < stage.exchange.tries < 60


async def test_a_stop_that_somebody_else_cancels_is_placed_again() -> None:
    """A position is not left without its stop, whoever took that away."""
    stage = Stage(Calm)
    stage.at(1, approval())

    async def cancel() -> None:
        (stop,) = await stage.exchange.get_open_orders()
        await FarExchange.cancel_order(stage.exchange, "BTC", stop.cloid)

    stage.clock.call_at(START + 10 * SECOND, lambda: finished(cancel()))

    await stage.run(20)

    (stop,) = await stage.exchange.get_open_orders()
    assert (stop.type, stop.size, stop.trigger) == ("stop", D(1), D(95))


async def test_a_stop_that_we_cancel_stays_away() -> None:
    """What an operator calls off is not placed again."""
    stage = Stage(Calm)
    stage.at(1, approval())
    stage.at(10, CancelRequest(keep_protective=False, reason="test"))

    await stage.run(20)

    assert not await stage.exchange.get_open_orders()


@pytest.mark.parametrize("gone_first", [True, False])
def test_a_stop_whose_replacement_failed_is_placed_again_where_it_is_gone(gone_first: bool) -> None:
    """Neither order of the two reports leaves the position without a stop."""
    blotter = Blotter("test", "execution")
    entry = OrderUpdate(
        order=approval().order,
        status=S.PREPARED,
        strategy="a",
        shares=ALL,
        stop_plan=approval().stop_plan,
        expires_at=START,
    )
    blotter.keep(entry)
    done = Done(tid="1", price=D(100), size=D(1), fee=D(0))
    bought = report(entry.order, S.FILLED, execution=done)
    *_, stop = blotter.book(bought)
    assert isinstance(stop, OrderUpdate)
    blotter.book(report(stop.order, S.OPEN))
    name = cloid("moved", 0, 1)
    moved = stop.order.model_copy(update={"cloid": name, "replaces": stop.order.cloid})
    blotter.keep(stop.model_copy(update={"order": moved}))
    blotter.keep(stop.model_copy(update={"status": S.PEND_REPLACE}))
    told = [report(stop.order, S.CANCELED), report(moved, S.REJECTED)]

    said = [one for step in (told if gone_first else told[::-1]) for one in blotter.book(step)]

    (again,) = [one for one in said if isinstance(one, OrderUpdate) and one.status is S.PREPARED]
    assert again.order.cloid not in (stop.order.cloid, name)
    assert (again.order.size, again.order.trigger, again.order.replaces) == (D(1), D(95), None)


def report(order: Order, status: OrderStatus, execution: Done | None = None) -> ExecutionReport:
    """Return the venue's word on an order."""
    return ExecutionReport(
        cloid=order.cloid, symbol="BTC", status=status, time=START, oid="1", execution=execution
    )


class Hanging(Calm):
    """A venue that leaves entries without an answer for ten seconds."""

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Keep who would rest waiting."""
        if order.type == "limit":
            await self.clock.sleep(10)
            raise VenueUnavailable("no answer")
        return await super().place_order(order, submission)


async def test_no_exit_waits_for_the_answer_to_an_entry() -> None:
    """An exit leaves at once although an entry in the same symbol is on its way."""
    stage = Stage(Hanging)
    expires = START + 60 * SECOND
    held = Order(
        cloid=cloid("held", 0, 1),
        intent_id="held",
        symbol="BTC",
        side="buy",
        size=D(1),
        type="market",
    )
    stage.at(
        1, approval(intent="held", order=held, seal=seal(KEY, held, None, expires), stop_plan=None)
    )
    stage.at(5, resting_entry())
    order = Order(
        cloid=cloid("exit", 0, 1),
        intent_id="exit",
        symbol="BTC",
        side="sell",
        size=D(1),
        type="market",
        reduce_only=True,
    )
    mark = seal(KEY, order, None, expires)
    stage.at(6, approval(intent="exit", order=order, stop_plan=None, seal=mark))

    await stage.run(30)

    assert stage.exchange.arrived[order.cloid] < START + 7 * SECOND


class Forgetful(Calm):
    """A venue that knows nothing any more of what arrived in the first ten seconds."""

    denials = 0

    def knows(self, cloid: str) -> bool:
        """Tell whether it has not forgotten an order."""
        lately = self.clock.now() <= START + 10 * SECOND
        return lately or self.arrived[cloid] > START + 10 * SECOND

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Deny what is forgotten."""
        if self.knows(cloid):
            return await super().get_order_status(symbol, cloid)
        self.denials += 1
        return None

    async def get_open_orders(self) -> Sequence[Order]:
        """Show what is not forgotten."""
        return [one for one in await super().get_open_orders() if self.knows(one.cloid)]


async def test_an_order_that_the_venue_denies_has_ended_and_is_asked_for_no_more() -> None:
    """What is told once is enough: it does not rest, whatever we believed."""
    stage = Stage(Forgetful, on_stop="keep")
    entry = resting_entry()
    assert entry.order is not None
    stage.at(1, entry)

    await stage.run(250)

    assert stage.codes() == ["ORDER_DENIED"]
    assert stage.steps(entry.order.cloid)[-2:] == [S.OPEN, S.CANCELED]
    assert isinstance(stage.exchange, Forgetful)
    assert stage.exchange.denials < 10


async def test_a_stop_that_the_venue_denies_is_placed_again() -> None:
    """A stop that is not there protects nothing, whatever became of it."""
    stage = Stage(Forgetful, on_stop="keep")
    stage.at(1, approval())

    await stage.run(60)

    assert stage.codes() == ["STOP_LOST", "ORDER_DENIED"]
    (stop,) = await stage.exchange.get_open_orders()
    assert (stop.type, stop.size, stop.trigger) == ("stop", D(1), D(95))
