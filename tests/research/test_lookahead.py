"""What knows its future is caught, and what does not is left in peace."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.research import peekers
from tests.research.plain import FREE, MINUTE, START, write_bars
from tradeagent.messages import TradeSignal
from tradeagent.research.backtest import prepare, span_of
from tradeagent.research.decisions import Ear
from tradeagent.research.lookahead import LookAhead, look_ahead
from tradeagent.research.play import Listening, play, scratch, wait_for
from tradeagent.research.spec import Backtest
from tradeagent.research.warmup import WarmUp, warm_up


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Yield fresh processes for all checks of this file."""
    with ProcessPoolExecutor(2, get_context("spawn")) as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return six hours of a walk."""
    source, price, closes = random.Random(4), 100.0, []
    for _ in range(360):
        price = round(price * (1 + source.gauss(0, 0.002)), 2)
        closes.append(price)
    return write_bars(tmp_path_factory.mktemp("data") / "btc.csv", closes)


def spec_of(strategy: str, file: Path, **params: object) -> Backtest:
    """Return a backtest of one strategy."""
    return Backtest(
        strategies=(f"tests.research.peekers:{strategy}",),
        symbols=("BTC",),
        timeframes=("1m",),
        params=params,
        data=(str(file),),
        settings=FREE,
    )


def checked(spec: Backtest, pool: ProcessPoolExecutor) -> LookAhead:
    """Return what the check finds of a backtest."""
    prepared, ear = prepare(spec), Ear()
    with scratch() as state:
        wait_for(play(prepared.plan, state, prepared.feed, Listening([ear.subscriber])))
    assert sum(one.type == TradeSignal.wire for one in ear.decisions) > 20
    return look_ahead(spec, prepared.files, span_of(prepared.feed), ear.decisions, pool)


def test_an_honest_strategy_passes(pool: ProcessPoolExecutor, file: Path) -> None:
    """Every decision up to each cut is the same without what follows, to the last letter."""
    found = checked(spec_of("Honest", file), pool)

    assert len(found.cuts) == 8
    assert not found.caught, found.told()
    assert found.told() == ()


def test_a_global_with_later_bars_is_caught(pool: ProcessPoolExecutor, file: Path) -> None:
    """What is looked up in memory is not there in a fresh process: the first signal is named."""
    rows = file.read_text(encoding="utf-8").splitlines()[1:]
    peekers.KNOWN.update((int(row.split(",")[0]) * 10**6, float(row.split(",")[4])) for row in rows)
    try:
        found = checked(spec_of("Knowing", file), pool)
    finally:
        peekers.KNOWN.clear()

    assert found.parting is not None
    assert found.parting.one is not None
    assert found.parting.one.strategy == "knowing"
    assert found.parting.ts == START + 5 * MINUTE
    (told,) = found.told()
    assert told.startswith("LOOK-AHEAD: knowing decides otherwise when what follows is cut off")
    assert "it is nothing instead of TRADE_SIGNAL" in told


def test_a_strategy_that_reads_the_file_is_caught(pool: ProcessPoolExecutor, file: Path) -> None:
    """The file is out of its reach, and both the file and the first decision are named."""
    found = checked(spec_of("Reading", file, path=str(file)), pool)

    assert found.peeked == (str(file.resolve()),)
    assert found.parting is not None
    (told,) = found.told()
    assert "opens btc.csv, the very data it is tested on" in told
    assert "reading decides otherwise" in told


def test_other_files_that_are_read_are_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the check cannot judge is no fault, and the reader is told of it."""
    note = tmp_path / "note.txt"
    note.write_text("buy low", encoding="utf-8")
    monkeypatch.setenv("PEEKERS_NOTE", str(note))
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = checked(spec_of("Noting", file), pool)

    assert not found.caught
    assert found.read == (str(note.resolve()),)
    assert "note.txt" in found.told()[0]


def later(spec: Backtest, pool: ProcessPoolExecutor) -> WarmUp:
    """Return what beginning later changes."""
    prepared, ear = prepare(spec), Ear()
    with scratch() as state:
        wait_for(play(prepared.plan, state, prepared.feed, Listening([ear.subscriber])))
    return warm_up(spec, span_of(prepared.feed), ear.decisions, MINUTE, pool)


def test_a_strategy_with_its_warm_up_signals_the_same_whenever_it_begins(
    pool: ProcessPoolExecutor, file: Path
) -> None:
    """With four candles of warm-up, what looks at four candles does not depend on the start."""
    found = later(spec_of("Honest", file), pool)

    assert found.compared > 50
    assert found.told() == ()


def test_a_warm_up_that_is_too_short_is_told(pool: ProcessPoolExecutor, file: Path) -> None:
    """What counts from its first candle on signals otherwise when it begins later."""
    found = later(spec_of("Forgetful", file), pool)

    assert found.changed > 0
    assert found.told()[0].startswith("WARM-UP: begun at 2022-01-01T00:36:")


def test_checks_put_their_words_first_among_the_warnings(file: Path) -> None:
    """`checks` of a backtest come before all other warnings, in its summary too."""
    prepared = prepare(spec_of("Reading", file, path=str(file)))
    result = replace(prepared, warnings=("data",)).run(checks=("lookahead",))

    assert result.warnings[0].startswith("LOOK-AHEAD: ")
    assert result.warnings[1] == "data"
    assert result.summary.warnings == result.warnings
