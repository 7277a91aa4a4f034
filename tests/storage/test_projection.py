"""The fold: what is remembered, what is forgotten, and a restart that restores all of it."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.storage.examples import START, bar, envelope, fill, stream, update
from tradeagent.clock import SECOND
from tradeagent.messages import AccountUpdate, Message, OrderStatus, Submission, TradeSignal
from tradeagent.storage.base import DayOpen
from tradeagent.storage.memory import MemoryStore
from tradeagent.storage.projection import DAY, FILLS_KEPT, Projection
from tradeagent.storage.sql import SqlStore


def test_a_fill_counts_once() -> None:
    """The same (cloid, tid) again is not remembered again; another order's equal tid is."""
    state = Projection()
    for seq, made in enumerate((fill("a", "1"), fill("a", "1"), fill("b", "1"))):
        state.apply(seq, START, made)

    assert state.fills == {("a", "1"), ("b", "1")}


def test_fills_are_remembered_up_to_a_bound(tmp_path: Path) -> None:
    """Only the last 10,000 fills stay in memory, before a restart and after it."""
    state = Projection()
    store = SqlStore.open(tmp_path / "journal.db", waits=False)
    for seq in range(1, FILLS_KEPT + 6):
        made = fill("a", str(seq))
        state.apply(seq, START, made)
        store.journal.append(envelope(seq, made, START))
    store.close()
    again = SqlStore.open(tmp_path / "journal.db")
    again.close()

    assert len(state.fills) == FILLS_KEPT
    assert ("a", "5") not in state.fills
    assert ("a", "6") in state.fills
    assert again.past() == state.past(2, clean=True)


def test_ended_orders_are_forgotten_after_a_day(tmp_path: Path) -> None:
    """An order that ended more than a day ago leaves memory, an open one never, tables keep all."""
    store = SqlStore.open(tmp_path / "journal.db")
    later = START + DAY + 2
    for seq, (cloid, status, ts) in enumerate(
        [
            ("open", OrderStatus.OPEN, START),
            ("old", OrderStatus.FILLED, START),
            ("young", OrderStatus.CANCELED, START + 5),
            ("new", OrderStatus.OPEN, later),
        ],
        start=1,
    ):
        store.journal.append(envelope(seq, update(cloid, status), ts))
    store.close()

    again = SqlStore.open(tmp_path / "journal.db")
    assert {known.order.cloid for known in again.past().orders} == {"open", "young", "new"}
    assert {record.message.order.cloid for record in again.orders()} >= {"old", "open"}
    assert {record.message.order.cloid for record in again.orders(open_only=True)} == {
        "open",
        "new",
    }
    again.close()


