"""A daemon in a hostile world: real agents, bus and exchange, and a sequence of blows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from tests.adversary.blows import BLOWS, LIMIT, REPEATED, RESTART, WAIT, Blow, Blows
from tests.adversary.watched import DEPOSIT
from tests.harness import KEY
from tradeagent.agents.desk import Mandate
from tradeagent.agents.execution import Execution, ExecutionSettings
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.risk import Risk
from tradeagent.agents.tickets import TradingSettings
from tradeagent.agents.trading import Trading
from tradeagent.bus.base import Subscriber
from tradeagent.bus.memory import MemoryBus
from tradeagent.clock import SECOND, SimulatedClock
from tradeagent.messages import Message, OrderBookUpdate, TickerUpdate, TradingMode
from tradeagent.quant.rules import Limits
from tradeagent.storage.memory import MemoryStore
from tradeagent.supervisor import Supervisor

LIMITS = Limits(
    max_order_notional=Decimal(2_500), max_position_notional=LIMIT, max_price_age_s=3600.0
)
MANDATES = {"one": Mandate(0.6), "two": Mandate(0.5)}
ENTRIES = ("market", "limit", "twap", "iceberg")
LASTING = 10 * 60
"""Seconds after the last blow in which a flattened account must be flat."""


class World(Blows):
    """Plays blows against a daemon and lets the judge watch."""

    def __init__(self, entry: str = "market") -> None:
        super().__init__()
        self.trading = TradingSettings.model_validate(
            {"entry": entry, "reprice_s": 5, "reprices": 2, "slices": 3, "twap_s": 9}
        )
        self.store = MemoryStore(keep=True)

    def play(self, blows: Sequence[Blow]) -> list[str]:
        """Play a sequence, flatten, and return what was broken."""
        try:
            asyncio.run(self._play(blows))
        except Exception as error:
            self.judge.breach(f"the daemon broke: {error!r}")
        return self.judge.breaches

    async def _play(self, blows: Sequence[Blow]) -> None:
        segment: list[Blow] = []
        deaf = False
        for blow in blows:
            segment.append(blow)
            if blow[0] == RESTART:
                await self._run(self._steps(segment), deaf=deaf)
                segment, deaf = [], blow[1] % 4 == 0
        await self._run(self._steps(segment), deaf=deaf)
        await self._run(self._ending())
        account = await self.exchange.get_account_info()
        held = {one.symbol: one.size for one in await self.exchange.get_positions()}
        self.judge.settle(held, account.equity, DEPOSIT)
        if any(held.values()):
            self.judge.breach(f"flattened for {LASTING} s, and still {held}")
        resting = [one for one in await self.exchange.get_open_orders() if not one.reduce_only]
        if resting:
            self.judge.breach(f"HALTED, and {resting[0].cloid} still rests")

    async def _run(
        self, steps: Iterator[tuple[int, Callable[[], None]]], *, deaf: bool = False
    ) -> None:
        """Run a daemon through steps; a `deaf` one has no Execution to act on approvals."""
        clock = self.clock = SimulatedClock(self.clock.now())
        supervisor = Supervisor(clock, self.store.past, self.store.journal.committed)
        past = self.store.past()
        bus = self.bus = MemoryBus(clock, supervisor, self.store.journal, past.epoch, past.seq)
        supervisor.connect(bus)
        shown = {TickerUpdate: self._priced, OrderBookUpdate: self.exchange.on_market}
        prices = Subscriber("exchange", shown, observer=True)
        bus.subscribe(prices)
        ear = Subscriber("judge", {}, observer=True)

        def hear(message: Message) -> None:
            assert ear.hand is not None
            self.judge.hear(ear.hand)
            if isinstance(message, REPEATED):
                self.said.append(message)

        ear.handlers[Message] = hear
        bus.subscribe(ear)
        if not deaf:
            supervisor.add(lambda: Execution(ExecutionSettings(), self.exchange, "test", KEY))
        supervisor.add(lambda: Risk(RiskSettings(limits=LIMITS), KEY))
        supervisor.add(lambda: Trading(self.trading, MANDATES, "test"))
        clock.add_stream(steps, lambda step: step())
        await supervisor.run()
        self.store.restart()

    def _priced(self, event: TickerUpdate) -> None:
        if 0 < event.last < float("inf"):
            self.judge.marks["BTC"] = Decimal(repr(event.mark or event.mid))
            self.exchange.on_market(event)

    def _steps(self, blows: Sequence[Blow]) -> Iterator[tuple[int, Callable[[], None]]]:
        now = self.clock.now() + SECOND
        yield now, self.quote
        for kind, one, two in blows:
            now += SECOND if kind != WAIT else (1 + one % 7200) * SECOND
            yield now, lambda kind=kind, one=one, two=two: BLOWS[kind](self, one, two)  # type: ignore[misc]
            yield now, self.quote

    def _ending(self) -> Iterator[tuple[int, Callable[[], None]]]:
        now = self.clock.now() + SECOND
        self.exchange.trouble.clear()
        yield now, self.quote
        yield now, lambda: self.operate(TradingMode.ACTIVE)
        yield now + SECOND, self.quote
        yield now + SECOND, lambda: self.operate(TradingMode.FLATTENING)
        for second in range(2, LASTING, 10):
            yield now + second * SECOND, self.quote
