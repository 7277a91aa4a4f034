"""What knows its future is caught, and what does not is left in peace."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.research import peekers
from tests.research.plain import FREE, MINUTE, START, write_bars
from tradeagent.messages import TradeSignal
from tradeagent.research.backtest import prepare
from tradeagent.research.decisions import Ear
from tradeagent.research.lookahead import LookAhead, look_ahead
from tradeagent.research.outlook import OUTLOOK, Peeked
from tradeagent.research.play import Listening, play, scratch, wait_for
from tradeagent.research.prices import span_of
from tradeagent.research.spec import Backtest
from tradeagent.research.warmup import WarmUp, warm_up


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Yield fresh processes for all checks of this file."""
    with ProcessPoolExecutor(2, get_context("spawn")) as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three hours of a walk."""
    source, price, closes = random.Random(4), 100.0, []
    for _ in range(180):
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
    assert sum(one.type == TradeSignal.wire for one in ear.decisions) > 10
    return look_ahead(spec, prepared.files, span_of(prepared.feed), ear.decisions, pool)


def test_an_honest_strategy_passes(pool: ProcessPoolExecutor, file: Path) -> None:
    """Every decision up to each cut is the same without what follows, to the last letter."""
    found = checked(spec_of("Honest", file), pool)

    assert len(found.cuts) == 8
    assert found.line == f"look-ahead: 8 cuts, no decision of {found.compared} changed"
    assert found.compared > 10
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


def test_other_files_that_are_read_are_named(tmp_path: Path) -> None:
    """What cannot be judged is no fault, and the reader is told; hidden files stay shut."""
    note, prices = tmp_path / "note.txt", tmp_path / "prices.csv"
    for one in (note, prices):
        one.write_text("1", encoding="utf-8")
    with OUTLOOK.over([prices], [tmp_path / "ours"]) as outlook:
        note.read_text(encoding="utf-8")
        with pytest.raises(Peeked, match=r"prices\.csv was opened"):
            prices.read_text(encoding="utf-8")
        with outlook.closed():
            prices.read_text(encoding="utf-8")

    assert outlook.peeked == [str(prices.resolve())]
    assert list(outlook.read) == [str(note.resolve())]
    (told,) = LookAhead((), read=tuple(outlook.read)).told()
    assert "note.txt" in told
    assert not LookAhead((), read=tuple(outlook.read)).caught
    assert prices.read_text(encoding="utf-8") == "1"


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

    assert found.compared > 30
    assert found.told() == ()
    assert found.line == f"warm-up: {found.compared} signals compared, none changed"


def test_an_honest_strategy_that_works_here_alone_is_not_accused(
    pool: ProcessPoolExecutor, file: Path, tmp_path: Path
) -> None:
    """What ends in an error in another process is told as that: it neither peeks nor passes."""
    with (tmp_path / "lock").open("w") as lock:
        peekers.HELD.append(lock)
        spec = spec_of("Alone", file, path=lock.name)
        found, other = checked(spec, pool), later(spec, pool)
        peekers.HELD.clear()

    assert (found.caught, found.line) == (False, "look-ahead: could not be made")
    assert found.told()[0].startswith("The look-ahead check could not be made at 8 of 8 cuts: ")
    assert "BlockingIOError" in found.told()[0]
    assert other.line == "warm-up: could not be made"
    assert other.told()[0].startswith("The warm-up check could not be made in full: ")
    assert "BlockingIOError" in other.told()[0]


def test_cuts_that_failed_are_not_counted_among_those_that_passed() -> None:
    """What was made in part says of how many cuts."""
    some = LookAhead((1, 2, 3), compared=5, unmade=1, failed="boom")

    assert some.line == "look-ahead: 2 of 3 cuts, no decision of 5 changed"
    assert some.told()[0].startswith("The look-ahead check could not be made at 1 of 3 cuts: boom.")


def test_processes_that_cannot_begin_are_told(file: Path) -> None:
    """A script that they cannot import leaves a result, and a line that says what to do."""
    script = f"""
from tradeagent.research import backtest
from tests.research.plain import FREE
found = backtest(
    "tests.research.peekers:Honest", symbol="BTC", timeframe="1m", data={str(file)!r},
    settings=FREE, checks=("lookahead", "warmup"),
)
print(found.checks)
print(*found.warnings[:2], sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()

    assert "look-ahead: could not be made" in lines[0]
    for line in lines[1:]:
        assert "could not be made" in line
        assert "a strategy must stand in a file that they can import" in line


def test_a_check_that_compared_nothing_says_so(pool: ProcessPoolExecutor, file: Path) -> None:
    """Where nothing was decided, no decision changed: that shows nothing, and is not silent."""
    spec = spec_of("Silent", file)
    prepared = prepare(spec)
    result = prepared.run(checks=("lookahead", "warmup"), executor=pool)

    assert result.checks == (
        "look-ahead: 8 cuts, no decisions to compare, nothing shown",
        "warm-up: no signals to compare, nothing shown",
    )
    assert result.summary.checks == result.checks


def test_checks_put_their_words_first_among_the_warnings(
    pool: ProcessPoolExecutor, file: Path
) -> None:
    """`checks` of a backtest come before all other warnings, in its summary too."""
    prepared = replace(prepare(spec_of("Forgetful", file)), warnings=("data",))
    result = prepared.run(checks=("lookahead", "warmup"), executor=pool)

    assert result.warnings[0].startswith("WARM-UP: begun at 2022-01-01T")
    assert "signals are others" in result.warnings[0]
    assert result.warnings[1] == "data"
    assert result.summary.warnings == result.warnings
