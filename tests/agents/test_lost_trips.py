"""A round trip that ends while Risk is away is found again, once, from the journal alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness import BTC, KEY, START, tick
from tests.storage.examples import envelope
from tests.supervisor.house import House
from tradeagent.agents.gate import RiskSettings
from tradeagent.agents.risk import Risk
from tradeagent.clock import SECOND, AcceleratedClock
from tradeagent.messages import (
    Fill,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    PositionPart,
    PositionUpdate,
    RiskAlert,
    TickerUpdate,
    TrackRecord,
)
from tradeagent.storage.memory import MemoryStore
from tradeagent.storage.projection import Projection
from tradeagent.storage.sql import SqlStore

D = Decimal
GUARD = {"protections": {"stop_guard_stops": 1, "max_losses_in_a_row": 2}}
STOP = Order(
    cloid="0x1", intent_id="s", symbol="BTC", side="sell", size=D(1), type="stop",
    trigger=D(95), reduce_only=True,
)  # fmt: skip


class Stumbling(Risk):
    """Fails on every message of a class as often as it is told to."""

    fails: list[type[Message]] = []

    def _stumble(self, message: Message) -> None:
        if self.fails and type(message) is self.fails[0]:
            self.fails.pop()
            raise ValueError("stumbled")

    def quoted(self, tick: TickerUpdate) -> list[Message] | None:
        self._stumble(tick)
        return super().quoted(tick)

    def position(self, update: PositionUpdate) -> list[Message]:
        self._stumble(update)
        return super().position(update)


@pytest.fixture
def fails() -> Iterator[list[type[Message]]]:
    Stumbling.fails = []
    yield Stumbling.fails
    Stumbling.fails = []


def house(store: MemoryStore, *, risk: bool = True) -> House:
    """Return a house with Risk, or one in which nobody listens."""
    settings = RiskSettings.model_validate(GUARD)
    agents = (lambda: Stumbling(settings, KEY),) if risk else ()
    return House(*agents, store=store, clock=AcceleratedClock(START, 1.0))


def position(size: int, pnl: int, second: int) -> PositionUpdate:
    """Return a position, all of it strategy a's."""
    numbers = {"size": D(size), "realised_pnl": D(pnl)}
    part = PositionPart.model_validate({"strategy": "a", "entry_price": D(100), **numbers})
    return PositionUpdate.model_validate(
        {"symbol": "BTC", "time": START + second * SECOND, "parts": (part,), **numbers}
    )


def stopped(pnl: int, second: int) -> tuple[Message, ...]:
    """Return what Execution says when a stop closes the position."""
    fill = Fill(
        cloid="0x1", intent_id="s", tid=str(second), symbol="BTC", side="sell", size=D(1),
        price=D(95), fee=D(0), liquidity="taker", time=START + second * SECOND, strategy="a",
    )  # fmt: skip
    gone = _stop(OrderStatus.FILLED)
    return fill, position(0, pnl, second), gone


def _stop(status: OrderStatus) -> OrderUpdate:
    filled = D(1) if status is OrderStatus.FILLED else D(0)
    return OrderUpdate(order=STOP, status=status, filled=filled, strategy="a", expires_at=START)


def found(store: MemoryStore) -> list[TrackRecord]:
    """Return every record that was ever told."""
    return [
        entry.message for entry in store.journal.entries() if isinstance(entry.message, TrackRecord)
    ]


def locks(store: MemoryStore) -> list[str]:
    """Return the code of every lock that was ever told."""
    return [
        entry.message.code
        for entry in store.journal.entries()
        if isinstance(entry.message, RiskAlert) and entry.message.until
    ]