def test_the_day_opens_with_its_first_account() -> None:
    """The equity a day began with is that of its first update, by UTC day."""
    state = Projection()
    for seq, (ts, equity) in enumerate([(0, 10), (DAY - 1, 20), (DAY, 30), (DAY + 1, 40)]):
        account = AccountUpdate(balance=Decimal(1), equity=Decimal(equity), time=0)
        state.apply(seq, ts, account)
        assert state.day_open == DayOpen(ts // DAY, Decimal(10 if ts < DAY else 30))


@pytest.mark.parametrize("seed", range(4))
def test_a_restart_restores_the_same_state(tmp_path: Path, seed: int) -> None:
    """What the tables give back after any number of restarts is the fold of the whole journal."""
    memory = MemoryStore(keep=True)
    path = tmp_path / "journal.db"
    store = SqlStore.open(path, waits=False)
    rng = random.Random(seed)
    for made in stream(seed, 400):
        memory.journal.append(made)
        store.journal.append(made)
        if rng.random() < 0.01:
            clean = rng.random() < 0.5
            store.close(clean=clean)
            memory.close(clean=clean)
            store = SqlStore.open(path, waits=False, lean=rng.random() < 0.5)
            memory.restart()
            assert store.past() == memory.past()
    store.close()
    memory.close()
    memory.restart()

    store = SqlStore.open(path)
    assert store.past() == memory.past()
    assert store.past().fills
    assert store.past().orders
    assert store.past().signals
    for symbol in ("BTC", "ETH/USDT:USDT"):
        before = bar(symbol, 700).close_time
        assert store.bars(symbol, "1m", before, 5) == memory.bars(symbol, "1m", before, 5)
    store.close()


async def test_an_agent_restarts_from_the_present(tmp_path: Path) -> None:
    """While the daemon runs, the past is all that is durable, under the same epoch."""
    memory, store = MemoryStore(keep=True), SqlStore.open(tmp_path / "journal.db")
    before = store.past()
    for made in stream(9, 100):
        memory.journal.append(made)
        store.journal.append(made)
        last = made.seq
    store.journal.settle()
    await store.journal.committed(last)

    assert store.past() == memory.past() != before
    assert store.past().epoch == before.epoch
    store.close()


def test_the_digest_ignores_how_the_state_came_about() -> None:
    """Equal states have equal digests whatever the order of arrival and of keys."""
    values = {"a": 1.0, "b": 2.0}
    signals = [
        TradeSignal(
            symbol=symbol,
            strategy="s",
            direction="long",
            time=1,
            price=1,
            values=content,
            valid_until=1,
        )
        for symbol in ("BTC", "ETH")
        for content in (values, dict(reversed(values.items())))
    ]
    one, two, three = Projection(), Projection(), Projection()
    for signal in (signals[0], signals[2]):
        one.apply(1, 1, signal)
    for signal in (signals[3], signals[1]):
        two.apply(1, 1, signal)
    three.apply(1, 1, signals[0])

    assert one.digest() == two.digest()
    assert one.digest() != three.digest()


def asked(cloid: str, dies_at: int) -> list[Message]:
    """Return what is journaled of an order whose request left and was never answered."""
    request = Submission(
        cloid=cloid, symbol="BTC", signer="me", nonce=dies_at, dies_at=dies_at, body=cloid
    )
    prepared = update(cloid, OrderStatus.PREPARED)
    return [prepared, request, prepared.model_copy(update={"dies_at": dies_at})]


async def test_a_start_finds_the_requests_that_may_still_be_under_way(tmp_path: Path) -> None:
    """Those of unsettled orders that are not dead yet, no others, by tables as by a fold."""
    store, memory = SqlStore.open(tmp_path / "journal.db"), MemoryStore(keep=True)
    end = START + 100 * SECOND
    open_ = update("open", OrderStatus.OPEN)
    rows = [
        *((START, one) for one in asked("dead", START + 15 * SECOND)),
        *((end - 5 * SECOND, one) for one in asked("alive", end + 10 * SECOND)),
        *((end - 4 * SECOND, one) for one in asked("open", end + 11 * SECOND)),
        *((end - 3 * SECOND, one) for one in asked("alive", end + 12 * SECOND)[1:2]),
        (end, open_),
    ]
    for seq, (ts, message) in enumerate(rows, 1):
        store.journal.append(envelope(seq, message, ts))
        memory.journal.append(envelope(seq, message, ts))
    store.journal.settle()
    await store.journal.committed(len(rows))
    present = store.past()
    store.close()
    memory.restart()

    again = SqlStore.open(tmp_path / "journal.db")
    again.close()
    assert present.submissions == again.past().submissions
    (request,) = again.past().submissions
    assert (request.cloid, request.dies_at) == ("alive", end + 10 * SECOND)
    folded = memory.past()
    assert (again.past().submissions, again.past().digest) == (folded.submissions, folded.digest)
    state = Projection()
    for seq, (ts, message) in enumerate(rows, 1):
        state.apply(seq, ts, message)
    assert Projection.load(state.dump()).past(2, clean=True).submissions == (request,)
