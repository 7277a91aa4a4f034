"""Every order, fill, signal and refusal of a run can be explained from its journal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.daemon import run
from tests.storage.examples import envelope, written
from tradeagent.errors import CommandError
from tradeagent.explain import Explanation, explain
from tradeagent.messages import (
    Execution,
    ExecutionReport,
    Fill,
    Message,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    RiskAssessment,
    TradeSignal,
)
from tradeagent.storage.records import SqlRecords

DATA = Path(__file__).parents[3] / "shared" / "data"
M = TypeVar("M", bound=Message)
MONTH = DATA / "btc-perp_1m_2021-12-31_2022-02-01.csv"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of half a day of the demo."""
    state = tmp_path_factory.mktemp("explain") / "state"
    ended = run("run", "--speed", "max", "--for", "12h", "--seed", "5", "--state", str(state))
    assert ended.returncode == 0, ended.stderr
    return state


@pytest.fixture(scope="module")
def records(state: Path) -> Iterator[SqlRecords]:
    """Open its journal."""
    records = SqlRecords.read(state / "journal.db")
    yield records
    records.close()


def of(story: Explanation, kind: type[M]) -> list[M]:
    """Return the messages of one class in a story."""
    return [step.message for step in story.steps if isinstance(step.message, kind)]


def filled(records: SqlRecords) -> list[Fill]:
    """Return every fill."""
    return [record.message for record in records.fills(100_000)]


def test_every_fill_has_its_whole_chain(records: SqlRecords) -> None:
    """From market data over signal, request, every rule and the order's life to the position."""
    fills = filled(records)
    assert fills
    for fill in fills:
        story = explain(records, f"{fill.cloid}:{fill.tid}")
        assert story.missing == (), fill
        assert fill in of(story, Fill)
        assert [one for one in of(story, RiskAssessment) if one.rules]
        signals = of(story, TradeSignal)
        assert all(one.values and one.rationale for one in signals)
        seqs = {step.seq for step in story.steps}
        last = story.steps[-1].seq
        assert all(seq < step.seq for step in story.steps for seq in step.because)
        assert story.seq in seqs
        assert story.seq <= last


def test_a_stop_leads_back_to_its_entry(records: SqlRecords) -> None:
    """The fill of a stop tells the entry it protected, and the signal behind that."""
    orders = {record.message.order.cloid: record.message for record in records.orders(limit=10_000)}
    stops = [one for one in filled(records) if orders[one.cloid].order.type == "stop"]
    assert stops
    for stop in stops:
        story = explain(records, f"{stop.cloid}:{stop.tid}")
        group = orders[stop.cloid].order.group
        assert group is not None
        entry = group.partition(":")[0]
        assert entry in [fill.cloid for fill in of(story, Fill)]
        assert of(story, TradeSignal)
        assert stop.closed_pnl != 0


def test_every_refusal_says_which_rule_and_why(records: SqlRecords) -> None:
    """A rejection shows the request, the numbers of each rule, and no order."""
    refused = [one.message for one in records.assessments(10_000) if not one.message.approved]
    assert refused
    for verdict in refused:
        story = explain(records, verdict.intent_id)
        assert story.subject == "rejection"
        assert story.missing == ()
        assert of(story, OrderRequest)
        own = of(story, OrderUpdate)
        assert verdict.intent_id not in [one.order.intent_id for one in own]
        failed = [rule for rule in verdict.rules if not rule.passed]
        assert [rule.rule for rule in failed] == list(verdict.reasons)
        assert all(rule.text for rule in failed)


def test_votes_add_up_to_the_target_and_lead_to_their_signals(records: SqlRecords) -> None:
    """Each vote of a request is the signal of that strategy at that time."""
    for record in records.assessments(10_000):
        story = explain(records, record.message.intent_id)
        request = next(
            one for one in of(story, OrderRequest) if one.intent_id == record.message.intent_id
        )
        told = {(one.strategy, one.time) for one in of(story, TradeSignal)}
        assert {(vote.strategy, vote.time) for vote in request.votes} <= told


def test_costs_are_told_of_every_order_that_filled(state: Path, records: SqlRecords) -> None:
    """`orders --costs` names each order with a fill once, with the fees its fills paid."""
    fees: dict[str, Decimal] = {}
    for fill in filled(records):
        fees[fill.cloid] = fees.get(fill.cloid, Decimal(0)) + fill.fee
    shown = run("orders", "--costs", "--json", "--limit", "10000", "--state", str(state)).stdout
    rows = {row["cloid"]: row for row in json.loads(shown)}
    assert rows.keys() == fees.keys()
    for cloid, row in rows.items():
        assert Decimal(row["fees"]) == round(fees[cloid], 4)
        slipped = Decimal(row["average"]) - Decimal(row["arrival"])
        cost = slipped * Decimal(row["filled"]) * (1 if row["side"] == "buy" else -1)
        assert abs(Decimal(row["shortfall"]) - cost - fees[cloid]) < Decimal("0.001")


