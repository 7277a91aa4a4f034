"""The ledger: what was answered is never forgotten, and nothing else is believed."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.errors import LockedError, StateError
from tradeagent.messages import ExecutionReport, InstrumentUpdate, OrderStatus
from tradeagent.simulation import ExchangeSettings, Ledger, SimulatedExchange
from tradeagent.simulation.scratch import Scratchpad

from .desk import INSTRUMENT, SYMBOL, Desk

RICH = ExchangeSettings(balance=Decimal(10**9))

ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["buy", "sell"]),
            st.integers(1, 3),
            st.sampled_from(["market", "limit", "stop", "take_profit"]),
            st.integers(90, 110),
            st.booleans(),
            st.sampled_from([None, "g", "h"]),
        ),
        st.tuples(st.just("tick"), st.integers(90, 110)),
        st.tuples(st.just("cancel"), st.integers(1, 8)),
    ),
    max_size=14,
)


async def act(desk: Desk, action: tuple[Any, ...], number: int) -> ExecutionReport | None:
    """Carry out one action; return the exchange's answer, if it is one that answers."""
    kind, *values = action
    if kind == "tick":
        desk.tick(values[0], values[0] + 1)
        return None
    if kind == "cancel":
        return await desk.exchange.cancel_order(SYMBOL, f"c{values[0]}")
    side, size, type_, price, flag, group = values
    priced = None if type_ == "market" else price
    flag = flag or type_ in ("stop", "take_profit")
    return await desk.place(
        side, size, type_, priced, cloid=f"c{number}", reduce_only=flag, group=group
    )


async def standing(desk: Desk) -> tuple[object, ...]:
    """Return all that the exchange can be asked about its state."""
    statuses = [await desk.exchange.get_order_status(SYMBOL, f"c{n}") for n in range(20)]
    return (
        await desk.exchange.get_open_orders(),
        await desk.exchange.get_positions(),
        await desk.exchange.get_account_info(),
        await desk.exchange.get_fills(0),
        statuses,
        desk.ledger.seq,
    )


@settings(max_examples=40, deadline=None)
@given(ACTIONS)
def test_reopening_after_every_event_changes_nothing(actions: list[tuple[Any, ...]]) -> None:
    """An exchange that is reopened after each event stands, answers and reports as one that is not.

    Prices are no part of the ledger: the last quote is shown again after each opening.
    """

    async def live(folder: str) -> None:
        steady = Desk(RICH)
        steady.tick(100, 101)
        quote, reports, now = 100, [], steady.now
        for number, action in enumerate(actions):
            path = Path(folder) / "ledger.sqlite"
            broken = Desk(RICH, path=path, now=now)
            broken.now = now - 1_000_000_000
            broken.tick(quote, quote + 1)
            assert broken.reports == []
            assert await standing(broken) == await standing(steady)

            assert await act(broken, action, number) == await act(steady, action, number)
            quote = action[1] if action[0] == "tick" else quote
            now = broken.now
            reports += broken.reports
            await broken.exchange.close()
        assert reports == steady.reports

    with TemporaryDirectory() as folder:
        asyncio.run(live(folder))


