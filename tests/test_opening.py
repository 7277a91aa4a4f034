"""What a run begins with follows from the state it finds, its crashes and the operator's word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness import START
from tradeagent.app import open_daemon
from tradeagent.clock import SECOND
from tradeagent.config.load import load
from tradeagent.errors import StateError
from tradeagent.messages import Incident, Release, TradingMode, TradingState
from tradeagent.opening import CRASH_WINDOW, Unlock, opening
from tradeagent.plan import make_plan
from tradeagent.storage.base import Past
from tradeagent.storage.directory import StateDirectory
from tradeagent.storage.memory import MemoryStore

M = TradingMode
WORD = Unlock("looked", "ann")


def past(mode: TradingMode, previous: TradingMode = M.ACTIVE, *, clean: bool = True) -> Past:
    """Return the past of a run that left trading in a state."""
    state = TradingState(mode=mode, previous=previous, reason="so", actor="bob", since=START)
    return replace(MemoryStore().past(), trading_state=state, clean=clean)


@pytest.mark.parametrize("mode", M)
@pytest.mark.parametrize("crashes", [0, 4, 5, 9])
def test_five_crashes_shut_whatever_is_less_than_locked(mode: TradingMode, crashes: int) -> None:
    """From five on the state goes down to SAFE_MODE, remembering what it was, with an incident;
    LOCKED stays, and a limit of 0 shuts nothing."""
    said = [one.message for one in opening(past(mode, clean=False), crashes, 5, None, START)]
    shut = [one for one in said if isinstance(one, TradingState)]
    told = [one for one in said if isinstance(one, Incident)]

    if crashes < 5 or mode is M.LOCKED:
        assert said == []
    else:
        assert [(one.mode, one.previous) for one in shut] == (
            [] if mode is M.SAFE_MODE else [(M.SAFE_MODE, mode)]
        )
        assert [one.code for one in told] == ["SAFE_MODE"]
    assert opening(past(mode, clean=False), crashes, 0, None, START) == ()


@pytest.mark.parametrize("mode", M)
@pytest.mark.parametrize("crashes", [0, 5])
def test_an_unlock_ends_locked_and_nothing_else(mode: TradingMode, crashes: int) -> None:
    """It lets trading go on from LOCKED; anywhere else all is as it would be without it."""
    said = opening(past(mode, clean=False), crashes, 5, WORD, START)

    if mode is M.LOCKED:
        release = Release(ends=mode, to=M.ACTIVE, reason="looked", actor="ann")
        assert [tuple(one) for one in said] == [(release, "operator")]
    else:
        assert said == opening(past(mode, clean=False), crashes, 5, None, START)


@pytest.mark.parametrize("before", [M.ACTIVE, M.REDUCE_ONLY, M.FLATTENING, M.HALTED])
def test_an_orderly_stop_leads_back_to_what_was_before(before: TradingMode) -> None:
    """After SAFE_MODE ended in order the state before it comes back, no freer one."""
    ((word, _),) = opening(past(M.SAFE_MODE, before), 0, 5, None, START)

    assert isinstance(word, Release)
    assert (word.ends, word.to) == (M.SAFE_MODE, before)
    assert opening(past(M.SAFE_MODE, before, clean=False), 0, 5, None, START) == ()


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00", b"1" * 5_000, b"\0" * 20, b"- 1.5 x"])
def test_a_damaged_file_of_starts_stops_no_start(tmp_path: Path, rubbish: bytes) -> None:
    """Whatever stands in it that is no time of a start counts for nothing, also when the start
    ends with a line; the starts from then on are counted."""
    place = StateDirectory(tmp_path / "state")
    place.starts.write_bytes(rubbish)
    place.excuse()
    place.starts.write_bytes(rubbish)

    assert [place.begin(minute * 60 * SECOND, CRASH_WINDOW) for minute in (1, 2)] == [0, 1]


def test_starts_that_cannot_be_kept_are_told_in_a_line(tmp_path: Path) -> None:
    """A start, its excuse and its end name the file that cannot be read, written or removed."""
    place = StateDirectory(tmp_path / "state")
    place.starts.mkdir()

    for act in (lambda: place.begin(1, 1), place.excuse, place.end):
        with pytest.raises(StateError, match="starts: "):
            act()


async def test_a_run_closes_its_store_before_its_start_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of starts that cannot be removed ends the run with a line, and costs nothing of what
    the run has written: the next start finds that it ended in order."""

    def fail(_: StateDirectory) -> None:
        raise StateError("starts: no such luck")

    settings = load("demo", [], {"clock.mode": "simulated"}, {}, None, None)
    made = make_plan(settings, 3)
    monkeypatch.setattr(StateDirectory, "end", fail)
    with pytest.raises(StateError, match="no such luck"):
        async with open_daemon(made, tmp_path / "state", serve=()) as daemon:
            await daemon.run(600 * SECOND)
    monkeypatch.undo()

    async with open_daemon(made, tmp_path / "state", serve=()) as daemon:
        assert daemon.past.clean


def test_starts_are_counted_within_their_window_apart_from_the_store(tmp_path: Path) -> None:
    """Each start that did not end in order counts for ten minutes; an excused one never, and an
    orderly end clears all. What cannot be read in the file counts for nothing."""
    place = StateDirectory(tmp_path / "state")
    assert [place.begin(minute * 60 * SECOND, CRASH_WINDOW) for minute in (1, 2, 11, 12)] == [
        0, 1, 1, 1,
    ]  # fmt: skip
    place.excuse()
    assert place.begin(13 * 60 * SECOND, CRASH_WINDOW) == 1
    place.starts.write_text("rubbish\n" + place.starts.read_text())
    assert place.begin(13 * 60 * SECOND, CRASH_WINDOW) == 2
    place.end()
    place.end()
    assert place.begin(14 * 60 * SECOND, CRASH_WINDOW) == 0
    assert StateDirectory(tmp_path / "state").begin(14 * 60 * SECOND, CRASH_WINDOW) == 1