def test_a_signal_tells_what_came_of_it(records: SqlRecords) -> None:
    """A signal's row leads on to the orders it called for."""
    signals = [one for one in records.analyses(10_000) if isinstance(one.message, TradeSignal)]
    stories = [explain(records, str(one.seq)) for one in signals]
    assert all(one.subject == "signal" and one.missing == () for one in stories)
    assert any(of(story, Fill) for story in stories)


def test_short_and_shared_names(records: SqlRecords) -> None:
    """Four characters do where they name one thing, without the part all order ids of a run begin
    with; otherwise the answer lists what they may mean, each of which can be typed."""
    fill = filled(records)[0]
    whole = explain(records, fill.cloid)
    assert explain(records, fill.intent_id[:10]).steps == whole.steps
    tail = fill.cloid[10:]
    assert explain(records, tail[:8]).steps == whole.steps
    assert explain(records, f"order:{tail[:8]}").steps == whole.steps
    same = f"{tail[:8]}:{fill.tid}"
    assert explain(records, same).seq == explain(records, f"{fill.cloid}:{fill.tid}").seq
    with pytest.raises(CommandError, match="may mean") as vague:
        explain(records, fill.cloid[:7])
    named = str(vague.value).partition("may mean ")[2].partition(" or more; name one")[0]
    assert len(named.split(", ")) == 5
    for one in named.split(", "):
        explain(records, one)
    for nonsense in ("", "nobody", "0xffffffff", "999999999", "'; drop table journal", "%%%%%%%"):
        with pytest.raises(CommandError, match="nothing on record"):
            explain(records, nonsense)
    with pytest.raises(CommandError, match="last:orders names nothing"):
        explain(records, "last:orders")


def test_the_shortest_unique_name_is_enough(records: SqlRecords) -> None:
    """Any order is named by four or more characters as soon as no other thing is."""
    cloids = [record.message.order.cloid for record in records.orders(limit=10_000)]
    intents = {record.message.order.intent_id for record in records.orders(limit=10_000)}
    intents |= {record.message.intent_id for record in records.assessments(10_000)}
    for cloid in cloids[:50]:
        others = [one[10:] for one in cloids if one != cloid] + sorted(intents)
        tail = cloid[10:]
        length = next(
            size
            for size in range(4, len(tail))
            if not any(one.startswith(tail[:size]) for one in others)
        )
        start = tail[:length]
        if start.isdigit():
            start = f"order:{start}"
        assert explain(records, start).steps == explain(records, cloid).steps


def test_a_word_before_a_name_says_what_is_meant(records: SqlRecords) -> None:
    """A row and a fill of one number are told apart; a strategy names its last signal."""
    fill = next(one for one in filled(records) if int(one.tid) > 1)
    with pytest.raises(CommandError, match=f"may mean row:{fill.tid}, fill:{fill.cloid}:"):
        explain(records, fill.tid)
    assert explain(records, f"row:{fill.tid}").seq == int(fill.tid)
    told = explain(records, f"fill:{fill.tid}")
    assert told.subject == "fill"
    assert told.steps == explain(records, f"fill:{fill.cloid}:{fill.tid}").steps
    assert explain(records, f"intent:{fill.intent_id[:8]}").subject == "order"

    signals = [one for one in records.analyses(10_000) if isinstance(one.message, TradeSignal)]
    (last, *_) = signals
    assert isinstance(last.message, TradeSignal)
    whose, what = last.message.strategy, last.message.symbol
    for name in (f"signal:{last.seq}", f"signal:{whose}", f"signal:{whose}:{what}"):
        assert (explain(records, name).subject, explain(records, name).seq) == ("signal", last.seq)
    for wrong in (f"signal:{fill.tid}", "row:99999999", "fill:0x", "order:0x", "signal:nobody"):
        with pytest.raises(CommandError, match="nothing on record"):
            explain(records, wrong)


def test_names_are_found_after_any_number_of_runs(
    state: Path, records: SqlRecords, tmp_path: Path
) -> None:
    """Each run has its own shared part of order ids; more of them cost no answer."""
    copy = tmp_path / "state"
    shutil.copytree(state, copy)
    with closing(sqlite3.connect(copy / "journal.db")) as connection:
        row = list(connection.execute("SELECT * FROM orders LIMIT 1").fetchone())
        marks = ", ".join("?" * len(row))
        for epoch in range(2, 1_300):
            row[0] = f"0x7a67{epoch:04x}{'0' * 24}"
            connection.execute(f"INSERT INTO orders VALUES ({marks})", row)
        connection.commit()
    many, fill = SqlRecords.read(copy / "journal.db"), filled(records)[0]

    for name in (fill.cloid[10:], f"{fill.cloid[10:18]}:{fill.tid}"):
        assert explain(many, name).steps == explain(records, name).steps
    many.close()


@pytest.mark.parametrize("name", ["9" * 18, "9" * 19, "9" * 5_000])
def test_a_number_beyond_all_rows_names_nothing(records: SqlRecords, name: str) -> None:
    """However long a number is, the answer is a line."""
    for reference in (name, f"row:{name}", f"signal:{name}", f"fill:{name}"):
        with pytest.raises(CommandError, match="nothing on record"):
            explain(records, reference)


