"""Reading a journal file: lists, candles, and why an order is what it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.storage.examples import (
    assessment,
    bar,
    boot,
    envelope,
    fill,
    order,
    request,
    tick,
    update,
    written,
)
from tradeagent.messages import (
    CancelRequest,
    Envelope,
    Incident,
    Message,
    OrderStatus,
    PositionPart,
    PositionUpdate,
    RiskAlert,
    Severity,
    TradeSignal,
)
from tradeagent.storage.records import PAGE, SqlRecords
from tradeagent.storage.sql import SqlStore

SIGNAL = TradeSignal(
    symbol="BTC", strategy="sma_cross", direction="long", time=1, price=1, valid_until=9
)
STORY: list[tuple[Message, int]] = [
    (boot(1), 0),
    (bar("BTC", 1), 0),
    (tick(1), 0),
    (SIGNAL, 2),
    (request("intent-a"), 4),
    (assessment("intent-a", order("a")), 5),
    (update("a", OrderStatus.PREPARED), 6),
    (bar("BTC", 2), 0),
    (request("intent-b"), 8),
    (assessment("intent-b"), 9),
    (update("a", OrderStatus.OPEN), 0),
    (fill("a", "1"), 0),
    (update("a", OrderStatus.FILLED), 12),
    (
        PositionUpdate(
            symbol="BTC",
            size=Decimal(1),
            time=1,
            parts=(PositionPart(strategy="sma_cross", size=Decimal(1), entry_price=Decimal(100)),),
        ),
        12,
    ),
    (RiskAlert(code="DRAWDOWN", severity=Severity.ERROR), 0),
    (Incident(code="LAG", severity=Severity.WARNING), 0),
    (CancelRequest(cloid="a", reason="too late"), 0),
    (update("c", OrderStatus.OPEN), 0),
]
"""Each message with its cause; its seq is its place, from 1."""


def told() -> Iterator[Envelope[Message]]:
    for seq, (message, cause) in enumerate(STORY, start=1):
        yield envelope(seq, message, cause=cause)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlRecords]:
    path = tmp_path_factory.mktemp("records") / "journal.db"
    written(path, told()).close()
    records = SqlRecords.read(path)
    yield records
    records.close()


def test_lists_are_newest_first(records: SqlRecords) -> None:
    """Each list shows its own messages with their places, the newest first."""
    seqs = {
        name: [record.seq for record in getattr(records, name)()]
        for name in ("orders", "fills", "incidents", "analyses", "events", "assessments")
    }

    assert seqs == {
        "orders": [18, 13],
        "fills": [12],
        "incidents": [16, 15],
        "analyses": [4],
        "events": [18, 17, 13, 11, 7],
        "assessments": [10, 6],
    }
    assert [record.seq for record in records.orders(open_only=True)] == [18]
    assert [record.seq for record in records.events(2)] == [18, 17]
    assert records.assessments()[0].message == assessment("intent-b")
    assert records.fills()[0].message == fill("a", "1")
    assert records.fills()[0].source == "tester"


def test_positions_are_the_last(records: SqlRecords) -> None:
    """Positions show the netted account and each strategy's part of it."""
    assert [position.size for position in records.positions()] == [1]
    (part,) = records.positions()[0].parts
    assert (part.strategy, part.size, part.entry_price) == ("sma_cross", 1, 100)


def test_entries_are_read_page_by_page(tmp_path: Path) -> None:
    """Every row comes once and in order, however many pages they fill, within the bounds asked."""
    count = PAGE * 2 + 5
    store = written(
        tmp_path / "journal.db", (envelope(seq, tick(seq)) for seq in range(1, count + 1))
    )

    assert [entry.seq for entry in store.entries()] == list(range(1, count + 1))
    assert [entry.seq for entry in store.entries(7, 9)] == [7, 8, 9]
    assert next(store.entries(8)).message == tick(8)
    store.close()


def test_bars_are_those_closed_by_then(tmp_path: Path) -> None:
    """Candles come oldest first, closed by the time asked for, the last `count` of them."""
    bars = [bar("BTC", number) for number in (3, 1, 2, 2, 5)]
    store: SqlStore = written(
        tmp_path / "journal.db", (envelope(seq, made) for seq, made in enumerate(bars, start=1))
    )
    closed = bar("BTC", 3).close_time

    assert list(store.bars("BTC", "1m", closed, 2)) == [bar("BTC", 2), bar("BTC", 3)]
    assert list(store.bars("BTC", "1m", closed - 1, 9)) == [bar("BTC", 1), bar("BTC", 2)]
    assert list(store.bars("BTC", "5m", closed, 9)) == []
    store.close()