class Passing(Desk):
    """A desk whose exchange keeps its ledger in memory."""

    def __init__(self) -> None:
        super().__init__(RICH)
        instruments = (INSTRUMENT,)
        pad = Scratchpad()
        self.exchange = SimulatedExchange(RICH, instruments, pad, lambda: self.now)
        self.exchange.subscribe(self.reports.append)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_a_scratchpad_answers_as_a_ledger(actions: list[tuple[Any, ...]]) -> None:
    """A run that is thrown away hears what one that is kept hears."""

    async def live() -> None:
        kept, passing = Desk(RICH), Passing()
        for desk in (kept, passing):
            desk.tick(100, 101)
        for number, action in enumerate(actions):
            assert await act(passing, action, number) == await act(kept, action, number)
        assert passing.reports == kept.reports

    asyncio.run(live())


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_the_state_is_the_fold_of_the_events(actions: list[tuple[Any, ...]]) -> None:
    """Open orders, position and balance are exactly what the ledger's events add up to."""

    async def live() -> None:
        desk = Desk(RICH)
        desk.tick(100, 101)
        sides: dict[str, str] = {}
        for number, action in enumerate(actions):
            await act(desk, action, number)
            if action[0] == "place":
                sides[f"c{number}"] = action[1]
        status, cash, size = {}, RICH.balance, Decimal(0)
        for report in desk.ledger.reports():
            status[report.cloid] = report.status
            if (fill := report.execution) is not None:
                sign = 1 if sides[report.cloid] == "buy" else -1
                size += sign * fill.size
                cash -= sign * fill.size * fill.price + fill.fee
        opened = {one.cloid for one in await desk.exchange.get_open_orders()}
        assert opened == {c for c, last in status.items() if last is OrderStatus.OPEN}
        assert await desk.position() == size
        info = await desk.exchange.get_account_info()
        held = await desk.exchange.get_positions()
        cost = sum((desk.exchange._clearing.account.position(p.symbol).cost for p in held), 0)
        assert info.balance - cost == cash

    asyncio.run(live())


async def test_a_report_is_durable_before_it_is_delivered(tmp_path: Path) -> None:
    """At the moment of delivery a copy of the files already holds the report, its cancels too."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(RICH, path=path)
    seen: list[list[tuple[str, OrderStatus]]] = []

    def copy(_: object) -> None:
        target = tmp_path / f"copy{len(seen)}"
        target.mkdir()
        for file in path.parent.glob("ledger.sqlite*"):
            shutil.copy(file, target)
        ledger = Ledger(target / "ledger.sqlite")
        seen.append([(one.cloid, one.status) for one in ledger.reports()])
        ledger.close()

    desk.exchange.subscribe(copy)
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 95, group="g")
    await desk.place("buy", 1, "limit", 94, group="g")
    desk.tick(90, 91)

    whole = [
        ("c1", OrderStatus.OPEN),
        ("c2", OrderStatus.OPEN),
        ("c1", OrderStatus.FILLED),
        ("c2", OrderStatus.CANCELED),
    ]
    assert seen == [whole, whole]
    await desk.exchange.close()


@pytest.mark.parametrize(("steps", "inside"), [(1, "1"), (5, "0"), (9, "1")])
def test_a_killed_exchange_remembers_all_it_answered(
    tmp_path: Path, steps: int, inside: str
) -> None:
    """After SIGKILL, also in the middle of a delivery, every answer and report is in the ledger."""
    path = tmp_path / "ledger.sqlite"
    victim = Path(__file__).with_name("victim.py")
    run = subprocess.run(
        [sys.executable, str(victim), str(path), str(steps), inside],
        capture_output=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    told = [
        ExecutionReport.model_validate_json(line.split(b" ", 1)[1])
        for line in run.stdout.splitlines()
    ]

    ledger = Ledger(path)
    known = ledger.reports()
    exchange = SimulatedExchange(RICH, [INSTRUMENT], ledger, lambda: 9)

    assert told
    assert all(report in known for report in told)
    assert exchange._clearing.account.positions[SYMBOL].fees == sum(
        fill.execution.fee for fill in ledger.fills(0) if fill.execution
    )


async def test_balance_stays_that_of_the_ledger(tmp_path: Path) -> None:
    """The configured balance is a deposit made once; reopening with another changes nothing."""
    path = tmp_path / "ledger.sqlite"
    first = Desk(ExchangeSettings(balance=Decimal(500)), path=path)
    await first.exchange.close()
    second = Desk(ExchangeSettings(balance=Decimal(900)), path=path)

    assert (await second.exchange.get_account_info()).balance == 500
    await second.exchange.close()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    """A ledger that is open cannot be opened again; the error names the file."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)

    with pytest.raises(LockedError, match=r"ledger\.sqlite: in use by another process"):
        Ledger(path)
    ledger.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Foreign bytes give a StateError with file and remedy."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, " * 500)

    with pytest.raises(StateError, match=r"ledger\.sqlite: damaged or foreign: .*; put back"):
        Ledger(path)


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    """Another program's SQLite file is refused and not changed."""
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (id INTEGER)")
    other.commit()
    other.close()
    before = path.read_bytes()

    with pytest.raises(StateError, match=r"other\.sqlite: .*no exchange ledger of version 3"):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    """Pages that were overwritten give a StateError with file and remedy, not a wrong account."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(RICH, path=path)
    asyncio.run(desk.exchange.close())
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(reversed(content[4096:]))
    path.write_bytes(content)

    with pytest.raises(StateError, match=r"ledger\.sqlite: .*move it away"):
        Desk(RICH, path=path)


def test_a_row_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    """A ledger whose rows were edited into nonsense gives a StateError too."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(RICH, path=path)
    asyncio.run(desk.place("buy", 1, "limit", 90))
    asyncio.run(desk.exchange.close())
    db = sqlite3.connect(path)
    db.execute("UPDATE orders SET body = '{}'")
    db.commit()
    db.close()

    with pytest.raises(StateError, match=r"ledger\.sqlite: damaged"):
        Desk(RICH, path=path)


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing folder gives a StateError that says what to check."""
    with pytest.raises(StateError, match=r"ledger\.sqlite: .*check that its disk"):
        Ledger(tmp_path / "missing" / "ledger.sqlite")


async def test_an_order_in_an_unlisted_symbol_stops_the_start(tmp_path: Path) -> None:
    """A position or order that the exchange could not price or close is not passed over."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(RICH, path=path)
    await desk.place("buy", 1, "limit", 90)
    await desk.exchange.close()
    eth = InstrumentUpdate(symbol="ETH", tick=Decimal(1), lot=Decimal(1))

    with pytest.raises(StateError, match="BTC, which the exchange does not list"):
        Desk(RICH, (eth,), path=path)