@pytest.mark.parametrize("hand", [TickerUpdate, PositionUpdate])
async def test_what_waits_while_risk_restarts_is_counted_once(
    hand: type[Message], fails: list[type[Message]]
) -> None:
    """The position opens before and is stopped out while Risk is down, or in its very hand; one
    trip with its loss comes of it, the guard locks, and what follows is counted on."""
    store = MemoryStore(keep=True)
    async with house(store) as one:
        one.tell(BTC, position(1, 0, 1), _stop(OrderStatus.OPEN))
        fails.append(hand)
        one.tell(tick(100))
        one.tell(*stopped(-5, 2))
        await one.until_restarted("risk")
        (record,) = found(store)
        assert (record.trades, record.net, record.recent[0].stopped) == (1, D(-5), True)
        assert locks(store) == ["STOP_GUARD"]

        one.tell(position(1, -5, 3), position(0, -9, 4))
        assert [(one.trades, one.net) for one in found(store)] == [(1, D(-5)), (2, D(-9))]
        assert locks(store) == ["STOP_GUARD", "LOSSES_IN_A_ROW"]


async def test_trips_that_come_and_go_while_risk_is_down_are_all_found(
    fails: list[type[Message]],
) -> None:
    """Three positions in a row, one of them turned over, are three trips with their own results."""
    store = MemoryStore(keep=True)
    async with house(store) as one:
        one.tell(BTC, position(1, 0, 1))
        fails.append(TickerUpdate)
        one.tell(tick(100))
        one.tell(position(0, -1, 2), position(1, -1, 3), position(-1, -3, 4), position(0, -6, 5))
        await one.until_restarted("risk")
        assert [record.recent[-1].pnl for record in found(store)] == [D(-1), D(-2), D(-3)]
        assert locks(store) == ["LOSSES_IN_A_ROW", "LOSSES_IN_A_ROW"]


async def test_what_nobody_heard_before_a_crash_is_found_at_the_next_start() -> None:
    """The daemon dies with Risk down: the next start tells the trip and its locks, and the one
    after that has nothing to add."""
    store = MemoryStore(keep=True)
    async with house(store, risk=False) as deaf:
        deaf.tell(BTC, _stop(OrderStatus.OPEN), position(1, 0, 1), *stopped(-5, 2))
    for _ in range(2):
        store.restart()
        async with house(store) as again:
            risk = again.supervisor.lives["risk"].agent
            assert isinstance(risk, Risk)
            assert risk.trips.edge("a").trades == 1
            assert risk.protections.until("STOP_GUARD", "BTC") == START + 3602 * SECOND
        assert [record.recent[-1].pnl for record in found(store)] == [D(-5)]


def test_what_is_not_told_yet_survives_in_the_store(tmp_path: Path) -> None:
    """The tables and the snapshot of a segment keep what closed until a record tells of it."""
    memory = MemoryStore(keep=True)
    path = tmp_path / "journal.db"
    told = TrackRecord(strategy="a", symbol="BTC", time=START)
    messages = [_stop(OrderStatus.OPEN), position(1, 0, 1), *stopped(-5, 2), position(2, -5, 3)]
    messages += [position(-1, -7, 4), told, position(0, -8, 5)]
    counts = []
    for first, last in ((1, 2), (3, 5), (6, 7), (8, 8), (9, 9)):
        store = SqlStore.open(path, waits=False)
        for seq in range(first, last + 1):
            made = envelope(seq, messages[seq - 1], START + seq * SECOND)
            store.journal.append(made)
            memory.journal.append(made)
        store.close()
        memory.close()
        memory.restart()
        again = SqlStore.open(path)
        past = again.past()
        again.close()
        memory.restart()
        assert past.closings == memory.past().closings
        dumped = Projection.load(fold(memory).dump())
        assert dumped.past(1, clean=True).closings == past.closings
        counts.append(len(past.closings))
    assert counts == [0, 1, 2, 1, 2]
    assert [(one.net, one.stopped) for one in past.closings] == [(D(-7), False), (D(-8), False)]


def fold(store: MemoryStore) -> Projection:
    """Return the state that a journal leads to."""
    state = Projection()
    for entry in store.journal.entries():
        state.apply(entry.seq, entry.ts, entry.message)
    return state
