"""What the exchange missed while it was away, and ledgers that older versions have left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from tradeagent.integrations.base import VenueEvent
from tradeagent.messages import ExecutionReport, MarketData, Order, OrderStatus, TickerUpdate
from tradeagent.simulation import ExchangeSettings, Ledger
from tradeagent.simulation.matching import Landing
from tradeagent.simulation.tables import SCHEMA, TO_2

from .desk import FREE, MINUTE, SYMBOL, Desk, modified, trade

HOUR = 60 * MINUTE
FILLED, CANCELED = OrderStatus.FILLED, OrderStatus.CANCELED


def candle(minute: int, open_: float, high: float, low: float, close: float) -> MarketData:
    """Return the candle of a minute."""
    prices = {"open": open_, "high": high, "low": low, "close": close}
    return MarketData(symbol=SYMBOL, timeframe="1m", time=minute * MINUTE, volume=1, **prices)


def old_tick(minute: int, price: float) -> TickerUpdate:
    """Return the quote of a minute."""
    return TickerUpdate(symbol=SYMBOL, time=minute * MINUTE, bid=price, ask=price, last=price)


async def test_missed_candles_are_worked_through_before_anything_new(tmp_path: Path) -> None:
    """Stops and limits meet the candles that passed, at their time, and fills say so."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    await desk.place("buy", 1)
    await desk.place("sell", 1, "stop", 95, group="g")
    await desk.place("sell", 1, "take_profit", 105, group="g")
    await desk.place("buy", 1, "limit", 90)
    await desk.exchange.close()

    again = Desk(path=path, now=5 * MINUTE)
    again.exchange.on_market(candle(1, 100, 110, 94, 100))
    again.exchange.on_market(candle(2, 93, 94, 90, 92))
    again.exchange.on_market(candle(3, 92, 93, 89, 91))

    told = [(one.cloid, one.status, one.time // MINUTE) for one in again.reports]
    assert told == [("c2", FILLED, 2), ("c3", CANCELED, 2), ("c4", FILLED, 4)]
    fills = [one.execution for one in again.reports if one.execution]
    assert [(one.price, one.while_down) for one in fills] == [(95, True), (90, True)]

    again.reports.clear()
    again.tick(80, 81)
    await again.place("sell", 1, cloid="c5")
    assert [one.execution.while_down for one in again.reports if one.execution] == [False]
    assert [one.cloid for one in await again.exchange.get_fills(0)] == ["c1", "c2", "c4", "c5"]
    await again.exchange.close()


async def test_a_restart_changes_nothing_about_what_is_held(tmp_path: Path) -> None:
    """Before the first price it is worth what it was: at a stop, to the cent; killed, nearly."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    await desk.place("buy", 2)
    desk.tick(110, 110)
    await desk.place("buy", 1, "limit", 50)
    desk.tick(130, 130)

    copy = tmp_path / "killed.sqlite"
    killed = sqlite3.connect(copy)
    desk.ledger._db.backup(killed)
    killed.close()
    at_the_end = await desk.exchange.get_account_info()
    await desk.exchange.close()
    stopped = await Desk(path=path).exchange.get_account_info()
    cut_off = await Desk(path=copy).exchange.get_account_info()

    assert (stopped.equity, stopped.margin_used) == (at_the_end.equity, at_the_end.margin_used)
    assert at_the_end.unrealised_pnl == 60
    assert cut_off.unrealised_pnl == 20


async def test_what_is_ordered_while_it_catches_up_was_not_away(tmp_path: Path) -> None:
    """An order of now fills as one of now, at a time no earlier, though the price is an old one."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    await desk.place("buy", 2)
    await desk.place("sell", 1, "stop", 95)
    await desk.exchange.close()

    again = Desk(path=path, now=9 * MINUTE)
    again.exchange.on_market(old_tick(2, 98))
    await again.place("sell", 1, cloid="c3")
    again.exchange.on_market(old_tick(3, 94))

    told = [(one.cloid, one.time // MINUTE) for one in again.reports]
    assert told == [("c3", 9), ("c2", 9)]
    assert [one.execution.while_down for one in again.reports if one.execution] == [False, True]
    await again.exchange.close()


async def test_the_exchange_s_time_never_goes_back(tmp_path: Path) -> None:
    """Opened with a clock behind its ledger, it tells no time before the last it has told."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path, now=5 * MINUTE)
    desk.tick(100, 100)
    await desk.place("buy", 1)
    await desk.exchange.close()

    again = Desk(path=path, now=3 * MINUTE)
    again.tick(100, 100)
    await again.place("sell", 1, cloid="c2")

    assert again.now < desk.now
    assert [one.time for one in again.reports] == [desk.now]
    await again.exchange.close()


async def test_funding_and_liquidation_happen_while_away(tmp_path: Path) -> None:
    """The hours and the margin of the time away count as any other."""
    path = tmp_path / "ledger.sqlite"
    tight = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})
    desk = Desk(tight.model_copy(update={"funding_rate": Decimal("0.001")}), path=path)
    desk.tick(100, 100)
    await desk.place("buy", 100)
    await desk.exchange.close()

    rated = tight.model_copy(update={"funding_rate": Decimal("0.001")})
    again = Desk(rated, path=path, now=70 * MINUTE)
    again.exchange._listeners.clear()
    happened: list[VenueEvent] = []
    again.exchange.subscribe(happened.append)
    for minute in range(1, 61):
        again.exchange.on_market(candle(minute, 100, 100, 100, 100))
    again.exchange.on_market(candle(61, 100, 100, 90, 100))

    funding, closing = happened
    assert (funding.time, closing.time) == (60 * MINUTE, 62 * MINUTE)
    assert not isinstance(funding, ExecutionReport)
    assert funding.payment == 10
    assert isinstance(closing, ExecutionReport)
    assert closing.execution is not None
    assert (closing.execution.liquidation, closing.execution.while_down) == (True, True)
    await again.exchange.close()


# -- older files ----------------------------------------------------------------------------------


@contextmanager
def older(path: Path, version: int, schema: str) -> Iterator[sqlite3.Connection]:
    """Make the ledger of an older version, which begins with a deposit; closed at the end."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(schema)
        db.execute("PRAGMA application_id = 2054048817")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("INSERT INTO events VALUES (1, 0, 'deposit', '', '5000')")
        yield db
        db.commit()


async def test_a_ledger_of_version_one_opens_and_goes_on(tmp_path: Path) -> None:
    """An old file keeps its account, orders and volume, and what is new works on it."""
    path = tmp_path / "ledger.sqlite"
    fill = (
        '{"cloid":"a","symbol":"BTC","status":"FILLED","time":7,"oid":"2","execution":{"tid":"3",'
        '"price":"100","size":"2","fee":"1","liquidity":"taker","while_down":false},'
        '"cancel_refused":false,"reason":""}'
    )
    with older(path, 1, SCHEMA) as db:
        db.execute("INSERT INTO events VALUES (3, 7, 'fill', 'a', ?)", (fill,))
        order = modified("b", "sell", 2, 120).model_dump_json()
        row = ("b", 4, 8, 1, 8, SYMBOL, "OPEN", "", order)
        db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO positions VALUES ('BTC', '2', '200', '0', '1', 7)")
        db.execute("INSERT INTO events VALUES (4, 8, 'order', 'b', '{}')")

    desk = Desk(ExchangeSettings(), path=path)
    assert desk.ledger.volumes() == {0: 200}
    desk.tick(119, 121, mark=120)
    trade(desk, 121, 1, "buy")
    assert desk.fills() == [("b", Decimal(120), Decimal(2))]
    assert (await desk.exchange.get_account_info()).balance == 5000 - 1 + 40 - Decimal("0.036")
    await desk.exchange.close()
    reopened = Ledger(path)
    assert [one.cloid for one in reopened.fills(0)] == ["a", "b"]
    reopened.close()


async def test_a_ledger_of_version_two_opens_and_goes_on(tmp_path: Path) -> None:
    """What was triggered, what may be on its way and the funding hour are taken over."""
    path = tmp_path / "ledger.sqlite"
    with older(path, 2, f"{SCHEMA} {TO_2}") as db:
        db.execute("INSERT INTO events VALUES (9, 90, 'order', 'd', '{}')")
        stop = {"type": "stop", "limit": None, "trigger": 90, "reduce_only": True}
        for cloid, oid, placed, filled, replaces, more in (
            ("a", 2, 20, "1", "", stop),
            ("b", 3, 30, "0", "", {}),
            ("c", 4, 40, "0", "b", {}),
            ("d", 5, 91, "0", "", {}),
        ):
            body = modified(cloid, "sell", 2, 120)
            body = Order.model_validate({**body.model_dump(), **more})
            row = (cloid, oid, placed, 1, placed, SYMBOL, "OPEN", "", body.model_dump_json())
            marks = ", ".join("?" * 12)
            db.execute(f"INSERT INTO orders VALUES ({marks})", (*row, filled, "0", replaces))
        held = (SYMBOL, "2", "200", "0", "1", 7, "0", "0", "0.001", 2 * HOUR)
        db.execute("INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", held)

    ledger = Ledger(path)

    assert [(one.order.cloid, one.triggered) for one in ledger.open_orders()] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", False),
    ]
    assert ledger.landings() == [
        Landing(40, 4, SYMBOL, "c", False),
        Landing(91, 5, SYMBOL, "d", False),
    ]
    page = ledger.pages()[SYMBOL]
    assert (page.rate, page.hour) == (Decimal("0.001"), 3 * HOUR)
    assert ledger.positions()[SYMBOL].size == 2
    ledger.close()