def test_an_intent_of_digits_alone_can_be_named(
    state: Path, records: SqlRecords, tmp_path: Path
) -> None:
    """An id that looks like a number is found by its first digits, and by all of them."""
    refused = next(one for one in records.assessments(10_000) if not one.message.approved)
    digits = "98765432109876543210987654321098"
    copy = Path(shutil.copytree(state, tmp_path / "state"))
    with closing(sqlite3.connect(copy / "journal.db")) as writer:
        change = "UPDATE intents SET intent_id = ? WHERE assessed_seq = ?"
        writer.execute(change, (digits, refused.seq))
        writer.commit()
    others = SqlRecords.read(copy / "journal.db")
    for name in (digits, digits[:9], f"intent:{digits[:4]}"):
        assert explain(others, name).seq == refused.seq
    others.close()


def test_a_liquidation_tells_what_else_is_missing(tmp_path: Path) -> None:
    """Nobody here asked for the venue's own order, but its booking must be on record."""
    order = Order(
        cloid="liquidation-7", intent_id="liquidation-7", symbol="BTC", side="sell",
        size=Decimal(1), type="market", reduce_only=True,
    )  # fmt: skip
    done = Execution(tid="8", price=Decimal(50), size=Decimal(1), fee=Decimal(0), liquidation=True)
    status = OrderStatus.FILLED
    report = ExecutionReport(
        cloid=order.cloid, symbol="BTC", status=status, time=1, execution=done, order=order
    )
    fill = Fill(
        cloid=order.cloid, tid="8", intent_id=order.intent_id, symbol="BTC", side="sell",
        size=done.size, price=done.price, fee=done.fee, liquidity="taker", strategy="venue", time=1,
    )  # fmt: skip
    update = OrderUpdate(
        order=order, status=status, filled=done.size, strategy="venue", expires_at=0
    )
    held = PositionUpdate(symbol="BTC", size=Decimal(0), entry_price=Decimal(0), time=1)
    for rows, missing in (
        ([report, update, fill, held], ()),
        ([report, update, fill], ("the position after it",)),
        ([report, fill], ("the order", "the position after it")),
    ):
        path = tmp_path / f"{len(missing)}{len(rows)}{missing}.db"
        said = (
            envelope(seq, row, cause=0 if row is report else 1) for seq, row in enumerate(rows, 1)
        )
        store = written(path, said)
        assert explain(store, "fill:8").missing == missing
        store.close()


def test_the_command_prints_text_json_and_a_picture(state: Path) -> None:
    """The three forms tell the same steps."""
    at = ("--state", str(state))
    told = run("explain", "last:rejection", *at).stdout
    assert "FAILED" in told
    assert "target" in told
    story = json.loads(run("explain", "last:rejection", "--json", *at).stdout)
    picture = run("explain", "last:rejection", "--mermaid", *at).stdout
    assert picture.startswith("flowchart TD\n")
    for step in story["steps"]:
        assert f" {step['seq']}  " in told
        assert f"s{step['seq']}[" in picture
        assert all(f"s{seq} --> s{step['seq']}" in picture for seq in step["because"] if seq)
    both = run("explain", "last", "--json", "--mermaid", *at)
    assert (both.returncode, both.stderr.count("\n")) == (1, 1)
    unknown = run("explain", "nobody", *at)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)


def test_what_was_archived_is_explained_alike(state: Path, tmp_path: Path) -> None:
    """Rows that were moved into a segment tell the same story."""
    copy = tmp_path / "state"
    shutil.copytree(state, copy)
    before = SqlRecords.read(copy / "journal.db")
    fills = filled(before)
    names = [f"{fill.cloid}:{fill.tid}" for fill in (fills[0], fills[len(fills) // 2], fills[-1])]
    told = [explain(before, name) for name in names]
    before.close()
    ended = run("archive", "--before", "2026-01-01T10:00:00Z", "--state", str(copy))
    assert ended.returncode == 0, ended.stderr
    after = SqlRecords.read(copy / "journal.db")
    assert after.segments()
    assert [explain(after, name) for name in names] == told
    after.close()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not MONTH.exists(), reason="the recorded data is not here")
def test_every_fill_of_a_recorded_month_names_its_file(tmp_path: Path) -> None:
    """Candles that stand in a file are named by it, with the time the signal rests on."""
    state = tmp_path / "state"
    ended = run("run", "--profile", "replay", "--data", str(MONTH), "--state", str(state))
    assert ended.returncode == 0, ended.stderr
    records = SqlRecords.read(state / "journal.db")
    fills = filled(records)
    assert len(fills) > 100
    for fill in fills:
        story = explain(records, f"{fill.cloid}:{fill.tid}")
        assert story.missing == (), fill
        assert story.files
        assert all(MONTH.name in file for file in story.files.values())
    records.close()
