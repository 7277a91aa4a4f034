"""Killed at any moment and opened again, the exchange goes on as one that was not."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from tradeagent.messages import OrderStatus, TickerUpdate
from tradeagent.simulation import ExchangeSettings

from .actions import CHEAP, LIVES, MAKER, TAKER, action
from .desk import ETH, FREE, INSTRUMENT, SYMBOL, Desk, book, modified
from .life import Life
from .reference_books import DAY, HOUR

QUICK = Path("/dev/shm")
"""Where files cost no wait for a disk."""


THE_END = (
    *(("wait", HOUR), ("quote", "A", 96, 2, -3, None, None), ("book", "A", 0, [9, 9], [9, 9])),
    *(("quote", "B", 104, 2, 3, 5, None), ("wait", DAY), ("quote", "A", 104, 1, 0, None, 0.001)),
    *(("quote", "B", 95, 2, None, None, None), ("quote", "A", 93, 1, None, 5, None)),
)
"""What lets all that is on its way arrive, and much of what rests fill."""


@pytest.mark.parametrize(
    ("order_delay", "cancel_delay", "isolated"),
    [(0, 0, False), (0, 2500, True), (700, 0, False), (1500, 2500, True), (2500, 1500, False)],
)
def test_a_killed_exchange_goes_on_as_one_that_lives(
    order_delay: int, cancel_delay: int, isolated: bool
) -> None:
    """Every answer and report, the account and what rests or is on its way stay the same."""
    rules = ExchangeSettings(
        balance=Decimal(300),
        maker_fee=MAKER,
        taker_fee=TAKER,
        slippage_bp=Decimal(100),
        fee_tiers=(CHEAP,),
        leverage=8,
        leverages={"B": 5},
        isolated=("A",) if isolated else (),
        funding_rate=Decimal("0.0007"),
        order_delay_ms=order_delay,
        cancel_delay_ms=cancel_delay,
    )

    async def both(seeds: list[int], on_bars: int, folder: Path) -> None:
        steady, mortal = Life(rules, None), Life(rules, folder)
        actions = [action(seed, bars=number < on_bars) for number, seed in enumerate(seeds)]
        deaths = {number for number, seed in enumerate(seeds) if Random(seed + 1).random() < 0.3}
        for number, (kind, *values) in enumerate([*actions, *THE_END]):
            if number in deaths or number == len(actions):
                mortal.die()
            assert await mortal.live(kind, *values) == await steady.live(kind, *values)
            assert mortal.told == steady.told
        assert mortal.exchange._ledger.reports() == steady.exchange._ledger.reports()
        for one in (steady, mortal):
            await one.exchange.close()

    @settings(max_examples=60, deadline=None)
    @given(LIVES)
    def compare(life: tuple[list[int], int]) -> None:
        with TemporaryDirectory(dir=QUICK if QUICK.is_dir() else None) as folder:
            (Path(folder) / "x").mkdir()
            asyncio.run(both(*life, Path(folder) / "x"))

    compare()


# -- one by one -----------------------------------------------------------------------------------


def slow(order: int = 0, cancel: int = 0) -> ExchangeSettings:
    """Return rules by which orders and cancels take that many milliseconds."""
    return FREE.model_copy(update={"order_delay_ms": order, "cancel_delay_ms": cancel})


async def test_a_stop_that_found_nothing_stays_triggered(tmp_path: Path) -> None:
    """Its trigger counts once: it takes from the next price, also where the mark is back above."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(99, 100)
    await desk.place("buy", 3)
    await desk.place("sell", 3, "stop", 95)
    desk.tick(94, 95, mark=97)
    book(desk, ((94, 0.5),), ((95, 9.0),))
    desk.exchange.on_market(
        TickerUpdate(symbol=SYMBOL, time=desk.now, bid=94, ask=95, last=94, mark=94)
    )
    assert [one.order.cloid for one in desk.ledger.open_orders()] == ["c2"]
    assert await desk.position() == 3
    await desk.exchange.close()

    again = Desk(path=path, now=desk.now)
    again.tick(98, 99, mark=98)

    assert again.fills() == [("c2", Decimal(98), Decimal(3))]
    await again.exchange.close()