async def test_a_write_that_fails_ends_the_ledger(tmp_path: Path) -> None:
    """After a failed write nothing is delivered and nothing more is taken, until a restart."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(RICH, path=path)
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 95)
    page_count = desk.ledger._db.execute("PRAGMA page_count").fetchone()[0]
    desk.ledger._db.execute(f"PRAGMA max_page_count = {page_count}")

    async def fill_the_disk() -> None:
        for number in range(1000):
            await desk.place("buy", 1, "limit", 50, cloid=f"fill{number}" + "x" * 2000)

    with pytest.raises(StateError, match="full"):
        await fill_the_disk()
    desk.ledger._db.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(StateError, match="an earlier write failed"):
        desk.tick(90, 91)
    assert desk.reports == []
    await desk.exchange.close()

    again = Desk(RICH, path=path)
    assert "c1" in [order.cloid for order in await again.exchange.get_open_orders()]
    await again.exchange.close()


def test_a_start_costs_no_more_after_a_long_history(tmp_path: Path) -> None:
    """Opening and asking for what is recent takes no more steps after a hundred times as much."""

    async def steps(orders: int) -> int:
        path = tmp_path / f"{orders}.sqlite"
        desk = Desk(RICH, path=path)
        desk.ledger._group = 1_000
        desk.tick(100, 101)
        for number in range(orders):
            desk.now += 1_000_000_000
            await desk.place("buy" if number % 2 else "sell", 1)
        await desk.place("buy", 1, "limit", 90)
        await desk.exchange.close()

        ledger = Ledger(path)
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        ledger._db.set_progress_handler(step, 1)
        venue = SimulatedExchange(RICH, [INSTRUMENT], ledger, lambda: desk.now)
        assert len(await venue.get_fills(desk.now)) == 1
        assert await venue.get_funding(desk.now) == []
        ledger._db.set_progress_handler(None, 1)
        await venue.close()
        return count

    assert asyncio.run(steps(2_000)) <= asyncio.run(steps(20)) + 10
