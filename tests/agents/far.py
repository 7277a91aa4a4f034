"""A venue out of reach: requests get lost or arrive late, answers fail, its readers lag behind."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from decimal import Decimal

from tests.harness import BTC, tick
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.errors import VenueUnavailable
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    ExecutionReport,
    Holding,
    Order,
    Submission,
    VenueStatement,
)
from tradeagent.simulation.exchange import SimulatedExchange
from tradeagent.simulation.ledger import Ledger
from tradeagent.simulation.settings import ExchangeSettings

LIVES = 15 * SECOND
FATES = ("arrives", "lost", "late", "unanswered")
LAGS = (0, 0, 1, 5, 20, 60)


class FarExchange(SimulatedExchange):
    """The simulated exchange behind a bad line, until it is healed.

    A request that arrives after its death is void. Until it is healed, what is read is how things
    stood up to a minute ago, as long for each ten seconds of the clock; some reads fail.
    """

    remote = True

    def __init__(self, seed: int, clock: SimulatedClock) -> None:
        super().__init__(ExchangeSettings(), (BTC,), Ledger(None), clock.now)
        self.clock = clock
        self.chance = random.Random(seed)
        self.healed = False
        self.arrived: dict[str, int] = {}
        self.sides: dict[str, int] = {}
        self.scheduled: list[int | None] = []
        self._nonce = 0
        self._nonces: set[int] = set()
        self._lags = [self.chance.choice(LAGS) * SECOND for _ in range(100)]
        self.on_market(tick(100))

    def prepare(self, order: Order) -> Submission:
        """Return a request that lives for fifteen seconds."""
        self._nonce += 1
        return Submission(
            cloid=order.cloid,
            symbol=order.symbol,
            signer="far",
            nonce=self._nonce,
            dies_at=self.clock.now() + LIVES,
            body=order.model_dump_json(),
        )

    async def place_order(
        self, order: Order, submission: Submission | None = None
    ) -> ExecutionReport:
        """Let a request meet its fate."""
        assert submission is not None
        assert submission.body == order.model_dump_json()
        if submission.nonce in self._nonces:
            raise VenueUnavailable("duplicate nonce")
        fate = "arrives" if self.healed else self.chance.choice(FATES)
        if fate == "late":
            arrival = self.clock.now() + self.chance.randrange(40) * SECOND
            if arrival <= submission.dies_at:
                self.clock.call_at(arrival, lambda: self._arrive(order, submission))
        elif fate != "lost":
            self._nonces.add(submission.nonce)
            report = await self._place(order)
            if fate == "arrives":
                return report
        raise VenueUnavailable(fate)

    def _arrive(self, order: Order, submission: Submission) -> None:
        if submission.nonce not in self._nonces:
            self._nonces.add(submission.nonce)
            finished(self._place(order))

    async def _place(self, order: Order) -> ExecutionReport:
        self.arrived.setdefault(order.cloid, self.clock.now())
        self.sides[order.cloid] = 1 if order.side == "buy" else -1
        return await super().place_order(order)

    def _moment(self) -> int:
        """Return the moment that what is read is of; raises VenueUnavailable."""
        now = self.clock.now()
        if self.healed:
            return now
        if self.chance.random() < 0.3:
            raise VenueUnavailable("no answer")
        return now - self._lags[now // SECOND // 10 % len(self._lags)]

    async def schedule_cancel(self, time: int | None) -> bool:
        """Note when all is to be cancelled."""
        self.scheduled.append(time)
        return True

    async def get_order_status(self, symbol: str, cloid: str) -> ExecutionReport | None:
        """Return how an order stands, None where it had not arrived."""
        moment = self._moment()
        if self.arrived.get(cloid, moment + 1) > moment:
            return None
        return await super().get_order_status(symbol, cloid)

    async def get_open_orders(self) -> Sequence[Order]:
        """Return the resting orders that had arrived."""
        moment = self._moment()
        found = await super().get_open_orders()
        return [one for one in found if self.arrived[one.cloid] <= moment]

    async def get_fills(self, since: int) -> Sequence[ExecutionReport]:
        """Return the fills that had happened."""
        moment = self._moment()
        return [one for one in await super().get_fills(since) if one.time <= moment]

    async def get_account_info(self) -> AccountUpdate:
        """Return the account, with the moment that it is of."""
        moment = self._moment()
        return (await super().get_account_info()).model_copy(update={"time": moment})

    async def get_statement(self) -> VenueStatement:
        """Return what was held and what rested."""
        account = await self.get_account_info()
        held: dict[str, Decimal] = defaultdict(Decimal)
        for one in await super().get_fills(0):
            if one.execution is not None and one.time <= account.time:
                held[one.symbol] += self.sides[one.cloid] * one.execution.size
        return VenueStatement(
            asked=self.clock.now(),
            time=account.time,
            account=account,
            orders=tuple(await self.get_open_orders()),
            holdings=tuple(
                Holding(symbol=symbol, size=size, entry_price=ZERO)
                for symbol, size in held.items()
                if size
            ),
        )


def finished(work: Coroutine[object, object, object]) -> None:
    """Run what never suspends."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it would wait")