async def test_a_cancel_on_its_way_lands_after_a_restart(tmp_path: Path) -> None:
    """The client was told that it is on its way: it lands when it is due, no sooner."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(slow(cancel=2500), path=path)
    desk.tick(99, 100)
    for price in (95, 90):
        await desk.place("buy", 1, "limit", price)
        await desk.exchange.cancel_order(SYMBOL, f"c{len(desk.ledger.open_orders())}")
    await desk.exchange.close()

    again = Desk(slow(cancel=2500), path=path, now=desk.now)
    again.tick(94, 95)
    assert again.heard() == [("c1", OrderStatus.FILLED)]
    for _ in range(2):
        again.tick(99, 100)

    assert again.heard() == [("c2", OrderStatus.CANCELED)]
    assert again.ledger.landings() == []
    await again.exchange.close()


async def test_the_rate_that_was_told_last_is_kept(tmp_path: Path) -> None:
    """A position that has paid nothing yet pays at the rate told before the restart."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.tick(100, 100)
    desk.exchange.on_market(
        TickerUpdate(
            symbol=SYMBOL, time=desk.now, bid=100, ask=100, last=100, mark=100, funding=0.001
        )
    )
    await desk.place("buy", 10)
    await desk.exchange.close()

    again = Desk(path=path, now=HOUR)
    again.exchange._listeners.clear()
    book(again, ((100, 9.0),), ((100, 9.0),))

    assert [one.payment for one in await again.exchange.get_funding(0)] == [1]
    await again.exchange.close()


async def test_what_has_arrived_does_not_arrive_again(tmp_path: Path) -> None:
    """A post-only order that rests is not judged anew where the clock begins before its arrival."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(slow(order=1500), path=path)
    desk.tick(99, 100)
    await desk.place("buy", 1, "limit", 95)
    desk.tick(99, 100)
    desk.tick(99, 100)
    await desk.exchange.modify_order("c1", modified("c9", "buy", 1, 94, tif="ALO"))
    desk.tick(99, 100)
    desk.tick(99, 100)
    assert desk.heard() == [("c1", OrderStatus.CANCELED)]
    await desk.exchange.close()

    again = Desk(slow(order=1500), path=path, now=0)
    again.tick(92, 93)

    assert again.fills() == [("c9", Decimal(94), Decimal(1))]
    await again.exchange.close()


async def test_a_first_stop_meets_the_candle_of_its_entry_after_a_restart(tmp_path: Path) -> None:
    """A restart between an entry and its stop hides nothing of the price's way to the stop."""
    path = tmp_path / "ledger.sqlite"
    desk = Desk(path=path)
    desk.bar(100, 100, 100, 100)
    await desk.place("buy", 1)
    desk.bar(100, 105, 90, 104)
    await desk.exchange.close()

    again = Desk(path=path, now=desk.now)
    await again.place("sell", 1, "stop", 95, cloid="c2")

    assert again.fills() == [("c2", Decimal(95), Decimal(1))]
    await again.exchange.close()


async def test_nobody_is_liquidated_before_all_marks_are_known(tmp_path: Path) -> None:
    """What one position has gained counts for another, also before its first price comes again."""
    path = tmp_path / "ledger.sqlite"
    tight = FREE.model_copy(update={"balance": Decimal(1000), "leverage": 10})
    desk = Desk(tight, (INSTRUMENT, ETH), path=path)
    for symbol in (SYMBOL, "ETH"):
        desk.tick(100, 100, symbol=symbol)
        await desk.place("buy", 40, symbol=symbol)
    desk.tick(140, 140, symbol="ETH")
    desk.tick(75, 75)
    assert len(desk.fills()) == 2
    await desk.exchange.close()

    again = Desk(tight, (INSTRUMENT, ETH), path=path, now=desk.now)
    again.tick(75, 75)
    again.tick(140, 140, symbol="ETH")
    again.tick(75, 75)
    assert again.reports == []
    again.tick(100, 100, symbol="ETH")
    again.tick(74, 74)
    assert [one[0].partition("-")[0] for one in again.fills()] == ["liquidation"] * 2
    await again.exchange.close()


@pytest.mark.parametrize("killed", [False, True])
async def test_a_waiting_market_order_keeps_its_cap_over_a_restart(
    tmp_path: Path, killed: bool
) -> None:
    """With candles it is measured from the price before the stop: one that jumped too far ends it,
    as if there had been no restart, and one within the cap fills it."""
    for price, ends in ((150, OrderStatus.CANCELED), (104, OrderStatus.FILLED)):
        path = tmp_path / f"{price}.sqlite"
        desk = Desk(path=path)
        desk.bar(100, 101, 99, 100)
        await desk.place("buy", 1)
        if killed:
            desk.ledger.close()
        else:
            await desk.exchange.close()

        desk = Desk(path=path, now=desk.now)
        desk.bar(price, price, price, price)

        assert desk.heard() == [("c1", ends)]
